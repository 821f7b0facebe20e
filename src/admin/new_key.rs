//! `new-key FILE`

use crate::cli::NewKey;
use crate::printable;
use crate::random::SystemRandom;
use crate::store;
use std::io::{self, Write};

pub(super) fn run(arguments: &NewKey, json: bool) -> anyhow::Result<()> {
    let path = std::path::absolute(&arguments.file)?;
    let id = store::new_key(&path, &SystemRandom)?;
    let file = printable::text(&path.display().to_string());
    if json {
        return super::print_json(&serde_json::json!({ "file": file, "key_id": id.as_str() }));
    }
    writeln!(
        io::stderr(),
        "{file} holds the new key {id}. Keep a copy elsewhere, apart from the database's."
    )?;
    writeln!(
        io::stderr(),
        "to use it: [store] key_file = \"{file}\" in the settings, then openvpn-2fa rekey"
    )?;
    Ok(())
}
