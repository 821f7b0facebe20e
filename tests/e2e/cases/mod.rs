//! What must be seen to work, by kind.

mod accounts;
mod attacks;
mod certificates;
mod concurrency;
mod documents;
mod duo;
mod instruments;
mod lockout;
mod logins;
mod modules;
mod plugins;
mod privileges;
mod questions;
mod refusals;
mod renegotiation;
mod self_enrolment;
mod settings;
mod traces;
mod workers;

use libtest_mimic::Trial;

use crate::harness::accounts::UnixUser;
use crate::harness::enrolment::Enrolment;
use crate::harness::server::Server;
use crate::harness::server_builder::ServerBuilder;

const INCORRECT: &str = "Incorrect code";
const TRY_AGAIN: &str = "Incorrect code, try again";
const EXPIRED: &str = "Code expired, try again";
const LOCKED: &str = "Too many failed attempts, try again later";
const FAILED: &str = "Authentication failed";
const PROMPT: &str = "Please enter your TOTP code";

/// Every end-to-end test.
pub(crate) fn trials() -> Vec<Trial> {
    let groups = [
        ("instruments", instruments::cases()),
        ("logins", logins::cases()),
        ("questions", questions::cases()),
        ("certificates", certificates::cases()),
        ("refusals", refusals::cases()),
        ("accounts", accounts::cases()),
        ("modules", modules::cases()),
        ("plugins", plugins::cases()),
        ("privileges", privileges::cases()),
        ("attacks", attacks::cases()),
        ("lockout", lockout::cases()),
        ("renegotiation", renegotiation::cases()),
        ("self_enrolment", self_enrolment::cases()),
        ("settings", settings::cases()),
        ("traces", traces::cases()),
        ("concurrency", concurrency::cases()),
        ("workers", workers::cases()),
        ("duo", duo::cases()),
    ];
    groups
        .into_iter()
        .flat_map(|(group, cases)| cases.into_iter().map(move |case| case.into_trial(group)))
        .chain(documents::trials())
        .collect()
}

/// A server and a Unix user with a password and an enrolment.
struct Scene {
    server: Server,
    user: UnixUser,
    enrolment: Enrolment,
}

impl Scene {
    fn new() -> Self {
        Self::with(Server::builder())
    }

    fn with(server: ServerBuilder) -> Self {
        let server = server.start();
        let user = UnixUser::new();
        let enrolment = server.enroll(&user.name);
        Self { server, user, enrolment }
    }

    /// One more user of the same server.
    fn another_user(&self) -> (UnixUser, Enrolment) {
        let user = UnixUser::new();
        let enrolment = self.server.enroll(&user.name);
        (user, enrolment)
    }
}
