//! What a caller is told: one JSON object.

use crate::auth::{Carrier, Outcome, Told};
use crate::config::Settings;
use crate::printable;
use crate::secret::ExposeSecret;
use serde::Serialize;

/// The longest text for a user, in bytes. Callers put it where VPN clients show it, which take no more.
const MAX_TEXT_BYTES: usize = 200;

/// A reply.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub(super) enum Reply {
    /// The user is in.
    Allow {
        /// The second factor that let them in: `totp`, `duo` or `none`.
        factor: &'static str,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    /// The user is out.
    Deny {
        /// What they may be told.
        text: String,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    /// The user has to answer first.
    Question {
        /// What to ask.
        text: String,
        /// The name of the question, to be sent back with the answer.
        state: String,
        /// Whether what is typed may be shown.
        echo: bool,
        /// How long the answer may take.
        seconds: u64,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
}

impl Reply {
    /// The reply to a login that came to this.
    pub(super) fn of(outcome: &Outcome, settings: &Settings, reference: Option<&str>) -> Self {
        match outcome {
            Outcome::Accept(acceptance) => {
                Self::Allow { factor: acceptance.factor(), reference: reference.map(str::to_owned) }
            }
            Outcome::Reject(rejection) => Self::denial(&rejection.told, reference),
            Outcome::Ask(question) => match &question.carrier {
                Carrier::Reconnect { state } => Self::Question {
                    text: printable::ascii(question.text.expose_secret(), MAX_TEXT_BYTES),
                    state: state.clone(),
                    echo: true,
                    seconds: settings.totp.challenge_timeout.get(),
                    reference: reference.map(str::to_owned),
                },
                // There is no session in which it could be put.
                Carrier::Session => Self::denial(&Told::ClientCannotBeAsked, reference),
            },
        }
    }

    /// A denial in these words.
    pub(super) fn denial(told: &Told, reference: Option<&str>) -> Self {
        Self::Deny { text: told.text().into_owned(), reference: reference.map(str::to_owned) }
    }

    /// The reply as it is printed.
    pub(super) fn line(&self) -> String {
        // Cannot fail for strings and numbers; and a caller that reads nothing denies.
        serde_json::to_string(self).map_or_else(|_| String::new(), |json| json + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_one_line() {
        let reply = Reply::denial(&Told::Duo("a\nb \"c\"".to_owned()), Some("7K2M9Q"));
        assert_eq!(reply.line(), "{\"result\":\"deny\",\"text\":\"a\\nb \\\"c\\\"\",\"ref\":\"7K2M9Q\"}\n");
        let reply = Reply::Allow { factor: "totp", reference: None };
        assert_eq!(reply.line(), "{\"result\":\"allow\",\"factor\":\"totp\"}\n");
    }
}
