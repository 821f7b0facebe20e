//! The door that OpenVPN knocks at: a *front*, which OpenVPN waits for, and a *worker* behind it.
//!
//! OpenVPN is one thread: while the front runs, every user's tunnel stands still. So the front reads what it was given,
//! starts the worker, waits for its first word for a bounded time, and returns. The worker does the primary check, the
//! database and the verdict, which goes into OpenVPN's control files in any case; a verdict within the front's time is also
//! the exit code, which OpenVPN notices sooner. The worker is a copy of the front, which has one thread: OpenVPN need not
//! wait for another program to start. Where nobody waits for its word, it lets OpenVPN finish the handshake first.

mod allowance;
mod front;
mod request;
mod slots;
mod worker;

pub use front::{discard_answer, run};

use crate::cli::HookOptions;
use crate::config::{self, ConfigError, Settings, Sources};
use crate::door::{Report, Visitor};
use crate::openvpn::Environment;

/// OpenVPN's reading of a hook's exit status (`verify_user_pass_script`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The client is in; for an answer: it was taken.
    Accepted,
    /// The client is out.
    Rejected,
    /// The verdict will be in `auth_control_file`.
    Deferred,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Accepted => 0,
            Exit::Rejected => 1,
            Exit::Deferred => 2,
        })
    }
}

fn load_settings(options: &HookOptions, environment: &Environment) -> Result<Settings, ConfigError> {
    config::load(&Sources {
        file: options.global.config.clone(),
        database: options.global.db.clone(),
        environment: environment.variables().to_vec(),
    })
}

/// Begins a report on `event`, `login` or `answer`.
fn report_on<'a>(event: &'static str, environment: &'a Environment) -> Report<'a> {
    let username = environment.username().unwrap_or_default().to_string_lossy();
    let visitor = Visitor {
        door: None,
        address: environment.client_address(),
        common_name: environment.common_name(),
        software: environment.client_version(),
    };
    Report::begin(event, &username, visitor)
}
