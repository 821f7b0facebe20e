//! The decision: who is let in, who is asked, who is rejected.
//!
//! Nothing here knows how a login arrived (OpenVPN's files, a management socket, RADIUS) or how a verdict leaves. The
//! decision is given an [`Attempt`], a [`Submission`] and [`Services`] (traits for the primary check, the store, the
//! clock and randomness) and returns an [`Outcome`].
//!
//! There is one function that makes an acceptance, [`proof::accept`], and it takes two proofs that only the checks in
//! [`proof`] can make.

mod appended;
mod decision;
mod duo;
mod enrolment;
mod limits;
mod lockout;
mod network;
pub mod proof;
mod reason;
mod services;

pub use decision::Decision;
pub use enrolment::NewSecret;
pub use lockout::{Failures, is_locked};
pub use network::Network;
pub use reason::{Reason, Told};
pub use services::{
    Asked, BackupCodeId, Challenge, ChallengeKey, PrimaryCheck, PrimaryDenial, PrimaryPass, Records,
    Services, Store, StoreError, StoredBackupCode, Token, TokenId, UsedStep, User, UserId, UserState,
};

use crate::config;
use crate::name::{NameError, NameRefusal, UserName};
use crate::secret::{ExposeSecret, SecretBytes, SecretString};
use std::net::IpAddr;
use std::time::Duration;

/// The longest name, in base64, that leaves room for the longest text in a question that is answered by reconnecting.
const FREE_NAME_BYTES: usize = 12;

/// Who is at the door, and how they can be asked.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The name that the primary check is about, and that a challenge is for.
    pub user: UserName,
    /// Whose second factor it is: the user, or the certificate's common name.
    pub identity: UserName,
    /// What the other side has shown of itself.
    pub peer: Peer,
    /// How a question can reach the user.
    pub question: QuestionForm,
    /// Why nobody of this name is let in. The attempt is then refused where a wrong password would be, and looks like one.
    pub refusal: Option<RefusedName>,
}

/// What a client has shown of itself, besides what was typed.
#[derive(Debug, Default, Clone)]
pub struct Peer {
    /// The certificate's common name.
    pub common_name: Option<String>,
    /// The certificate's SHA-256 fingerprint.
    pub certificate: Option<String>,
    /// Where it comes from.
    pub address: Option<IpAddr>,
}

/// How a question can reach the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionForm {
    /// While the login waits (`CR_TEXT`); `then_reconnect` says whether a second question can follow by
    /// [`QuestionForm::Reconnect`].
    InSession {
        /// Whether the client can also answer by reconnecting.
        then_reconnect: FollowUp,
    },
    /// By a rejection that carries the question; the answer is a new login (CRV1).
    Reconnect,
    /// Not at all.
    Impossible,
}

/// Whether a wrong answer in the session can be followed by a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    /// By reconnecting.
    Reconnect,
    /// No; the login ends.
    None,
}

impl QuestionForm {
    /// The form for a client with these abilities under these settings.
    #[must_use]
    pub fn choose(setting: config::Challenge, in_session: Ability, reconnecting: Ability) -> Self {
        use Ability::{No, Yes};
        use config::Challenge::{Auto, Crtext, Crv1, Off};
        match (setting, in_session, reconnecting) {
            (Auto, Yes, Yes) => Self::InSession { then_reconnect: FollowUp::Reconnect },
            (Auto, Yes, No) | (Crtext, Yes, _) => Self::InSession { then_reconnect: FollowUp::None },
            (Auto, No, Yes) | (Crv1, _, Yes) => Self::Reconnect,
            (Auto, No, No) | (Crtext, No, _) | (Crv1, _, No) | (Off, _, _) => Self::Impossible,
        }
    }
}

/// Whether a client can do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// It can.
    Yes,
    /// It cannot.
    No,
}

impl From<bool> for Ability {
    fn from(able: bool) -> Self {
        if able { Self::Yes } else { Self::No }
    }
}

/// What was handed in.
pub enum Submission {
    /// The password field as typed: a password, perhaps with the second factor appended; where there is no primary
    /// check, the second factor itself. May be empty.
    Typed(SecretBytes),
    /// Password and answer, apart (SCRV1). Either may be empty.
    Both {
        /// The password.
        password: SecretBytes,
        /// The answer.
        response: SecretBytes,
    },
    /// The answer to a question that was sent with [`Outcome::Ask`].
    Answer {
        /// The name of the question.
        state: String,
        /// The answer.
        response: SecretBytes,
    },
    /// A session token that the VPN server made after an earlier login, and has found genuine and not expired.
    GenuineToken,
    /// A session token that is expired, forged, or for nobody.
    RefusedToken,
}

impl Submission {
    /// Whether this is a login that can only be answered by a question: a right password alone, as far as can be told
    /// without looking anything up.
    #[must_use]
    pub fn lacks_factor(&self, settings: &config::Auth) -> bool {
        match self {
            Self::Typed(typed) => match settings.primary {
                config::Primary::None => typed.expose_secret().is_empty(),
                config::Primary::Pam => {
                    !typed.expose_secret().is_empty()
                        && appended::split(typed.expose_secret(), settings.appended, appended::DEFAULT_DIGITS)
                            .is_none()
                }
            },
            Self::Both { password, response } => {
                response.expose_secret().is_empty()
                    && (settings.primary == config::Primary::None || !password.expose_secret().is_empty())
            }
            Self::Answer { .. } | Self::GenuineToken | Self::RefusedToken => false,
        }
    }
}

