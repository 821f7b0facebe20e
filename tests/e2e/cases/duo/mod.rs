//! Logins whose second factor is at Duo, with a look-alike of its cloud in the server's network.
//!
//! Somebody at Duo has one phone that can do everything, unless a test says otherwise.

mod answers;
mod certificates;
mod outages;
mod prompts;
mod refusals;
mod sessions;
mod users;

use crate::duo::{Endpoint, Options, Phone, Request, User};
use crate::harness::accounts::UnixUser;
use crate::harness::client::Client;
use crate::harness::reply::Reply;
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::server_builder::ServerBuilder;
use std::time::Duration;

/// The number of everybody's phone.
const NUMBER: &str = "XXX-XXX-0100";
/// Duo's name for it.
const PHONE: &str = "DPFZRS9FB0D46QFTM891";
/// The fixed text of the generic prompt.
const GENERIC: &str = "Duo passcode or second factor";
const PASSCODE: &str = "492753";
const WRONG_PASSCODE: &str = "000001";
const INCORRECT_PASSCODE: &str = "Incorrect passcode. Please try again.";
/// A phone that approves as soon as it rings.
const AT_ONCE: Phone = Phone::ApprovesAfter(Duration::ZERO);

pub(crate) fn cases() -> Vec<Case> {
    // Those with the longest waits first.
    let groups = [
        outages::cases(),
        refusals::cases(),
        sessions::cases(),
        prompts::cases(),
        answers::cases(),
        certificates::cases(),
        users::cases(),
    ];
    groups.into_iter().flatten().collect()
}

/// A server with Duo, and a Unix user with a password whom Duo knows.
struct Scene {
    server: Server,
    user: UnixUser,
}

impl Scene {
    /// The user's phone waits to be told.
    fn new(server: ServerBuilder) -> Self {
        Self::with(server, |user| user)
    }

    fn with(server: ServerBuilder, at_duo: impl FnOnce(User) -> User) -> Self {
        let server = server.start();
        let user = UnixUser::new();
        server.duo().add(at_duo(User::with_phone(&user.name)));
        Self { server, user }
    }

    /// One more user of the same server.
    fn another_user(&self, at_duo: impl FnOnce(User) -> User) -> UnixUser {
        let user = UnixUser::new();
        self.server.duo().add(at_duo(User::with_phone(&user.name)));
        user
    }

    fn log_in(&self, client: &mut Client) {
        client.log_in(&self.user.name, &self.user.password);
    }

    fn menu(&self) -> String {
        menu_of(&self.user)
    }

    /// Answers the menu, whether it comes in the session or by CRV1.
    fn answer_menu(&self, client: &mut Client, answer: &str) {
        let reply = client.reply();
        if let Reply::CrText { text, .. } = &reply {
            assert_eq!(*text, self.menu());
            client.respond(answer);
        } else {
            let question = reply.expect_question(&self.menu());
            client.answer(&question, answer);
        }
    }
}

/// The numbered list of what a user with one phone can do.
fn menu_of(user: &UnixUser) -> String {
    let name = &user.name;
    format!("Duo login for {name}. Passcode, or 1 push {NUMBER}, 2 phone {NUMBER}, 3 sms {NUMBER}")
}

/// A server with Duo.
fn duo() -> ServerBuilder {
    Server::builder().duo(Options::default())
}

/// A server that sends the default factor without a question.
fn autopush() -> ServerBuilder {
    duo().set("duo", "autopush", true)
}

fn generic() -> ServerBuilder {
    duo().set("duo", "prompt", "generic")
}

/// Verdicts and questions come while OpenVPN waits for the hook.
fn patient(server: ServerBuilder) -> ServerBuilder {
    server.set("auth", "stall_budget_ms", 2000)
}

fn impatient(server: ServerBuilder) -> ServerBuilder {
    server.set("auth", "stall_budget_ms", 0)
}

/// The last factor that Duo was asked to send or to check.
fn last_factor(server: &Server) -> Request {
    server.duo().requests_to(Endpoint::Auth).pop().expect("Duo was asked for a factor")
}

/// The last factor that Duo was asked to send to a user, or to check.
fn factor_of(server: &Server, user: &UnixUser) -> Request {
    let mut requests = server.duo().requests_to(Endpoint::Auth);
    requests.retain(|request| request.parameter("username") == Some(&user.name));
    requests.pop().expect("Duo was asked for a factor of this user")
}

/// Waits for a decision in the log.
fn wait_for_decision(server: &Server, user: &UnixUser, outcome: &str, reason: &str) -> String {
    let wanted = [&format!("user={}", user.name), &format!("outcome={outcome}"), &format!("reason={reason}")]
        .map(|pair| format!(" {pair} "));
    let of_this_kind = |line: &str| wanted.iter().all(|pair| line.contains(pair.as_str()));
    server.wait_for_log(&wanted.concat(), of_this_kind)
}
