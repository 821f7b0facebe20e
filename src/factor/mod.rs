//! Second factors, one file or folder each.

pub mod totp;
