//! What a caller asks: one JSON object becomes types.

use crate::auth::proof::CallersWord;
use crate::auth::{Ability, Attempt, IdentityError, Peer, QuestionForm, Submission};
use crate::config::{Challenge, Settings};
use crate::openvpn::{MAX_PASSWORD_BYTES, MAX_RESPONSE_BYTES, StateId};
use crate::secret::{ExposeSecret, SecretBytes, SecretString, secret};
use serde::Deserialize;
use serde_json::error::Category;
use std::net::IpAddr;

/// The longest common name, in bytes: more than a certificate can have, also in UTF-8.
const MAX_COMMON_NAME_BYTES: usize = 1024;

/// The object as it comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    user: String,
    address: Option<String>,
    common_name: Option<String>,
    primary: Option<String>,
    password: Option<SecretString>,
    state: Option<String>,
    answer: Option<SecretString>,
}

/// A request, understood but for the user's name, which the settings have a say in.
pub(super) struct Request {
    pub(super) who: Who,
    pub(super) first: FirstProof,
}

/// Who is at the caller's door, as the caller says.
pub(super) struct Who {
    pub(super) user: String,
    pub(super) address: Option<IpAddr>,
    pub(super) common_name: Option<String>,
}

/// Where the first proof comes from, and what came with it.
pub(super) enum FirstProof {
    /// The caller has checked the password.
    Word {
        word: CallersWord,
        /// The answer; may be empty.
        response: SecretBytes,
    },
    /// PAM, or an earlier question.
    Given(Submission),
}

impl Request {
    /// Parses a request. An error says what is wrong with it, and nothing of its content.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let fields: Fields = serde_json::from_slice(bytes).map_err(|error| fault(&error))?;
        let Fields { user, address, common_name, primary, password, state, answer } = fields;
        let address = match address.map(|address| address.parse::<IpAddr>()) {
            None => None,
            Some(Ok(address)) => Some(address.to_canonical()),
            Some(Err(_)) => return Err("address is not an IP address".to_owned()),
        };
        if common_name.as_ref().is_some_and(|name| name.len() > MAX_COMMON_NAME_BYTES) {
            return Err(format!("common_name is longer than {MAX_COMMON_NAME_BYTES} bytes"));
        }
        let answer = answer.map(|answer| typed("answer", &answer, MAX_RESPONSE_BYTES)).transpose()?;
        let first = match (primary, password, state) {
            (Some(primary), None, None) => {
                let word = primary.parse().map_err(str::to_owned)?;
                FirstProof::Word { word, response: answer.unwrap_or_else(|| secret(b"")) }
            }
            (None, Some(password), None) => {
                let password = typed("password", &password, MAX_PASSWORD_BYTES)?;
                FirstProof::Given(match answer {
                    Some(response) => Submission::Both { password, response },
                    None => Submission::Typed(password),
                })
            }
            (None, None, Some(state)) => {
                let state = StateId::parse(state.as_bytes()).ok_or("state is none of this program's")?;
                let response = answer.ok_or("state without an answer")?;
                FirstProof::Given(Submission::Answer { state: state.as_str().to_owned(), response })
            }
            _ => return Err("exactly one of primary, password and state is wanted".to_owned()),
        };
        let common_name = common_name.filter(|name| !name.is_empty());
        Ok(Self { who: Who { user, address, common_name }, first })
    }
}

impl FirstProof {
    /// What the request is, for the log.
    pub(super) fn event(&self) -> &'static str {
        match self {
            Self::Given(Submission::Answer { .. }) => "answer",
            Self::Word { .. } | Self::Given(_) => "login",
        }
    }
}

impl Who {
    /// Establishes whose login this is.
    pub(super) fn identify(&self, settings: &Settings) -> Result<Attempt, IdentityError> {
        let peer = Peer { common_name: self.common_name.clone(), certificate: None, address: self.address };
        // In which of the two ways OpenVPN's clients are asked is not this caller's business.
        let setting = match settings.auth.challenge {
            Challenge::Off => Challenge::Off,
            Challenge::Auto | Challenge::Crtext | Challenge::Crv1 => Challenge::Crv1,
        };
        let question = QuestionForm::choose(setting, Ability::No, Ability::Yes);
        Attempt::identify(&settings.auth, self.user.as_bytes(), peer, question)
    }
}

/// What somebody typed. A NUL would end it early for modules that are written in C.
fn typed(field: &str, text: &SecretString, limit: usize) -> Result<SecretBytes, String> {
    let bytes = text.expose_secret().as_bytes();
    if bytes.len() > limit {
        return Err(format!("{field} is longer than {limit} bytes"));
    }
    if bytes.contains(&0) {
        return Err(format!("{field} holds a NUL"));
    }
    Ok(secret(bytes))
}

/// What is wrong, in words that repeat nothing: those of the parser quote what they choke on, which may be a password.
fn fault(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let told = match error.classify() {
        Category::Io | Category::Syntax | Category::Eof => "not JSON in UTF-8, or more than one value",
        // What is in its quotes is the name of one of our fields.
        Category::Data if words.starts_with("missing field `user`") => "user is missing",
        Category::Data if words.starts_with("duplicate field") => "a field that comes twice",
        Category::Data if words.starts_with("unknown field") => {
            "a field that is not known; known are user, address, common_name, primary, password, state, answer"
        }
        Category::Data => "not an object of strings",
    };
    format!("the request is not as documented, line {} column {}: {told}", error.line(), error.column())
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
