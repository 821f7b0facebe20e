//! OpenVPN's contract: what a hook is given and what it may answer.
//!
//! Parsers of outside bytes, and the three files that carry a verdict back. Nothing here decides anything.
//! Sources: OpenVPN's `ssl_verify.c` (`verify_user_pass_script`, `verify_crresponse_script`,
//! `key_state_check_auth_pending_file`, `key_state_test_auth_control_file`), `doc/management-notes.txt` on challenges.

pub mod challenge;
mod client;
mod control;
mod credentials;
mod environment;
#[cfg(test)]
mod fuzz;

pub use client::{ClientSoftware, OpenMethod};
pub use control::{AnswerSlot, ControlError, ControlFiles, SlotState};
pub use credentials::{
    Credentials, CredentialsError, MAX_FILE_BYTES, MAX_PASSWORD_BYTES, MAX_RESPONSE_BYTES, PasswordField,
    StateId, parse_response,
};
pub use environment::{Environment, ScriptType, SessionState};
