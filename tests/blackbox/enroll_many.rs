//! `enroll --from`: many users at once.

use crate::support::{Printed, Site, Token, chmod, files_below, mode, need, on_terminal, refused, run};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A list of users, and where their files are to go.
struct Lists {
    site: Site,
    out: PathBuf,
}

impl Lists {
    fn new() -> Self {
        let site = Site::new();
        let out = site.path("cards");
        Self { site, out }
    }

    fn enroll(&self, names: &str, options: &[&str]) -> Printed {
        let list = self.site.path("team.txt");
        std::fs::write(&list, names).unwrap();
        let arguments = ["enroll", "--from", list.to_str().unwrap(), "--out", self.out.to_str().unwrap()];
        self.site.admin(&[&arguments[..], options].concat())
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.out.join(format!("{name}.txt"))).unwrap()
    }

    /// The secret in the text of a user.
    fn token(&self, name: &str) -> Token {
        let text = self.text(name);
        let (_, rest) = text.split_once("type this secret into one:\n\n").unwrap();
        Token { base32: rest.lines().next().unwrap().to_owned() }
    }

    fn is_enrolled(&self, user: &str) -> bool {
        self.site.admin(&["show", user]).status == 0
    }

    fn gets_in(&self, user: &str, code: &str) -> bool {
        self.site.login(&self.site.session(), user, code).status() == 0
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let files = files_below(directory);
    files.keys().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_user_gets_a_picture_and_a_text_that_nobody_else_can_read() {
    let lists = Lists::new();
    let printed = lists.enroll("# the team\nalice\n\n  bob  \r\n# carol\nd.e@example.org\n", &[]);
    assert_eq!(
        (printed.status, printed.stdout.as_str()),
        (0, "alice\nbob\nd.e@example.org\n"),
        "{}",
        printed.stderr
    );
    assert!(printed.stderr.starts_with("3 users enrolled; pictures and texts are in "), "{}", printed.stderr);
    assert_eq!(
        names_in(&lists.out),
        ["alice.png", "alice.txt", "bob.png", "bob.txt", "d.e@example.org.png", "d.e@example.org.txt"]
    );
    assert_eq!(mode(&lists.out), 0o700);
    for file in files_below(&lists.out).keys() {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    for user in ["alice", "bob", "d.e@example.org"] {
        assert!(lists.gets_in(user, &lists.token(user).code()));
        assert!(!printed.stdout.contains(&lists.token(user).base32));
    }
    assert!(lists.text("alice").contains("for OpenVPN Server.") && lists.text("alice").contains("alice.png"));
    need("zbarimg");
    let mut zbarimg = std::process::Command::new("zbarimg");
    let read = run(zbarimg.args(["--quiet", "--raw"]).arg(lists.out.join("alice.png"))).stdout;
    assert!(lists.text("alice").contains(&format!("\n{}\n", read.trim())), "{read}");
    assert!(!lists.is_enrolled("carol"));
}

#[test]
fn names_can_come_from_standard_input_and_backup_codes_go_into_the_text() {
    let lists = Lists::new();
    let arguments =
        ["--json", "enroll", "--from", "-", "--out", "cards", "--backup-codes", "2", "--label", "first"];
    let printed = lists.site.admin_reading(&arguments, b"alice\n");
    let json: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    let expected = serde_json::json!({
        "directory": "cards",
        "enrolled": [{ "user": "alice", "picture": "cards/alice.png", "text": "cards/alice.txt" }],
        "left_alone": [],
        "notes": [],
    });
    assert_eq!(json, expected);
    let text = lists.text("alice");
    let (_, rest) = text.split_once("good once.\n\n").unwrap();
    let codes: Vec<&str> = rest.lines().take(2).collect();
    assert!(lists.gets_in("alice", codes[1]) && !lists.gets_in("alice", codes[1]), "{text}");
    let shown = lists.site.shown("alice");
    assert_eq!((&shown["backup_codes_left"], &shown["tokens"][0]["label"]), (&1.into(), &"first".into()));
}

#[test]
fn one_bad_name_and_nobody_is_enrolled() {
    let lists = Lists::new();
    let printed = lists.enroll("alice\n-x\nbob\nalice\na/b\n", &[]);
    refused(&printed, "nobody was enrolled");
    for part in
        ["line 2: ", "begins with a hyphen", "line 4: alice is on line 1 already", "line 5: ", "a slash"]
    {
        assert!(printed.stderr.contains(part), "{part}: {}", printed.stderr);
    }
    assert!(!lists.out.exists() && !lists.site.path("state").exists());
    refused(&lists.enroll("# nobody\n", &[]), "no name is in it");
    let printed = lists.site.admin(&["enroll", "--from", "missing", "--out", "cards"]);
    refused(&printed, "--from missing: ");
}

#[test]
fn who_is_enrolled_already_is_left_alone_unless_forced() {
    let lists = Lists::new();
    let before = lists.site.enroll("alice");
    let printed = lists.enroll("alice\nbob\n", &[]);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, "bob\n"), "{}", printed.stderr);
    assert!(printed.stderr.contains("alice is enrolled already, left alone"), "{}", printed.stderr);
    assert!(printed.stderr.contains("1 user enrolled, 1 left alone; "), "{}", printed.stderr);
    assert_eq!(names_in(&lists.out), ["bob.png", "bob.txt"]);
    let [first, ..] = before.codes::<2>();
    assert!(lists.gets_in("alice", &first));
    std::fs::remove_dir_all(&lists.out).unwrap();

    refused(&lists.enroll("alice\nbob\n", &[]), "all 2 users are enrolled already");
    assert!(!lists.out.exists());
    let printed = lists.enroll("alice\nbob\n", &["--force"]);
    assert_eq!(printed.stdout, "alice\nbob\n", "{}", printed.stderr);
    assert!(!lists.gets_in("alice", &before.code()) && lists.gets_in("alice", &lists.token("alice").code()));
}

