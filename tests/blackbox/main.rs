//! Black-box tests: the built executable, started as an administrator and as OpenVPN start it.
//!
//! They need neither root nor OpenVPN nor PAM: `[auth] primary = "none"` takes the certificate for the first proof, and
//! the environments are those of a real OpenVPN server, recorded.
//!
//! Access Server's script is run by `python3`.
//!
//! What a test cannot try on a machine it says on standard error: codes come from `oathtool` and QR codes are read by
//! `zbarimg` where these are installed, and the log can be read where there is no `/dev/log`.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that cannot be set up is to fail there"
)]

mod accounts;
mod admin;
mod backup;
mod backup_codes;
mod check;
mod confirm;
mod confirmation;
#[path = "../duo/mod.rs"]
mod duo;
mod encryption;
mod enroll_many;
mod factors;
mod fail2ban;
mod hook;
mod hostile;
mod import;
mod list;
mod log;
mod settings;
mod support;
mod tokens;
mod verify;
