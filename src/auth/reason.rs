//! The two reasons of a refusal: what the user is told, and what the log says. The second never becomes the first.

use crate::config::Factor;
use std::borrow::Cow;
use std::fmt;

/// What a user may be told. Until the password is known to be right, that is one text for everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Unknown user, wrong password, locked account, anything that says nothing.
    AuthenticationFailed,
    /// The password was right, the code was not.
    IncorrectCode,
    /// The answer came too late.
    CodeExpired,
    /// Too many wrong codes.
    Locked,
    /// The password was right, and the client has no way to ask for a code.
    ClientCannotBeAsked,
    /// Too many logins at once.
    Busy,
    /// The password was right; Duo's words, made safe for every client.
    Duo(String),
    /// The password was right, and Duo does not know the user.
    Enrol {
        /// Duo's words, made safe for every client.
        message: String,
        /// Where to enrol: an `https://` address without blanks.
        portal: Option<String>,
    },
    /// The password was right, and the second factor cannot be checked.
    FactorUnavailable,
    /// The password was right, and the user's telephone waits for an answer to another login.
    PushOpen,
    /// The password was right, and nobody answered the telephone.
    NoAnswer,
    /// The password was right, the user has no token, and this login cannot ask any more.
    EnrolNextTime,
    /// The password was right, and the user has got a token while a new one was offered.
    EnrolledMeanwhile,
}

impl Told {
    /// The text.
    #[must_use]
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::AuthenticationFailed => "Authentication failed",
            Self::IncorrectCode => "Incorrect code",
            Self::CodeExpired => "Code expired, try again",
            Self::Locked => "Too many failed attempts, try again later",
            Self::ClientCannotBeAsked => "This VPN client cannot ask for a code, use one that can",
            Self::Busy => "Server busy, try again",
            Self::FactorUnavailable => "The second factor cannot be checked now, try again later",
            Self::PushOpen => "Another login waits for your answer on your phone, answer it or wait a minute",
            Self::NoAnswer => "No answer to the login request, try again",
            Self::EnrolNextTime => "You have no authenticator app here yet, log in again to set one up",
            Self::EnrolledMeanwhile => {
                "Your authenticator app was set up meanwhile, log in again with its code"
            }
            Self::Duo(message) if message.is_empty() => "Access denied",
            Self::Enrol { message, portal: None } if message.is_empty() => "Enrol in Duo first",
            Self::Duo(message) | Self::Enrol { message, portal: None } => {
                return Cow::Owned(message.clone());
            }
            Self::Enrol { message, portal: Some(portal) } => {
                return Cow::Owned(
                    format!("{message} - enrol at {portal}").trim_start_matches([' ', '-']).to_owned(),
                );
            }
        })
    }
}

/// What the log says: a fixed word, and a detail for some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Primary check and second factor were right.
    BothFactors,
    /// The primary check was right, and so was a backup code; how many can still be used.
    BackupCode {
        /// The others.
        left: usize,
    },
    /// The primary check was right, and so was the code of the token that was offered, which is the user's from now on.
    SelfEnrolled,
    /// A genuine session token of a user who is still valid.
    SessionToken,
    /// Let in without a second factor because `[auth] unenrolled = "allow"`; until when.
    UnenrolledAllowed(String),
    /// Let in without a second factor because of `exempt` or `exempt_groups`; which group.
    Exempt(Option<String>),
    /// Let in without a second factor by Duo's policy; Duo's words.
    DuoBypass(String),
    /// Let in without a second factor because `[duo] failmode = "safe"` and Duo cannot be reached; why.
    DuoFailedOpen(String),
    /// The primary check was right; the second factor is asked for.
    FactorNeeded,
    /// The primary check was right, and the user has no token: one is offered, and its code asked for.
    EnrolmentNeeded,
    /// The primary check failed; PAM's own words.
    PrimaryDenied(String),
    /// There was no password.
    EmptyPassword,
    /// A session token that OpenVPN did not find genuine and valid.
    TokenRefused,
    /// The user has no second factor; what changed, where it did.
    NotEnrolled(Option<String>),
    /// A token was offered to somebody who has got one since.
    EnrolledMeanwhile,
    /// An administrator disabled the user.
    Disabled,
    /// Duo gave no answer that can be used; why.
    DuoUnavailable(String),
    /// Duo says no; its words.
    DuoDenied(String),
    /// Duo does not know the user.
    DuoUnknownUser(String),
    /// The user says that somebody else is logging in.
    DuoFraud(String),
    /// Nobody answered the request on the telephone in time.
    DuoNoAnswer,
    /// The telephone waits for an answer to another login.
    DuoPushOpen,
    /// Passcodes were sent by text message, and one is asked for.
    DuoPasscodesSent,
    /// A verification code is shown, which the user is to enter on the telephone.
    DuoVerification,
    /// The user is locked after too many failures.
    Locked,
    /// Too many failures came from the client's address.
    AddressLocked,
    /// The code matches no token.
    WrongCode,
    /// The answer is not a code at all.
    MalformedCode,
    /// The code was accepted before.
    CodeAlreadyUsed,
    /// No challenge of that name: used, forged, or gone with the enrolment.
    UnknownChallenge,
    /// The challenge was for another user or another certificate.
    ForeignChallenge,
    /// The challenge was not answered in time.
    ChallengeExpired,
    /// The client lists no method that the settings allow.
    NoChallengeMethod,
    /// Who it is cannot be established.
    Identity(String),
    /// What the client sent cannot be read.
    Malformed(String),
    /// `[worker] max` logins wait already.
    Busy,
    /// Settings, database or system failed.
    Internal(String),
}

