//! The settings: every key is in the example file with its default, in README's table, and in the manual page, which is
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
    for Key { section, name, value, .. } in keys() {
        // Each alone: some exclude each other.
        let loaded = load(&format!("[{section}]\n{name} = {value}\n"));
        let loaded = loaded.unwrap_or_else(|error| panic!("[{section}] {name} = {value}: {error}"));
        let example = ["host", "ikey", "skey", "skey_file", "ca_file", "http_proxy", "exempt", "key_file"]
            .iter()
            .chain(&["exempt_groups", "unenrolled_until", "username_pattern"])
            .any(|one| *one == name);
        if !example {
            let changed = format!("{loaded:?}") != format!("{:?}", Settings::default());
            assert!(!changed, "[{section}] {name} = {value} is not the default");
        }
    }
}

#[test]
fn readme_names_every_setting_with_its_name_in_the_environment() {
    let readme = text("README.md");
    for Key { section, name, .. } in keys() {
        assert!(readme.contains(&format!("`{name}`")), "[{section}] {name}");
        let words = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
        let variable = format!("{section}{}", words.collect::<String>());
        assert!(readme.contains(&format!("`{variable}`")), "{variable}");
    }
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
        for line in key.comment {
            writeln!(page, "{}", escaped(&line)).unwrap();
        }
    }
    page.push_str(".SH SEE ALSO\n\\fBopenvpn\\-2fa\\fR(8)\n");
    kept("contrib/man/openvpn-2fa.toml.5", &page);
}
