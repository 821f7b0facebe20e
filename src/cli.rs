//! The command line: clap types, nothing else.

use crate::factor::totp::Algorithm;
use crate::import::Format;
use crate::printable;
use crate::secret::SecretString;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// A second factor for OpenVPN: PAM first, then a code.
///
/// OpenVPN starts this program for every login; an administrator uses it to enrol users. Without a settings file, all
/// settings have their defaults.
#[derive(Debug, Parser)]
#[command(name = "openvpn-2fa", version, after_help = EXAMPLES)]
pub struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  openvpn-2fa enroll alice                  a new secret, with a QR code on a terminal
  openvpn-2fa enroll bob --qr-file bob.png  the QR code as a picture
  openvpn-2fa enroll carol --secret -       a secret that carol has already, typed or from a pipe
  openvpn-2fa enroll --from team --out cards
                                            many users: pictures and texts to hand over
  openvpn-2fa enroll alice --add            a second token, beside the first
  openvpn-2fa confirm alice 123456          whether alice's app makes the right codes
  openvpn-2fa backup-codes alice            ten codes for the day on which the telephone is lost
  openvpn-2fa list                          who is enrolled
  openvpn-2fa log alice                     what became of alice's last logins, and why
  openvpn-2fa delete alice                  removes the enrolment
  openvpn-2fa unlock alice                  lets alice try again after too many wrong codes
  openvpn-2fa disable alice                 keeps alice out, until openvpn-2fa enable alice
  openvpn-2fa set alice --factor duo        Duo for this user, whatever the settings say
  openvpn-2fa import /home/*/.google_authenticator
                                            takes over users from another program
  openvpn-2fa backup /root/openvpn-2fa.backup
                                            copies the database, while logins go on
  openvpn-2fa check                         what is wrong, if something is
  openvpn-2fa check login alice             asks for password and code, and says what each step comes to
  openvpn-2fa check duo alice               whether Duo can be reached, and what it says of a user

In server.conf:
  script-security 2
  auth-user-pass-verify /usr/local/bin/openvpn-2fa via-file
  client-crresponse /usr/local/bin/openvpn-2fa
  auth-gen-token

Exit status: 0 done, 1 failed, 2 wrong usage.";

/// Options of all commands, before or after the command.
#[derive(Debug, Default, Clone, Args)]
pub struct Global {
    /// Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Database, instead of the one in the settings
    #[arg(long, global = true, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// An administrator's commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a secret for a user: prints the name, the base32 secret and the otpauth:// URI, one line each
    Enroll(Enroll),
    /// See whether a user's app makes the right codes, and how far its clock is off
    ///
    /// Nobody is let in by it, and a wrong code does not count as one. A right code is used up, as after a login. Backup
    /// codes are not taken
    Confirm(Confirm),
    /// Make new backup codes for a user, one a line; the old ones are void
    BackupCodes(BackupCodes),
    /// List the enrolled users, one line each, the name first
    List,
    /// Show the last decisions about a user, from the journal or /var/log/auth.log
    Log(Log),
    /// Show what is stored about a user
    Show(Show),
    /// Remove a user's enrolment, and any question that still waits for an answer; or one of several tokens
    Delete(Delete),
    /// Let a user try again at once who is locked after too many wrong codes
    Unlock(Named),
    /// Keep a user out, from now on; the enrolment stays
    Disable(Named),
    /// Let a user in again who was disabled
    Enable(Named),
    /// Give a user another name; the codes stay the same
    Rename(Rename),
    /// Change which second factor a user has
    Set(Set),
    /// Make a key to encrypt secrets with, in a new file
    NewKey(NewKey),
    /// Encrypt every secret in the database with the key of the settings
    ///
    /// To be run after the settings were given a key, or another one. All secrets are tried first; when one cannot be read, nothing is
    /// changed. What was there before is wiped from the file.
    Rekey(Rekey),
    /// Take over users and their secrets from other programs
    ///
    /// Reads files of google-authenticator, oath-toolkit and openvpn-otp, Python pickles and SQLite databases of users and
    /// secrets, lists of otpauth:// URIs, exports of the Google Authenticator app, and exports of this program. The
    /// names of the imported users go to standard output, everything else to standard error. What cannot be read is
    /// listed with its file and line, and everything else is imported, in one transaction. Users who are enrolled
    /// already are left alone. Exit status: 0 when everything was read, 1 when something was not
    Import(Import),
    /// Print users and secrets as otpauth:// URIs, encrypted with a passphrase
    ///
    /// The command import reads it back, and so does age -d. State, second factor and backup codes of a user are not in
    /// it; they are in a backup
    Export(Export),
    /// Copy the database into a new file, while logins go on
    ///
    /// The copy is read again and checked. It holds secrets: keep it as safe as the database
    Backup(Backup),
    /// Put the content of a backup in place of what the database holds, while logins go on
    ///
    /// The backup is checked first, and what the database holds is kept in a file beside it, whose name says when.
    /// Codes that were used are not accepted again: a token that is in both keeps its last code, another one has to
    /// wait for its next. Locks stay, and questions that wait for an answer are forgotten
    Restore(Restore),
    /// Look at all that a login depends on, and say what to change; or at one thing
    #[command(visible_alias = "doctor")]
    Check(Check),
    /// Check a second factor for another program: a JSON request on standard input, the reply on standard output
    ///
    /// Only with --json, and for programs that have root's rights. What stands in request and reply is in
    /// contrib/doc/verify.md. Exit status: 0 when there is a decision, whichever, 1 when there is none
    Verify,
    /// The process that runs PAM for a worker: a request on standard input, the reply on standard output
    #[command(hide = true)]
    PrimaryCheck,
    /// The process that looks for check --as-openvpn: a request on standard input, what it found on standard output
    #[command(hide = true)]
    CheckAs,
}

/// Of commands that destroy something.
#[derive(Debug, Default, Clone, Args)]
pub struct Consent {
    /// Do not ask on the terminal; where there is none, nobody is asked anyway
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// `enroll`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "options of a command line")]
pub struct Enroll {
    /// The user, as PAM knows them
    #[arg(required_unless_present = "from")]
    pub user: Option<String>,
    /// Enrol many users: their names are on the lines of this file, beside empty lines and # comments; - is standard
    /// input. All are enrolled or none; who is enrolled already is left alone
    #[arg(long, value_name = "FILE", requires = "out", conflicts_with_all = ["user", "secret", "add", "qr", "qr_invert", "qr_file"])]
    pub from: Option<PathBuf>,
    /// With --from: a new directory for a picture and a text of each user, which are secrets
    #[arg(long, value_name = "DIR", requires = "from", conflicts_with = "user")]
    pub out: Option<PathBuf>,
    /// Replace an enrolment: the old codes stop working
    #[arg(long, conflicts_with = "add")]
    pub force: bool,
    /// Add a token beside those that the user has: a second telephone. Any of them will do at a login
    #[arg(long, conflicts_with = "backup_codes")]
    pub add: bool,
    /// Take over a secret, in base32. Others on this machine can read what stands in a command line: - takes the first
    /// line of standard input instead, and asks for it on a terminal
    #[arg(long, value_name = "BASE32")]
    pub secret: Option<SecretString>,
    /// What the codes are like.
    #[command(flatten)]
    pub shape: Shape,
    /// What to call the token where tokens are listed, such as phone; it is not in the URI
    #[arg(long, value_name = "TEXT")]
    pub label: Option<Label>,
    /// Print a QR code to standard error, also when standard output is no terminal
    #[arg(long)]
    pub qr: bool,
    /// The same with light and dark exchanged, for terminals or apps that want it so
    #[arg(long)]
    pub qr_invert: bool,
    /// Write the QR code to a new file, .png or .svg
    #[arg(long, value_name = "FILE")]
    pub qr_file: Option<PathBuf>,
    /// Make so many backup codes too (1 to 20), printed to standard error; each is good once
    #[arg(long, value_name = "N")]
    pub backup_codes: Option<CodeCount>,
    /// Whether to ask before an enrolment is replaced.
    #[command(flatten)]
    pub consent: Consent,
}

/// What the codes of a new token are like. Most apps know the defaults only.
#[derive(Debug, Clone, Copy, Args)]
pub struct Shape {
    /// The hash function of the codes: sha1, sha256 or sha512; many apps ignore it, and go on with sha1
    #[arg(
        long,
        value_name = "NAME",
        default_value = "sha1",
        ignore_case = true,
        hide_possible_values = true
    )]
    pub algorithm: Algorithm,
    /// Digits of a code, 6 to 8; many apps ignore it
    #[arg(long, value_name = "N", default_value = "6", value_parser = clap::value_parser!(u8).range(6..=8))]
    pub digits: u8,
    /// Seconds for which a code counts; many apps ignore it
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub period: u32,
}

/// What an administrator calls a token: 1 to 100 bytes, all of which can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// The longest, in bytes.
    const MAX_BYTES: usize = 100;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() || text.len() > Self::MAX_BYTES || text.chars().any(printable::is_unsafe) {
            return Err(format!("1 to {} bytes are wanted that can be seen", Self::MAX_BYTES));
        }
        Ok(Self(text.to_owned()))
    }
}

/// `confirm`
#[derive(Debug, Args)]
pub struct Confirm {
    /// The user
    pub user: String,
    /// The code that the user's app shows; without it, it is asked for, or is the first line of standard input
    pub code: Option<SecretString>,
}

/// `backup-codes`
#[derive(Debug, Args)]
pub struct BackupCodes {
    /// The user
    pub user: String,
    /// How many (1 to 20)
    #[arg(long, value_name = "N", default_value = "10")]
    pub count: CodeCount,
    /// Whether to ask before codes are replaced that can still be used.
    #[command(flatten)]
    pub consent: Consent,
}

/// How many backup codes to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeCount(u8);

impl CodeCount {
    /// As many as fit on a slip of paper.
    const ALLOWED: RangeInclusive<u8> = 1..=20;

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl FromStr for CodeCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| Self::ALLOWED.contains(number));
        number.map(Self).ok_or_else(|| "a number from 1 to 20 is wanted".to_owned())
    }
}

/// `log`
#[derive(Debug, Args)]
pub struct Log {
    /// The user
    pub user: String,
    /// How many decisions
    #[arg(long, short = 'n', value_name = "N", default_value = "20")]
    pub lines: NonZeroUsize,
    /// A file of a syslog daemon, instead of what the machine has
    #[arg(long, value_name = "FILE", hide = true)]
    pub log_file: Option<PathBuf>,
}

/// `show`
#[derive(Debug, Args)]
pub struct Show {
    /// The user
    pub user: String,
    /// Show the secret and the otpauth:// URI too
    #[arg(long)]
    pub secret: bool,
}

/// `delete`
#[derive(Debug, Args)]
pub struct Delete {
    /// The user
    pub user: String,
    /// Remove only this one of several tokens, by its number in show
    #[arg(long, value_name = "N")]
    pub token: Option<NonZeroUsize>,
    /// Whether to ask first.
    #[command(flatten)]
    pub consent: Consent,
}

/// `unlock`, `disable`, `enable`
#[derive(Debug, Args)]
pub struct Named {
    /// The user
    pub user: String,
}

/// `rename`
#[derive(Debug, Args)]
pub struct Rename {
    /// The name so far
    pub old: String,
    /// The new one, which nobody may have yet
    pub new: String,
}

/// `set`
#[derive(Debug, Args)]
pub struct Set {
    /// The user; one who is not enrolled gets a record
    pub user: String,
    /// The second factor: totp, duo, or default (as in the settings)
    #[arg(long, value_name = "FACTOR")]
    pub factor: FactorChoice,
}

/// `new-key`
#[derive(Debug, Args)]
pub struct NewKey {
    /// The file to make, readable by its owner only; one that is there already is left as it is
    pub file: PathBuf,
}

/// `rekey`
#[derive(Debug, Args)]
pub struct Rekey {
    /// The key that the secrets are encrypted with so far, where the settings name a new one
    #[arg(long, value_name = "FILE")]
    pub old_key_file: Option<PathBuf>,
    /// Store the secrets as they are, without encryption
    #[arg(long)]
    pub remove: bool,
    /// Whether to ask before the encryption is taken off.
    #[command(flatten)]
    pub consent: Consent,
}

/// `import`
#[derive(Debug, Args)]
pub struct Import {
    /// The files; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What the files are: google-authenticator, oath, openvpn-otp, pickle, sqlite, uris or migration; guessed from the
    /// content otherwise
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub format: Option<Format>,
    /// Whose secret it is, when the files hold only one; otherwise it is as the file says, and with google-authenticator
    /// the user in whose home directory the file is, or the file's name
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Change nothing, and say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Replace the enrolments of users who are enrolled already
    #[arg(long)]
    pub force: bool,
    /// Of URIs, take only those of this service
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
    /// The table, in an SQLite database
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// The column of users, in an SQLite database
    #[arg(long, value_name = "NAME")]
    pub user_column: Option<String>,
    /// The column of secrets, in an SQLite database
    #[arg(long, value_name = "NAME")]
    pub secret_column: Option<String>,
    /// Digits of a code, where the file does not say
    #[arg(long, value_name = "N", default_value = "6", value_parser = clap::value_parser!(u8).range(6..=8))]
    pub digits: u8,
    /// Seconds for which a code counts, where the file does not say
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub period: u32,
    /// The passphrase of an encrypted export is the first line of this file; it is asked for otherwise
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Whether to ask before enrolments are replaced.
    #[command(flatten)]
    pub consent: Consent,
}

/// `export`
#[derive(Debug, Args)]
pub struct Export {
    /// The users; all without any
    #[arg(value_name = "USER")]
    pub users: Vec<String>,
    /// Print the secrets as they are, not encrypted
    #[arg(long, conflicts_with = "passphrase_file")]
    pub plain: bool,
    /// The passphrase is the first line of this file; it is asked for twice otherwise
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to make, readable by its owner only; one that is there already is left as it is
    pub file: PathBuf,
}

/// `restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    pub file: PathBuf,
    /// Whether to ask first.
    #[command(flatten)]
    pub consent: Consent,
}

/// A user's second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FactorChoice {
    /// Codes of an authenticator app
    Totp,
    /// Duo
    Duo,
    /// As in the settings
    Default,
}

/// `check`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Check {
    /// One thing.
    #[command(subcommand)]
    pub what: Option<CheckOne>,
    /// Everything.
    #[command(flatten)]
    pub all: CheckAll,
}

/// `check`, of everything
#[derive(Debug, Args)]
pub struct CheckAll {
    /// OpenVPN's server configuration; may be given again [default: those in /etc/openvpn/server and /etc/openvpn]
    #[arg(long, value_name = "FILE")]
    pub server_conf: Vec<PathBuf>,
    /// Try also what hooks can do, as OpenVPN's user and in the sandbox of its unit; needs root
    #[arg(long)]
    pub as_openvpn: bool,
}

/// `check`, of one thing
#[derive(Debug, Subcommand)]
pub enum CheckOne {
    /// Reach Duo, and try the keys; with a user, see what Duo says of them
    Duo(CheckDuo),
    /// Log in as a user does, and say at each step what happened
    ///
    /// Asks for password and code on the terminal; where standard input is none, they are its lines. PAM, database and Duo
    /// are the real ones: a right code is used up, a wrong one counts as a failure, and the log has a line with door=shell.
    /// Exit status: 0 when OpenVPN would let the user in, 1 when not
    Login(CheckLogin),
}

/// `check duo`
#[derive(Debug, Args)]
pub struct CheckDuo {
    /// The user to look up; nothing is sent to their telephone
    pub user: Option<String>,
    /// Send the user a push, and wait for the answer
    #[arg(long, requires = "user")]
    pub push: bool,
}

/// `check login`
#[derive(Debug, Args)]
pub struct CheckLogin {
    /// The user
    pub user: String,
    /// The common name of the certificate, where the settings look at it [default: the user]
    #[arg(long, value_name = "NAME")]
    pub common_name: Option<String>,
    /// The server whose settings count [default: the only one in /etc/openvpn/server and /etc/openvpn]
    #[arg(long, value_name = "FILE")]
    pub server_conf: Option<PathBuf>,
}

/// What may stand in OpenVPN's hook lines: options, then the file that OpenVPN appends.
#[derive(Debug, Default, Parser)]
#[command(name = "openvpn-2fa", disable_help_flag = true)]
pub struct HookOptions {
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// The credentials are on standard input: set when the hook starts itself again without the password that `via-env`
    /// puts into the environment.
    #[arg(long, hide = true, conflicts_with = "file")]
    pub stdin: bool,
    /// The file with credentials or answer.
    pub file: Option<PathBuf>,
}
