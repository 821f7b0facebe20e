//! Where settings come from, seen from outside.

use crate::support::{Printed, Site, chmod, run};
use std::path::PathBuf;

/// The issuer in the URI that `enroll` prints: the plainest setting to see.
fn issuer(printed: &Printed) -> &str {
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    printed.stdout.trim_end().rsplit_once("&issuer=").unwrap().1
}

fn settings_file(site: &Site, name: &str, content: &str) -> PathBuf {
    let path = site.path(name);
    std::fs::write(&path, content).unwrap();
    chmod(&path, 0o644);
    path
}

#[test]
fn the_command_line_beats_the_environment_which_beats_the_file() {
    let site = Site::new();
    let place = |name: &str| site.path(name).join("tokens.sqlite3");
    let content = format!("[totp]\nissuer_name = 'file'\ntoken_db_path = '{}'\n", place("file").display());
    let config = settings_file(&site, "other.toml", &content);
    let enroll = |variables: &[(&str, &PathBuf)], options: &[&str]| {
        let mut command = site.command();
        command.arg("--config").arg(&config).args(options).args(["enroll", "alice"]);
        run(command.envs(variables.iter().copied()))
    };
    assert_eq!(issuer(&enroll(&[], &[])), "file");
    assert!(place("file").exists());
    enroll(&[("totpTokenDbPath", &place("environment"))], &[]);
    assert!(place("environment").exists());
    let option = place("option");
    enroll(&[("totpTokenDbPath", &place("unused"))], &["--db", option.to_str().unwrap()]);
    assert!(option.exists() && !place("unused").exists());
    let issuer_variable = PathBuf::from("environment");
    let printed =
        enroll(&[("totpIssuerName", &issuer_variable)], &["--db", place("fresh").to_str().unwrap()]);
    assert_eq!(issuer(&printed), "environment");
}

#[test]
fn the_file_may_be_named_in_the_environment_and_the_command_line_beats_it() {
    let site = Site::new();
    let one = settings_file(&site, "one.toml", "[totp]\nissuer_name = 'one'\n");
    let two = settings_file(&site, "two.toml", "[totp]\nissuer_name = 'two'\n");
    let db = site.database();
    let arguments = ["--db", db.to_str().unwrap(), "enroll", "--force", "alice"];
    let printed = run(site.command().env("openvpn2faConfig", &one).args(arguments));
    assert_eq!(issuer(&printed), "one");
    let mut command = site.command();
    command.env("openvpn2faConfig", &one).arg("--config").arg(&two).args(arguments);
    assert_eq!(issuer(&run(&mut command)), "two");
}

#[test]
fn settings_that_are_wrong_stop_every_command_with_their_place() {
    let site = Site::new();
    site.enroll("alice");
    for (content, place) in [
        (
            "[totp]\nwindow = 99\n",
            ":2: [totp] window: invalid value: integer `99`, expected a whole number from 0 to 10",
        ),
        ("[totp]\n\nwindov = 1\n", ":3: [totp] windov: unknown field"),
        ("[totp\n", ":1: "),
        ("[auth]\nfactor = 'duo'\n", "[duo] host is not set"),
    ] {
        let config = settings_file(&site, "wrong.toml", content);
        for arguments in [&["list"][..], &["enroll", "bob"], &["show", "alice"], &["delete", "alice"]] {
            let mut command = site.command();
            let printed = run(command.arg("--config").arg(&config).args(arguments));
            assert_eq!((printed.status, printed.stdout.as_str()), (1, ""), "{content}");
            assert!(printed.stderr.contains(place), "{}", printed.stderr);
            if place.starts_with(':') {
                assert!(printed.stderr.contains(config.to_str().unwrap()), "{}", printed.stderr);
            }
        }
    }
    let wrong = run(site.command().env("totpWindow", "x").arg("--config").arg(site.config()).arg("list"));
    assert_eq!(wrong.status, 1);
    assert!(wrong.stderr.contains("environment variable totpWindow: [totp] window: "), "{}", wrong.stderr);
    assert!(site.admin(&["list"]).stdout.starts_with("alice\t"), "nothing was lost");
}

#[test]
fn a_settings_file_that_is_missing_or_not_safe_is_refused() {
    let site = Site::new();
    let missing = site.path("missing.toml");
    let open = settings_file(&site, "open.toml", "");
    chmod(&open, 0o666);
    for (config, why) in
        [(&missing, "No such file"), (&open, "chmod go-w"), (&site.tmp(), "not a regular file")]
    {
        for by_variable in [true, false] {
            let mut command = site.command();
            if by_variable {
                command.env("openvpn2faConfig", config).arg("list");
            } else {
                command.arg("list").arg("--config").arg(config);
            }
            let printed = run(&mut command);
            assert_eq!((printed.status, printed.stdout.as_str()), (1, ""));
            let text = printed.stderr;
            assert!(text.contains(why) && text.contains(config.to_str().unwrap()), "{text}");
        }
    }
}

