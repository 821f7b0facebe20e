//! `delete USER`

use super::confirm;
use crate::cli::Delete;
use crate::config::Settings;
use std::io::{self, Write};

pub(super) fn run(arguments: &Delete, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    let mut database = super::database(settings)?;
    let user = super::stored_name(user, settings, &mut database)?;
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
