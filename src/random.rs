//! Random bytes from the kernel, and the texts made of them.

use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use std::sync::LazyLock;

/// What the decision needs of a random generator.
pub trait Random {
    /// Fills `bytes` with unpredictable bytes.
    ///
    /// # Errors
    /// When the kernel has none to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;

    /// A new challenge name: 160 bits as 32 letters and digits, which is what every client can carry in a CRV1
    /// challenge (no colon, nothing outside `[A-Z2-7]`).
    ///
    /// # Errors
    /// As [`Random::fill`].
    fn state_id(&self) -> Result<String, RandomError> {
        let mut bytes = [0; 20];
        self.fill(&mut bytes)?;
        Ok(BASE32_NOPAD.encode(&bytes))
    }

    /// A reference that a user can read over the telephone: six characters of Crockford's base 32, such as
    /// `7K2M9Q`. It finds a log line; it protects nothing.
    ///
    /// # Errors
    /// As [`Random::fill`].
    fn reference(&self) -> Result<String, RandomError> {
        let mut bytes = [0; 5];
        self.fill(&mut bytes)?;
        let mut text = CROCKFORD.encode(&bytes);
        text.truncate(6);
        Ok(text)
    }
}

/// The kernel gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the kernel gave no random bytes: {0}")]
pub struct RandomError(#[from] getrandom::Error);

/// `getrandom(2)`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        Ok(getrandom::fill(bytes)?)
    }
}

static CROCKFORD: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    specification.encoding().expect("32 distinct ASCII symbols are a valid encoding")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_six_unmistakable_characters() {
        for _ in 0..100 {
            let reference = SystemRandom.reference().unwrap();
            assert_eq!(reference.len(), 6);
            assert!(
                reference.bytes().all(|b| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&b)),
                "{reference}"
            );
        }
    }

    #[test]
    fn state_ids_are_long_alphanumeric_and_differ() {
        let (one, two) = (SystemRandom.state_id().unwrap(), SystemRandom.state_id().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}
