//! What the database knows of a user, when the login begins.

use super::super::finding::Findings;
use crate::auth::{Attempt, Failures, Records, Store, StoreError, Token, User, UserState, is_locked};
use crate::clock::{Clock, SystemClock, UnixTime, rfc3339};
use crate::config::{Factor, Settings};
use crate::name::UserName;
use crate::store::OnDemand;

/// A user, as the database has them. Nothing is changed by looking.
pub(super) struct Record {
    identity: UserName,
    found: Result<Found, String>,
    default_factor: Factor,
    allows_unenrolled: bool,
    /// When it was looked at.
    pub(super) now: UnixTime,
}

struct Found {
    user: Option<User>,
    tokens: Vec<Token>,
    backup_codes_left: usize,
    failures: Failures,
}

impl Record {
    pub(super) fn look_up(settings: &Settings, attempt: &Attempt) -> Self {
        Self {
            identity: attempt.identity.clone(),
            found: look(settings, &attempt.identity).map_err(|error| error.to_string()),
            default_factor: settings.auth.factor,
            allows_unenrolled: settings.auth.unenrolled == crate::config::Unenrolled::Allow,
            now: SystemClock.now(),
        }
    }

    /// The user's second factor.
    pub(super) fn factor(&self, settings: &Settings) -> Factor {
        let own = self.found.as_ref().ok().and_then(|found| found.user?.factor);
        own.unwrap_or(settings.auth.factor)
    }

    pub(super) fn tokens(&self) -> &[Token] {
        self.found.as_ref().map_or(&[], |found| &found.tokens)
    }

    /// Says what there is: record, enrolment, lock.
    pub(super) fn show(&self, findings: &mut Findings) {
        findings.about("record");
        let found = match &self.found {
            Ok(found) => found,
            Err(error) => return findings.bad(error, "until this is mended nobody gets in"),
        };
        let identity = &self.identity;
        let factor = found.user.and_then(|user| user.factor).unwrap_or(self.default_factor);
        match found.user {
            Some(User { state: UserState::Disabled, .. }) => {
                findings.bad(format!("{identity} is disabled"), format!("openvpn-2fa enable {identity}"));
            }
            Some(user) => {
                let whose = if user.factor.is_some() { "their own setting" } else { "the settings" };
                findings.good(format!(
                    "{identity} is enabled; the second factor is {}, by {whose}",
                    factor.word()
                ));
            }
            None if factor == Factor::Duo => {
                findings.good(format!("{identity} has no record here, and needs none: Duo knows the users"));
            }
            None if self.allows_unenrolled => findings.doubtful(
                format!("{identity} is not enrolled; [auth] unenrolled = \"allow\""),
                format!("openvpn-2fa enroll {identity}"),
            ),
            None => {
                findings.bad(format!("{identity} is not enrolled"), format!("openvpn-2fa enroll {identity}"));
            }
        }
        if factor == Factor::Totp && found.user.is_some() {
            self.enrolment(found, findings);
        }
        lock(identity, found.failures, self.now, findings);
    }

    fn enrolment(&self, found: &Found, findings: &mut Findings) {
        findings.about("enrolment");
        if found.tokens.is_empty() {
            let identity = &self.identity;
            return findings
                .bad(format!("{identity} has no token"), format!("openvpn-2fa enroll {identity}"));
        }
        for token in &found.tokens {
            let last = token.last_step.map_or_else(
                || "not used yet".to_owned(),
                |step| format!("last code of {}", rfc3339(step.saturating_mul(token.period.into()))),
            );
            findings.good(format!(
                "a token: {}, {} digits, {} s; {last}",
                token.algorithm.name(),
                token.digits,
                token.period
            ));
        }
        if found.backup_codes_left > 0 {
            findings.good(format!("{} backup codes are left", found.backup_codes_left));
        }
    }
}

fn lock(identity: &UserName, failures: Failures, now: UnixTime, findings: &mut Findings) {
    findings.about("lock");
    match failures.locked_until {
        Some(until) if is_locked(failures, now) => findings.bad(
            format!("{identity} is locked until {} ({} failures in a row)", rfc3339(until), failures.count),
            format!("openvpn-2fa unlock {identity}"),
        ),
        _ => findings.good(format!("not locked; {} failures in a row so far", failures.count)),
    }
}

fn look(settings: &Settings, identity: &UserName) -> Result<Found, StoreError> {
    let mut store = OnDemand::at(settings);
    // Dropped without a commit.
    let mut records: Box<dyn Records + '_> = store.begin()?;
    let user = records.user(identity)?;
    let (tokens, codes) = match user {
        Some(user) => (records.tokens(user.id)?, records.backup_codes(user.id)?),
        None => (Vec::new(), Vec::new()),
    };
    let backup_codes_left = codes.iter().filter(|code| code.used_at.is_none()).count();
    Ok(Found { user, tokens, backup_codes_left, failures: records.failures(identity)? })
}
