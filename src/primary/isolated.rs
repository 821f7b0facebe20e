//! PAM at arm's length: the process that asks for a check, and the one that does it.

use super::groups;
use super::pam::Pam;
use crate::auth::{PrimaryCheck, PrimaryDenial, PrimaryPass};
use crate::clock::Deadline;
use crate::config::ServiceName;
use crate::log;
use crate::name::{GroupName, UserName};
use crate::process;
use crate::secret::{self, ExposeSecret, SecretBytes};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest request and the longest reply, in bytes: a name, a password, an address and two lists of groups fit well.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// The longest failure delay that is honoured; a module can ask for any.
const MAX_HOLD: Duration = Duration::from_secs(30);

/// The hidden command that makes a process the helper.
const HELPER_COMMAND: &str = "primary-check";

/// PAM in a process of its own.
#[derive(Debug)]
pub struct Isolated<'a> {
    service: &'a ServiceName,
    groups: Vec<GroupName>,
    deadline: Deadline,
}

impl<'a> Isolated<'a> {
    /// Checks with the PAM service of this name, and says which of `groups` a user who passes is a member of. Denies what is
    /// not known by `deadline`.
    #[must_use]
    pub fn new(service: &'a ServiceName, groups: Vec<GroupName>, deadline: Deadline) -> Self {
        Self { service, groups, deadline }
    }

    fn ask(&self, request: &Request<'_>) -> Result<PrimaryPass, PrimaryDenial> {
        let mut helper = Helper::start(&request.serialise(self)).map_err(|error| broken(&error))?;
        let reply = helper.reply(self.deadline).map_err(|error| broken(&error))?;
        let Some(reply) = reply else {
            process::kill_with_descendants(&mut helper.0);
            return Err(PrimaryDenial::at_once(format!(
                "PAM gave no answer in {} s",
                self.deadline.budget().as_secs()
            )));
        };
        match Reply::parse(&reply) {
            Some(Reply::Passed(pass))
                if pass.group.as_ref().is_none_or(|group| self.groups.contains(group)) =>
            {
                Ok(pass)
            }
            Some(Reply::Denied(denial)) => Err(denial),
            Some(Reply::Passed(_)) | None => {
                Err(PrimaryDenial::at_once(format!("the PAM process broke off ({})", helper.end())))
            }
        }
    }
}

impl PrimaryCheck for Isolated<'_> {
    fn authenticate(
        &self,
        user: &UserName,
        password: &SecretBytes,
        client: Option<IpAddr>,
    ) -> Result<PrimaryPass, PrimaryDenial> {
        self.ask(&Request { user, password: Some(password), client })
    }

    fn account(&self, user: &UserName, client: Option<IpAddr>) -> Result<PrimaryPass, PrimaryDenial> {
        self.ask(&Request { user, password: None, client })
    }
}

/// The helper's side: a request on standard input, the reply on standard output.
pub fn run_helper() {
    process::set_name();
    process::protect_memory();
    process::die_with_parent();
    let mut bytes = secret::buffer(MAX_MESSAGE_BYTES + 1);
    let read = io::stdin().lock().take(MAX_MESSAGE_BYTES as u64 + 1).read_to_end(&mut bytes);
    let reply = match read.ok().and_then(|_| perform(&bytes)) {
        Some(Ok(pass)) => Reply::Passed(pass),
        Some(Err(denial)) => Reply::Denied(denial),
        None => Reply::Denied(PrimaryDenial::at_once(
            "the PAM process got a request that it cannot read".to_owned(),
        )),
    };
    let mut output = io::stdout().lock();
    // Nobody reads it: the login has ended otherwise.
    let _ = output.write_all(&reply.serialise()).and_then(|()| output.flush());
}

fn perform(bytes: &[u8]) -> Option<Result<PrimaryPass, PrimaryDenial>> {
    let mut parts = bytes.splitn(6, |&byte| byte == 0);
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let (kind, service, user, client, groups) = (text()?, text()?, text()?, text()?, text()?);
    let service = ServiceName::try_from(service.to_owned()).ok()?;
    let user: UserName = user.parse().ok()?;
    let client = if client.is_empty() { None } else { Some(client.parse().ok()?) };
    let groups: Vec<GroupName> = groups.lines().map(str::parse).collect::<Result<_, _>>().ok()?;
    let password = secret::secret(parts.next()?);
    let pam = Pam::new(&service);
    let passed = match kind {
        "authenticate" => pam.authenticate(&user, &password, client),
        "account" => pam.account(&user, client),
        _ => return None,
    };
    // Only then: who has not passed is told nothing, not even by the time that it takes.
    Some(passed.map(|pass| PrimaryPass { group: groups::first_of(&user, &groups).cloned(), ..pass }))
}

struct Request<'a> {
    user: &'a UserName,
    password: Option<&'a SecretBytes>,
    client: Option<IpAddr>,
}

impl Request<'_> {
    /// Six parts with a NUL between them, which none of the first five can hold; the groups one a line, the password last.
    fn serialise(&self, check: &Isolated<'_>) -> Zeroizing<Vec<u8>> {
        let kind = if self.password.is_some() { "authenticate" } else { "account" };
        let client = self.client.map_or_else(String::new, |address| address.to_string());
        let password = self.password.map_or(&[][..], |password| password.expose_secret());
        let mut bytes = secret::buffer(MAX_MESSAGE_BYTES);
        let groups: Vec<&str> = check.groups.iter().map(GroupName::as_str).collect();
        for part in [kind, check.service.as_str(), self.user.as_str(), &client, &groups.join("\n")] {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0);
        }
        bytes.extend_from_slice(password);
        bytes
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Passed(PrimaryPass),
    Denied(PrimaryDenial),
}

