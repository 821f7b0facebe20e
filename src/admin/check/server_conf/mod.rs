//! OpenVPN's server configuration, as far as it matters here: read as OpenVPN reads it (`read_config_file` in
//! `options_parse.c`), with the files that it includes.

mod words;

pub(super) use words::words;

use super::finding::Place;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The longest configuration that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The longest line that OpenVPN takes, in bytes, with its line break (`OPTION_LINE_SIZE`).
const MAX_LINE_BYTES: usize = 255;

/// How deep files may include each other (`max_recursive_levels`).
const MAX_DEPTH: usize = 10;

/// What an option has in place of a file name when the file stands between tags (`<ca>`).
pub(super) const INLINE: &str = "[inline]";

/// One option of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    /// Where it stands.
    pub(super) place: Place,
    /// Its name and what follows it.
    pub(super) words: Vec<String>,
}

impl Directive {
    /// What follows the name; empty where nothing does.
    pub(super) fn value(&self) -> &str {
        self.words.get(1).map_or("", String::as_str)
    }
}

/// Something that keeps OpenVPN from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) text: String,
}

/// A configuration.
#[derive(Debug, Default)]
pub(super) struct ServerConf {
    pub(super) path: PathBuf,
    /// The directory that relative paths begin at: that of the configuration, as the units have it, or that of `cd`.
    directory: PathBuf,
    directives: Vec<Directive>,
    /// What OpenVPN does not take.
    pub(super) faults: Vec<Fault>,
    /// This file and those that it includes, as far as they were read.
    pub(super) files: Vec<PathBuf>,
}

