//! Primary checks.

mod pam;

pub use pam::Pam;
