//! Proofs, and the one function that accepts.
//!
//! A proof has private fields and is made only here, by running the check that it stands for. So a change elsewhere
//! cannot let anyone in by mistake: without both values, [`accept`] cannot be called.

use super::{
    Attempt, Challenge, PrimaryCheck, PrimaryDenial, PrimaryPass, Reason, Records, StoreError, Token, User,
    UserState,
};
use crate::clock::UnixTime;
use crate::config::{self, Unenrolled};
use crate::factor::totp;
use crate::secret::SecretBytes;
use std::time::Duration;

/// The user passed the primary check, now or when the question was asked.
#[derive(Debug)]
pub struct PrimaryProof {
    denial_hold: Duration,
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
        let PrimaryPass { denial_hold } =
            check.authenticate(&attempt.user, password, attempt.peer.address)?;
        Ok(Self { denial_hold })
    }

    /// By the certificate that the VPN server has verified, where the settings say that this is the primary check.
    /// `None` where they do not, or there is no certificate.
    #[must_use]
    pub fn by_certificate(settings: &config::Auth, attempt: &Attempt) -> Option<Self> {
        let named = attempt.peer.common_name.as_ref().is_some_and(|name| !name.is_empty());
        (settings.primary == config::Primary::None && named).then_some(Self { denial_hold: Duration::ZERO })
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
        let same = challenge.user == attempt.user.as_str()
            && challenge.identity == attempt.identity.as_str()
            && challenge.common_name == attempt.peer.common_name
            && challenge.certificate == attempt.peer.certificate;
        if !same {
            return Err(ChallengeFault::Foreign);
        }
        if now > challenge.expires_at {
            return Err(ChallengeFault::Expired);
        }
        Ok(Self { denial_hold: Duration::ZERO })
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
        if settings.primary == config::Primary::Pam {
            check.account(&attempt.user, attempt.peer.address)?;
        }
        Ok(Self { denial_hold: Duration::ZERO })
    }

    /// How long after the login began a refusal that must not tell a right password from a wrong one may be known.
    #[must_use]
    pub fn denial_hold(&self) -> Duration {
        self.denial_hold
    }

    /// A challenge to be put into the store: this proof, kept for the answer.
    #[must_use]
    pub fn into_challenge(self, attempt: &Attempt, expires_at: UnixTime) -> Challenge {
        Challenge {
            user: attempt.user.as_str().to_owned(),
            identity: attempt.identity.as_str().to_owned(),
            common_name: attempt.peer.common_name.clone(),
            certificate: attempt.peer.certificate.clone(),
            expires_at,
        }
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
    /// By a code of one of the user's tokens. A right one is burnt in `records`: the proof is worth something only
    /// when that transaction is committed.
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
        let Some(code) = totp::Code::parse(code) else { return Ok(CodeCheck::Malformed) };
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

    /// By a genuine session token of a user who is still enrolled and enabled: the second factor was given when the
    /// session began.
    #[must_use]
    pub fn by_token(user: &User) -> Option<Self> {
        let proof = Self { factor: "token", reason: Reason::SessionToken, offset: None };
        (user.state == UserState::Enabled).then_some(proof)
    }

    /// By a setting that lets users in who have no second factor. `None` where it does not, or the user has one.
    #[must_use]
    pub fn waived(settings: &config::Auth, user: Option<&User>) -> Option<Self> {
        let waived = settings.unenrolled == Unenrolled::Allow && user.is_none();
        waived.then_some(Self { factor: "none", reason: Reason::UnenrolledAllowed, offset: None })
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
