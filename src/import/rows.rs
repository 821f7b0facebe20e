//! Rows of a table with a user and a secret: what a value in them can be.

use super::{Assumed, Contents, Found, Place, encoding, uris, user};
use crate::factor::totp::Algorithm;
use crate::secret::{ExposeSecret, SecretBytes};

/// A value in a table.
pub enum Cell {
    /// Text, not necessarily UTF-8.
    Text(SecretBytes),
    /// Bytes.
    Blob(SecretBytes),
    /// A number, or nothing.
    Other,
}

/// A row of a table.
pub struct Row {
    /// The column of users.
    pub user: Cell,
    /// The column of secrets.
    pub secret: Cell,
}

pub(super) fn read(rows: Vec<Row>, assumed: Assumed) -> Contents {
    let mut contents = Contents::default();
    for (index, row) in rows.into_iter().enumerate() {
        let place = Place::Entry(index + 1);
        contents.add(place, read_row(&row, assumed));
    }
    contents
}

fn read_row(row: &Row, assumed: Assumed) -> Result<Found, String> {
    let name = match &row.user {
        Cell::Text(bytes) | Cell::Blob(bytes) => bytes.expose_secret(),
        Cell::Other => return Err("the user's name is no text".to_owned()),
    };
    let name = user(std::str::from_utf8(name).map_err(|_| "the user's name is not UTF-8")?)?;
    match &row.secret {
        Cell::Text(bytes) => entry(name, bytes.expose_secret(), assumed),
        // Some programs keep texts as bytes; raw bytes that are base32 letters throughout do not occur.
        Cell::Blob(bytes) => match entry(name.clone(), bytes.expose_secret(), assumed) {
            Ok(found) => Ok(found),
            Err(_) => encoding::checked(bytes.expose_secret()).map(|secret| plain(name, secret, assumed)),
        },
        Cell::Other => Err("the secret is neither text nor bytes".to_owned()),
    }
}

/// A user with a secret as text: base32, or a whole `otpauth://` URI.
pub(super) fn entry(name: crate::name::UserName, secret: &[u8], assumed: Assumed) -> Result<Found, String> {
    let text = std::str::from_utf8(secret).map_err(|_| "the secret is not UTF-8".to_owned())?;
    if uris::looks_like_it(text.trim()) {
        return uris::read_uri(text.trim()).map(|found| Found { user: Some(name), ..found });
    }
    Ok(plain(name, encoding::base32(text)?, assumed))
}

fn plain(name: crate::name::UserName, secret: SecretBytes, assumed: Assumed) -> Found {
    Found {
        place: Place::File,
        user: Some(name),
        issuer: String::new(),
        secret,
        algorithm: Algorithm::Sha1,
        digits: assumed.digits,
        period: assumed.period,
        last_step: None,
        scratch_codes: 0,
    }
}
