//! `confirm USER [CODE]`: whether the user's app makes the right codes. Lets nobody in, counts nothing against anybody.

use super::terminal::{self, Echo};
use crate::auth::{Store as _, Token};
use crate::cli::Confirm;
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::factor::backup_code::BackupCode;
use crate::factor::totp::{self, Check, Code, Instant};
use crate::name::UserName;
use crate::secret::{ExposeSecret, SecretString, secret};
use crate::store::{Database, Enrolled};
use anyhow::{anyhow, bail};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// How far off a clock is looked for, in seconds: further off, somebody who guesses would be right too often.
const FAR: u64 = 600;

pub(super) fn run(arguments: &Confirm, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    let mut database = super::database(settings)?;
    let user = super::stored_name(user, settings, &mut database)?;
    let stored = database.enrolled(user.as_str())?.filter(|stored| !stored.tokens.is_empty());
    let stored = stored.ok_or_else(|| super::not_enrolled(&user))?;
    let code = code(arguments.code.as_ref(), &user)?;
    let window = settings.totp.window.get();
    let (fit, period) = look(&mut database, &user, &code, window)?;
    match fit {
        Fit::Agrees { token, offset, .. } => {
            let seen = Seen { user: &user, stored: &stored, token, offset, period };
            if json {
                return super::print_json(&seen.json());
            }
            super::print(&seen.text())?;
            writeln!(io::stderr(), "This code is used up, as after a login: the next one counts.")?;
            for hindrance in super::hindrances(&user, &stored, settings) {
                writeln!(io::stderr(), "But {hindrance}")?;
            }
            Ok(())
        }
        Fit::Used { token } => bail!(
            "the code fits {}, and it was used already, or a later one was: wait for the next code",
            named(token, &stored)
        ),
        Fit::Far { token, offset } => {
            let seconds = offset.unsigned_abs() * period;
            let direction = if offset < 0 { "behind" } else { "ahead" };
            bail!(
                "the code fits {}, but not now: the clock of the device is about {seconds} seconds ({}) {direction}, and [totp] window = {window} allows {}. Set the clock of the device (or of this machine: timedatectl) and try again. Nothing was used up",
                named(token, &stored),
                steps(offset.unsigned_abs()),
                steps(window)
            )
        }
        Fit::None => bail!(
            "the code fits no token of {user}, nor a clock that is up to {} minutes off: has the app an older secret? (openvpn-2fa show {user} --secret). It was not counted as a wrong code",
            FAR / 60
        ),
    }
}

/// What was typed, as a code of an app.
fn code(argument: Option<&SecretString>, user: &UserName) -> anyhow::Result<Code> {
    let asked;
    let typed = if let Some(code) = argument {
        code
    } else {
        asked = terminal::line_of_input(&format!("Code of {user}: "), Echo::Shown)?;
        &asked
    };
    let typed = secret(typed.expose_secret().as_bytes());
    Code::parse(&typed).ok_or_else(|| match BackupCode::parse(&typed) {
        Some(_) => anyhow!(
            "that is a backup code, and only codes of an app are confirmed. It was not looked at; if others can have seen it: openvpn-2fa backup-codes {user}"
        ),
        None => anyhow!("not a code: 6 to 8 digits are wanted"),
    })
}

/// Finds out what a code is, and uses it up where it is right, in one transaction. Also returns the period of the token.
fn look(database: &mut Database, user: &UserName, code: &Code, window: u64) -> anyhow::Result<(Fit, u64)> {
    let mut records = database.begin()?;
    let record = records.user(user)?.ok_or_else(|| super::not_enrolled(user))?;
    let tokens = records.tokens(record.id)?;
    // The transaction may have had to wait for others.
    let fit = fit(&tokens, code, Instant { now: SystemClock.now(), window });
    let period = |token: usize| tokens.get(token).map_or(0, |token| u64::from(token.period));
    match fit {
        Fit::Agrees { token, step, offset } => {
            // Whoever has seen it in the command line is too late.
            records.burn_step(tokens[token].id, step, offset)?;
            records.commit()?;
            Ok((fit, period(token)))
        }
        Fit::Used { token } | Fit::Far { token, .. } => Ok((fit, period(token))),
        Fit::None => Ok((fit, 0)),
    }
}

/// What a code is to the tokens of a user; `token` counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// A login would take it.
    Agrees { token: usize, step: u64, offset: i64 },
    /// It was used, or a later one was.
    Used { token: usize },
    /// It is outside the window.
    Far { token: usize, offset: i64 },
    /// It is none.
    None,
}

