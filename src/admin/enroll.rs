//! `enroll USER`

use super::{backup_codes, confirm, qr};
use crate::auth::{Token, TokenId, UserState};
use crate::cli::Enroll;
use crate::clock::{Clock, SystemClock};
use crate::config::{Factor, Settings};
use crate::factor::totp::{self, Algorithm, Enrolment, NEW_SECRET_BYTES};
use crate::name::UserName;
use crate::random::{Random, SystemRandom};
use crate::secret::{ExposeSecret, secret};
use crate::store::{Database, DatabaseError, NewToken, Replace};
use anyhow::{Context, bail};
use std::io::{self, IsTerminal, Write};
use zeroize::Zeroizing;

pub(super) fn run(arguments: &Enroll, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::new_user_name(&arguments.user, settings)?;
    if arguments.force && confirm::is_wanted(&arguments.consent) && is_enrolled(&user, settings)? {
        let question = format!("Replace the enrolment of {user}? The old codes stop working.");
        confirm::ask(&question, &arguments.consent)?;
    }
    // Before anything is stored: a picture that cannot be written must not cost an enrolment.
    let picture = arguments.qr_file.as_deref().map(qr::Picture::create).transpose()?;

    let mut bytes = Zeroizing::new([0; NEW_SECRET_BYTES]);
    SystemRandom.fill(bytes.as_mut_slice())?;
    let token = Token {
        id: TokenId(0),
        secret: secret(bytes.as_slice()),
        algorithm: Algorithm::default(),
        digits: 6,
        period: 30,
        last_step: None,
    };
    let new = NewToken {
        secret: &token.secret,
        algorithm: token.algorithm,
        digits: token.digits,
        period: token.period,
    };
    let replace = if arguments.force { Replace::Yes } else { Replace::No };
    let mut database = Database::open_or_create(settings)?;
    if !database.enrol(&user, &new, replace, SystemClock.now())? {
        bail!(
            "{user} is enrolled already, nothing was changed (--force replaces it, and the old codes stop working)"
        );
    }
    let codes = match arguments.backup_codes {
        Some(count) => backup_codes::replace(&mut database, &user, count).with_context(|| {
            format!(
                "{user} is enrolled (openvpn-2fa show --secret prints the secret), but has no backup codes"
            )
        })?,
        None => Vec::new(),
    };
    let stored = database.enrolled(user.as_str())?;
    drop(database);
    if stored.as_ref().is_some_and(|stored| stored.state == UserState::Disabled) {
        writeln!(io::stderr(), "{user} is disabled, as before")?;
    }
    let factor = stored.and_then(|stored| stored.factor).unwrap_or(settings.auth.factor);
    if factor != Factor::Totp {
        writeln!(
            io::stderr(),
            "{user} has {} as second factor: the code counts after openvpn-2fa set {user} --factor totp",
            factor.word()
        )?;
    }

    let base32 = totp::base32(&token.secret);
    let uri =
        Enrolment { issuer: settings.totp.issuer_name.as_str(), account: user.as_str(), token: &token }.uri();
    if let Some(picture) = picture {
        picture.write(&uri)?;
    }
    if json {
        let mut value = serde_json::json!({
            "user": user.as_str(),
            "secret": base32.expose_secret(),
            "uri": uri.expose_secret(),
        });
        if !codes.is_empty() {
            value["backup_codes"] = backup_codes::exposed(&codes).into();
        }
        super::print_json(&value)?;
    } else {
        let lines = Zeroizing::new(format!(
            "{}\n{}\n{}\n",
            user.as_str(),
            base32.expose_secret(),
            uri.expose_secret()
        ));
        super::print(&lines).with_context(|| {
            format!("{user} is enrolled, but the secret could not be printed (openvpn-2fa show --secret prints it)")
        })?;
    }
    if !codes.is_empty() && !json {
        let lines = backup_codes::lines(&codes);
        write!(io::stderr(), "Backup codes of {user}, each good once:\n{}", lines.as_str())?;
    }
    if arguments.qr || (io::stdout().is_terminal() && !json) {
        let colour = if io::stderr().is_terminal() { qr::Colour::Both } else { qr::Colour::None };
        write!(io::stderr(), "{}", qr::blocks(&uri, colour)?)?;
    }
    Ok(())
}

/// Whether there is something that a new enrolment would replace.
fn is_enrolled(user: &UserName, settings: &Settings) -> anyhow::Result<bool> {
    match Database::open(settings) {
        Ok(mut database) => Ok(database.enrolled(user.as_str())?.is_some_and(|user| !user.tokens.is_empty())),
        Err(DatabaseError::Missing(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
