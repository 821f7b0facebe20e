//! Proofs, and the one function that accepts.
//!
//! A proof has private fields and is made only here, by running the check that it stands for. So a change elsewhere
//! cannot let anyone in by mistake: without both values, [`accept`] cannot be called.

use super::{
    Asked, Attempt, Challenge, NewSecret, PrimaryCheck, PrimaryDenial, PrimaryPass, Reason, Records,
    StoreError, Token, UsedStep, User, UserState,
};
use crate::clock::UnixTime;
use crate::config::{self, Failmode, Unenrolled};
use crate::factor::backup_code::BackupCode;
use crate::factor::duo::{self, Choices, DuoError, Preauth, Status, Transaction, Verdict};
use crate::factor::totp;
use crate::name::{GroupName, UserName};
use crate::secret::SecretBytes;
use std::time::Duration;

/// The user passed the primary check, now or when the question was asked.
#[derive(Debug)]
pub struct PrimaryProof {
    denial_hold: Duration,
    group: Option<GroupName>,
    means: Means,
}

/// What was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Password,
    Certificate,
    /// The answer to a question, which was put to somebody who had shown something.
    Question,
    /// A session token.
    Token,
    /// What the caller says of a check that was not made here.
    Word,
}

impl PrimaryProof {
    /// By the password.
    ///
    /// # Errors
    /// When the check denies.
    pub fn by_password(
        check: &dyn PrimaryCheck,
        attempt: &Attempt,
        password: &SecretBytes,
    ) -> Result<Self, PrimaryDenial> {
        let PrimaryPass { denial_hold, group } =
            check.authenticate(&attempt.user, password, attempt.peer.address)?;
        Ok(Self { denial_hold, group, means: Means::Password })
    }

    /// By the certificate that the VPN server has verified, where the settings say that this is the primary check.
    /// `None` where they do not, or there is no certificate.
    #[must_use]
    pub fn by_certificate(settings: &config::Auth, attempt: &Attempt) -> Option<Self> {
        let named = attempt.peer.common_name.as_ref().is_some_and(|name| !name.is_empty());
        (settings.primary == config::Primary::None && named).then_some(Self {
            denial_hold: Duration::ZERO,
            group: None,
            means: Means::Certificate,
        })
    }

    /// By the word of a caller who has checked the user's password by other means.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a word is good for one login")]
    pub fn by_word(word: CallersWord) -> Self {
        let CallersWord(()) = word;
        Self { denial_hold: Duration::ZERO, group: None, means: Means::Word }
    }

    /// By a challenge out of the store, which is put there only with a proof in hand: the same user, the same
    /// certificate, and in time.
    ///
    /// # Errors
    /// When it belongs to somebody else, or is too old.
    pub fn by_challenge(
        challenge: &Challenge,
        attempt: &Attempt,
        now: UnixTime,
    ) -> Result<Self, ChallengeFault> {
        let name = &attempt.peer.common_name;
        // With `username-as-common-name` OpenVPN puts the name typed in place of the certificate's once it has asked
        // (`set_common_name` in `verify_user_pass`). The certificate is the same all the same.
        let renamed = name.as_deref() == Some(attempt.user.as_str());
        let same = challenge.user == attempt.user.as_str()
            && challenge.identity == attempt.identity.as_str()
            && challenge.certificate == attempt.peer.certificate
            && (challenge.common_name == *name || renamed);
        if !same {
            return Err(ChallengeFault::Foreign);
        }
        if now > challenge.expires_at {
            return Err(ChallengeFault::Expired);
        }
        Ok(Self { denial_hold: Duration::ZERO, group: None, means: Means::Question })
    }

    /// By a session token that the VPN server found genuine, and an account that is still valid.
    ///
    /// # Errors
    /// When the account is not valid any more.
    pub fn by_token(
        check: &dyn PrimaryCheck,
        settings: &config::Auth,
        attempt: &Attempt,
    ) -> Result<Self, PrimaryDenial> {
        let group = match settings.primary {
            config::Primary::Pam => check.account(&attempt.user, attempt.peer.address)?.group,
            config::Primary::None => None,
        };
        Ok(Self { denial_hold: Duration::ZERO, group, means: Means::Token })
    }

