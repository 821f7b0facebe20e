//! `enroll USER`

mod folder;
mod many;
mod names;
mod token;

use super::terminal::{self, Colours};
use super::{backup_codes, confirm, qr};
use crate::auth::{Token, UserState};
use crate::cli::{Enroll, Label};
use crate::clock::{Clock, SystemClock};
use crate::config::{Appended, Factor, Settings};
use crate::factor::totp::{self, Enrolment};
use crate::name::UserName;
use crate::secret::{ExposeSecret, SecretString};
use crate::store::{Adding, Database, DatabaseError, Enrolled, Replace};
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use zeroize::Zeroizing;

/// What is to be known of codes that are not like most.
const UNUSUAL: &str =
    "many apps ignore --algorithm, --digits and --period, and their codes are wrong then; try one";

pub(super) fn run(arguments: &Enroll, settings: &Settings, json: bool) -> anyhow::Result<()> {
    if let (Some(from), Some(out)) = (&arguments.from, &arguments.out) {
        return many::run(arguments, (from, out), settings, json);
    }
    let user = arguments.user.as_deref().context("whom? (openvpn-2fa enroll USER)")?;
    let user = super::new_user_name(user, settings)?;
    let token = token::token(arguments.secret.as_ref(), arguments.shape)?;
    if arguments.force && confirm::is_wanted(&arguments.consent) && is_enrolled(&user, settings)? {
        let question = format!("Replace the enrolment of {user}? The old codes stop working.");
        confirm::ask(&question, &arguments.consent)?;
    }
    // Before anything is stored: a picture that cannot be written must not cost an enrolment.
    let picture = arguments.qr_file.as_deref().map(qr::Picture::create).transpose()?;

    let mut database = Database::open_or_create(settings)?;
    store(&mut database, &user, &token, arguments)?;
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
    talk(arguments, &user, stored.as_ref(), settings)?;

    let uri =
        Enrolment { issuer: settings.totp.issuer_name.as_str(), account: user.as_str(), token: &token }.uri();
    if let Some(picture) = picture {
        picture.write(&uri)?;
    }
    print(&user, &token, &uri, &codes, json)?;
    if arguments.qr || arguments.qr_invert || (io::stdout().is_terminal() && !json) {
        let colour = match terminal::colours(&io::stderr()) {
            Colours::Yes => qr::Colour::Both,
            Colours::No => qr::Colour::None,
        };
        let light = if arguments.qr_invert { qr::Light::Exchanged } else { qr::Light::AsUsual };
        write!(io::stderr(), "{}", qr::blocks(&uri, colour, light)?)?;
    }
    Ok(())
}

fn store(database: &mut Database, user: &UserName, token: &Token, arguments: &Enroll) -> anyhow::Result<()> {
    let label = arguments.label.as_ref().map_or("", Label::as_str);
    let new = token::to_store(token, label);
    let now = SystemClock.now();
    if arguments.add {
        return match database.add_token(user, &new, now)? {
            Adding::Done => Ok(()),
            Adding::NotEnrolled => bail!(
                "{user} is not enrolled, there is nothing to add to (openvpn-2fa enroll {user} without --add)"
            ),
            Adding::SameSecret => bail!("{user} has a token with this secret already, nothing was changed"),
        };
    }
    let replace = if arguments.force { Replace::Yes } else { Replace::No };
    if !database.enrol(user, &new, replace, now)? {
        bail!(
            "{user} is enrolled already, nothing was changed (--add adds a second token; --force replaces what is there, and the old codes stop working)"
        );
    }
    Ok(())
}

/// What the administrator should know besides.
fn talk(
    arguments: &Enroll,
    user: &UserName,
    stored: Option<&Enrolled>,
    settings: &Settings,
) -> anyhow::Result<()> {
    let mut talk = io::stderr();
    if token::is_unusual(arguments.shape) {
        writeln!(talk, "{UNUSUAL}: openvpn-2fa confirm {user}")?;
    }
    let digits = stored.into_iter().flat_map(|stored| &stored.tokens).map(|token| token.digits);
    if settings.auth.appended == Appended::Digits && digits.collect::<BTreeSet<_>>().len() > 1 {
        writeln!(
            talk,
            "{user} has tokens of several lengths, and with [auth] appended = \"digits\" only the longest can follow a password"
        )?;
    }
    if stored.is_some_and(|stored| stored.state == UserState::Disabled) {
        writeln!(talk, "{user} is disabled, as before")?;
    }
    let factor = stored.and_then(|stored| stored.factor).unwrap_or(settings.auth.factor);
    if factor != Factor::Totp {
        writeln!(
            talk,
            "{user} has {} as second factor: the code counts after openvpn-2fa set {user} --factor totp",
            factor.word()
        )?;
    }
    Ok(())
}

/// The three lines, and the backup codes beside them.
fn print(
    user: &UserName,
    token: &Token,
    uri: &SecretString,
    codes: &[SecretString],
    json: bool,
) -> anyhow::Result<()> {
    let base32 = totp::base32(&token.secret);
    if json {
        let mut value = serde_json::json!({
            "user": user.as_str(),
            "secret": base32.expose_secret(),
            "uri": uri.expose_secret(),
        });
        if !codes.is_empty() {
            value["backup_codes"] = backup_codes::exposed(codes).into();
        }
        return super::print_json(&value);
    }
    let lines =
        Zeroizing::new(format!("{}\n{}\n{}\n", user.as_str(), base32.expose_secret(), uri.expose_secret()));
    super::print(&lines).with_context(|| {
        format!(
            "{user} is enrolled, but the secret could not be printed (openvpn-2fa show --secret prints it)"
        )
    })?;
    if !codes.is_empty() {
        let lines = backup_codes::lines(codes);
        write!(io::stderr(), "Backup codes of {user}, each good once:\n{}", lines.as_str())?;
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
