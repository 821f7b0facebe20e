//! The documents say what the source says, and their links lead somewhere.

use super::{place, text};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

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
fn the_documents_explain_every_reason_of_the_log() {
    let table = text("contrib/doc/troubleshooting.md");
    let words = words_of("src/auth/reason.rs", "pub fn word(&self)");
    assert!(words.len() > 20, "{words:?}");
    for word in words {
        assert!(table.contains(&format!("`{word}`")), "reason={word}");
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

/// Commands in running text and tables: blocks of them are run by `tests/e2e/cases/documents.rs`.
#[test]
fn every_command_in_running_text_is_one() {
    use clap::error::ErrorKind;
    let mut looked_at = 0;
    for document in documents() {
        let prose = prose(&document);
        for code in prose.split('`').skip(1).step_by(2) {
            let words: Vec<&str> = code.split_whitespace().take_while(|word| *word != ">").collect();
            let words = words.strip_prefix(&["sudo"]).unwrap_or(&words);
            if words.first() != Some(&"openvpn-2fa") || words.len() == 1 {
                continue;
            }
            let parsed = <openvpn_2fa::cli::Cli as clap::Parser>::try_parse_from(words);
            // "openvpn-2fa show" says of the command what it does, without saying for whom.
            let named =
                [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion, ErrorKind::MissingRequiredArgument];
            if let Err(error) = parsed {
                assert!(named.contains(&error.kind()), "{}: `{code}`: {error}", document.display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 30, "{looked_at}");
}

/// Commands belong into blocks of `sh`, where they are run. A block without a language is what programs say.
#[test]
fn commands_stand_in_blocks_that_are_run() {
    for document in documents() {
        let content = text(document.to_str().unwrap());
        let mut language = None;
        for (number, line) in content.lines().enumerate() {
            if let Some(rest) = line.trim_start().strip_prefix("```") {
                language = if language.is_some() { None } else { Some(rest) };
                continue;
            }
            let command =
                ["sudo ", "openvpn-2fa ", "$ ", "# openvpn"].iter().any(|start| line.starts_with(start));
            let runs = language == Some("sh") || language.is_none();
            assert!(!command || runs, "{}:{}: {line}", document.display(), number + 1);
        }
    }
}

/// Every Markdown file in the root and below contrib, relative to the root.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![(PathBuf::new(), false), (PathBuf::from("contrib"), true)];
    while let Some((directory, deep)) = directories.pop() {
        for entry in place("").join(&directory).read_dir().unwrap() {
            let path = directory.join(entry.unwrap().file_name());
            if deep && place("").join(&path).is_dir() {
                directories.push((path, true));
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let anchors: BTreeMap<&Path, Vec<String>> =
        documents.iter().map(|document| (document.as_path(), anchors(document))).collect();
    let mut looked_at = 0;
    for document in &documents {
        for link in links(&prose(document)) {
            let (path, fragment) = link.split_once('#').unwrap_or((link.as_str(), ""));
            if link.starts_with("http") {
                continue;
            }
            let target = match path {
                "" => document.clone(),
                path => resolved(&document.with_file_name(path)),
            };
            let document = document.display();
            assert!(place("").join(&target).exists(), "{document}: {link}: there is no {}", target.display());
            if !fragment.is_empty() {
                let anchors = anchors.get(target.as_path());
                let anchors =
                    anchors.unwrap_or_else(|| panic!("{document}: {link}: anchors are in Markdown only"));
                assert!(anchors.iter().any(|anchor| anchor == fragment), "{document}: {link}: {anchors:?}");
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 50, "{looked_at} links in {documents:?}");
}

#[test]
fn the_index_names_every_document() {
    let index = text("contrib/doc/README.md");
    for document in documents() {
        if document.parent() == Some(Path::new("contrib/doc")) && !document.ends_with("README.md") {
            let name = document.file_name().unwrap().to_str().unwrap();
            assert!(index.contains(&format!("]({name})")), "contrib/doc/README.md: {name}");
        }
    }
}

/// A document without its blocks of code, in which brackets are no links.
fn prose(document: &Path) -> String {
    let content = text(document.to_str().unwrap());
    let mut in_code = false;
    let lines = content.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn links(prose: &str) -> Vec<String> {
    prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// Without `..`, which is the directory above, as nothing here is a symbolic link.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            assert!(resolved.pop(), "{} leads out of the repository", path.display());
        } else {
            resolved.push(part);
        }
    }
    resolved
}

/// The anchors of a document's headings. The second of the same words has `-1` behind it, and so on.
fn anchors(document: &Path) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let prose = prose(document);
    for plain in prose.lines().filter(|line| line.starts_with('#')).map(anchor) {
        let before = anchors.iter().filter(|other| {
            let counted = other.strip_prefix(&format!("{plain}-"));
            **other == plain || counted.is_some_and(|number| number.parse::<u32>().is_ok())
        });
        let anchor = match before.count() {
            0 => plain,
            number => format!("{plain}-{number}"),
        };
        anchors.push(anchor);
    }
    anchors
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    words.replace(' ', "-").chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}