    /// How long after the login began a refusal that must not tell a right password from a wrong one may be known.
    #[must_use]
    pub fn denial_hold(&self) -> Duration {
        self.denial_hold
    }

    /// Whether it was the password, now or when a question was put; where the settings have a password at all.
    #[must_use]
    pub fn is_by_password(&self) -> bool {
        match self.means {
            Means::Password | Means::Question => true,
            Means::Certificate | Means::Token | Means::Word => false,
        }
    }

    /// A challenge to be put into the store: this proof, kept for the answer.
    #[must_use]
    pub fn into_challenge(self, attempt: &Attempt, asked: Asked, expires_at: UnixTime) -> Challenge {
        Challenge {
            user: attempt.user.as_str().to_owned(),
            identity: attempt.identity.as_str().to_owned(),
            common_name: attempt.peer.common_name.clone(),
            certificate: attempt.peer.certificate.clone(),
            expires_at,
            asked,
        }
    }
}

/// The word of a caller that the user has passed the caller's own primary check. Nothing makes one but a request that says
/// so in as many letters: no call of OpenVPN's does, so none can come to one by mistake.
#[derive(Debug)]
pub struct CallersWord(());

impl CallersWord {
    /// What the caller has to write.
    pub const TEXT: &str = "passed";
}

impl std::str::FromStr for CallersWord {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::TEXT { Ok(Self(())) } else { Err("primary can only be \"passed\"") }
    }
}

/// Why a challenge proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeFault {
    /// Another user, another certificate.
    Foreign,
    /// Too old.
    Expired,
}

/// The second factor was right, or the settings waive it.
#[derive(Debug)]
pub struct FactorProof {
    factor: &'static str,
    reason: Reason,
    offset: Option<i64>,
}

/// What Duo says of a user.
#[derive(Debug)]
pub enum LookUp {
    /// Duo's policy lets the user in without a factor.
    Allowed(FactorProof),
    /// A factor is needed.
    Choices(Choices),
    /// The user may not log in; Duo's words.
    Denied(String),
    /// Duo does not know the user.
    Unknown {
        /// Duo's words.
        message: String,
        /// Where to enrol.
        portal: Option<String>,
    },
}

/// What has become of a factor at Duo.
#[derive(Debug)]
pub enum DuoCheck {
    /// Approved.
    Allowed(FactorProof),
    /// Refused.
    Denied(Status),
    /// Not decided.
    Waiting(Status),
}

/// What a code turned out to be.
#[derive(Debug)]
pub enum CodeCheck {
    /// Right, and burnt in the transaction.
    Right(FactorProof),
    /// It was right once.
    AlreadyUsed,
    /// Wrong.
    Wrong,
    /// Not a code.
    Malformed,
}

impl FactorProof {
    /// By a code of one of the user's tokens, or one of the user's backup codes. A right one is burnt in `records`: the
    /// proof is worth something only when that transaction is committed.
    ///
    /// # Errors
    /// When the store fails.
    pub fn by_code(
        records: &mut dyn Records,
        user: &User,
        tokens: &[Token],
        code: &SecretBytes,
        when: totp::Instant,
    ) -> Result<CodeCheck, StoreError> {
        let Some(code) = totp::Code::parse(code) else {
            return match BackupCode::parse(code) {
                Some(code) => Self::by_backup_code(records, user, &code, when.now),
                None => Ok(CodeCheck::Malformed),
            };
        };
        let mut seen_before = false;
        for token in tokens {
            match totp::check(token, &code, when) {
                totp::Check::Matches { step, offset } => {
                    records.burn_step(token.id, step, offset)?;
                    records.note_login(user.id, when.now)?;
                    return Ok(CodeCheck::Right(Self {
                        factor: "totp",
                        reason: Reason::BothFactors,
                        offset: Some(offset),
                    }));
                }
                totp::Check::AlreadyUsed => seen_before = true,
                totp::Check::No => {}
            }
        }
        Ok(if seen_before { CodeCheck::AlreadyUsed } else { CodeCheck::Wrong })
    }

