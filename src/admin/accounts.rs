//! `unlock USER`, `disable USER`, `enable USER`, `rename OLD NEW`

use crate::auth::{UserState, is_locked};
use crate::cli::{Named, Rename};
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::name::UserName;
use crate::store::Renaming;
use anyhow::bail;
use std::io::{self, Write};

pub(super) fn unlock(arguments: &Named, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    let mut database = super::database(settings)?;
    let user = super::stored_name(user, settings, &mut database)?;
    let Some(failures) = database.unlock(&user)? else {
        bail!("{user} is neither locked nor enrolled (openvpn-2fa list shows who is)");
    };
    let was_locked = is_locked(failures, SystemClock.now());
    if json {
        return super::print_json(&serde_json::json!({
            "user": user.as_str(),
            "was_locked": was_locked,
            "failures": failures.count,
        }));
    }
    let mut talk = io::stderr();
    match (was_locked, failures.count) {
        (true, _) => writeln!(talk, "{user} is unlocked")?,
        (false, 0) => writeln!(talk, "{user} was not locked")?,
        (false, 1) => writeln!(talk, "{user} was not locked; one failure is forgotten")?,
        (false, count) => writeln!(talk, "{user} was not locked; {count} failures are forgotten")?,
    }
    if database.enrolled(user.as_str())?.is_some_and(|user| user.state == UserState::Disabled) {
        writeln!(talk, "but is disabled: openvpn-2fa enable {user}")?;
    }
    Ok(())
}

pub(super) fn disable(arguments: &Named, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    let mut database = super::database(settings)?;
    let user = super::stored_name(user, settings, &mut database)?;
    let Some(before) = database.set_state(&user, UserState::Disabled)? else {
        bail!(
            "{user} has no record to disable (openvpn-2fa list shows who has one; openvpn-2fa set {user} --factor duo gives one to a user of Duo)"
        );
    };
    let text = match before {
        UserState::Enabled => format!("{user} is disabled"),
        UserState::Disabled => format!("{user} was disabled already"),
    };
    told(&user, UserState::Disabled, before, &text, json)
}

pub(super) fn enable(arguments: &Named, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    let mut database = super::database(settings)?;
    let user = super::stored_name(user, settings, &mut database)?;
    let Some(before) = database.set_state(&user, UserState::Enabled)? else {
        return Err(super::not_enrolled(&user));
    };
    let text = match before {
        UserState::Enabled => format!("{user} was not disabled"),
        UserState::Disabled => format!("{user} is enabled"),
    };
    told(&user, UserState::Enabled, before, &text, json)?;
    let now = SystemClock.now();
    if !json && database.enrolled(user.as_str())?.is_some_and(|user| is_locked(user.failures, now)) {
        writeln!(io::stderr(), "but is locked: openvpn-2fa unlock {user}")?;
    }
    Ok(())
}

fn told(user: &UserName, state: UserState, before: UserState, text: &str, json: bool) -> anyhow::Result<()> {
    if json {
        let word = match state {
            UserState::Enabled => "enabled",
            UserState::Disabled => "disabled",
        };
        return super::print_json(&serde_json::json!({
            "user": user.as_str(),
            "state": word,
            "changed": state != before,
        }));
    }
    writeln!(io::stderr(), "{text}")?;
    Ok(())
}

pub(super) fn rename(arguments: &Rename, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let (old, new) = (super::user_name(&arguments.old)?, super::new_user_name(&arguments.new, settings)?);
    let mut database = super::database(settings)?;
    let old = super::stored_name(old, settings, &mut database)?;
    match database.rename(&old, &new)? {
        Renaming::Done => {}
        Renaming::Unknown => return Err(super::not_enrolled(&old)),
        Renaming::Taken => bail!("{new} is there already, nothing was changed"),
    }
    if json {
        return super::print_json(&serde_json::json!({ "user": new.as_str(), "old_name": old.as_str() }));
    }
    writeln!(io::stderr(), "{old} is {new} now; the codes are the same, and the app goes on showing {old}")?;
    Ok(())
}
