//! Settings: one validated [`Settings`] from the command line, the environment, the file and the defaults.
//!
//! The only place that knows the names of keys. A key `[section] some_key` of the file is `sectionSomeKey` in the
//! environment (OpenVPN's `setenv`). Every value is checked when it is read, and an error names the file and line or
//! the environment variable, the section and the key.

mod load;
mod remote;
mod username;
mod value;

pub use load::{ConfigError, DEFAULT_FILE, FILE_VARIABLE, Sources, load};
pub use remote::{CaFile, HostName, IntegrationKey, ProxyAddress};
pub use username::{UsernameCase, UsernamePattern};
pub use value::{Bounded, Day, FullPath, Groups, Line, Names, ServiceName};

use crate::name::GroupName;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that can be set, with defaults where nothing was said.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `[auth]`: how a login is decided.
    pub auth: Auth,
    /// `[pam]`: the primary check.
    pub pam: Pam,
    /// `[totp]`: codes, their questions and their database.
    pub totp: Totp,
    /// `[store]`: how secrets are stored.
    pub store: Store,
    /// `[worker]`: the processes behind OpenVPN's back.
    pub worker: Worker,
    /// `[lockout]`: what repeated failures lead to.
    pub lockout: Lockout,
    /// `[duo]`: the Duo application.
    pub duo: Duo,
}

impl Settings {
    /// The groups that an exemption can depend on; those that are about every factor come first.
    #[must_use]
    pub fn exempt_groups(&self) -> Vec<GroupName> {
        [&self.auth.exempt_groups, &self.duo.exempt_groups]
            .into_iter()
            .flat_map(|groups| groups.names().iter().cloned())
            .collect()
    }

    /// Whether a login makes the database where there is none: whose factor is at Duo, and who enrols by logging in, is
    /// enrolled by no administrator who would have made it.
    #[must_use]
    pub fn first_login_makes_database(&self) -> bool {
        self.auth.factor == Factor::Duo || self.totp.self_enroll
    }
}

/// `[auth]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The second factor, unless a user's record says otherwise.
    pub factor: Factor,
    /// What is checked first.
    pub primary: Primary,
    /// Whose second factor it is.
    pub identity: Identity,
    /// What becomes of the case of names.
    pub username_case: UsernameCase,
    /// What the whole name must match, in place of the rules of [`crate::name::UserName::oddity`].
    pub username_pattern: Option<UsernamePattern>,
    /// Reject when username and the certificate's common name differ.
    pub match_common_name: bool,
    /// How a client is asked for the second factor.
    pub challenge: Challenge,
    /// Whether the password field may end in the second factor.
    pub appended: Appended,
    /// What happens to a user without a second factor.
    pub unenrolled: Unenrolled,
    /// The last day, by UTC, on which `allow` holds. Without one it holds for ever, with a warning at each login.
    pub unenrolled_until: Option<Day>,
    /// Users who need no second factor, whichever it is.
    pub exempt: Names,
    /// Unix groups whose members need no second factor, whichever it is.
    pub exempt_groups: Groups,
    /// The longest that a hook call waits for the worker's first word, in milliseconds; 0 does not wait.
    pub stall_budget_ms: Bounded<0, 60_000>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            factor: Factor::Totp,
            primary: Primary::Pam,
            identity: Identity::Username,
            username_case: UsernameCase::Keep,
            username_pattern: None,
            match_common_name: false,
            challenge: Challenge::Auto,
            appended: Appended::Off,
            unenrolled: Unenrolled::Deny,
            unenrolled_until: None,
            exempt: Names::default(),
            exempt_groups: Groups::default(),
            stall_budget_ms: Bounded::new::<100>(),
        }
    }
}

impl Auth {
    /// [`Auth::stall_budget_ms`] as a duration.
    #[must_use]
    pub fn stall_budget(&self) -> Duration {
        Duration::from_millis(self.stall_budget_ms.get())
    }
}

/// A kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Factor {
    /// Codes by RFC 6238.
    Totp,
    /// Duo.
    Duo,
}

impl Factor {
    /// The word for it, in settings, commands and the log.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Duo => "duo",
        }
    }
}

/// What is checked before the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Primary {
    /// Name and password, by PAM.
    Pam,
    /// The certificate that OpenVPN has verified; the password field carries the second factor.
    None,
}

/// Whose second factor is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// That of the name typed.
    Username,
    /// That of the certificate's common name.
    CommonName,
}

/// How a client is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Challenge {
    /// `CR_TEXT` where the client can, else CRV1.
    Auto,
    /// `CR_TEXT` only.
    Crtext,
    /// CRV1 only.
    Crv1,
    /// Nobody is asked: static responses and appended codes only.
    Off,
}

/// Whether the password field may end in the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Appended {
    /// It is the password.
    Off,
    /// `password,123456`
    Comma,
    /// `password123456`
    Digits,
}

/// What happens to a user who has no second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unenrolled {
    /// Rejected.
    Deny,
    /// Let in by the primary check alone, with a warning in the log.
    Allow,
}

/// `[pam]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pam {
    /// The PAM service: a file in `/etc/pam.d`.
    pub service: ServiceName,
}