    /// By a code of a token that was offered to the owner of `name`, who has none. A right one is burnt and makes the token
    /// theirs, in `records`: as with [`FactorProof::by_code`].
    ///
    /// # Errors
    /// When the store fails, or they have a token after all.
    pub fn by_enrolment(
        records: &mut dyn Records,
        name: &UserName,
        secret: &NewSecret,
        code: &SecretBytes,
        when: totp::Instant,
    ) -> Result<CodeCheck, StoreError> {
        let Some(code) = totp::Code::parse(code) else { return Ok(CodeCheck::Malformed) };
        match totp::check(&secret.token(), &code, when) {
            totp::Check::Matches { step, offset } => {
                let user = records.enrol(name, secret, UsedStep { step, offset }, when.now)?;
                records.note_login(user, when.now)?;
                Ok(CodeCheck::Right(Self {
                    factor: "totp",
                    reason: Reason::SelfEnrolled,
                    offset: Some(offset),
                }))
            }
            totp::Check::AlreadyUsed | totp::Check::No => Ok(CodeCheck::Wrong),
        }
    }

    fn by_backup_code(
        records: &mut dyn Records,
        user: &User,
        code: &BackupCode,
        now: UnixTime,
    ) -> Result<CodeCheck, StoreError> {
        let codes = records.backup_codes(user.id)?;
        // All are looked at, so that the time does not tell which one it was.
        let (mut fresh, mut seen_before) = (None, false);
        for stored in &codes {
            if code.is(&stored.hash) {
                match stored.used_at {
                    None => fresh = Some(stored.id),
                    Some(_) => seen_before = true,
                }
            }
        }
        let Some(fresh) = fresh else {
            return Ok(if seen_before { CodeCheck::AlreadyUsed } else { CodeCheck::Wrong });
        };
        records.use_backup_code(fresh, now)?;
        records.note_login(user.id, now)?;
        let left = codes.iter().filter(|code| code.used_at.is_none() && code.id != fresh).count();
        Ok(CodeCheck::Right(Self { factor: "totp", reason: Reason::BackupCode { left }, offset: None }))
    }

    /// By Duo's word that the user needs no factor, else what Duo says instead.
    ///
    /// # Errors
    /// When Duo gives no answer that can be used.
    pub fn by_duo_look_up(api: &dyn duo::Api, request: &duo::PreauthRequest<'_>) -> Result<LookUp, DuoError> {
        Ok(match api.preauth(request)? {
            Preauth::Allow { message } => {
                LookUp::Allowed(Self { factor: "duo", reason: Reason::DuoBypass(message), offset: None })
            }
            Preauth::Auth(choices) => LookUp::Choices(choices),
            Preauth::Deny { message } => LookUp::Denied(message),
            Preauth::Enroll { message, portal } => LookUp::Unknown { message, portal },
        })
    }

    /// By Duo's verdict on a factor.
    ///
    /// # Errors
    /// When Duo gives no answer that can be used.
    pub fn by_duo(api: &dyn duo::Api, transaction: &Transaction) -> Result<DuoCheck, DuoError> {
        let status = api.auth_status(transaction)?;
        Ok(match status.verdict {
            Verdict::Allow => {
                DuoCheck::Allowed(Self { factor: "duo", reason: Reason::BothFactors, offset: None })
            }
            Verdict::Deny => DuoCheck::Denied(status),
            Verdict::Waiting => DuoCheck::Waiting(status),
        })
    }

    /// By a setting that lets users in while Duo cannot be reached. `None` where it does not, or Duo did answer. For a
    /// look-up only: once a factor is under way there is nothing that could be waived.
    #[must_use]
    pub fn without_duo(failmode: Failmode, error: &DuoError) -> Option<Self> {
        match (failmode, error) {
            (Failmode::Safe, DuoError::Unreachable(_)) => {
                Some(Self { factor: "none", reason: Reason::DuoFailedOpen(error.to_string()), offset: None })
            }
            (Failmode::Secure, _)
            | (
                Failmode::Safe,
                DuoError::Certificate(_)
                | DuoError::Refused(_)
                | DuoError::TooLate(_)
                | DuoError::Settings(_),
            ) => None,
        }
    }

