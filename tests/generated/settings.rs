//! The settings: every key is in the example file with its default. The manual page and the reference in contrib/doc are
//! made from the example file.

use super::commands::escaped;
use super::{kept, text};
use openvpn_2fa::config::{self, Settings, Sources};
use std::fmt::Write as _;

/// A key of the example file, with what stands above it.
struct Key {
    section: String,
    name: String,
    value: String,
    comment: Vec<String>,
}

impl Key {
    /// Whether the value is an example, as there is no default.
    fn is_example(&self) -> bool {
        ["host", "ikey", "skey", "skey_file", "ca_file", "http_proxy", "exempt", "key_file"]
            .iter()
            .chain(&["exempt_groups", "unenrolled_until", "username_pattern"])
            .any(|one| *one == self.name)
    }

    /// Its name in `setenv`.
    fn variable(&self) -> String {
        let words = self.name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
        format!("{}{}", self.section, words.collect::<String>())
    }
}

/// The keys of `contrib/config.toml`, which are commented out.
fn keys() -> Vec<Key> {
    let file = text("contrib/config.toml");
    let (mut section, mut comment, mut keys) = (String::new(), Vec::new(), Vec::new());
    for line in file.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            comment.clear();
        } else if let Some(words) = line.strip_prefix("# ") {
            comment.push(words.to_owned());
        } else if line == "#" {
            comment.push(String::new());
        } else if let Some((name, value)) = line.strip_prefix('#').and_then(|line| line.split_once(" = ")) {
            let (name, value, comment) = (name.to_owned(), value.to_owned(), std::mem::take(&mut comment));
            keys.push(Key { section: section.clone(), name, value, comment });
        } else if line.trim().is_empty() {
            comment.clear();
        }
    }
    keys
}