fn fit(tokens: &[Token], code: &Code, when: Instant) -> Fit {
    let checked = |window: fn(u64, &Token) -> u64| {
        let checks = tokens.iter().enumerate().map(move |(index, token)| {
            let window = window(when.window, token);
            (index, totp::check(token, code, Instant { window, ..when }))
        });
        let mut used = None;
        for (token, check) in checks {
            match check {
                Check::Matches { step, offset } => return Fit::Agrees { token, step, offset },
                Check::AlreadyUsed => used = used.or(Some(token)),
                Check::No => {}
            }
        }
        used.map_or(Fit::None, |token| Fit::Used { token })
    };
    match checked(|window, _| window) {
        Fit::None => match checked(|window, token| window.max(FAR / u64::from(token.period.max(1)))) {
            Fit::Agrees { token, offset, .. } => Fit::Far { token, offset },
            used_or_none => used_or_none,
        },
        near => near,
    }
}

/// A token as `show` numbers it.
fn named(token: usize, stored: &Enrolled) -> String {
    match stored.tokens.get(token) {
        Some(row) => format!("token {} ({})", token + 1, super::show::described(row)),
        None => format!("token {}", token + 1),
    }
}

fn steps(number: u64) -> String {
    if number == 1 { "1 step".to_owned() } else { format!("{number} steps") }
}

/// A code that agrees.
struct Seen<'a> {
    user: &'a UserName,
    stored: &'a Enrolled,
    token: usize,
    offset: i64,
    period: u64,
}

impl Seen<'_> {
    fn seconds(&self) -> i64 {
        self.offset.saturating_mul(i64::try_from(self.period).unwrap_or(i64::MAX))
    }

    fn text(&self) -> String {
        let mut text = format!("{}: the code agrees with {}\n", self.user, named(self.token, self.stored));
        let _ = writeln!(
            text,
            "clock of the user's device: {:+} seconds ({:+} steps), to the nearest step",
            self.seconds(),
            self.offset
        );
        text
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "user": self.user.as_str(),
            "agrees": true,
            "token": self.token + 1,
            "label": self.stored.tokens.get(self.token).map(|token| token.label.as_str()),
            "offset_steps": self.offset,
            "offset_seconds": self.seconds(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::TokenId;
    use crate::factor::totp::{Algorithm, code_at};

    const NOW: u64 = 1_795_295_268;

    fn token(byte: u8, period: u32) -> Token {
        let secret = secret(&[byte; 20]);
        Token { id: TokenId(1), secret, algorithm: Algorithm::Sha1, digits: 6, period, last_step: None }
    }

    fn fit_of(tokens: &[Token], code: &SecretString) -> Fit {
        let code = Code::parse(&secret(code.expose_secret().as_bytes())).unwrap();
        fit(tokens, &code, Instant { now: NOW, window: 1 })
    }

    #[test]
    fn a_code_is_near_or_far_or_nothing() {
        let tokens = [token(1, 30), token(2, 60)];
        for (index, steps, expected) in [
            (0, 0, Some(true)),
            (0, -1, Some(true)),
            (1, 1, Some(true)),
            (0, 2, Some(false)),
            (0, -20, Some(false)),
            (0, 20, Some(false)),
            (0, 21, None),
            (1, 10, Some(false)),
            (1, -10, Some(false)),
            (1, 11, None),
        ] {
            let token: &Token = &tokens[index];
            let step = (NOW / u64::from(token.period)).checked_add_signed(steps).unwrap();
            let found = fit_of(&tokens, &code_at(token, step * u64::from(token.period)));
            let wanted = match expected {
                Some(true) => Fit::Agrees { token: index, step, offset: steps },
                Some(false) => Fit::Far { token: index, offset: steps },
                None => Fit::None,
            };
            assert_eq!(found, wanted, "{index} {steps}");
        }
    }

    #[test]
    fn a_code_that_was_used_or_is_older_is_not_taken_for_a_clock_that_is_behind() {
        let used = Token { last_step: Some(NOW / 30), ..token(1, 30) };
        for steps in [0, 1, 5] {
            let code = code_at(&used, NOW - steps * 30);
            assert_eq!(fit_of(std::slice::from_ref(&used), &code), Fit::Used { token: 0 }, "{steps}");
        }
        let next = code_at(&used, NOW + 30);
        let agrees = Fit::Agrees { token: 0, step: NOW / 30 + 1, offset: 1 };
        assert_eq!(fit_of(&[used], &next), agrees);
    }
}