#[test]
fn replacing_many_asks_on_a_terminal() {
    let lists = Lists::new();
    lists.site.enroll("alice");
    std::fs::write(lists.site.path("team.txt"), "alice\nbob\n").unwrap();
    let line = format!(
        "enroll --force --from {} --out {}",
        lists.site.path("team.txt").display(),
        lists.out.display()
    );
    let Some((status, seen)) = on_terminal(&lists.site, &line, "n\n") else { return };
    assert!(status == 1 && seen.contains("Replace 1 enrolments?"), "{seen}");
    assert!(!lists.out.exists() && !lists.is_enrolled("bob"));
    let (status, seen) = on_terminal(&lists.site, &format!("{line} --yes"), "").unwrap();
    assert!(status == 0 && lists.is_enrolled("bob"), "{seen}");
}

#[test]
fn a_bar_is_shown_on_a_terminal_while_many_are_enrolled() {
    let lists = Lists::new();
    let names = (0..12).fold(String::new(), |names, number| names + &format!("user{number}\n"));
    std::fs::write(lists.site.path("team.txt"), &names).unwrap();
    let line =
        format!("enroll --from {} --out {}", lists.site.path("team.txt").display(), lists.out.display());
    let Some((status, seen)) = on_terminal(&lists.site, &line, "") else { return };
    assert!(status == 0 && seen.contains("Writing [##########..........] 6 of 12"), "{seen}");
    assert!(seen.contains("12 users enrolled"), "{seen}");
    let quiet = Lists::new();
    assert!(!quiet.enroll(&names, &[]).stderr.contains("Writing"));
}

#[test]
fn a_directory_that_holds_something_or_is_a_link_is_left_alone() {
    let lists = Lists::new();
    std::fs::create_dir(&lists.out).unwrap();
    std::fs::write(lists.out.join("precious"), "x").unwrap();
    refused(&lists.enroll("alice\n", &[]), "it is not empty");
    assert_eq!(names_in(&lists.out), ["precious"]);
    std::fs::remove_file(lists.out.join("precious")).unwrap();
    let link = lists.site.path("link");
    symlink(&lists.out, &link).unwrap();
    let list = lists.site.path("team.txt");
    let printed =
        lists.site.admin(&["enroll", "--from", list.to_str().unwrap(), "--out", link.to_str().unwrap()]);
    refused(&printed, "--out ");
    assert!(!lists.is_enrolled("alice") && names_in(&lists.out).is_empty());
    // An empty one is taken, and closed to others.
    chmod(&lists.out, 0o755);
    assert_eq!(lists.enroll("alice\n", &[]).status, 0);
    assert_eq!((mode(&lists.out), names_in(&lists.out).len()), (0o700, 2));
}

#[test]
fn a_directory_that_cannot_be_made_costs_no_enrolment() {
    let lists = Lists::new();
    std::fs::write(lists.site.path("team.txt"), "alice\nbob\n").unwrap();
    let printed = lists.site.admin(&["enroll", "--from", "team.txt", "--out", "no/such/place"]);
    refused(&printed, "--out no/such/place: No such file");
    assert!(!lists.is_enrolled("alice"));
}

#[test]
fn files_are_removed_again_when_the_database_fails() {
    let lists = Lists::new();
    lists.site.enroll("zoe");
    lists.site.sql(
        "CREATE TRIGGER full BEFORE INSERT ON totp_token
         WHEN (SELECT count(*) FROM totp_token) > 1 BEGIN SELECT RAISE(ABORT, 'no room'); END",
    );
    refused(&lists.enroll("alice\nbob\n", &[]), "no room");
    assert!(!lists.out.exists() && !lists.is_enrolled("alice") && !lists.is_enrolled("bob"));
}

#[test]
fn names_that_are_no_file_names_are_written_otherwise() {
    let site = Site::with(&[("authUsernamePattern", ".+")]);
    let out = site.path("cards");
    std::fs::write(site.path("team.txt"), "../escape\n.hidden\ncorp/alice\na b\n").unwrap();
    let printed = site.admin(&["enroll", "--from", "team.txt", "--out", "cards"]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    let texts: Vec<String> = names_in(&out).into_iter().filter(|name| !name.contains(".png")).collect();
    assert_eq!(texts, ["%2E.%2Fescape.txt", "%2Ehidden.txt", "a%20b.txt", "corp%2Falice.txt"]);
    assert!(!site.path("escape.txt").exists());
}

#[test]
fn options_of_one_user_do_not_go_with_many() {
    let site = Site::new();
    for wrong in [
        &["enroll"][..],
        &["enroll", "--from", "team.txt"],
        &["enroll", "alice", "--out", "cards"],
        &["enroll", "alice", "--from", "team.txt", "--out", "cards"],
        &["enroll", "--from", "team.txt", "--out", "cards", "--secret", "-"],
        &["enroll", "--from", "team.txt", "--out", "cards", "--add"],
        &["enroll", "--from", "team.txt", "--out", "cards", "--qr"],
        &["enroll", "--from", "team.txt", "--out", "cards", "--qr-file", "a.png"],
    ] {
        assert_eq!(site.admin(wrong).status, 2, "{wrong:?}");
    }
}
