//! OpenVPN's server configuration, as far as it matters here. Pure.

use std::path::{Path, PathBuf};

/// One option of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// Its name and what follows it.
    pub(super) words: Vec<String>,
}

/// A configuration.
#[derive(Debug, Default)]
pub(super) struct ServerConf {
    pub(super) path: PathBuf,
    directives: Vec<Directive>,
}

impl ServerConf {
    /// Parses a configuration: comments, quotes and backslashes as OpenVPN does (`parse_line` in `options_parse.c`).
    pub(super) fn parse(path: &Path, text: &str) -> Self {
        let mut directives = Vec::new();
        // What stands between tags (`<ca>`) is a file of its own.
        let mut inside: Option<String> = None;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            match &inside {
                Some(end) if trimmed == end => inside = None,
                Some(_) => {}
                None if trimmed.starts_with('<') && trimmed.ends_with('>') => {
                    inside = Some(trimmed.replacen('<', "</", 1));
                }
                None => {
                    let words = words(trimmed);
                    if !words.is_empty() {
                        directives.push(Directive { line: index + 1, words });
                    }
                }
            }
        }
        Self { path: path.to_owned(), directives }
    }

    /// The last option of this name: for most, it is the one that counts.
    pub(super) fn last(&self, name: &str) -> Option<&Directive> {
        self.all(name).last()
    }

    /// All options of this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Directive> {
        self.directives.iter().filter(move |directive| directive.words[0] == name)
    }

    /// The number that follows an option.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.last(name)?.words.get(1)?.parse().ok()
    }

    /// What `setenv` hands to hooks.
    pub(super) fn environment(&self) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        self.all("setenv")
            .filter_map(|directive| Some((directive.words.get(1)?.into(), directive.words.get(2)?.into())))
            .collect()
    }

    /// The place of an option, for people.
    pub(super) fn place(&self, directive: &Directive) -> String {
        format!("{}:{}", self.path.display(), directive.line)
    }
}

/// The words of a line; none for a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '#' | ';') if word.is_none() => break,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, '"' | '\'') => {
                word.get_or_insert_default();
                quote = Some(character);
            }
            (Some(end), character) if character == end => quote = None,
            (None, character) if character.is_whitespace() => words.extend(word.take()),
            (_, character) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_openvpn_splits_them() {
        for (line, expected) in [
            ("dev tun # comment", &["dev", "tun"][..]),
            ("; comment", &[]),
            ("", &[]),
            (
                "auth-user-pass-verify \"/usr/bin/x --config /a b.toml\" via-file",
                &["auth-user-pass-verify", "/usr/bin/x --config /a b.toml", "via-file"],
            ),
            ("setenv totpIssuerName 'a \"b\" \\c'", &["setenv", "totpIssuerName", "a \"b\" \\c"]),
            ("setenv x a\\ b", &["setenv", "x", "a b"]),
            ("setenv x \"\"", &["setenv", "x", ""]),
            ("setenv x a#b", &["setenv", "x", "a#b"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn files_inside_the_configuration_are_no_options() {
        let text = "port 1194\n<ca>\nuser nobody\n</ca>\nport 1195\nsetenv a b\nreneg-sec 0\n";
        let conf = ServerConf::parse(Path::new("x.conf"), text);
        assert!(conf.last("user").is_none());
        assert_eq!(conf.number("port"), Some(1195));
        assert_eq!(conf.number("reneg-sec"), Some(0));
        assert_eq!(conf.environment(), [("a".into(), "b".into())]);
        assert_eq!(conf.place(conf.last("port").unwrap()), "x.conf:5");
    }
}
