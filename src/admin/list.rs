//! `list`

use super::table::{Cell, Table, Tone};
use super::terminal;
use crate::clock::{Clock, SystemClock, UnixTime, rfc3339, to_the_minute};
use crate::config::{Factor, Settings};
use crate::printable;
use crate::store::Enrolled;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

pub(super) fn run(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let mut database = super::database(settings)?;
    let users = database.users()?;
    let now = SystemClock.now();
    if json {
        let users = users.iter().map(|user| super::show::json(user, now)).collect();
        super::print_json(&serde_json::Value::Array(users))?;
        return Ok(database.check_secrets()?);
    }
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        super::print(&lines(&users, now))?;
    } else if users.is_empty() {
        writeln!(io::stderr(), "nobody is enrolled: openvpn-2fa enroll USER")?;
    } else {
        let table = table(&users, settings.auth.factor, now);
        super::print(&table.text(terminal::columns(), terminal::colours(&stdout)))?;
    }
    // After the list: it is wanted most when the key is lost.
    Ok(database.check_secrets()?)
}

/// For programs: one line a user, with tabs.
fn lines(users: &[Enrolled], now: UnixTime) -> String {
    let mut text = String::new();
    for user in users {
        let name = printable::text(&user.name);
        let last = user
            .last_login_at
            .map_or_else(|| "never logged in".to_owned(), |t| format!("last login {}", rfc3339(t)));
        let _ = write!(text, "{name}\t{}\t{last}", state(user, now));
        if let Some(factor) = user.factor {
            let _ = write!(text, "\tfactor {}", factor.word());
        }
        text.push('\n');
    }
    text
}

/// For people. `factor` is that of the settings.
fn table(users: &[Enrolled], factor: Factor, now: UnixTime) -> Table {
    let heads =
        ["USER", "STATE", "FACTOR", "LAST LOGIN (UTC)", "LOCKED UNTIL (UTC)", "TOKENS", "BACKUP CODES"];
    let mut table = Table::new(&heads, 0);
    for user in users {
        let state = state(user, now);
        let tone = match state {
            "enabled" => Tone::Plain,
            "locked" => Tone::Doubtful,
            _ => Tone::Bad,
        };
        let locked_until = user.failures.locked_until.filter(|until| now < *until);
        table.row(vec![
            Cell::from(&user.name),
            Cell::new(state, tone),
            user.factor.unwrap_or(factor).word().into(),
            user.last_login_at.map_or_else(|| "never".to_owned(), to_the_minute).into(),
            locked_until.map_or_else(String::new, to_the_minute).into(),
            user.tokens.len().to_string().into(),
            match user.backup_codes.made {
                0 => Cell::from(""),
                _ => user.backup_codes.left.to_string().into(),
            },
        ]);
    }
    table
}

/// One word on whether a user can log in.
pub(super) fn state(user: &Enrolled, now: UnixTime) -> &'static str {
    match user.state {
        crate::auth::UserState::Disabled => "disabled",
        crate::auth::UserState::Enabled if crate::auth::is_locked(user.failures, now) => "locked",
        crate::auth::UserState::Enabled => "enabled",
    }
}
