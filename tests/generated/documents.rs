//! README says what the source says.

use super::{place, text};
use std::collections::BTreeSet;

/// The texts in quotes that follow `=>` in a function of the source.
fn words_of(path: &str, function: &str) -> Vec<String> {
    let source = text(path);
    let (_, body) = source.split_once(function).unwrap_or_else(|| panic!("{function} in {path}"));
    let body = body.split_once("\n    }\n").unwrap().0;
    body.lines()
        .filter_map(|line| line.split_once("=> \"")?.1.split_once('"').map(|(word, _)| word.to_owned()))
        .collect()
}

#[test]
fn readme_explains_every_reason_of_the_log() {
    let readme = text("README.md");
    let words = words_of("src/auth/reason.rs", "pub fn word(&self)");
    assert!(words.len() > 20, "{words:?}");
    for word in words {
        assert!(readme.contains(&format!("`{word}`")), "reason={word}");
    }
}

#[test]
fn readme_names_every_command() {
    let readme = text("README.md");
    let command = <openvpn_2fa::cli::Cli as clap::CommandFactory>::command();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        assert!(readme.contains(&format!("openvpn-2fa {}", sub.get_name())), "{}", sub.get_name());
    }
}

#[test]
fn links_lead_somewhere() {
    for document in
        ["README.md", "SECURITY.md", "CHANGELOG.md", "contrib/clients/README.md", "contrib/doc/benchmarks.md"]
            .into_iter()
            .chain(["contrib/doc/encryption.md", "contrib/doc/logs.md", "contrib/doc/packages.md"])
    {
        let content = text(document);
        let headings: BTreeSet<String> =
            content.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
        for link in content.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            if link.starts_with("http") {
                continue;
            }
            if path.is_empty() {
                assert!(headings.contains(fragment), "{document}: #{fragment}");
            } else {
                let beside = place(document).parent().unwrap().join(path);
                assert!(beside.exists(), "{document}: {path}");
            }
        }
    }
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    words.replace(' ', "-").chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}
