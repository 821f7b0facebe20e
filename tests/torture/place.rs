//! Where logins are tortured: a site of the black-box tests, with users whose enrolments must survive.

use crate::duo::{IKEY, Lookalike, Options, Phone, SKEY, User};
use crate::support::{Session, Site, Token, chmod};
use data_encoding::BASE64;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const USER: &str = "alice";
pub(crate) const BYSTANDER: &str = "bob";
/// Of the Unix user; what others type is not looked at.
pub(crate) const PASSWORD: &str = "Zebra-1-crossing";
/// A passcode that the look-alike of Duo's cloud knows.
pub(crate) const PASSCODES: [&str; 3] = ["1111111", "2222222", "3333333"];

/// What is checked besides the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A code; the front waits for the verdict as long as it takes.
    Patient,
    /// A code; the front waits as long as by default.
    Hasty,
    /// A password, by PAM, and a code.
    Pam,
    /// Duo.
    Duo,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Hasty => "hasty",
            Self::Pam => "pam",
            Self::Duo => "duo",
        }
    }
}

pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) site: Site,
    pub(crate) token: Token,
    pub(crate) duo: Option<Lookalike>,
    /// The Unix user and the second factor's user.
    pub(crate) user: String,
    enrolments: Vec<(String, Vec<u8>)>,
}

/// What the database says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Records {
    /// Users with their secrets.
    pub(crate) enrolments: Vec<(String, Vec<u8>)>,
    /// The last step of the user's token.
    pub(crate) last_step: Option<i64>,
    pub(crate) failures: i64,
    pub(crate) challenges: i64,
}

impl Place {
    /// `unix_user` is somebody whom PAM knows by [`PASSWORD`].
    pub(crate) fn new(kind: Kind, unix_user: Option<&str>) -> Self {
        let mut setenv = vec![("totpChallengeTimeout", "20"), ("workerMax", "8")];
        match kind {
            Kind::Patient => {}
            Kind::Hasty => setenv.push(("authStallBudgetMs", "100")),
            Kind::Pam => setenv.extend([("authPrimary", "pam"), ("pamService", "openvpn")]),
            Kind::Duo => setenv.extend([("authFactor", "duo"), ("duoTimeout", "20")]),
        }
        let site = Site::with(&setenv);
        let user = unix_user.unwrap_or(USER).to_owned();
        let duo = (kind == Kind::Duo).then(|| {
            let duo = Lookalike::start(Options::default());
            reach(&site, &duo);
            duo
        });
        let token = site.enroll(&user);
        site.enroll(BYSTANDER);
        let mut place = Self { kind, site, token, duo, user, enrolments: Vec::new() };
        place.enrolments = place.records().expect("a sound database").enrolments;
        place
    }

    /// As if nothing had happened, but for some failures.
    pub(crate) fn reset(&self, failures: u64) {
        let user = &self.user;
        self.site.sql(&format!(
            "UPDATE totp_token SET last_step = NULL; DELETE FROM failure; DELETE FROM challenge; DELETE FROM push;
             INSERT INTO failure (kind, subject, count) SELECT 'user', '{user}', {failures} WHERE {failures} > 0"
        ));
        if let Some(duo) = &self.duo {
            let _ = duo.take_faults();
            let known = User::with_phone(&self.user).phone(Phone::ApprovesAfter(Duration::from_millis(5)));
            duo.add(PASSCODES.iter().fold(known, |known, code| known.passcode(code)));
        }
    }

    /// Has the phone deny whatever comes.
    pub(crate) fn deny_pushes(&self) {
        let duo = self.duo.as_ref().expect("a look-alike");
        duo.add(User::with_phone(&self.user).phone(Phone::DeniesAfter(Duration::from_millis(5))));
    }

    /// Everything that the database says, after whoever opens it first has recovered it: a copy, so that the program
    /// has to recover the original.
    pub(crate) fn records(&self) -> Result<Records, String> {
        let copy = self.site.path("copy");
        let _ = std::fs::remove_dir_all(&copy);
        std::fs::create_dir(&copy).unwrap();
        let database = self.site.database();
        for suffix in ["", "-wal"] {
            let name = format!("{}{suffix}", database.file_name().unwrap().to_string_lossy());
            let _ = std::fs::copy(database.with_file_name(&name), copy.join(&name));
        }
        read(&copy.join(database.file_name().unwrap()), &self.user).map_err(|error| error.to_string())
    }

