//! `list`

use crate::clock::{Clock, SystemClock, UnixTime, rfc3339};
use crate::config::Settings;
use crate::printable;
use crate::store::Enrolled;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};

pub(super) fn run(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let mut database = super::database(settings)?;
    let users = database.users()?;
    let now = SystemClock.now();
    if json {
        let users = users.iter().map(|user| super::show::json(user, now)).collect();
        super::print_json(&serde_json::Value::Array(users))?;
        return Ok(database.check_secrets()?);
    }
    // Columns for people, tabs for programs.
    let width = |user: &Enrolled| printable::text(&user.name).chars().count();
    let column = if io::stdout().is_terminal() { users.iter().map(width).max().unwrap_or(0) } else { 0 };
    let separator = if column > 0 { "  " } else { "\t" };
    let mut text = String::new();
    for user in &users {
        let name = printable::text(&user.name);
        let last = user
            .last_login_at
            .map_or_else(|| "never logged in".to_owned(), |t| format!("last login {}", rfc3339(t)));
        write!(text, "{name:column$}{separator}{}{separator}{last}", state(user, now))?;
        if let Some(factor) = user.factor {
            write!(text, "{separator}factor {}", factor.word())?;
        }
        writeln!(text)?;
    }
    super::print(&text)?;
    // After the list: it is wanted most when the key is lost.
    Ok(database.check_secrets()?)
}

/// One word on whether a user can log in.
pub(super) fn state(user: &Enrolled, now: UnixTime) -> &'static str {
    match user.state {
        crate::auth::UserState::Disabled => "disabled",
        crate::auth::UserState::Enabled if crate::auth::is_locked(user.failures, now) => "locked",
        crate::auth::UserState::Enabled => "enabled",
    }
}