/// What becomes of a login.
#[derive(Debug)]
pub enum Outcome {
    /// Let in.
    Accept(proof::Acceptance),
    /// Not let in.
    Reject(Rejection),
    /// The user has to answer a question first.
    Ask(Question),
}

impl Outcome {
    /// Not let in, told at once, and told nothing of why.
    #[must_use]
    pub fn refused(reason: Reason) -> Self {
        Self::Reject(Rejection::at_once(Told::AuthenticationFailed, reason))
    }
}

/// A refusal: one text for the user, one reason for the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What the user is told.
    pub told: Told,
    /// What the log says.
    pub reason: Reason,
    /// How long after the login began the verdict may be known, so that guessing is slow and timing tells nothing.
    pub hold: Duration,
}

impl Rejection {
    /// A refusal that is told at once.
    #[must_use]
    pub fn at_once(told: Told, reason: Reason) -> Self {
        Self { told, reason, hold: Duration::ZERO }
    }
}

/// A question to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What to ask.
    pub text: QuestionText,
    /// Whose answer it is to be, as the challenge names it.
    pub user: UserName,
    /// How the question travels.
    pub carrier: Carrier,
    /// The factor that is asked for, for the log.
    pub factor: config::Factor,
    /// Why it is asked, for the log.
    pub reason: Reason,
}

impl Question {
    /// Whether the user has to see this very question, and not another one that was put ahead of it: it holds the key of
    /// their new token. In a session it can be answered once [`Decision::shown_in_session`] was told that they do.
    #[must_use]
    pub fn must_be_seen(&self) -> bool {
        self.reason == Reason::EnrolmentNeeded
    }
}

/// The text of a question. It may hold a secret that is for the eyes of the user alone: nothing prints it by mistake.
#[derive(Debug, Clone)]
pub struct QuestionText(SecretString);

impl From<String> for QuestionText {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

impl ExposeSecret<str> for QuestionText {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for QuestionText {
    fn eq(&self, other: &Self) -> bool {
        self.expose_secret() == other.expose_secret()
    }
}

impl Eq for QuestionText {}

/// How a question travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// In the session that waits, under the session's own name.
    Session,
    /// By a rejection; the answer names this state.
    Reconnect {
        /// The name of the question: letters and digits.
        state: String,
    },
}

/// A name from outside is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The name typed.
    #[error("username: {0}")]
    Username(NameError),
    /// The certificate's.
    #[error("common name: {0}")]
    CommonName(NameError),
    /// `match_common_name`
    #[error("username and common name differ")]
    Mismatch,
    /// Without a primary check the certificate is the first proof, and there is none.
    #[error("no certificate, and no other primary check")]
    NoCertificate,
}

/// A name that nobody may log in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedName {
    /// The name typed.
    #[error("username: {0}")]
    Username(NameRefusal),
    /// The certificate's.
    #[error("common name: {0}")]
    CommonName(NameRefusal),
}

impl Attempt {
    /// Establishes whose login this is, from the name typed (may be empty) and the certificate.
    ///
    /// # Errors
    /// When a name that is needed is missing or malformed, or the two differ where they must not.
    pub fn identify(
        settings: &config::Auth,
        username: &[u8],
        peer: Peer,
        question: QuestionForm,
    ) -> Result<Self, IdentityError> {
        let common_name = || match &peer.common_name {
            Some(name) => settings.canonical(name.as_bytes()).map_err(IdentityError::CommonName),
            None => Err(IdentityError::CommonName(NameError::Empty)),
        };
        if settings.primary == config::Primary::None && peer.common_name.is_none() {
            return Err(IdentityError::NoCertificate);
        }
        let may_be_nameless = settings.primary == config::Primary::None
            && settings.identity == config::Identity::CommonName
            && username.is_empty();
        let user = if may_be_nameless {
            common_name()?
        } else {
            settings.canonical(username).map_err(IdentityError::Username)?
        };
        if settings.match_common_name && common_name()? != user {
            return Err(IdentityError::Mismatch);
        }
        let identity = match settings.identity {
            config::Identity::Username => user.clone(),
            config::Identity::CommonName => common_name()?,
        };
        let refusal = settings
            .refusal(&user)
            .map(RefusedName::Username)
            .or_else(|| settings.refusal(&identity).map(RefusedName::CommonName));
        Ok(Self { user, identity, peer, question, refusal })
    }

    /// Room for a question, in bytes, at least 40: one that is answered by reconnecting has less with a long name in it.
    fn room(&self) -> usize {
        let name = self.user.as_str().len().div_ceil(3) * 4;
        config::Line::MAX_BYTES.saturating_sub(name.saturating_sub(FREE_NAME_BYTES)).max(40)
    }
}

#[cfg(test)]
mod tests;