    /// By a list in the settings, of names or of groups. `None` where the identity is on none that is about this factor.
    ///
    /// A group is that of the account which passed the primary check. It says nothing of another identity.
    #[must_use]
    pub fn exempt(
        settings: &config::Settings,
        attempt: &Attempt,
        primary: &PrimaryProof,
        factor: config::Factor,
    ) -> Option<Self> {
        let (auth, duo) = (&settings.auth, (factor == config::Factor::Duo).then_some(&settings.duo));
        let exempt = |group| Some(Self { factor: "none", reason: Reason::Exempt(group), offset: None });
        let name = &attempt.identity;
        if auth.exempt.contains(name) || duo.is_some_and(|duo| duo.exempt.contains(name)) {
            return exempt(None);
        }
        let group = primary.group.as_ref().filter(|_| attempt.user == attempt.identity)?;
        let listed =
            auth.exempt_groups.contains(group) || duo.is_some_and(|duo| duo.exempt_groups.contains(group));
        if listed { exempt(Some(format!("in the group {}", group.as_str()))) } else { None }
    }

    /// By a genuine session token of a user who may still log in: the second factor was given when the session began.
    #[must_use]
    pub fn by_token(user: Option<&User>) -> Option<Self> {
        let proof = Self { factor: "token", reason: Reason::SessionToken, offset: None };
        user.is_none_or(|user| user.state == UserState::Enabled).then_some(proof)
    }

    /// By a setting that lets users in who have no second factor.
    ///
    /// # Errors
    /// When it does not, or not any more, or the user has one: why nobody is let in.
    pub fn waived(settings: &config::Auth, user: Option<&User>, now: UnixTime) -> Result<Self, Reason> {
        let has_token = user.is_some_and(|user| user.has_token);
        let detail = match (settings.unenrolled, settings.unenrolled_until) {
            (Unenrolled::Deny, _) => return Err(Reason::NotEnrolled(None)),
            (Unenrolled::Allow, _) if has_token => return Err(Reason::NotEnrolled(None)),
            (Unenrolled::Allow, Some(day)) if now >= day.end() => {
                let detail = format!("[auth] unenrolled = \"allow\" held until {day}, by UTC");
                return Err(Reason::NotEnrolled(Some(detail)));
            }
            (Unenrolled::Allow, Some(day)) => format!("until {day}"),
            (Unenrolled::Allow, None) => {
                "for ever: set [auth] unenrolled_until to the day on which all will be enrolled".to_owned()
            }
        };
        Ok(Self { factor: "none", reason: Reason::UnenrolledAllowed(detail), offset: None })
    }
}

/// Proof of an acceptance, for those who carry it out. Made by [`accept`] only.
#[derive(Debug)]
pub struct Acceptance {
    factor: &'static str,
    reason: Reason,
    offset: Option<i64>,
}

impl Acceptance {
    /// The second factor, for the log.
    #[must_use]
    pub fn factor(&self) -> &'static str {
        self.factor
    }

    /// Why, for the log.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// How many backup codes are left, where one was used.
    #[must_use]
    pub fn backup_codes_left(&self) -> Option<usize> {
        match self.reason {
            Reason::BackupCode { left } => Some(left),
            _ => None,
        }
    }

    /// How many steps the user's clock differs from ours; positive is ahead.
    #[must_use]
    pub fn offset(&self) -> Option<i64> {
        self.offset
    }
}

/// Lets somebody in.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "a proof is good for one acceptance")]
pub fn accept(primary: PrimaryProof, factor: FactorProof) -> Acceptance {
    let PrimaryProof { .. } = primary;
    let FactorProof { factor, reason, offset } = factor;
    Acceptance { factor, reason, offset }
}
