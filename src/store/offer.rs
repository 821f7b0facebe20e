//! The secrets of tokens that are offered to users who have none, kept with the question about them: as they are, or
//! sealed where the settings name a key, as those of tokens.

use super::key::{Key, Keyring};
use super::records::{to_sql, unreadable};
use super::seal::{self, Place};
use crate::auth::{Challenge, ChallengeKey, NewSecret, StoreError};
use crate::clock::UnixTime;
use crate::printable;
use crate::random::SystemRandom;
use crate::secret::{ExposeSecret, SecretBytes, secret};

/// How [`Asked::Enrolment`](crate::auth::Asked) stands in the column `asked`. The secret is in a column of its own.
pub(super) const ASKED: &str = "\"enrolment\"";

/// The question that a secret belongs to. What was sealed for one opens for none that differs in any of it.
pub(super) struct Question<'a> {
    pub(super) key: &'a ChallengeKey,
    pub(super) user: &'a str,
    pub(super) identity: &'a str,
    pub(super) common_name: Option<&'a str>,
    pub(super) certificate: Option<&'a str>,
    pub(super) expires_at: UnixTime,
}

impl<'a> Question<'a> {
    pub(super) fn of(key: &'a ChallengeKey, challenge: &'a Challenge) -> Self {
        let Challenge { user, identity, common_name, certificate, expires_at, .. } = challenge;
        Self {
            key,
            user,
            identity,
            common_name: common_name.as_deref(),
            certificate: certificate.as_deref(),
            expires_at: *expires_at,
        }
    }
}

impl Place for Question<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let mut data = b"openvpn-2fa: sealed secret of an offered token, version 1\0".to_vec();
        data.extend_from_slice(&self.key.0);
        for text in [Some(self.user), Some(self.identity), self.common_name, self.certificate] {
            data.push(u8::from(text.is_some()));
            let text = text.unwrap_or_default();
            data.extend_from_slice(&(text.len() as u64).to_be_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        // As it stands in the row.
        data.extend_from_slice(&to_sql(self.expires_at).to_be_bytes());
        data
    }
}

/// A secret as it is stored.
pub(super) struct Stored {
    pub(super) blob: SecretBytes,
    pub(super) sealed_with: Option<String>,
}

impl Stored {
    /// What is to be stored of a secret.
    pub(super) fn new(
        keyring: &Keyring,
        question: &Question<'_>,
        new: &NewSecret,
    ) -> Result<Self, StoreError> {
        let plain = secret(new.expose_secret());
        let Some(key) = keyring.key()? else { return Ok(Self { blob: plain, sealed_with: None }) };
        let sealed = seal::seal(key, question, &plain, &SystemRandom)
            .map_err(|error| StoreError(error.to_string()))?;
        Ok(Self { blob: secret(&sealed), sealed_with: Some(key.id().as_str().to_owned()) })
    }

    /// The secret itself; one that is not sealed needs no key.
    pub(super) fn open(self, keyring: &Keyring, question: &Question<'_>) -> Result<NewSecret, StoreError> {
        let Some(found) = &self.sealed_with else { return Ok(NewSecret::from(self.blob)) };
        let unusable = |why: &str| {
            let user = printable::text(question.identity);
            StoreError(format!(
                "the key that was shown to {user} is encrypted, and {why}: a new login gets a new one"
            ))
        };
        let key: &Key = keyring.key()?.ok_or_else(|| unusable("no key is set any more"))?;
        if found != key.id().as_str() {
            return Err(unusable("with another key than that of [store] key_file"));
        }
        seal::open(key, question, self.blob.expose_secret())
            .map(NewSecret::from)
            .map_err(|seal::Damaged| unusable("somebody changed the row in the database, or it is damaged"))
    }
}

/// Forgets what is offered, and the questions about it.
pub(super) fn forget_all(connection: &rusqlite::Connection) -> Result<(), StoreError> {
    connection.execute("DELETE FROM challenge WHERE secret IS NOT NULL", [])?;
    Ok(())
}

/// The secret of a row that has to have one.
pub(super) fn required(stored: Option<Stored>) -> Result<Stored, StoreError> {
    stored.ok_or_else(|| unreadable("a question about a new token"))
}

#[cfg(test)]
mod tests;
