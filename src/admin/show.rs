//! `show USER`

use super::list::state;
use crate::auth::Token;
use crate::cli::Show;
use crate::clock::{Clock, SystemClock, UnixTime, rfc3339};
use crate::config::{Factor, Settings};
use crate::factor::totp::{Enrolment, base32};
use crate::printable;
use crate::secret::ExposeSecret;
use crate::store::{Enrolled, EnrolledToken};
use serde_json::{Value, json};
use std::fmt::Write as _;
use zeroize::Zeroizing;

pub(super) fn run(arguments: &Show, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let name = super::user_name(&arguments.user)?;
    let mut database = super::database(settings)?;
    let name = super::stored_name(name, settings, &mut database)?;
    let user = database.enrolled(name.as_str())?.ok_or_else(|| super::not_enrolled(&name))?;
    let secrets = if arguments.secret { database.tokens(&name)? } else { Vec::new() };
    drop(database);
    let now = SystemClock.now();
    let secret = |token: &EnrolledToken| secrets.iter().find(|known| known.id == token.id);
    let uri = |token: &Token| {
        let issuer = settings.totp.issuer_name.as_str();
        Enrolment { issuer, account: &user.name, token }.uri()
    };
    if json {
        let mut value = self::json(&user, now);
        for (index, token) in user.tokens.iter().enumerate() {
            if let Some(token) = secret(token) {
                value["tokens"][index]["secret"] = base32(&token.secret).expose_secret().into();
                value["tokens"][index]["uri"] = uri(token).expose_secret().into();
            }
        }
        return super::print_json(&value);
    }
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let moment = |time: Option<UnixTime>| time.map_or_else(|| "never".to_owned(), rfc3339);
    writeln!(text, "user: {}", printable::text(&user.name))?;
    writeln!(text, "state: {}", state(&user, now))?;
    writeln!(text, "factor: {}", factor(&user).unwrap_or("as in the settings"))?;
    writeln!(text, "enrolled: {}", rfc3339(user.created_at))?;
    writeln!(text, "last login: {}", moment(user.last_login_at))?;
    writeln!(text, "failures in a row: {}", user.failures.count)?;
    if let Some(until) = user.failures.locked_until.filter(|until| now < *until) {
        writeln!(text, "locked until: {}", rfc3339(until))?;
    }
    if user.backup_codes.made > 0 {
        writeln!(text, "backup codes: {} of {} left", user.backup_codes.left, user.backup_codes.made)?;
    }
    for (index, token) in user.tokens.iter().enumerate() {
        match user.tokens.len() {
            1 => write!(text, "token: {}", described(token))?,
            _ => write!(text, "token {}: {}", index + 1, described(token))?,
        }
        if let Some(key) = &token.sealed_with {
            write!(text, ", encrypted with the key {}", printable::text(key))?;
        }
        writeln!(text)?;
        if let Some(offset) = token.last_offset {
            let seconds = offset * i64::from(token.period);
            writeln!(
                text,
                "clock of the user's device: {seconds:+} seconds when a code was last right, to the nearest step"
            )?;
        }
        if let Some(token) = secret(token) {
            writeln!(text, "secret: {}", base32(&token.secret).expose_secret())?;
            writeln!(text, "uri: {}", uri(token).expose_secret())?;
        }
    }
    super::print(&text)
}

/// What a token is, in a few words: its label comes first.
pub(super) fn described(token: &EnrolledToken) -> String {
    let label = if token.label.is_empty() { String::new() } else { format!("{}, ", token.label) };
    let EnrolledToken { algorithm, digits, period, .. } = token;
    printable::text(&format!("{label}{}, {digits} digits, {period} seconds", algorithm.name()))
}

/// What is stored about a user, without secrets.
pub(super) fn json(user: &Enrolled, now: UnixTime) -> Value {
    let locked_until = user.failures.locked_until.filter(|until| now < *until);
    let tokens: Vec<Value> = user
        .tokens
        .iter()
        .map(|token| {
            json!({
                "label": token.label,
                "algorithm": token.algorithm.name(),
                "digits": token.digits,
                "period": token.period,
                "created_at": rfc3339(token.created_at),
                "last_offset": token.last_offset,
                "encrypted_with": token.sealed_with,
            })
        })
        .collect();
    json!({
        "user": user.name,
        "state": state(user, now),
        "factor": factor(user),
        "created_at": rfc3339(user.created_at),
        "last_login_at": super::json_time(user.last_login_at),
        "failures": user.failures.count,
        "locked_until": super::json_time(locked_until),
        "backup_codes_left": user.backup_codes.left,
        "tokens": tokens,
    })
}

fn factor(user: &Enrolled) -> Option<&'static str> {
    user.factor.map(Factor::word)
}
