//! Files that are made from the source and kept beside it, so that packages need no tools: man pages and completions.
//! And documents that have to say what the source says: the settings file, README's tables, SECURITY.md's tests.
//!
//! `UPDATE=1 cargo test --test generated` makes the files anew.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that cannot be set up is to fail there"
)]

mod commands;
mod contrib;
mod documents;
mod packages;
mod security;
mod settings;

use std::path::{Path, PathBuf};

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(place(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a file with what it should be, or makes it so.
fn kept(path: &str, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(place(path).parent().unwrap()).unwrap();
        return std::fs::write(place(path), wanted).unwrap();
    }
    let found = std::fs::read_to_string(place(path)).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "{path} is out of date (UPDATE=1 cargo test --test generated): {differs:?}");
}
