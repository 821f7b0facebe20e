//! The token of a new enrolment: its secret made here, or brought along.

use crate::admin::terminal::{self, Echo};
use crate::auth::{Token, TokenId};
use crate::cli::Shape;
use crate::factor::totp::{Algorithm, NEW_SECRET_BYTES};
use crate::import;
use crate::random::{Random, SystemRandom};
use crate::secret::{ExposeSecret, SecretBytes, SecretString, secret};
use crate::store::NewToken;
use anyhow::anyhow;
use zeroize::Zeroizing;

/// What stands for the first line of standard input.
const STANDARD_INPUT: &str = "-";

/// A token with the secret that was brought along in base32, or a new one.
pub(super) fn token(brought: Option<&SecretString>, shape: Shape) -> anyhow::Result<Token> {
    let secret = match brought {
        None => fresh()?,
        Some(word) if word.expose_secret() == STANDARD_INPUT => {
            parsed(&terminal::line_of_input("Secret in base32: ", Echo::Hidden)?)?
        }
        Some(word) => parsed(word)?,
    };
    let Shape { algorithm, digits, period } = shape;
    Ok(Token { id: TokenId(0), secret, algorithm, digits, period, last_step: None })
}

fn fresh() -> anyhow::Result<SecretBytes> {
    let mut bytes = Zeroizing::new([0; NEW_SECRET_BYTES]);
    SystemRandom.fill(bytes.as_mut_slice())?;
    Ok(secret(bytes.as_slice()))
}

fn parsed(text: &SecretString) -> anyhow::Result<SecretBytes> {
    import::base32(text.expose_secret()).map_err(|reason| anyhow!("--secret: {reason}; nothing was stored"))
}

/// The token as the store takes it.
pub(super) fn to_store<'a>(token: &'a Token, label: &'a str) -> NewToken<'a> {
    let Token { secret, algorithm, digits, period, .. } = token;
    NewToken { secret, algorithm: *algorithm, digits: *digits, period: *period, label }
}

/// Whether the codes are such that not every app can make them.
pub(super) fn is_unusual(shape: Shape) -> bool {
    (shape.algorithm, shape.digits, shape.period) != (Algorithm::default(), 6, 30)
}