/// `[totp]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Totp {
    /// The database of users and their secrets.
    pub token_db_path: PathBuf,
    /// What a client is asked.
    pub challenge_text: Line,
    /// How long a question may be answered, in seconds.
    pub challenge_timeout: Bounded<1, 86_400>,
    /// The name of this service in users' apps.
    pub issuer_name: Line,
    /// Steps accepted before and after the present one.
    pub window: Bounded<0, 10>,
    /// Whether a user without a token sets one up at the next login, with the password alone.
    pub self_enroll: bool,
}

impl Default for Totp {
    fn default() -> Self {
        Self {
            token_db_path: PathBuf::from("/var/lib/openvpn-totp/token_index.sqlite3"),
            challenge_text: Line::new("Please enter your TOTP code"),
            challenge_timeout: Bounded::new::<300>(),
            issuer_name: Line::new("OpenVPN Server"),
            window: Bounded::new::<1>(),
            self_enroll: false,
        }
    }
}

/// `[store]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// A file with the key that secrets in the database are encrypted with; without one they are stored as they are.
    pub key_file: Option<FullPath>,
}

impl Store {
    /// [`Store::key_file`] as a path.
    #[must_use]
    pub fn key_file(&self) -> Option<PathBuf> {
        self.key_file.as_ref().map(|file| file.as_path().to_owned())
    }
}

/// `[worker]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Logins that may wait in the background at a time.
    pub max: Bounded<1, 10_000>,
}

impl Default for Worker {
    fn default() -> Self {
        Self { max: Bounded::new::<4>() }
    }
}

/// `[lockout]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lockout {
    /// Failed second factors in a row before a user is locked.
    pub max_failures: Bounded<1, 1_000>,
    /// Failed second factors from one client address before the address is locked; 0: addresses are not counted. The
    /// default leaves an office behind one address its typing errors, and a guesser a handful of accounts to try.
    pub address_max_failures: Bounded<0, 100_000>,
    /// How long a user or an address is then locked, and how long an address must be without a failure before its count
    /// starts again, in seconds.
    pub seconds: Bounded<1, 31_536_000>,
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            max_failures: Bounded::new::<5>(),
            address_max_failures: Bounded::new::<50>(),
            seconds: Bounded::new::<300>(),
        }
    }
}

/// `[duo]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Duo {
    /// The API host name.
    pub host: Option<HostName>,
    /// The integration key.
    pub ikey: Option<IntegrationKey>,
    /// The secret key itself. From the environment it is accepted, and a bad idea: others can see it there.
    pub skey: Option<crate::secret::SecretString>,
    /// A file that holds the secret key.
    pub skey_file: Option<PathBuf>,
    /// What happens when Duo cannot be reached.
    pub failmode: Failmode,
    /// Send the default factor at once.
    pub autopush: bool,
    /// Have the user type a code into Duo Mobile (verified push), where the client can show it.
    pub verified_push: bool,
    /// Users whom Duo is not asked about.
    pub exempt: Names,
    /// Unix groups whose members Duo is not asked about.
    pub exempt_groups: Groups,
    /// What the user is asked.
    pub prompt: DuoPrompt,
    /// The fixed text of the generic prompt.
    pub prompt_text: Line,
    /// Roots to trust instead of the built-in ones.
    pub ca_file: Option<CaFile>,
    /// The proxy. Never taken from variables such as `HTTPS_PROXY`.
    pub http_proxy: Option<ProxyAddress>,
    /// The longest that Duo may take for a login, in seconds, the user's answer on the telephone included.
    pub timeout: Bounded<1, 600>,
    /// The API's port.
    pub port: Bounded<1, 65_535>,
}

impl Default for Duo {
    fn default() -> Self {
        Self {
            host: None,
            ikey: None,
            skey: None,
            skey_file: None,
            failmode: Failmode::Secure,
            autopush: false,
            verified_push: false,
            exempt: Names::default(),
            exempt_groups: Groups::default(),
            prompt: DuoPrompt::Full,
            prompt_text: Line::new("Duo passcode or second factor"),
            ca_file: None,
            http_proxy: None,
            timeout: Bounded::new::<60>(),
            port: Bounded::new::<443>(),
        }
    }
}

impl Duo {
    /// What is not set, and must be before Duo can be asked: a sentence that names the key.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        if self.host.is_none() {
            return Some("[duo] host is not set, and Duo cannot be asked without it");
        }
        if self.ikey.is_none() {
            return Some("[duo] ikey is not set, and Duo cannot be asked without it");
        }
        if self.skey.is_none() && self.skey_file.is_none() {
            return Some(
                "neither [duo] skey_file nor skey is set, and Duo cannot be asked without the secret key",
            );
        }
        None
    }
}

/// What happens when Duo cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failmode {
    /// Reject.
    Secure,
    /// Let in after a right primary check.
    Safe,
}

/// The style of Duo's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuoPrompt {
    /// A numbered list of the user's devices.
    Full,
    /// The factor words only.
    Short,
    /// A fixed text, no look-up.
    Generic,
}
