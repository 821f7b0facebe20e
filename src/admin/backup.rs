//! `backup FILE`, `restore FILE`

use super::confirm;
use crate::cli::{Backup, Restore};
use crate::clock::{Clock, SystemClock, rfc3339};
use crate::config::Settings;
use crate::store::{Counts, Database, DatabaseError, Restart, verify};
use anyhow::Context;
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;

pub(super) fn back_up(arguments: &Backup, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let Backup { file } = arguments;
    let counts = super::database(settings)?.back_up(file)?;
    if json {
        let Counts { users, tokens } = counts;
        return super::print_json(
            &json!({ "file": file.display().to_string(), "users": users, "tokens": tokens }),
        );
    }
    writeln!(io::stderr(), "{} holds {}, read again and whole", file.display(), text(counts))?;
    Ok(())
}

pub(super) fn restore(arguments: &Restore, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let Restore { file, consent } = arguments;
    let path = &settings.totp.token_db_path;
    let backup = verify(file)?;
    let is_new = matches!(Database::open(settings), Err(DatabaseError::Missing(_)));
    if !is_new {
        confirm::ask(&format!("Replace what {} holds by {}?", path.display(), text(backup.counts)), consent)?;
    }
    let mut database = Database::open_or_create(settings)?;
    let now = SystemClock.now();
    let mut previous = path.as_os_str().to_owned();
    previous.push(format!(".before-restore-{}", rfc3339(now).replace(['-', ':'], "")));
    let previous = PathBuf::from(previous);
    let restart = Restart { now, window: settings.totp.window.get() };
    let before = database.restore(&backup, &previous, restart).with_context(|| {
        format!("{} is as it was; if it is damaged, move it away and restore again", path.display())
    })?;
    let kept = if is_new {
        std::fs::remove_file(&previous)?;
        None
    } else {
        Some(previous)
    };
    // The secrets are as they were then. The users are back all the same, and their secrets with the right key.
    if let Err(error) = database.check_secrets() {
        writeln!(io::stderr(), "the backup is taken back, but: {error}")?;
    }
    let Counts { users, tokens } = backup.counts;
    if json {
        return super::print_json(&json!({
            "file": file.display().to_string(),
            "users": users,
            "tokens": tokens,
            "previous": kept.map(|kept| kept.display().to_string()),
        }));
    }
    writeln!(io::stderr(), "{} holds {} now", path.display(), text(backup.counts))?;
    if let Some(kept) = kept {
        writeln!(io::stderr(), "what it held before, {}, is in {}", text(before), kept.display())?;
    }
    Ok(())
}

fn text(counts: Counts) -> String {
    let Counts { users, tokens } = counts;
    let plural = |number| if number == 1 { "" } else { "s" };
    format!("{users} user{} with {tokens} token{}", plural(users), plural(tokens))
}
