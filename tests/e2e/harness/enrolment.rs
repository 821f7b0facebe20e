//! The product's command line, and codes from an implementation that is not ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use super::sandbox;

/// The product's executable: cargo's, unless `OPENVPN_2FA_BIN` names another one (an installed one, a stub).
pub(crate) fn executable() -> PathBuf {
    std::env::var_os("OPENVPN_2FA_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_openvpn-2fa")), PathBuf::from)
}

/// A copy of it that users other than root can start: the checkout may be in a home directory.
pub(crate) fn executable_for_everybody() -> PathBuf {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    let copy = COPY.get_or_init(|| {
        let copy = sandbox::root().join("openvpn-2fa");
        // Not by this process: a hook that another test starts meanwhile would have the copy open for writing.
        sandbox::run(
            "install",
            ["-m", "755", &executable().display().to_string(), &copy.display().to_string()],
        );
        copy
    });
    copy.clone()
}

/// Runs an administrator's command, with nothing in the environment but `PATH` and `variables`.
pub(crate) fn product(variables: &[(&str, &str)], args: &[&str]) -> Output {
    Command::new(executable())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(variables.iter().copied())
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A user's TOTP secret, as `enroll` printed it.
#[derive(Clone, Debug)]
pub(crate) struct Enrolment {
    pub(crate) secret: String,
    pub(crate) uri: String,
}

impl Enrolment {
    /// Enrols `user` in `database`; `options` stand before the command.
    ///
    /// # Panics
    /// When standard output is not exactly the three lines of the contract.
    pub(crate) fn new(database: &Path, user: &str, variables: &[(&str, &str)], options: &[&str]) -> Self {
        let database = database.display().to_string();
        let mut args = vec!["--db", &database];
        args.extend(options);
        args.extend(["enroll", user]);
        let output = product(variables, &args);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "enroll {user:?}: {}: {stderr}", output.status);
        let lines: Vec<&str> = stdout.lines().collect();
        let [name, secret, uri] = lines[..] else { panic!("not three lines: {stdout:?}, {stderr}") };
        assert_eq!(name, user, "the first line is the user");
        assert!(uri.starts_with("otpauth://totp/"), "the third line is the URI: {uri}");
        assert!(uri.contains(secret), "the URI carries the secret");
        Self { secret: secret.into(), uri: uri.into() }
    }

    /// The code of the current step.
    pub(crate) fn code(&self) -> String {
        self.code_in(0)
    }

    /// The code of the next step, which a window of one step accepts already.
    pub(crate) fn next_code(&self) -> String {
        self.code_in(1)
    }

    /// A code that no step near now has.
    pub(crate) fn wrong_code(&self) -> String {
        self.wrong_codes(1).remove(0)
    }

    /// Different codes that no step near now has.
    pub(crate) fn wrong_codes(&self, count: usize) -> Vec<String> {
        let right: Vec<String> = (-3..=4).map(|steps| self.code_in(steps)).collect();
        (0..)
            .map(|n: u32| format!("{:06}", 271_828 + 7919 * n))
            .filter(|c| !right.contains(c))
            .take(count)
            .collect()
    }

    /// The code of a step before (negative) or after now.
    pub(crate) fn code_in(&self, steps: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = i64::try_from(now).unwrap() + 30 * steps;
        sandbox::run("oathtool", ["--totp", "--base32", "--now", &format!("@{at}"), &self.secret])
            .trim()
            .into()
    }
}
