//! The list of what is packaged: everything in it is there, and everything that is to be there is in it.

use super::{place, text};
use std::collections::BTreeSet;

/// What scripts/package makes before the package is made.
const MADE: [&str; 3] =
    ["target/release/openvpn-2fa", "target/package/licenses", "target/package/server.conf"];

/// The assets of `[package.metadata.deb]`: source, destination, mode.
fn assets() -> Vec<[String; 3]> {
    let manifest: toml::Value = toml::from_str(&text("Cargo.toml")).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let words = |asset: &toml::Value| -> Vec<String> {
        asset.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    assets.iter().map(|asset| words(asset).try_into().unwrap()).collect()
}

/// The files that a source names; `*` stands at the end of a path, or before an ending.
fn files(source: &str) -> Vec<String> {
    let Some((directory, pattern)) = source.rsplit_once('/').filter(|(_, name)| name.starts_with('*')) else {
        return if place(source).is_file() { vec![source.to_owned()] } else { Vec::new() };
    };
    let names = std::fs::read_dir(place(directory)).unwrap().map(|entry| entry.unwrap());
    let names = names.filter(|entry| entry.file_type().unwrap().is_file());
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(&pattern[1..])).map(|name| format!("{directory}/{name}")).collect()
}

#[test]
fn everything_that_is_packaged_is_there() {
    let script = text("scripts/package");
    for [source, destination, mode] in assets() {
        if MADE.contains(&source.as_str()) {
            let name = source.rsplit_once('/').unwrap().1;
            assert!(script.contains(name), "{source}");
        } else {
            assert!(!files(&source).is_empty(), "{source}");
        }
        assert!(!destination.starts_with('/') && !destination.starts_with("usr/local"), "{destination}");
        let executable = destination == "usr/bin/";
        assert_eq!(mode, if executable { "755" } else { "644" }, "{destination}");
    }
}

#[test]
fn everything_that_people_need_is_packaged() {
    let packaged: BTreeSet<String> = assets().iter().flat_map(|[source, ..]| files(source)).collect();
    let missing: Vec<String> = ["contrib/*", "contrib/man/*", "contrib/completions/*", "contrib/pam.d/*"]
        .into_iter()
        .chain(["contrib/clients/*", "contrib/doc/*", "contrib/ansible/*", "contrib/fail2ban/filter.d/*"])
        .flat_map(files)
        // With another path of the program: MADE.
        .filter(|file| file != "contrib/server.conf" && !packaged.contains(file))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The path that the example for a distribution replaces.
#[test]
fn the_example_of_the_server_names_the_program_where_the_package_puts_it() {
    let script = text("scripts/package");
    assert!(script.contains("s|/usr/local/bin/|/usr/bin/|"));
    let example = text("contrib/server.conf").replace("/usr/local/bin/", "/usr/bin/");
    assert!(example.contains("\nauth-user-pass-verify /usr/bin/openvpn-2fa via-file\n"), "{example}");
    assert!(example.contains("\nclient-crresponse /usr/bin/openvpn-2fa\n") && !example.contains("local/"));
}
