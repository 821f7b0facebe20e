//! The hooks, as OpenVPN calls them: without PAM, so that a certificate is the first proof.

mod answers;
mod duo;
mod files;
mod identity;
mod limits;
mod logins;
mod reconnecting;
mod refusals;
mod self_enrolment;
mod tokens;
mod workers;
