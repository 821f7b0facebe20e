//! `export [USER…]`

use super::terminal::{self, Purpose};
use crate::age;
use crate::cli::Export;
use crate::config::Settings;
use crate::factor::totp::Enrolment;
use crate::name::UserName;
use crate::random::SystemRandom;
use crate::secret::{ExposeSecret, SecretString};
use crate::store::Database;
use anyhow::bail;
use serde_json::json;
use std::io::{self, Write};
use zeroize::Zeroizing;

pub(super) fn run(arguments: &Export, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let mut database = super::database(settings)?;
    let names = arguments.users.iter().map(|name| {
        let name = super::user_name(name)?;
        super::stored_name(name, settings, &mut database)
    });
    let names: Vec<UserName> = names.collect::<anyhow::Result<_>>()?;
    let uris = uris(&mut database, &names, settings.totp.issuer_name.as_str())?;
    if uris.is_empty() {
        bail!("nobody has a token, there is nothing to export");
    }
    if arguments.plain {
        writeln!(
            io::stderr(),
            "These are secrets, not encrypted: whoever reads them can log in with a password alone."
        )?;
        if json {
            let all = uris.iter().map(|(user, uri)| json!({ "user": user, "uri": uri.expose_secret() }));
            return super::print_json(&all.collect());
        }
        return super::print(&text(&uris));
    }
    let passphrase = terminal::passphrase(arguments.passphrase_file.as_deref(), Purpose::Make)?;
    let sealed = age::seal(text(&uris).as_bytes(), &passphrase, &SystemRandom)?;
    if json { super::print_json(&json!({ "age": sealed })) } else { super::print(&sealed) }
}

fn text(uris: &[(String, SecretString)]) -> Zeroizing<String> {
    let length = uris.iter().map(|(_, uri)| uri.expose_secret().len() + 1).sum();
    // As long as it gets, so that no copy of it is left behind.
    let mut text = Zeroizing::new(String::with_capacity(length));
    for (_, uri) in uris {
        text.push_str(uri.expose_secret());
        text.push('\n');
    }
    text
}

/// The tokens of these users, or of all; with their users.
fn uris(
    database: &mut Database,
    names: &[UserName],
    issuer: &str,
) -> anyhow::Result<Vec<(String, SecretString)>> {
    let everybody: Vec<UserName>;
    let names = if names.is_empty() {
        let users = database.users()?;
        everybody = users.iter().map(|user| super::user_name(&user.name)).collect::<Result<_, _>>()?;
        &everybody
    } else {
        names
    };
    let mut uris = Vec::new();
    for name in names {
        if database.enrolled(name.as_str())?.is_none() {
            return Err(super::not_enrolled(name));
        }
        for token in &database.tokens(name)? {
            let uri = Enrolment { issuer, account: name.as_str(), token }.uri();
            uris.push((name.as_str().to_owned(), uri));
        }
    }
    Ok(uris)
}
