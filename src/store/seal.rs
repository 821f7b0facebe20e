//! Encrypting a secret, tied to the row that it stands in. Pure.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): a random nonce of 24 bytes, the ciphertext, the tag of 16 bytes.

use super::key::Key;
use crate::auth::TokenId;
use crate::random::{Random, RandomError};
use crate::secret::{ExposeSecret, SecretBytes};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The length of a nonce, in bytes.
const NONCE_BYTES: usize = 24;

/// The length of a tag, in bytes.
const TAG_BYTES: usize = 16;

/// What a secret belongs to. What was sealed for one row opens for none that differs in any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Binding<'a> {
    pub(super) user: &'a str,
    pub(super) token: TokenId,
    pub(super) algorithm: &'a str,
    pub(super) digits: u8,
    pub(super) period: u32,
}

/// Where a secret is stored.
pub(super) trait Place {
    /// One text for each place, and for each kind of place: what has no fixed length comes with its length.
    fn associated_data(&self) -> Vec<u8>;
}

impl Place for Binding<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let mut data = b"openvpn-2fa: sealed TOTP secret, version 1\0".to_vec();
        for text in [self.user, self.algorithm] {
            data.extend_from_slice(&(text.len() as u64).to_be_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        data.extend_from_slice(&self.token.0.to_be_bytes());
        data.push(self.digits);
        data.extend_from_slice(&self.period.to_be_bytes());
        data
    }
}

/// It was sealed for another row, with another key, or changed since.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Seals `secret` for `place`.
///
/// # Errors
/// When there is no randomness for a nonce.
pub(super) fn seal(
    key: &Key,
    place: &impl Place,
    secret: &SecretBytes,
    random: &dyn Random,
) -> Result<Vec<u8>, RandomError> {
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce)?;
    Ok(seal_with(key, place, secret, &nonce))
}

fn seal_with(key: &Key, place: &impl Place, secret: &SecretBytes, nonce: &[u8; NONCE_BYTES]) -> Vec<u8> {
    let secret = secret.expose_secret();
    // Encrypted where it stands, in a buffer that does not grow: no copy of the secret is left behind.
    let mut sealed = Vec::with_capacity(NONCE_BYTES + secret.len() + TAG_BYTES);
    sealed.extend_from_slice(nonce);
    sealed.extend_from_slice(secret);
    let tag = XChaCha20Poly1305::new(key.bytes().into())
        .encrypt_inout_detached(
            &XNonce::from(*nonce),
            &place.associated_data(),
            (&mut sealed[NONCE_BYTES..]).into(),
        )
        .expect("only messages of 256 GiB are too long (RFC 8439, section 2.8)");
    sealed.extend_from_slice(&tag);
    sealed
}

/// Opens what [`seal`] made.
///
/// # Errors
/// When key, place and bytes are not those of the sealing.
pub(super) fn open(key: &Key, place: &impl Place, sealed: &[u8]) -> Result<SecretBytes, Damaged> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Damaged)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(Damaged)?;
    let mut secret = Zeroizing::new(ciphertext.to_vec());
    XChaCha20Poly1305::new(key.bytes().into())
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            &place.associated_data(),
            secret.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| Damaged)?;
    Ok(crate::secret::secret(&secret))
}

#[cfg(test)]
mod tests;
