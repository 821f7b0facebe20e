//! Second factors, one file or folder each.

pub mod backup_code;
pub mod duo;
pub mod totp;