    /// What is wrong with the database, whatever happened before.
    pub(crate) fn complaints(&self, before: &Records) -> Vec<String> {
        let records = match self.records() {
            Ok(records) => records,
            Err(error) => return vec![format!("the database is spoilt: {error}")],
        };
        let mut complaints = Vec::new();
        if records.enrolments != self.enrolments {
            complaints.push("an enrolment is not what it was".to_owned());
        }
        if records.last_step < before.last_step {
            complaints.push(format!("a used step is usable again: {before:?} {records:?}"));
        }
        complaints
    }

    /// Files that nobody should have made.
    pub(crate) fn strange_files(&self, session: &Session) -> Vec<PathBuf> {
        let here = |directory: &Path| -> Vec<PathBuf> {
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        let mut strange = here(&self.site.tmp());
        strange.retain(|path| !session.files().contains(&path.as_path()));
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let database = name(&self.site.database());
        let ours = ["", "-wal", "-shm", "-stall"].map(|suffix| format!("{database}{suffix}"));
        let beside = here(self.site.database().parent().unwrap());
        strange.extend(beside.into_iter().filter(|path| !ours.contains(&name(path))));
        strange
    }

    /// Takes away what a round that was given up has left.
    pub(crate) fn clean_up(&self) {
        for file in crate::support::files_below(&self.site.tmp()).keys() {
            let _ = std::fs::remove_file(file);
        }
    }

    /// A password field with both proofs in it.
    pub(crate) fn proofs(&self, code: &str) -> String {
        self.password_with(PASSWORD, code)
    }

    pub(crate) fn password_with(&self, password: &str, code: &str) -> String {
        match self.kind {
            Kind::Patient | Kind::Hasty | Kind::Duo => code.to_owned(),
            Kind::Pam => {
                format!("SCRV1:{}:{}", BASE64.encode(password.as_bytes()), BASE64.encode(code.as_bytes()))
            }
        }
    }

    /// Whether a login that nothing happens to is let in.
    pub(crate) fn lets_in(&self, password: &str) -> bool {
        let session = self.site.session();
        let status = self.site.login(&session, &self.user, password).set("IV_SSO", "").status();
        let verdict = match status {
            2 => session.decided(),
            _ => session.verdict(),
        };
        session.end();
        status == 0 || verdict == "1"
    }
}

/// Has the site's settings lead to the look-alike.
fn reach(site: &Site, duo: &Lookalike) {
    std::fs::write(site.path("skey"), format!("{SKEY}\n")).unwrap();
    chmod(&site.path("skey"), 0o600);
    std::fs::copy(duo.ca_file(), site.path("ca.pem")).unwrap();
    let settings = std::fs::read_to_string(site.config()).unwrap();
    let more = format!(
        "[duo]\nhost = 'localhost'\nport = {}\nikey = '{IKEY}'\nskey_file = '{}'\nca_file = '{}'\n",
        duo.port(),
        site.path("skey").display(),
        site.path("ca.pem").display(),
    );
    std::fs::write(site.config(), settings + &more).unwrap();
}

fn read(database: &Path, user: &str) -> Result<Records, rusqlite::Error> {
    let connection = Connection::open(database)?;
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(rusqlite::Error::InvalidParameterName(sound));
    }
    let one = |query: &str| connection.query_row(query, [user], |row| row.get::<_, Option<i64>>(0));
    let enrolments = connection
        .prepare(
            "SELECT name || algorithm || digits || period || state, secret
             FROM user JOIN totp_token ON user_id = user.id ORDER BY name",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(Records {
        enrolments,
        last_step: one(
            "SELECT max(last_step) FROM totp_token JOIN user ON user_id = user.id WHERE name = ?1",
        )?,
        failures: one("SELECT sum(count) FROM failure WHERE subject = ?1")?.unwrap_or_default(),
        challenges: one("SELECT count(*) FROM challenge WHERE identity = ?1")?.unwrap_or_default(),
    })
}
