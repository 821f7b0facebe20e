//! SECURITY.md names tests that exist, and one for each promise.

use super::{place, text};
use std::path::PathBuf;

/// Where the tests of a target begin, and whether their modules are below a folder of their own.
const TARGETS: [(&str, &str); 5] = [
    ("lib", "src"),
    ("blackbox", "tests/blackbox"),
    ("e2e", "tests/e2e/cases"),
    ("generated", "tests/generated"),
    ("duo_lookalike", "tests/duo_lookalike"),
];

/// The rows of tables with a column `held by`: the promise, and what holds it.
fn promises(document: &str) -> Vec<(&str, &str)> {
    let mut in_table = false;
    let mut rows = Vec::new();
    for line in document.lines() {
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            in_table = in_table && line.starts_with('|');
            continue;
        };
        match cells.split_once(" | ") {
            Some((_, "held by")) => in_table = true,
            Some(row) if in_table => rows.push(row),
            _ => {}
        }
    }
    rows
}

/// What stands between backticks and is the name of a test: a target or a group of `scripts/torture`, then one word.
fn names(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let named = quoted.filter_map(|name| name.split_once(char::is_whitespace));
    named
        .filter(|(target, name)| {
            let known = TARGETS.iter().any(|(known, _)| known == target) && name.contains("::");
            (known || *target == "scripts/torture") && !name.contains(char::is_whitespace)
        })
        .collect()
}

/// The sources in which a module of these names can stand: its own file, or that of a module around it.
fn sources(root: &str, modules: &[&str]) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for length in (1..=modules.len()).rev() {
        let path = place(root).join(modules[..length].join("/"));
        let folder = std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
        // The end-to-end tests have no names for the files in a folder of theirs.
        let files: Vec<_> = [path.with_extension("rs")].into_iter().chain(folder).collect();
        sources.extend(files.into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs")));
    }
    sources
}

/// The end-to-end tests of a file.
fn cases(content: &str) -> Vec<&str> {
    let list = content.split_once("crate::cases![").and_then(|(_, rest)| rest.split_once(']'));
    list.map_or(Vec::new(), |(list, _)| list.split(',').map(str::trim).collect())
}

/// What is wrong with the name of a test, if anything.
fn fault(target: &str, name: &str) -> Option<String> {
    if target == "scripts/torture" {
        let help = text("scripts/torture");
        let known =
            help.lines().any(|line| line.strip_prefix("  ").is_some_and(|line| line.starts_with(name)));
        return (!known).then(|| format!("scripts/torture has no group {name}"));
    }
    let (_, root) = TARGETS.iter().find(|(known, _)| *known == target)?;
    let words: Vec<&str> = name.split("::").collect();
    let (function, modules) = words.split_last()?;
    let head = format!("fn {function}(");
    for source in sources(root, modules) {
        let Ok(content) = std::fs::read_to_string(&source) else { continue };
        let Some(at) = content.find(&head) else { continue };
        // Modules that have no file are inside this one.
        let stem =
            |module: &&&str| source.with_extension("").components().any(|part| part.as_os_str() == **module);
        let inside = modules.iter().skip_while(|module| stem(module));
        if let Some(missing) = inside.clone().find(|module| !content.contains(&format!("mod {module} {{"))) {
            return Some(format!("{name}: no module {missing} in {}", source.display()));
        }
        let before = content[..at].trim_end();
        let is_test = before.lines().rev().take(3).any(|line| line.trim() == "#[test]")
            || cases(&content).contains(function);
        return (!is_test).then(|| format!("{name} is no test in {}", source.display()));
    }
    Some(format!("there is no test {target} {name}"))
}

#[test]
fn security_names_tests_that_exist() {
    let document = text("SECURITY.md");
    let names = names(&document);
    assert!(names.len() > 100, "{}", names.len());
    let faults: Vec<String> = names.iter().filter_map(|(target, name)| fault(target, name)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_promise_of_security_has_a_test() {
    let document = text("SECURITY.md");
    let promises = promises(&document);
    assert!(promises.len() > 50, "{}", promises.len());
    for (promise, held_by) in promises {
        let quoted = held_by.split('`').count() / 2;
        assert!(quoted > 0, "nothing holds: {promise}");
        assert_eq!(names(held_by).len(), quoted, "not all of these are names of tests: {held_by}");
    }
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    for (target, name) in [
        ("lib", "log::tests::no_such_test"),
        ("lib", "log::values_from_outside_cannot_start_a_pair_or_a_line_x"),
        ("lib", "printable::tests::values_from_outside_cannot_start_a_pair_or_a_line"),
        ("lib", "log::other::values_from_outside_cannot_start_a_pair_or_a_line"),
        ("lib", "primary::pam::tests::check"),
        ("blackbox", "hook::logins::alice"),
        ("e2e", "attacks::burst"),
        ("e2e", "refusals::a_burst_before_the_prompt_is_refused"),
        ("scripts/torture", "earthquake"),
    ] {
        assert!(fault(target, name).is_some(), "{target} {name}");
    }
    assert_eq!(fault("lib", "log::tests::values_from_outside_cannot_start_a_pair_or_a_line"), None);
    assert_eq!(fault("e2e", "duo::fraud_locks_the_user"), None);
}
