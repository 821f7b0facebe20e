//! `backup-codes USER`, and the codes that `enroll --backup-codes` makes.

use super::confirm;
use crate::cli::{BackupCodes, CodeCount};
use crate::config::{Factor, Settings};
use crate::factor::backup_code::{BackupCode, SaltedHash};
use crate::name::UserName;
use crate::random::SystemRandom;
use crate::secret::{ExposeSecret, SecretString};
use crate::store::Database;
use anyhow::Context;
use std::io::{self, Write};
use zeroize::Zeroizing;

pub(super) fn run(arguments: &BackupCodes, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    let mut database = super::database(settings)?;
    let user = super::stored_name(user, settings, &mut database)?;
    let stored = database.enrolled(user.as_str())?.ok_or_else(|| super::not_enrolled(&user))?;
    if stored.backup_codes.left > 0 {
        let question = format!("Replace the {} backup codes that {user} has left?", stored.backup_codes.left);
        confirm::ask(&question, &arguments.consent)?;
    }
    let codes = replace(&mut database, &user, arguments.count)?;
    drop(database);
    if json {
        super::print_json(&serde_json::json!({ "user": user.as_str(), "backup_codes": exposed(&codes) }))?;
    } else {
        super::print(&lines(&codes)).with_context(|| {
            format!("{user} has new backup codes, but they could not be printed (run this again for others)")
        })?;
    }
    let factor = stored.factor.unwrap_or(settings.auth.factor);
    if factor != Factor::Totp {
        writeln!(
            io::stderr(),
            "{user} has {} as second factor: backup codes count only with totp",
            factor.word()
        )?;
    }
    Ok(())
}

/// Makes codes for a user in place of the old ones. They are stored when this returns, and nowhere else in this form.
pub(super) fn replace(
    database: &mut Database,
    user: &UserName,
    count: CodeCount,
) -> anyhow::Result<Vec<SecretString>> {
    let (codes, hashes) = make(count)?;
    if !database.replace_backup_codes(user, &hashes)? {
        return Err(super::not_enrolled(user));
    }
    Ok(codes)
}

/// New codes, as they are printed and as they are stored.
pub(super) fn make(count: CodeCount) -> anyhow::Result<(Vec<SecretString>, Vec<SaltedHash>)> {
    let codes: Vec<BackupCode> =
        (0..count.get()).map(|_| BackupCode::generate(&SystemRandom)).collect::<Result<_, _>>()?;
    let hashes = codes.iter().map(|code| code.hashed(&SystemRandom)).collect::<Result<_, _>>()?;
    Ok((codes.iter().map(BackupCode::printed).collect(), hashes))
}

/// The codes for JSON.
pub(super) fn exposed(codes: &[SecretString]) -> Vec<&str> {
    codes.iter().map(ExposeSecret::expose_secret).collect()
}

/// The codes, one a line.
pub(super) fn lines(codes: &[SecretString]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(codes.len() * 32));
    for code in codes {
        text.push_str(code.expose_secret());
        text.push('\n');
    }
    text
}
