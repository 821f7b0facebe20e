//! A server with one of the hooks that are compared, and a user who can log in there.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::harness::accounts::UnixUser;
use super::harness::client::Client;
use super::harness::client_builder::ClientBuilder;
use super::harness::enrolment::Enrolment;
use super::harness::reply::Reply;
use super::harness::server::Server;
use super::harness::server_builder::ServerBuilder;
use crate::duo::{Options, Phone, User};

/// Who checks a login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Nobody.
    Nobody,
    /// `/bin/true`, which accepts.
    True,
    /// A shell script that asks for a code where the form of the login wants it, and accepts.
    Accept,
    /// The same, but that it checks a password that comes with the code.
    Check,
    /// A Python script that does the work itself, without a process behind it.
    Python,
    /// openvpn-2fa as it is installed.
    Default,
    /// openvpn-2fa with `stall_budget_ms = 0`.
    NoWait,
}

/// How the code gets to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// SCRV1: with the password.
    Static,
    /// CRV1: in a second connection.
    Reconnect,
    /// `CR_TEXT`: in the same connection.
    InSession,
}

/// The password that is typed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Password {
    Right,
    Wrong,
}

/// The second factor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Factor {
    Code,
    Duo,
}

pub(crate) struct Place {
    pub(crate) hook: Hook,
    factor: Factor,
    pub(crate) server: Server,
    pub(crate) user: UnixUser,
    pub(crate) enrolment: Enrolment,
}

/// The interpreter that has the packages of the Python hook, which `scripts/bench` installs.
pub(crate) fn python() -> Option<PathBuf> {
    std::env::var_os("OPENVPN_2FA_BENCH_PYTHON").map(PathBuf::from)
}

/// The command line of the Python hook, if there is a Python for it.
pub(crate) fn python_hook() -> Option<[String; 2]> {
    Some([python()?.display().to_string(), beside("hook.py").display().to_string()])
}

fn beside(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/hooks").join(file)
}

impl Hook {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nobody => "no hook",
            Self::True => "/bin/true",
            Self::Accept => "accept at once",
            Self::Check => "password check alone",
            Self::Python => "Python hook",
            Self::Default => "budget 100 ms",
            Self::NoWait => "budget 0",
        }
    }

    /// Whether it can be measured here.
    pub(crate) fn is_there(self) -> bool {
        self != Self::Python || python().is_some()
    }

    fn put_in(self, builder: ServerBuilder) -> ServerBuilder {
        match self {
            Self::Nobody => {
                builder.mounts("sed -i '/^auth-user-pass-verify /d; /^client-crresponse /d' \"$1\"")
            }
            Self::True => builder.hook("/bin/true"),
            Self::Accept => builder.hook(beside("accept.sh")),
            Self::Check => builder.hook(beside("check.sh")),
            Self::Python => builder.hook(python_hook().expect("there is a Python").join(" ")),
            Self::Default => builder,
            Self::NoWait => builder.set("auth", "stall_budget_ms", 0),
        }
    }
}

impl Form {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Static => "SCRV1",
            Self::Reconnect => "CRV1",
            Self::InSession => "CR_TEXT",
        }
    }
}

impl Place {
    /// Starts a server; primary checks go to the PAM service `service`.
    pub(crate) fn open(hook: Hook, service: &str) -> Self {
        Self::on(Server::builder(), Factor::Code, hook, service)
    }

    /// Starts a server with Duo, which has `seconds` for a login. The user's phone approves at once.
    pub(crate) fn open_with_duo(hook: Hook, seconds: i64) -> Self {
        let builder = Server::builder().duo(Options::default()).set("duo", "timeout", seconds);
        let place = Self::on(builder, Factor::Duo, hook, "openvpn");
        let phone = Phone::ApprovesAfter(Duration::ZERO);
        place.server.duo().add(User::with_phone(&place.user.name).phone(phone));
        place
    }