#[test]
fn a_control_character_in_a_text_is_refused() {
    for (name, value) in
        [("totpIssuerName", "a\nb"), ("totpChallengeText", "a\u{1b}[2Jb"), ("pamService", "a/b")]
    {
        let site = Site::with(&[(name, value)]);
        let printed = site.admin(&["enroll", "alice"]);
        assert_eq!((printed.status, printed.stdout.as_str()), (1, ""), "{name}");
        assert!(printed.stderr.contains(&format!("environment variable {name}")), "{}", printed.stderr);
        assert!(!printed.stderr.trim_end().chars().any(char::is_control), "{:?}", printed.stderr);
        assert!(!site.path("state").exists());
    }
}

/// A file of somebody else's could be changed by them. Root can read everybody's, so another user has to be it.
mod owners {
    use crate::support::{PROGRAM, Site, chmod, run};
    use std::os::unix::fs::{MetadataExt, chown};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    const NOBODY: u32 = 65_534;
    const SOMEBODY_ELSE: u32 = 54_321;

    /// Runs `list` as nobody, with a copy of the program that nobody can reach.
    fn list_as_nobody(site: &Site) -> String {
        chmod(&site.path("."), 0o755);
        let program = site.path("openvpn-2fa");
        if !program.exists() {
            // Not by this process: a hook that another test starts meanwhile would have the copy open for writing.
            let copied =
                Command::new("cp").arg("--preserve=mode").arg(PROGRAM).arg(&program).status().unwrap();
            assert!(copied.success());
        }
        let mut command = Command::new(program);
        command.env_clear().current_dir("/").uid(NOBODY).gid(NOBODY);
        let printed = run(command.arg("--config").arg(site.config()).arg("list"));
        assert!(printed.status == 0 || printed.stdout.is_empty());
        if printed.status == 0 { printed.stdout } else { printed.stderr }
    }

    fn give(path: &Path, owner: u32) {
        chown(path, Some(owner), Some(NOBODY)).unwrap();
    }

    #[test]
    #[ignore = "needs root, to make files that belong to somebody else"]
    fn files_of_somebody_else_are_refused_with_the_remedy() {
        let site = Site::new();
        site.enroll("alice");
        let (config, database, directory) = (site.config(), site.database(), site.path("state"));
        for file in [&directory, &database] {
            give(file, NOBODY);
        }
        assert!(list_as_nobody(&site).starts_with("alice\t"));
        let wanted = |path: &Path| {
            format!(
                "belongs to user {SOMEBODY_ELSE}; to give it to the user that OpenVPN runs as: chown {NOBODY} {}",
                path.display()
            )
        };

        give(&config, SOMEBODY_ELSE);
        assert!(list_as_nobody(&site).contains(&wanted(&config)));
        give(&config, 0);
        assert!(list_as_nobody(&site).starts_with("alice\t"), "root's are believed");

        chmod(&database, 0o644);
        give(&database, SOMEBODY_ELSE);
        assert!(list_as_nobody(&site).contains(&wanted(&database)));
        give(&database, NOBODY);
        chmod(&database, 0o600);

        chmod(&directory, 0o755);
        give(&directory, SOMEBODY_ELSE);
        assert!(list_as_nobody(&site).contains(&wanted(&directory)));
    }

    #[test]
    #[ignore = "needs root, whose files somebody else is to have"]
    fn a_database_that_root_makes_belongs_to_the_owner_of_its_directory() {
        let site = Site::new();
        std::fs::create_dir(site.path("state")).unwrap();
        chmod(&site.path("state"), 0o700);
        give(&site.path("state"), NOBODY);
        site.enroll("alice");
        for arguments in [&["enroll", "bob"][..], &["list"], &["delete", "--yes", "bob"]] {
            assert_eq!(site.admin(arguments).status, 0, "{arguments:?}");
        }
        for file in std::fs::read_dir(site.path("state")).unwrap() {
            let (path, state) = file.map(|file| (file.path(), file.metadata().unwrap())).unwrap();
            assert_eq!((state.uid(), state.mode() & 0o777), (NOBODY, 0o600), "{}", path.display());
        }
        assert!(list_as_nobody(&site).starts_with("alice\t"));
    }
}
