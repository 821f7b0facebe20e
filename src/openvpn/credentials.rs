//! What a client typed: the credentials file, the forms of a password field, and the answer to a challenge.

use crate::secret::{self, SecretBytes};
use data_encoding::BASE64;
use zeroize::Zeroizing;

/// The longest credentials or response file, in bytes. OpenVPN's own limit is 4,096 for each line.
pub const MAX_FILE_BYTES: u64 = 16 * 1024;

/// The longest password field, in bytes (`USER_PASS_LEN` with PKCS#11).
pub const MAX_PASSWORD_BYTES: usize = 4096;

/// The longest answer, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 512;

/// The longest CRV1 state id, in bytes. Ours have 32.
const MAX_STATE_BYTES: usize = 64;

/// Name and password field, unparsed.
pub struct Credentials {
    /// The name as the client sent it; may be empty with `auth-user-pass-optional`.
    pub username: Vec<u8>,
    /// The password field.
    pub password: SecretBytes,
}

/// Why what a client sent cannot be read. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Not two lines.
    #[error("the credentials file has no two lines")]
    NotTwoLines,
    /// A NUL byte.
    #[error("a NUL byte in what the client sent")]
    Nul,
    /// Too long.
    #[error("what the client sent is too long")]
    TooLong,
    /// `SCRV1:` without two base64 parts.
    #[error("malformed SCRV1 response")]
    MalformedStaticResponse,
    /// `CRV1::` without a state and an answer.
    #[error("malformed CRV1 response")]
    MalformedDynamicResponse,
    /// An answer that is not base64.
    #[error("the answer to the challenge is not base64")]
    MalformedResponse,
}

impl Credentials {
    /// Parses the file of `via-file`: the name on line 1, the password on line 2, a line break at the end or not.
    ///
    /// # Errors
    /// When `bytes` are anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialsError> {
        let mut lines = bytes.splitn(3, |&byte| byte == b'\n');
        let (Some(username), Some(password)) = (lines.next(), lines.next()) else {
            return Err(CredentialsError::NotTwoLines);
        };
        if lines.next().is_some_and(|rest| !rest.is_empty()) {
            return Err(CredentialsError::NotTwoLines);
        }
        if bytes.contains(&0) {
            return Err(CredentialsError::Nul);
        }
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(CredentialsError::TooLong);
        }
        Ok(Self { username: username.to_vec(), password: secret::secret(password) })
    }

    /// The bytes that [`Credentials::parse`] reads, for handing `via-env` credentials to a worker.
    #[must_use]
    pub fn serialise(username: &[u8], password: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut bytes = secret::buffer(username.len() + password.len() + 2);
        bytes.extend_from_slice(username);
        bytes.push(b'\n');
        bytes.extend_from_slice(password);
        bytes.push(b'\n');
        bytes
    }
}

/// The id in a CRV1 challenge: letters and digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateId(String);

impl StateId {
    /// Parses an id from outside.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let is_one =
            (1..=MAX_STATE_BYTES).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_alphanumeric);
        is_one.then(|| Self(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the password field turned out to be.
pub enum PasswordField {
    /// A password, or nothing.
    Plain(SecretBytes),
    /// `SCRV1:…`: a password with the answer to the client's static challenge; either may be empty.
    Static {
        /// The password.
        password: SecretBytes,
        /// The answer.
        response: SecretBytes,
    },
    /// `CRV1::…`: the answer to a dynamic challenge.
    Dynamic {
        /// Which challenge.
        state: StateId,
        /// The answer.
        response: SecretBytes,
    },
    /// A session token made by OpenVPN (`auth-gen-token`).
    SessionToken,
}

impl PasswordField {
    /// Recognises the form of a password field.
    ///
    /// # Errors
    /// When it begins like a challenge response and does not go on like one.
    pub fn parse(password: &[u8]) -> Result<Self, CredentialsError> {
        if let Some(parts) = password.strip_prefix(b"SCRV1:") {
            let colon = parts.iter().position(|&b| b == b':');
            let (first, second) = parts.split_at(colon.ok_or(CredentialsError::MalformedStaticResponse)?);
            let password = decode(first).ok_or(CredentialsError::MalformedStaticResponse)?;
            let response = decode(&second[1..]).ok_or(CredentialsError::MalformedStaticResponse)?;
            if response.len() > MAX_RESPONSE_BYTES {
                return Err(CredentialsError::TooLong);
            }
            return Ok(Self::Static {
                password: secret::secret(&password),
                response: secret::secret(&response),
            });
        }
        if let Some(parts) = password.strip_prefix(b"CRV1::") {
            let end = parts.windows(2).position(|pair| pair == b"::");
            let (state, response) = parts.split_at(end.ok_or(CredentialsError::MalformedDynamicResponse)?);
            let response = &response[2..];
            let state = StateId::parse(state).ok_or(CredentialsError::MalformedDynamicResponse)?;
            if response.len() > MAX_RESPONSE_BYTES {
                return Err(CredentialsError::TooLong);
            }
            return Ok(Self::Dynamic { state, response: secret::secret(response) });
        }
        // `SESSION_ID_PREFIX` in auth_token.h.
        if password.starts_with(b"SESS_ID_AT_") {
            return Ok(Self::SessionToken);
        }
        Ok(Self::Plain(secret::secret(password)))
    }
}

/// Parses the file of `client-crresponse`: base64 and a line break, or whatever the client preferred to send.
///
/// # Errors
/// When it is not base64, or too long.
pub fn parse_response(bytes: &[u8]) -> Result<SecretBytes, CredentialsError> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let response = decode(line).ok_or(CredentialsError::MalformedResponse)?;
    if response.len() > MAX_RESPONSE_BYTES {
        return Err(CredentialsError::TooLong);
    }
    Ok(secret::secret(&response))
}

fn decode(base64: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // The decoder would take several padded texts one after the other.
    if base64.iter().rev().skip(2).any(|&byte| byte == b'=') {
        return None;
    }
    let decoded = Zeroizing::new(BASE64.decode(base64).ok()?);
    (!decoded.contains(&0)).then_some(decoded)
}

#[cfg(test)]
mod tests;