impl ServerConf {
    /// Reads a configuration and what it includes.
    ///
    /// # Errors
    /// When the file itself cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = read_text(path)?;
        let mut conf = Self::empty(path);
        conf.take(path, &text, 1);
        Ok(conf)
    }

    #[cfg(test)]
    pub(super) fn parse(path: &Path, text: &str) -> Self {
        let mut conf = Self::empty(path);
        conf.take(path, text, 1);
        conf
    }

    fn empty(path: &Path) -> Self {
        let directory = crate::files::directory_of(path).to_owned();
        Self { path: path.to_owned(), directory, ..Self::default() }
    }

    fn take(&mut self, path: &Path, text: &str, depth: usize) {
        self.files.push(path.to_owned());
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let place = Place::line(path, index + 1);
            if line.len() > MAX_LINE_BYTES {
                self.fault(place.clone(), format!("a line of more than {MAX_LINE_BYTES} bytes"));
            }
            let mut words = match words(line) {
                Ok(words) => words,
                Err(error) => {
                    self.fault(place, error);
                    continue;
                }
            };
            let Some(first) = words.first_mut() else { continue };
            if let Some(name) = first.strip_prefix("--").filter(|name| !name.is_empty()) {
                *first = name.to_owned();
            }
            if let [tag] = &words[..]
                && let Some(name) = tag.strip_prefix('<').and_then(|tag| tag.strip_suffix('>'))
            {
                // A file of its own, up to the end tag.
                let end = format!("</{name}>");
                if !lines.any(|(_, line)| line.trim_start().starts_with(&end)) {
                    self.fault(place.clone(), format!("{end} is missing"));
                }
                words = vec![name.to_owned(), INLINE.to_owned()];
            } else if words[0] == "setenv" && words.get(1).is_some_and(|word| word == "opt") {
                // An option that older versions may pass over.
                words.drain(..2);
            }
            self.option(Directive { place, words }, depth);
        }
    }

    fn option(&mut self, directive: Directive, depth: usize) {
        match directive.words.first().map(String::as_str) {
            None => {}
            Some("config") if directive.words.len() == 2 => self.include(&directive, depth),
            Some("cd") => {
                self.directory = self.resolve(directive.value());
            }
            Some(_) => self.directives.push(directive),
        }
    }

    fn include(&mut self, directive: &Directive, depth: usize) {
        let path = self.resolve(directive.value());
        if depth == MAX_DEPTH {
            let text = format!("{} is included, and files are {MAX_DEPTH} deep already", path.display());
            return self.fault(directive.place.clone(), text);
        }
        match read_text(&path) {
            Ok(text) => self.take(&path, &text, depth + 1),
            Err(error) => {
                self.fault(directive.place.clone(), format!("{} is included: {error}", path.display()));
            }
        }
    }

    fn fault(&mut self, place: Place, text: String) {
        self.faults.push(Fault { place, text });
    }

    /// A path of the configuration, from the root.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.directory.join(path)
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
        self.last(name)?.value().parse().ok()
    }

    /// What `setenv` hands to hooks.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut variables: Vec<(OsString, OsString)> = Vec::new();
        for directive in self.all("setenv") {
            let Some(name) = directive.words.get(1) else { continue };
            let value = directive.words.get(2).cloned().unwrap_or_default();
            variables.retain(|(known, _)| known != name.as_str());
            variables.push((name.into(), value.into()));
        }
        variables
    }

    /// Whether it is that of a server.
    pub(super) fn is_server(&self) -> bool {
        ["server", "server-ipv6", "server-bridge"].iter().any(|name| self.last(name).is_some())
            || self.last("mode").is_some_and(|line| line.value() == "server")
    }

    /// The file, for findings about what is not in it.
    pub(super) fn place(&self) -> Place {
        Place::file(&self.path)
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let state = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !state.is_file() {
        return Err("not a regular file".to_owned());
    }
    if state.len() > MAX_BYTES {
        return Err(format!("longer than {MAX_BYTES} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_inside_the_configuration_are_no_options() {
        let text = "port 1194\n<ca>\nuser nobody\n</ca>\n--port 1195\nsetenv a b\nreneg-sec 0\n";
        let conf = ServerConf::parse(Path::new("x.conf"), text);
        assert!(conf.last("user").is_none());
        assert_eq!(conf.last("ca").unwrap().value(), INLINE);
        assert_eq!(conf.number("port"), Some(1195));
        assert_eq!(conf.number("reneg-sec"), Some(0));
        assert_eq!(conf.environment(), [("a".into(), "b".into())]);
        assert_eq!(conf.last("port").unwrap().place.to_string(), "x.conf:5");
        assert_eq!(conf.faults, []);
    }

    #[test]
    fn variables_are_those_that_openvpn_would_set() {
        let text = "setenv a 1\nsetenv a 2\nsetenv b\nsetenv opt script-security 2\nsetenv opt setenv c 3\n";
        let conf = ServerConf::parse(Path::new("x.conf"), text);
        let expected = [("a", "2"), ("b", ""), ("c", "3")];
        assert_eq!(conf.environment(), expected.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(conf.number("script-security"), Some(2));
    }

    #[test]
    fn included_files_count_where_they_are_included() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("main.conf");
        std::fs::create_dir(directory.path().join("sub")).unwrap();
        std::fs::write(&main, "user a\nconfig sub/more.conf\nconfig gone.conf\n").unwrap();
        std::fs::write(directory.path().join("sub/more.conf"), "# c\nuser b\ncd sub\nconfig more2.conf\n")
            .unwrap();
        std::fs::write(directory.path().join("sub/more2.conf"), "group c\n").unwrap();
        let conf = ServerConf::read(&main).unwrap();
        let user = conf.last("user").unwrap();
        assert_eq!((user.value(), user.place.line), ("b", Some(2)));
        assert!(user.place.file.ends_with("sub/more.conf"));
        assert_eq!(conf.last("group").unwrap().value(), "c");
        assert_eq!(conf.files.len(), 3);
        // `cd` was in force by then.
        assert!(conf.faults[0].text.contains("sub/gone.conf"), "{:?}", conf.faults);
        std::fs::write(&main, format!("config {}\n", main.display())).unwrap();
        let conf = ServerConf::read(&main).unwrap();
        assert!(conf.faults[0].text.contains("10 deep"), "{:?}", conf.faults);
    }

    #[test]
    fn what_keeps_openvpn_from_starting_is_said_with_its_line() {
        let long = format!("setenv {} 1", "x".repeat(255));
        for (text, line, why) in [
            ("dev tun\nsetenv x \"a\n", 2, "is not closed"),
            (long.as_str(), 1, "more than 255 bytes"),
            ("<ca>\nx\n", 1, "</ca> is missing"),
        ] {
            let conf = ServerConf::parse(Path::new("x.conf"), text);
            assert_eq!(conf.faults[0].place, Place::line(Path::new("x.conf"), line));
            assert!(conf.faults[0].text.contains(why), "{:?}", conf.faults);
        }
    }
}
