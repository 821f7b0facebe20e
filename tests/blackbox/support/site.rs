//! A place with settings, users and OpenVPN's temporary directory.

use super::{Call, PROGRAM, Session, Token, log_is_visible};
use std::ffi::OsStr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that checks certificates and codes. When a test is over, nothing that was ever typed or handed out may
/// stand in what the program wrote to its standard output and error as a hook.
pub(crate) struct Site {
    directory: tempfile::TempDir,
    setenv: Vec<(String, String)>,
    secrets: Mutex<Vec<Vec<u8>>>,
    count: AtomicUsize,
}

/// What an administrator's command came to.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Exit status 1, nothing for programs, and a complaint that holds `part`.
#[track_caller]
pub(crate) fn refused(printed: &Printed, part: &str) {
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""), "{}", printed.stderr);
    assert!(printed.stderr.contains(part), "{part}: {}", printed.stderr);
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// A site with these lines of `setenv` in OpenVPN's configuration.
    pub(crate) fn with(setenv: &[(&str, &str)]) -> Self {
        let private = std::fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().permissions(private).tempdir().unwrap();
        for name in ["tmp", "logs"] {
            std::fs::DirBuilder::new().mode(0o700).create(directory.path().join(name)).unwrap();
        }
        let site = Self {
            directory,
            setenv: setenv.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            secrets: Mutex::default(),
            count: AtomicUsize::new(0),
        };
        // The budget is so long that an exit status tells the verdict, however busy the machine is; the window so wide
        // that a test has several codes to use.
        let settings = format!(
            "[auth]\nprimary = 'none'\nstall_budget_ms = 50000\n[totp]\nwindow = 5\ntoken_db_path = '{}'\n",
            site.database().display()
        );
        std::fs::write(site.config(), settings).unwrap();
        super::chmod(&site.config(), 0o644);
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    /// The database; its directory is there once somebody is enrolled.
    pub(crate) fn database(&self) -> PathBuf {
        self.path("state/tokens.sqlite3")
    }

    /// OpenVPN's `tmp-dir`.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.path("tmp")
    }

    pub(crate) fn setenv(&self) -> &[(String, String)] {
        &self.setenv
    }

    pub(crate) fn next_number(&self) -> usize {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// An administrator's command, at this site's settings.
    pub(crate) fn admin<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Printed {
        run(self.command().arg("--config").arg(self.config()).args(arguments))
    }

    /// As [`Site::admin`], with this on standard input.
    pub(crate) fn admin_reading(&self, arguments: &[&str], input: &[u8]) -> Printed {
        let path = self.path(&format!("input-{}", self.next_number()));
        std::fs::write(&path, input).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        run(self.command().arg("--config").arg(self.config()).args(arguments).stdin(file))
    }

    /// The program in an environment that is empty but for the site's `setenv`, with nothing on its standard input.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        let setenv = self.setenv.iter().map(|(name, value)| (name, value));
        command.env_clear().envs(setenv).current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// Enrols a user, or gives them another secret.
    pub(crate) fn enroll(&self, user: &str) -> Token {
        let printed = self.admin(&["enroll", "--force", "--", user]);
        assert_eq!(printed.status, 0, "{}", printed.stderr);
        let token = Token { base32: printed.stdout.lines().nth(1).unwrap().to_owned() };
        self.keep_out_of_the_log(token.base32.as_bytes());
        token
    }

    /// What the program tells of a user.
    pub(crate) fn shown(&self, user: &str) -> serde_json::Value {
        let printed = self.admin(&["--json", "show", "--", user]);
        assert_eq!(printed.status, 0, "{}", printed.stderr);
        serde_json::from_str(&printed.stdout).unwrap()
    }

    /// Failed second factors in a row, as the program tells.
    pub(crate) fn failures(&self, user: &str) -> u64 {
        self.shown(user)["failures"].as_u64().unwrap()
    }

    /// Changes the database behind the program's back.
    pub(crate) fn sql(&self, statement: &str) {
        rusqlite::Connection::open(self.database()).unwrap().execute_batch(statement).unwrap();
    }

    /// The one number that a query of the database finds.
    pub(crate) fn number(&self, query: &str) -> u64 {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        let number: i64 = connection.query_row(query, [], |row| row.get(0)).unwrap();
        number.try_into().unwrap()
    }

    /// A new key negotiation.
    pub(crate) fn session(&self) -> Session {
        Session::new(&self.tmp(), self.next_number())
    }

    /// OpenVPN starts `auth-user-pass-verify`.
    pub(crate) fn login(&self, session: &Session, user: &str, password: &str) -> Call<'_> {
        Call::login(self, session, user.as_bytes(), password.as_bytes())
    }

    /// As [`Site::login`], with whatever bytes.
    pub(crate) fn login_bytes(&self, session: &Session, user: &[u8], password: &[u8]) -> Call<'_> {
        Call::login(self, session, user, password)
    }

    /// OpenVPN starts `client-crresponse` with what the client sent.
    pub(crate) fn answer(&self, session: &Session, user: &str, sent: &[u8]) -> Call<'_> {
        Call::answer(self, session, user, sent)
    }

    /// A new session is asked for the code by CRV1.
    pub(crate) fn asked_to_reconnect(&self, user: &str) -> super::Question {
        let session = self.session();
        assert_eq!(self.login(&session, user, "").set("IV_SSO", "").status(), 1);
        session.question()
    }

    /// A new session is asked for the code while it waits.
    pub(crate) fn asked_in_session(&self, user: &str) -> Session {
        let session = self.session();
        assert_eq!(self.login(&session, user, "").status(), 2);
        session
    }

    /// Remembers what no log may hold.
    pub(crate) fn keep_out_of_the_log(&self, secret: &[u8]) {
        // Shorter ones can be in there by chance.
        if secret.len() >= 6 {
            self.secrets.lock().unwrap().push(secret.to_owned());
        }
    }

    pub(crate) fn new_log(&self) -> PathBuf {
        self.path("logs").join(format!("{:04}", self.next_number()))
    }

    /// What the hook calls and their workers have written so far.
    pub(crate) fn logs(&self) -> String {
        let files = super::files_below(&self.path("logs"));
        files.values().map(|content| String::from_utf8_lossy(content)).collect()
    }

    /// Whether a line of the log holds all of these; true where it cannot be read.
    pub(crate) fn logged(&self, parts: &[&str]) -> bool {
        !log_is_visible() || self.logs().lines().any(|line| parts.iter().all(|part| line.contains(part)))
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Printed {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Printed {
        status: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return eprintln!("log of the hook calls:\n{}", self.logs());
        }
        let logs = self.logs();
        for secret in self.secrets.lock().unwrap().iter() {
            let secret = String::from_utf8_lossy(secret);
            assert!(!logs.contains(&*secret), "the log holds {secret:?}:\n{logs}");
        }
        end_of_workers(&self.tmp());
    }
}

/// Removes what OpenVPN would remove, which ends the workers that wait for something.
fn end_of_workers(tmp: &Path) {
    for file in super::files_below(tmp).keys() {
        let _ = std::fs::remove_file(file);
    }
}
