//! `delete USER`, and one token of several

use super::confirm;
use super::show::described;
use crate::cli::Delete;
use crate::config::Settings;
use crate::name::UserName;
use crate::store::Database;
use anyhow::{Context, bail};
use std::io::{self, Write};
use std::num::NonZeroUsize;

pub(super) fn run(arguments: &Delete, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    let mut database = super::database(settings)?;
    let user = super::stored_name(user, settings, &mut database)?;
    if let Some(number) = arguments.token {
        return token(&user, number, arguments, &mut database, json);
    }
    if confirm::is_wanted(&arguments.consent) && database.enrolled(user.as_str())?.is_some() {
        confirm::ask(&format!("Delete {user}? Their codes stop working."), &arguments.consent)?;
    }
    if !database.delete(&user)? {
        return Err(super::not_enrolled(&user));
    }
    if json {
        return super::print_json(&serde_json::json!({ "user": user.as_str(), "deleted": true }));
    }
    writeln!(io::stderr(), "{user} is deleted")?;
    Ok(())
}

/// Removes the token that stands at `number` in what `show` prints.
fn token(
    user: &UserName,
    number: NonZeroUsize,
    arguments: &Delete,
    database: &mut Database,
    json: bool,
) -> anyhow::Result<()> {
    let stored = database.enrolled(user.as_str())?.ok_or_else(|| super::not_enrolled(user))?;
    let token = stored
        .tokens
        .get(number.get() - 1)
        .with_context(|| format!("{user} has no token {number} (openvpn-2fa show {user} lists them)"))?;
    if stored.tokens.len() == 1 {
        bail!(
            "it is the only token of {user}, nothing was changed: openvpn-2fa delete {user} removes the enrolment, openvpn-2fa enroll {user} --force replaces it"
        );
    }
    let what = format!("token {number} of {user} ({})", described(token));
    confirm::ask(&format!("Delete {what}? Its codes stop working."), &arguments.consent)?;
    // By what it was when the question was put: the numbers may be others by now.
    if !database.delete_token(user, token.id)? {
        bail!("the tokens of {user} were changed meanwhile: openvpn-2fa show {user}");
    }
    if json {
        return super::print_json(
            &serde_json::json!({ "user": user.as_str(), "token": number, "deleted": true }),
        );
    }
    writeln!(io::stderr(), "{what} is deleted")?;
    Ok(())
}
