//! `delete USER`

use crate::cli::Delete;
use crate::config::Settings;
use std::io::{self, Write};

pub(super) fn run(arguments: &Delete, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    if !super::database(settings)?.delete(&user)? {
        return Err(super::not_enrolled(&user));
    }
    if json {
        return super::print_json(&serde_json::json!({ "user": user.as_str(), "deleted": true }));
    }
    writeln!(io::stderr(), "{user} is deleted")?;
    Ok(())
}
