//! `set USER`

use crate::cli::{FactorChoice, Set};
use crate::clock::{Clock, SystemClock};
use crate::config::{Factor, Settings};
use crate::store::Database;
use std::io::{self, Write};

pub(super) fn run(arguments: &Set, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::new_user_name(&arguments.user, settings)?;
    let factor = match arguments.factor {
        FactorChoice::Totp => Some(Factor::Totp),
        FactorChoice::Duo => Some(Factor::Duo),
        FactorChoice::Default => None,
    };
    let mut database = Database::open_or_create(settings)?;
    database.set_factor(&user, factor, SystemClock.now())?;
    if json {
        return super::print_json(&serde_json::json!({
            "user": user.as_str(),
            "factor": factor.map(Factor::word),
        }));
    }
    let in_use = factor.unwrap_or(settings.auth.factor);
    match factor {
        Some(factor) => writeln!(io::stderr(), "{user} has {} as second factor", factor.word())?,
        None => {
            writeln!(io::stderr(), "{user} has the second factor of the settings, now {}", in_use.word())?;
        }
    }
    let enrolled = database.enrolled(user.as_str())?.is_some_and(|user| !user.tokens.is_empty());
    if in_use == Factor::Totp && !enrolled {
        writeln!(io::stderr(), "and no token yet: openvpn-2fa enroll {user}")?;
    }
    if in_use == Factor::Duo
        && let Some(missing) = settings.duo.missing()
    {
        writeln!(io::stderr(), "{missing}")?;
    }
    Ok(())
}
