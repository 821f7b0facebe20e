//! `verify --json`, as another program calls it; and Access Server's script, which does.

mod access_server;
mod document;
mod duo;
mod pam;
mod requests;

use crate::support::{PROGRAM, Site};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// What a request came to.
#[derive(Debug)]
struct Answered {
    status: i32,
    /// Everything on standard output.
    printed: String,
    reply: Value,
}

impl Answered {
    fn result(&self) -> &str {
        self.reply["result"].as_str().unwrap()
    }

    fn text(&self) -> &str {
        self.reply["text"].as_str().unwrap()
    }

    fn state(&self) -> &str {
        self.reply["state"].as_str().unwrap_or_else(|| panic!("no question: {self:?}"))
    }

    #[track_caller]
    fn is_allowed(&self, factor: &str) {
        assert_eq!((self.status, self.result(), self.reply["factor"].as_str()), (0, "allow", Some(factor)));
    }

    #[track_caller]
    fn is_denied(&self, text: &str) {
        assert_eq!((self.status, self.result(), self.text()), (0, "deny", text));
    }

    #[track_caller]
    fn asks(&self, text: &str) {
        assert_eq!((self.status, self.result(), self.text()), (0, "question", text), "{:?}", self.reply);
    }
}

/// `openvpn-2fa verify --json` at a site, in an environment that is empty but for the site's `setenv`.
fn program(site: &Site) -> Command {
    let mut command = site.command();
    command.arg("--config").arg(site.config()).args(["verify", "--json"]);
    command
}

/// Hands a request to a command; what it says on standard error is with the site's logs.
fn hand(site: &Site, mut command: Command, request: &[u8]) -> Answered {
    let log = std::fs::File::create(site.new_log()).unwrap();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    // A program that has given up reads no further.
    let _ = child.stdin.take().unwrap().write_all(request);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let reply = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{printed:?}: {error}"));
    Answered { status: output.status.code().expect("no signal"), printed, reply }
}

/// Hands a request over.
fn verify(site: &Site, request: &Value) -> Answered {
    for field in ["answer", "password", "state"] {
        site.keep_out_of_the_log(request[field].as_str().unwrap_or_default().as_bytes());
    }
    hand(site, program(site), request.to_string().as_bytes())
}
