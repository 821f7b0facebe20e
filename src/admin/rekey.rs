//! `rekey`

use super::confirm;
use crate::cli::Rekey;
use crate::config::Settings;
use crate::store::{KeyId, Protection};
use anyhow::Context;
use std::io::{self, Write};

pub(super) fn run(arguments: &Rekey, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let protection = if arguments.remove { Protection::None } else { Protection::Encrypted };
    let mut database = super::database(settings)?;
    if arguments.remove {
        confirm::ask("Store all secrets as they are, without encryption?", &arguments.consent)?;
    }
    let done =
        database.rekey(protection, arguments.old_key_file.as_deref()).context("nothing was changed")?;
    database.compact().context(
        "the secrets are stored anew, but what they were before may still be in the file: openvpn-2fa rekey again",
    )?;
    if json {
        return super::print_json(&serde_json::json!({
            "secrets": done.secrets,
            "changed": done.changed,
            "key_id": done.key.as_ref().map(KeyId::as_str),
        }));
    }
    let mut talk = io::stderr();
    let (secrets, changed) = (done.secrets, done.changed);
    if let Some(id) = &done.key {
        writeln!(talk, "all {secrets} secrets are encrypted with the key {id}, {changed} of them anew")?;
        return Ok(());
    }
    writeln!(talk, "all {secrets} secrets are stored as they are, {changed} of them anew")?;
    if settings.store.key_file.is_some() {
        writeln!(talk, "take key_file out of [store] now, or the next one will be encrypted again")?;
    }
    Ok(())
}
