//! The two reasons of a refusal: what the user is told, and what the log says. The second never becomes the first.

use std::fmt;

/// What a user may be told. Until the password is known to be right, that is one text for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

impl Told {
    /// The text.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::AuthenticationFailed => "Authentication failed",
            Self::IncorrectCode => "Incorrect code",
            Self::CodeExpired => "Code expired, try again",
            Self::Locked => "Too many failed attempts, try again later",
            Self::ClientCannotBeAsked => "This VPN client cannot ask for a code, use one that can",
            Self::Busy => "Server busy, try again",
        }
    }
}

/// What the log says: a fixed word, and a detail for some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Primary check and second factor were right.
    BothFactors,
    /// A genuine session token of a user who is still valid.
    SessionToken,
    /// Let in without a second factor because `[auth] unenrolled = "allow"`.
    UnenrolledAllowed,
    /// The primary check was right; the second factor is asked for.
    FactorNeeded,
    /// The primary check failed; PAM's own words.
    PrimaryDenied(String),
    /// There was no password.
    EmptyPassword,
    /// A session token that OpenVPN did not find genuine and valid.
    TokenRefused,
    /// The user has no second factor.
    NotEnrolled,
    /// An administrator disabled the user.
    Disabled,
    /// The user's record asks for a factor that this version does not have.
    FactorUnavailable,
    /// The user is locked after too many failures.
    Locked,
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
            Self::SessionToken => "session-token",
            Self::UnenrolledAllowed => "unenrolled-allowed",
            Self::FactorNeeded => "factor-needed",
            Self::PrimaryDenied(_) => "primary-denied",
            Self::EmptyPassword => "empty-password",
            Self::TokenRefused => "token-refused",
            Self::NotEnrolled => "not-enrolled",
            Self::Disabled => "disabled",
            Self::FactorUnavailable => "factor-unavailable",
            Self::Locked => "locked",
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

    /// The detail.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::PrimaryDenied(detail)
            | Self::Identity(detail)
            | Self::Malformed(detail)
            | Self::Internal(detail) => Some(detail),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