impl Reply {
    fn serialise(&self) -> Vec<u8> {
        match self {
            Self::Passed(pass) => {
                let group = pass.group.as_ref().map_or("", GroupName::as_str);
                format!("passed\0{}\0{group}\0", pass.denial_hold.min(MAX_HOLD).as_micros()).into_bytes()
            }
            Self::Denied(denial) => {
                let hold = denial.hold.min(MAX_HOLD).as_micros();
                let mut bytes = format!("denied\0{hold}\0{}", denial.detail).into_bytes();
                bytes.truncate(MAX_MESSAGE_BYTES);
                bytes
            }
        }
    }

    /// `None` for anything else: a helper that was cut off has passed nobody.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (verdict, rest) = text.split_once('\0')?;
        let (hold, detail) = rest.split_once('\0')?;
        let hold = Duration::from_micros(hold.parse().ok()?).min(MAX_HOLD);
        match verdict {
            "passed" => {
                // The last byte says that nothing was cut off.
                let group = detail.strip_suffix('\0')?;
                let group = if group.is_empty() { None } else { Some(group.parse().ok()?) };
                Some(Self::Passed(PrimaryPass { denial_hold: hold, group }))
            }
            "denied" => Some(Self::Denied(PrimaryDenial { detail: detail.to_owned(), hold })),
            _ => None,
        }
    }
}

/// A helper process; killed and reaped when it is dropped.
struct Helper(Child);

impl Helper {
    fn start(request: &[u8]) -> io::Result<Self> {
        let stderr = if log::has_syslog() { Stdio::null() } else { Stdio::inherit() };
        let child = Command::new("/proc/self/exe")
            .arg0("openvpn-2fa")
            .arg(HELPER_COMMAND)
            // What the client says of itself is in our environment; modules need none of it.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()?;
        let mut helper = Self(child);
        helper.0.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(request))?;
        Ok(helper)
    }

    /// All that it says until it closes its standard output; `None` when that is later than `deadline`.
    fn reply(&mut self, deadline: Deadline) -> io::Result<Option<Vec<u8>>> {
        let mut output = self.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut reply = Vec::new();
        let mut chunk = [0; 1024];
        while reply.len() <= MAX_MESSAGE_BYTES {
            if !process::wait_readable(&output, deadline) {
                return Ok(None);
            }
            match output.read(&mut chunk)? {
                0 => return Ok(Some(reply)),
                count => reply.extend_from_slice(&chunk[..count]),
            }
        }
        Ok(Some(reply))
    }

    /// How it ended, for the log.
    fn end(&mut self) -> String {
        let _ = self.0.kill();
        let described = |status: ExitStatus| match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "unknown status".to_owned(),
        };
        self.0.wait().map_or_else(|error| error.to_string(), described)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn broken(error: &io::Error) -> PrimaryDenial {
    PrimaryDenial::at_once(format!("the PAM process cannot be used: {error}"))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_passes_only_when_it_is_whole() {
        let denied =
            Reply::Denied(PrimaryDenial { detail: "no: \0 x".to_owned(), hold: Duration::from_micros(7) });
        let passed = |group: Option<&str>| {
            let group = group.map(|group| group.parse().unwrap());
            Reply::Passed(PrimaryPass { denial_hold: Duration::from_micros(5), group })
        };
        for reply in [passed(None), passed(Some("domain users")), denied] {
            assert_eq!(Reply::parse(&reply.serialise()), Some(reply));
        }
        for broken in [
            &b""[..],
            b"passed",
            b"passed\0",
            b"passed\x001",
            b"passed\x001\0",
            b"passed\x001\0x",
            b"passed\x001\0x\0y",
            b"passed\x001\0x\0\0",
            b"pass\x001\0\0",
            b"passed\0x\0\0",
            b"denied",
            b"denied\0",
            b"denied\x001",
            b"denied\0x\0y",
        ] {
            assert_eq!(Reply::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn no_module_can_hold_a_login_for_ever() {
        let denied =
            Reply::Denied(PrimaryDenial { detail: String::new(), hold: Duration::from_secs(86_400) });
        let Some(Reply::Denied(denial)) = Reply::parse(&denied.serialise()) else { panic!("denied") };
        assert_eq!(denial.hold, MAX_HOLD);
    }

    #[test]
    fn a_request_that_cannot_be_read_passes_nobody() {
        for request in [
            &b""[..],
            b"authenticate",
            b"authenticate\0openvpn\0alice\0",
            b"authenticate\0openvpn\0alice\0\0pw",
            b"authenticate\0../x\0alice\0\0\0pw",
            b"authenticate\0openvpn\0\0\0\0pw",
            b"authenticate\0openvpn\0alice\0here\0\0pw",
            b"authenticate\0openvpn\0alice\0\0a\n\nb\0pw",
            b"accept\0openvpn\0alice\0\0\0pw",
        ] {
            assert!(perform(request).is_none(), "{request:?}");
        }
    }
}
