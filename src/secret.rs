//! Secrets: bytes that are wiped after use and that nothing prints.
//!
//! The types come from `secrecy`: no `Display`, a `Debug` that shows nothing, memory wiped on drop. Reading one
//! is always an `expose_secret()`, so that the places which do can be found with grep.

pub use secrecy::{ExposeSecret, SecretSlice, SecretString};
use zeroize::Zeroizing;

/// Bytes that somebody typed: a password, a code, an answer. Not necessarily UTF-8.
pub type SecretBytes = SecretSlice<u8>;

/// Copies `bytes` into a secret of their own; the source stays with its owner, who wipes it.
#[must_use]
pub fn secret(bytes: &[u8]) -> SecretBytes {
    // A boxed slice of exactly this length: growing or shrinking would leave a copy behind.
    let mut exact = Vec::with_capacity(bytes.len());
    exact.extend_from_slice(bytes);
    SecretBytes::from(exact)
}

/// A buffer for reading secrets into, wiped on drop. `capacity` bytes are reserved once, so that it never moves
/// while it is filled to no more than that.
#[must_use]
pub fn buffer(capacity: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(capacity))
}
