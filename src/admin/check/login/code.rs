//! What a code was.

use super::super::finding::Findings;
use super::record::Record;
use crate::auth::{Outcome, Reason, Token};
use crate::clock::rfc3339;
use crate::config::Settings;
use crate::factor::totp;
use crate::secret::SecretBytes;

/// How far off a clock is looked for, in seconds.
const HORIZON: u64 = 2 * 3_600;

/// Says what the code was that led to an outcome: which step, how far off; used already; wrong, and whether a clock is.
pub(super) fn explain(
    record: &Record,
    response: &SecretBytes,
    outcome: &Outcome,
    settings: &Settings,
    findings: &mut Findings,
) {
    findings.about("code");
    let reason = match outcome {
        Outcome::Accept(acceptance) => acceptance.reason(),
        Outcome::Reject(rejection) => &rejection.reason,
        Outcome::Ask(question) => &question.reason,
    };
    match reason {
        Reason::BothFactors => {
            let offset = match outcome {
                Outcome::Accept(acceptance) => acceptance.offset().unwrap_or(0),
                Outcome::Reject(_) | Outcome::Ask(_) => 0,
            };
            let text = match offset {
                0 => "the code is right, and of the present step".to_owned(),
                steps => format!(
                    "the code is right, and {} ({} steps are allowed)",
                    side(steps),
                    settings.totp.window.get()
                ),
            };
            if offset == 0 {
                findings.good(text);
            } else {
                findings
                    .doubtful(text, "if it is so each time, a clock is wrong: date -u, and the telephone's");
            }
        }
        Reason::BackupCode { left } => findings.good(format!("a backup code, and right; {left} are left")),
        Reason::CodeAlreadyUsed => {
            let last = record
                .tokens()
                .iter()
                .filter_map(|token| Some(token.last_step? * u64::from(token.period)))
                .max();
            let last =
                last.map_or_else(String::new, |time| format!("; the last one was that of {}", rfc3339(time)));
            findings.bad(format!("the code was right, and is used already{last}"), "wait for the next code");
        }
        Reason::WrongCode => wrong(record, response, settings, findings),
        Reason::MalformedCode => findings.bad(
            "not a code: six to eight digits are, and backup codes",
            "type the code as the app shows it",
        ),
        _ => {}
    }
}

fn wrong(record: &Record, response: &SecretBytes, settings: &Settings, findings: &mut Findings) {
    let found =
        record.tokens().iter().find_map(|token| Some((token, steps_off(token, response, record.now)?)));
    match found {
        Some((token, steps)) => findings.bad(
            format!(
                "the code is {} of {} s each: one of the clocks is wrong ({} steps are allowed)",
                side(steps),
                token.period,
                settings.totp.window.get()
            ),
            format!("this machine says {}; set its clock, or the telephone's", rfc3339(record.now)),
        ),
        None => findings.bad(
            "the code is none of this user's, at no time in the last or next two hours",
            "another account in the app, a typing error; else openvpn-2fa enroll USER --force",
        ),
    }
}

/// How many steps a code is off, if it is one of a token's.
fn steps_off(token: &Token, response: &SecretBytes, now: u64) -> Option<i64> {
    let code = totp::Code::parse(response)?;
    let fresh = Token {
        secret: crate::secret::secret(crate::secret::ExposeSecret::expose_secret(&token.secret)),
        last_step: None,
        ..*token
    };
    let window = HORIZON / u64::from(token.period.max(1));
    match totp::check(&fresh, &code, totp::Instant { now, window }) {
        totp::Check::Matches { offset, .. } => Some(offset),
        totp::Check::AlreadyUsed | totp::Check::No => None,
    }
}

fn side(steps: i64) -> String {
    let direction = if steps < 0 { "behind" } else { "ahead" };
    format!("{} steps {direction}", steps.unsigned_abs())
}
