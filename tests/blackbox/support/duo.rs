//! A site whose users have Duo, and the look-alike that it asks.

use super::{Call, Session, Site};
use crate::duo::{IKEY, Lookalike, Options, SKEY};
use std::io::Write;
use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A server that checks certificates and asks Duo: the password field carries the factor, an empty one sends the
/// default factor.
pub(crate) struct DuoSite {
    site: Site,
    pub(crate) duo: Lookalike,
}

/// A login that OpenVPN has heard of.
pub(crate) struct Login {
    /// The exit status of the hook.
    pub(crate) status: i32,
    pub(crate) session: Session,
    /// How long OpenVPN stood still.
    pub(crate) took: Duration,
}

impl DuoSite {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With these lines of `setenv` in OpenVPN's configuration.
    pub(crate) fn with(setenv: &[(&str, &str)]) -> Self {
        Self::at(Lookalike::start(Options::default()), "localhost", setenv)
    }

    /// At a Duo of one's own, which has this name.
    pub(crate) fn at(duo: Lookalike, name: &str, setenv: &[(&str, &str)]) -> Self {
        let site = Site::with(setenv);
        site.keep_out_of_the_log(SKEY.as_bytes());
        let key = site.path("skey");
        std::fs::write(&key, format!("{SKEY}\n")).unwrap();
        super::chmod(&key, 0o600);
        let settings = std::fs::read_to_string(site.config()).unwrap();
        let settings = settings.replace("[auth]\n", "[auth]\nfactor = 'duo'\n");
        let duos = format!(
            "[worker]\nmax = 100\n\
             [duo]\nhost = '{name}'\nport = {}\nikey = '{IKEY}'\nskey_file = '{}'\nca_file = '{}'\ntimeout = 30\n",
            duo.port(),
            key.display(),
            duo.ca_file().display(),
        );
        std::fs::write(site.config(), settings + &duos).unwrap();
        Self { site, duo }
    }

    /// Changes the settings file.
    pub(crate) fn edit(&self, change: impl FnOnce(String) -> String) {
        let settings = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(settings)).unwrap();
    }

    /// Logs in with what is typed into the password field.
    pub(crate) fn enter(&self, user: &str, typed: &str) -> Login {
        self.enter_by(user, typed, |call| call)
    }

    /// As [`DuoSite::enter`], with a change of the call.
    pub(crate) fn enter_by<'a>(
        &'a self,
        user: &str,
        typed: &str,
        change: impl FnOnce(Call<'a>) -> Call<'a>,
    ) -> Login {
        let session = self.session();
        let start = Instant::now();
        let status = change(self.login(&session, user, typed)).status();
        Login { status, session, took: start.elapsed() }
    }

    /// Failed second factors in a row, as the database has them.
    pub(crate) fn failed(&self, user: &str) -> u64 {
        self.number(&format!("SELECT COALESCE(SUM(count), 0) FROM failure WHERE subject = '{user}'"))
    }

    /// The lines of the log that tell of logins and answers.
    pub(crate) fn decisions(&self) -> Vec<String> {
        let logs = self.logs();
        let decisions = logs.lines().filter(|line| {
            line.contains("event=login ")
                || line.contains("event=answer ") && !line.contains("outcome=ignored")
        });
        decisions.map(str::to_owned).collect()
    }
}

impl Deref for DuoSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Login {
    /// That the client is in, by the exit status and by the file.
    #[track_caller]
    pub(crate) fn is_in(&self) {
        assert_eq!((self.status, &*self.session.verdict()), (0, "1"), "{:?}", self.session.reason());
    }

    /// That the client is out, by the exit status and by the file, and is told this.
    #[track_caller]
    pub(crate) fn is_out(&self, told: &str) {
        assert_eq!((self.status, &*self.session.verdict()), (1, "0"));
        assert_eq!(self.session.told(), told);
    }
}

/// A view of the machine that only one process and its children have: PAM services and a log daemon of its own. Root
/// only; nothing of it is seen outside.
pub(crate) struct Namespace {
    directory: PathBuf,
    log: UnixDatagram,
}

impl Namespace {
    /// With the PAM service `openvpn` made of these lines.
    pub(crate) fn new(site: &Site, pam: &str) -> Self {
        let directory = site.path("namespace");
        std::fs::DirBuilder::new().mode(0o755).create(&directory).unwrap();
        std::fs::create_dir(directory.join("pam.d")).unwrap();
        std::fs::File::create_new(directory.join("pam.d/openvpn"))
            .unwrap()
            .write_all(pam.as_bytes())
            .unwrap();
        let log = UnixDatagram::bind(directory.join("log")).unwrap();
        log.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { directory, log }
    }

    /// Makes a call there; what it logs goes to the standard error, as elsewhere.
    pub(crate) fn enter<'a>(&self, call: Call<'a>) -> Call<'a> {
        self.enter_by(call, "")
    }

    /// Makes a call there; what it logs goes to the log daemon.
    pub(crate) fn enter_with_daemon<'a>(&self, call: Call<'a>) -> Call<'a> {
        let devices = format!(
            "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && ln -s '{}' /dev/log && ",
            self.directory.join("log").display()
        );
        self.enter_by(call, &devices)
    }

    /// A command there, with nothing in its environment.
    pub(crate) fn command(&self, words: &[&str]) -> std::process::Command {
        let services = self.directory.join("pam.d");
        let script = format!("mount --bind '{}' /etc/pam.d && exec \"$0\" \"$@\"", services.display());
        let mut command = std::process::Command::new("/usr/bin/unshare");
        command
            .env_clear()
            .args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script])
            .args(words);
        command
    }

    fn enter_by<'a>(&self, call: Call<'a>, first: &str) -> Call<'a> {
        let services = self.directory.join("pam.d");
        let script = format!("{first}mount --bind '{}' /etc/pam.d && exec \"$0\" \"$@\"", services.display());
        call.by(&["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", &script])
    }

    /// Waits for the next line that the log daemon got, with its severity (RFC 5424: 3 error, 4 warning, 6 info).
    pub(crate) fn logged(&self) -> (u8, String) {
        let mut bytes = [0; 4096];
        let length = self.log.recv(&mut bytes).expect("a line of the log");
        let line = std::str::from_utf8(&bytes[..length]).unwrap();
        let (priority, text) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).unwrap();
        (priority.parse::<u8>().unwrap() & 7, text.to_owned())
    }
}
