//! Second factors, one file or folder each.

pub mod duo;
pub mod totp;