/// The names that follow "expected" in the complaint about a name that nobody knows.
fn known(file: &str) -> Vec<String> {
    let complaint = load(file).map(drop).unwrap_err();
    let (_, expected) = complaint.split_once("expected").unwrap_or_else(|| panic!("{complaint}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn load(file: &str) -> Result<Settings, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    config::load(&Sources { file: Some(path), ..Sources::default() }).map_err(|error| error.to_string())
}

#[test]
fn the_example_file_has_every_section_and_every_key() {
    let found = keys();
    let mut sections: Vec<_> = found.iter().map(|key| key.section.clone()).collect();
    sections.dedup();
    let mut wanted = known("[nonsense]\n");
    sections.sort();
    wanted.sort();
    assert_eq!(sections, wanted);
    for section in sections {
        let mut wanted = known(&format!("[{section}]\nnonsense = 1\n"));
        let mut names: Vec<_> =
            found.iter().filter(|key| key.section == section).map(|key| key.name.clone()).collect();
        wanted.sort();
        names.sort();
        assert_eq!(names, wanted, "[{section}]");
    }
}

#[test]
fn the_values_of_the_example_file_are_right_and_those_of_defaults_are_the_defaults() {
    load(&text("contrib/config.toml")).unwrap();
    for key in keys() {
        let Key { section, name, value, .. } = &key;
        // Each alone: some exclude each other.
        let loaded = load(&format!("[{section}]\n{name} = {value}\n"));
        let loaded = loaded.unwrap_or_else(|error| panic!("[{section}] {name} = {value}: {error}"));
        if !key.is_example() {
            let changed = format!("{loaded:?}") != format!("{:?}", Settings::default());
            assert!(!changed, "[{section}] {name} = {value} is not the default");
        }
    }
}

/// What stands above the keys in the reference.
const REFERENCE: &str = "\
<!-- Made from contrib/config.toml: UPDATE=1 cargo test --test generated -->
# Settings

None is needed. To change one, take [`contrib/config.toml`](../config.toml), in which every key stands with this
explanation and its default:

```sh
sudo install -D -m 0644 contrib/config.toml /etc/openvpn-2fa/config.toml
```

What counts, from the strongest: the command line (`--db`), the environment, the file, the default. The environment is
`setenv NAME VALUE` in server.conf. Another file: `--config FILE`, or `setenv openvpn2faConfig FILE`.

Settings are read at every login; the file needs no restart. A wrong one is an error that names file, line and key, and
then nobody gets in. So after a change:

```sh
sudo openvpn-2fa check
```
";

#[test]
fn the_reference_of_the_settings_is_made_from_the_example_file() {
    let mut page = String::from(REFERENCE);
    let keys = keys();
    for of_one_section in keys.chunk_by(|one, other| one.section == other.section) {
        let section = &of_one_section[0].section;
        writeln!(page, "\n## `[{section}]`\n\n| file | `setenv` | default |\n|---|---|---|").unwrap();
        for key in of_one_section {
            let default = if key.is_example() { "–".to_owned() } else { code(&key.value) };
            let (name, variable) = (&key.name, key.variable());
            writeln!(page, "| [`{name}`](#{section}-{name}) | `{variable}` | {default} |").unwrap();
        }
        for key in of_one_section {
            let what = if key.is_example() { "No default. For example" } else { "Default" };
            let value = code(&key.value);
            writeln!(page, "\n### `[{section}] {}`\n", key.name).unwrap();
            if key.comment.is_empty() {
                writeln!(page, "As above.").unwrap();
            }
            let (mut in_list, mut before) = (false, "");
            for line in &key.comment {
                let item = says_a_value(line);
                if item && !in_list && !before.is_empty() {
                    writeln!(page).unwrap();
                }
                in_list = item || in_list && !line.is_empty();
                let indent = match (item, in_list) {
                    (true, _) => "- ",
                    (false, true) => "  ",
                    (false, false) => "",
                };
                writeln!(page, "{indent}{}", line.replace('<', "&lt;").replace('*', "\\*")).unwrap();
                before = line;
            }
            writeln!(page, "\n{what}: {value}. In server.conf: `setenv {}`.", key.variable()).unwrap();
        }
    }
    kept("contrib/doc/settings.md", &page);
}

/// Whether a line of a comment begins with one of the values that a key takes: `"word": ...`.
fn says_a_value(line: &str) -> bool {
    line.strip_prefix('"')
        .and_then(|rest| rest.split_once('"'))
        .is_some_and(|(_, rest)| rest.starts_with(':'))
}

/// A value as code, in which quotes of TOML say nothing.
fn code(value: &str) -> String {
    format!("`{}`", value.trim_matches(['"', '\'']))
}

#[test]
fn the_manual_page_of_the_settings_is_made_from_the_example_file() {
    let mut page = String::from(
        ".TH openvpn\\-2fa.toml 5 \"\" openvpn\\-2fa \"File Formats\"\n.SH NAME\nopenvpn\\-2fa.toml \\- settings of \
         openvpn\\-2fa\n.SH SYNOPSIS\n/etc/openvpn\\-2fa/config.toml\n.SH DESCRIPTION\n",
    );
    let file = text("contrib/config.toml");
    let head = file.lines().take_while(|line| !line.starts_with('['));
    for line in head {
        let line = line.trim_start_matches('#').trim();
        let line = if line.is_empty() { ".PP".to_owned() } else { escaped(line) };
        writeln!(page, "{line}").unwrap();
    }
    let mut section = String::new();
    for key in keys() {
        if key.section != section {
            section.clone_from(&key.section);
            writeln!(page, ".SH \"[{section}]\"").unwrap();
        }
        writeln!(page, ".TP\n\\fB{} = {}\\fR", escaped(&key.name), escaped(&key.value)).unwrap();
        for line in key.comment.iter().filter(|line| !line.is_empty()) {
            writeln!(page, "{}", escaped(line)).unwrap();
        }
    }
    page.push_str(".SH SEE ALSO\n\\fBopenvpn\\-2fa\\fR(8)\n");
    kept("contrib/man/openvpn-2fa.toml.5", &page);
}
