//! `list` on a terminal. For programs: see `admin.rs`.

use crate::support::{Site, now, on_terminal, on_terminal_after};

/// The lines that a terminal of so many columns shows.
fn listed(site: &Site, columns: usize) -> Option<Vec<String>> {
    let (status, seen) = on_terminal_after(site, &format!("stty cols {columns}"), "list", "")?;
    assert_eq!(status, 0, "{seen}");
    Some(seen.lines().map(str::to_owned).collect())
}

/// A line without what colours it.
fn plain(line: &str) -> String {
    ["\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"]
        .iter()
        .fold(line.to_owned(), |line, code| line.replace(code, ""))
}

fn site() -> Site {
    let site = Site::new();
    for user in ["alice", "bob", "somebody.with.a.long.name@example.org"] {
        site.enroll(user);
    }
    site.admin(&["disable", "bob"]);
    site.sql("UPDATE user SET last_login_at = 1795295268 WHERE name = 'alice'");
    site.admin(&["backup-codes", "alice", "--count", "3"]);
    site
}

#[test]
fn people_see_a_table_in_colours() {
    let site = site();
    let Some(lines) = listed(&site, 120) else { return };
    assert!(
        lines[0].contains("\x1b[1mUSER\x1b[0m") && lines[2].contains("\x1b[31mdisabled\x1b[0m"),
        "{lines:?}"
    );
    let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
    let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
    assert_eq!(words(0), ["USER", "STATE", "FACTOR", "LAST", "LOGIN", "(UTC)", "TOKENS", "BACKUP", "CODES"]);
    assert_eq!(words(1), ["alice", "enabled", "totp", "2026-11-21", "21:07", "1", "3"]);
    assert_eq!(words(2), ["bob", "disabled", "totp", "never", "1"]);
    assert_eq!(lines.len(), 4);
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    let site = site();
    site.sql(&format!(
        "INSERT INTO failure (kind, subject, count, locked_until) VALUES ('user', 'alice', 5, {})",
        now() + 1_000
    ));
    for columns in [200, 115, 114, 80, 60, 40, 20, 10] {
        let Some(lines) = listed(&site, columns) else { return };
        assert_eq!(lines.len(), 4, "{columns}: {lines:?}");
        for line in &lines {
            assert!(plain(line).chars().count() <= columns, "{columns}: {line}");
        }
        assert_eq!(plain(&lines[3]).contains('\u{2026}'), columns < 115, "{columns}: {lines:?}");
    }
    let lines = listed(&site, 200).unwrap();
    assert!(lines[1].contains("locked") && lines[0].contains("LOCKED UNTIL (UTC)"), "{lines:?}");
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let site = site();
    let Some((_, seen)) = on_terminal_after(&site, "export NO_COLOR=1", "list", "") else { return };
    assert!(seen.contains("USER ") && !seen.contains('\x1b'), "{seen:?}");
    let (_, seen) = on_terminal_after(&site, "export NO_COLOR=", "list", "").unwrap();
    assert!(seen.contains('\x1b'), "an empty one counts for nothing (no-color.org): {seen:?}");
    let (_, seen) = on_terminal(&site, "list | cat", "").unwrap();
    assert!(seen.starts_with("alice\tenabled\tlast login 2026-11-21T21:07:48Z\r\n"), "{seen:?}");
}

#[test]
fn names_cannot_play_with_the_terminal() {
    let site = Site::new();
    site.enroll("ab");
    site.sql("UPDATE user SET name = 'a\u{202e}\u{9b}31mb'");
    let Some(lines) = listed(&site, 100) else { return };
    assert!(lines[1].starts_with("a\\u{202e}\\u{9b}31mb "), "{lines:?}");
}

#[test]
fn an_empty_list_says_what_to_do() {
    let site = Site::new();
    site.enroll("alice");
    site.admin(&["delete", "alice"]);
    let Some((status, seen)) = on_terminal(&site, "list", "") else { return };
    assert!(status == 0 && seen.contains("nobody is enrolled: openvpn-2fa enroll USER"), "{seen}");
}