    fn on(builder: ServerBuilder, factor: Factor, hook: Hook, service: &str) -> Self {
        let comparison = comparison_database(&builder);
        let server = hook
            .put_in(builder)
            .set("pam", "service", service)
            .line(format!("setenv comparisonDatabase {}", comparison.display()))
            .line(format!("setenv comparisonService {service}"))
            .start();
        let user = UnixUser::new();
        let enrolment = server.enroll(&user.name);
        let place = Self { hook, factor, server, user, enrolment };
        enrol_for_comparison(&comparison, &place.user.name, &place.enrolment);
        place
    }

    /// Makes used codes usable again, so that a login can be repeated before the next code's time.
    pub(crate) fn forget_used_codes(&self) {
        let (path, statement) = match self.hook {
            Hook::Nobody | Hook::True | Hook::Accept | Hook::Check => return,
            Hook::Python => (self.database(), "UPDATE token SET last_step = 0"),
            Hook::Default | Hook::NoWait => (self.database(), "UPDATE totp_token SET last_step = NULL"),
        };
        let connection = Connection::open(path).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute_batch(statement).unwrap();
    }

    /// The database that the hook uses.
    fn database(&self) -> PathBuf {
        match self.hook {
            Hook::Python => comparison_in(self.server.directory()),
            _ => self.server.database(),
        }
    }

    /// Another writer, who has the database locked when this returns and keeps it for `time`.
    pub(crate) fn lock_database(&self, time: Duration) -> JoinHandle<()> {
        let path = self.database();
        let (locked, wait) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let connection = Connection::open(path).unwrap();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            locked.send(()).unwrap();
            std::thread::sleep(time);
            connection.execute_batch("ROLLBACK").unwrap();
        });
        wait.recv().unwrap();
        thread
    }

    /// A client whose profile is made for `form`.
    pub(crate) fn client(&self, form: Form) -> ClientBuilder {
        match form {
            Form::Static => self.server.client().static_challenge("Your code"),
            Form::Reconnect => self.server.client(),
            Form::InSession => self.server.client().crtext(),
        }
    }

    /// Answers the prompt that `client` has shown already, and those that follow, with the right code. Between the
    /// last prompt and the last answer passes `typing`.
    pub(crate) fn log_in(
        &self,
        client: &mut Client,
        form: Form,
        password: Password,
        typing: Duration,
    ) -> Reply {
        let name = &self.user.name;
        let password = match password {
            Password::Right => self.user.password.as_str(),
            Password::Wrong => "wrong",
        };
        let code = match self.factor {
            Factor::Code => self.enrolment.code(),
            Factor::Duo => "push".to_owned(),
        };
        match form {
            Form::Static => {
                client.give(name, &super::harness::management::static_response(password, &code));
                client.reply()
            }
            Form::Reconnect | Form::InSession => {
                client.give(name, password);
                match client.reply() {
                    Reply::CrText { .. } => {
                        std::thread::sleep(typing);
                        client.respond(&code);
                        client.reply()
                    }
                    Reply::Question(question) => {
                        client.prompt();
                        std::thread::sleep(typing);
                        client.give(name, &question.answered_with(&code));
                        client.reply()
                    }
                    other => other,
                }
            }
        }
    }
}

fn comparison_database(builder: &ServerBuilder) -> PathBuf {
    std::fs::create_dir_all(builder.directory()).unwrap();
    comparison_in(builder.directory())
}

fn comparison_in(directory: &Path) -> PathBuf {
    directory.join("comparison.sqlite3")
}

/// What the Python hook keeps of a user.
pub(crate) fn enrol_for_comparison(database: &Path, user: &str, enrolment: &Enrolment) {
    let connection = Connection::open(database).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE token (user TEXT PRIMARY KEY, secret TEXT, last_step INTEGER DEFAULT 0);
             CREATE TABLE challenge (state TEXT PRIMARY KEY, user TEXT, expires REAL);",
        )
        .unwrap();
    connection
        .execute("INSERT INTO token (user, secret) VALUES (?1, ?2)", [user, enrolment.secret.as_str()])
        .unwrap();
}