impl Reason {
    /// The fixed word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::BothFactors => "both-factors",
            Self::BackupCode { .. } => "backup-code",
            Self::SelfEnrolled => "self-enrolled",
            Self::SessionToken => "session-token",
            Self::UnenrolledAllowed(_) => "unenrolled-allowed",
            Self::Exempt(_) => "exempt",
            Self::DuoBypass(_) => "duo-bypass",
            Self::DuoFailedOpen(_) => "duo-failed-open",
            Self::FactorNeeded => "factor-needed",
            Self::EnrolmentNeeded => "enrolment-needed",
            Self::PrimaryDenied(_) => "primary-denied",
            Self::EmptyPassword => "empty-password",
            Self::TokenRefused => "token-refused",
            Self::NotEnrolled(_) => "not-enrolled",
            Self::EnrolledMeanwhile => "enrolled-meanwhile",
            Self::Disabled => "disabled",
            Self::DuoUnavailable(_) => "duo-unavailable",
            Self::DuoDenied(_) => "duo-denied",
            Self::DuoUnknownUser(_) => "duo-unknown-user",
            Self::DuoFraud(_) => "duo-fraud",
            Self::DuoNoAnswer => "duo-no-answer",
            Self::DuoPushOpen => "duo-push-open",
            Self::DuoPasscodesSent => "duo-passcodes-sent",
            Self::DuoVerification => "duo-verification",
            Self::Locked => "locked",
            Self::AddressLocked => "address-locked",
            Self::WrongCode => "wrong-code",
            Self::MalformedCode => "malformed-code",
            Self::CodeAlreadyUsed => "code-already-used",
            Self::UnknownChallenge => "unknown-challenge",
            Self::ForeignChallenge => "foreign-challenge",
            Self::ChallengeExpired => "challenge-expired",
            Self::NoChallengeMethod => "no-challenge-method",
            Self::Identity(_) => "identity",
            Self::Malformed(_) => "malformed",
            Self::Busy => "busy",
            Self::Internal(_) => "internal",
        }
    }

    /// The factor that it is about, where it is about one only.
    #[must_use]
    pub fn factor(&self) -> Option<Factor> {
        match self {
            Self::DuoBypass(_)
            | Self::DuoFailedOpen(_)
            | Self::DuoUnavailable(_)
            | Self::DuoDenied(_)
            | Self::DuoUnknownUser(_)
            | Self::DuoFraud(_)
            | Self::DuoNoAnswer
            | Self::DuoPushOpen
            | Self::DuoPasscodesSent
            | Self::DuoVerification => Some(Factor::Duo),
            Self::WrongCode | Self::CodeAlreadyUsed | Self::EnrolledMeanwhile => Some(Factor::Totp),
            _ => None,
        }
    }

    /// The detail.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::PrimaryDenied(detail)
            | Self::UnenrolledAllowed(detail)
            | Self::Identity(detail)
            | Self::Malformed(detail)
            | Self::DuoBypass(detail)
            | Self::DuoFailedOpen(detail)
            | Self::DuoUnavailable(detail)
            | Self::DuoDenied(detail)
            | Self::DuoUnknownUser(detail)
            | Self::DuoFraud(detail)
            | Self::Internal(detail) => Some(detail),
            Self::Exempt(detail) | Self::NotEnrolled(detail) => detail.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
