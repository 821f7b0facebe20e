//! The primary check by PAM: authentication, then the account.
//!
//! This folder has the only `unsafe` code of the program, in `ffi`. PAM modules run inside this process; what they
//! say to the user goes to the log.

mod ffi;

use crate::auth::{PrimaryCheck, PrimaryDenial, PrimaryPass};
use crate::config::ServiceName;
use crate::log::{Entry, Level};
use crate::name::UserName;
use crate::secret::{ExposeSecret, SecretBytes};
use ffi::{Flags, Item, Message, PamError, Session};
use std::net::IpAddr;

/// The longest password that Linux-PAM takes whole (`PAM_MAX_RESP_SIZE`, with its NUL); it cuts longer ones.
const MAX_PASSWORD_BYTES: usize = 511;

/// The terminal that modules are told (`PAM_TTY`).
const TTY: &str = "openvpn";

/// A PAM service as primary check.
#[derive(Debug)]
pub(super) struct Pam<'a> {
    service: &'a ServiceName,
}

impl<'a> Pam<'a> {
    /// Checks with the PAM service of this name.
    #[must_use]
    pub(super) fn new(service: &'a ServiceName) -> Self {
        Self { service }
    }

    fn check(
        &self,
        user: &UserName,
        client: Option<IpAddr>,
        answers: Answers<'_>,
    ) -> Result<PrimaryPass, PrimaryDenial> {
        let with_password = answers.password.is_some();
        let denied = |session: &Session<Answers<'_>>, stage: &str, error: &PamError| PrimaryDenial {
            detail: format!("{stage}: {error}{}{}", session.conversation().fault_text(), rights_text()),
            hold: session.failure_delay(),
        };
        let mut session = Session::start(self.service.as_str(), user.as_str(), answers)
            .map_err(|error| PrimaryDenial::at_once(format!("pam_start: {error}")))?;
        if let Some(address) = client {
            let set = session.set(Item::RemoteHost, &address.to_string());
            set.map_err(|error| denied(&session, "PAM_RHOST", &error))?;
        }
        let set = session.set(Item::Terminal, TTY);
        set.map_err(|error| denied(&session, "PAM_TTY", &error))?;
        if with_password {
            let done = session.authenticate(Flags::DisallowNullPassword);
            done.map_err(|error| denied(&session, "authentication", &error))?;
        }
        let done = session.account(Flags::DisallowNullPassword);
        done.map_err(|error| denied(&session, "account", &error))?;
        // A module that passes the user although its question was refused has not checked what it was made for.
        if let Some(fault) = session.conversation().fault {
            return Err(PrimaryDenial { detail: fault.to_owned(), hold: session.failure_delay() });
        }
        // A module may have changed the user; then it is not the one whose second factor is checked.
        match session.user() {
            Ok(name) if name == user.as_str().as_bytes() => {
                Ok(PrimaryPass { denial_hold: session.failure_delay(), group: None })
            }
            Ok(name) => Err(PrimaryDenial {
                detail: format!("PAM changed the user to {:?}", String::from_utf8_lossy(&name)),
                hold: session.failure_delay(),
            }),
            Err(error) => Err(denied(&session, "PAM_USER", &error)),
        }
    }
}

/// What an administrator has to know of a refusal where this process is not root: the modules' own words do not say it.
fn rights_text() -> &'static str {
    if rustix::process::geteuid().is_root() {
        return "";
    }
    "; not as root: of a Unix account pam_unix can check nobody's password but that of the user it runs as"
}

impl PrimaryCheck for Pam<'_> {
    fn authenticate(
        &self,
        user: &UserName,
        password: &SecretBytes,
        client: Option<IpAddr>,
    ) -> Result<PrimaryPass, PrimaryDenial> {
        if password.expose_secret().len() > MAX_PASSWORD_BYTES {
            return Err(PrimaryDenial::at_once(format!(
                "the password is longer than the {MAX_PASSWORD_BYTES} bytes that PAM takes"
            )));
        }
        self.check(user, client, Answers::new(Some(password)))
    }

    fn account(&self, user: &UserName, client: Option<IpAddr>) -> Result<PrimaryPass, PrimaryDenial> {
        self.check(user, client, Answers::new(None))
    }
}

/// Answers the questions of PAM modules: one hidden prompt with the password, nothing else.
struct Answers<'a> {
    password: Option<&'a SecretBytes>,
    fault: Option<&'static str>,
}

impl<'a> Answers<'a> {
    fn new(password: Option<&'a SecretBytes>) -> Self {
        Self { password, fault: None }
    }

    fn fault_text(&self) -> String {
        self.fault.map_or_else(String::new, |fault| format!(" ({fault})"))
    }

    fn refuse(&mut self, fault: &'static str, prompt: &str) -> Option<&'a SecretBytes> {
        self.fault = Some(fault);
        Entry::new(Level::Warning, "pam-prompt").pair("reason", fault).pair("prompt", prompt).write();
        None
    }
}

impl ffi::Conversation for Answers<'_> {
    fn answer(&mut self, message: Message<'_>) -> Option<&SecretBytes> {
        match message {
            Message::HiddenPrompt(prompt) => match self.password.take() {
                Some(password) => Some(password),
                None => self.refuse(
                    "a PAM module asks for a second hidden answer, which nobody can give here",
                    prompt,
                ),
            },
            Message::VisiblePrompt(prompt) => {
                self.refuse("a PAM module asks for a visible answer, which nobody can give here", prompt)
            }
            Message::Unknown => self.refuse("a PAM module sent a message of an unknown kind", ""),
        }
    }

    fn note(&mut self, text: &str) {
        Entry::new(Level::Info, "pam-message").pair("text", text).write();
    }
}

#[cfg(test)]
mod tests;
