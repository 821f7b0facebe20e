//! The environment that OpenVPN gives a hook.

use super::{ClientSoftware, ControlFiles};
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::PathBuf;

/// Why OpenVPN started this program (`script_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptType {
    /// `auth-user-pass-verify`
    UserPassVerify,
    /// `client-crresponse`
    ClientCrResponse,
}

/// What OpenVPN found out about the session token in the password field (`session_state`, with `auth-gen-token`;
/// `add_session_token_env` in `auth_token.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// There is no token: a first login. Also when the server makes no tokens.
    Initial,
    /// The token is genuine and still valid.
    Authenticated,
    /// Anything else: expired, forged, or valid only for an empty name.
    Refused,
}

/// A snapshot of the environment.
///
/// `IV_*` and `UV_*` are what the client says of itself; everything else was written by OpenVPN or its administrator.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    /// An environment made of `variables`, for tests and for other doors.
    #[must_use]
    pub fn from_variables(variables: Vec<(OsString, OsString)>) -> Self {
        Self { variables }
    }

    /// All variables, for the settings among them.
    #[must_use]
    pub fn variables(&self) -> &[(OsString, OsString)] {
        &self.variables
    }

    /// Which hook this is; `None` for an administrator's call.
    ///
    /// # Errors
    /// The script type, when it is none of the two that this program serves.
    pub fn script_type(&self) -> Result<Option<ScriptType>, String> {
        match self.raw("script_type").map(OsStr::to_string_lossy).as_deref() {
            None => Ok(None),
            Some("user-pass-verify") => Ok(Some(ScriptType::UserPassVerify)),
            Some("client-crresponse") => Ok(Some(ScriptType::ClientCrResponse)),
            Some(other) => Err(other.to_owned()),
        }
    }

    /// The user's name, as OpenVPN took it from the client; not yet checked.
    #[must_use]
    pub fn username(&self) -> Option<&OsStr> {
        self.raw("username")
    }

    /// The password, with `via-env` only.
    #[must_use]
    pub fn password(&self) -> Option<&OsStr> {
        self.raw("password")
    }

    /// The common name of the client's certificate, where there is one.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.text("common_name").filter(|name| !name.is_empty())
    }

    /// The SHA-256 fingerprint of the client's certificate (`tls_digest_sha256_0`).
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.text("tls_digest_sha256_0").filter(|digest| !digest.is_empty())
    }

    /// The client's address: `untrusted_ip` or `untrusted_ip6`, and `trusted_*` where only that is known.
    #[must_use]
    pub fn client_address(&self) -> Option<IpAddr> {
        ["untrusted_ip", "untrusted_ip6", "trusted_ip", "trusted_ip6"]
            .iter()
            .find_map(|name| self.text(name)?.parse().ok())
    }

    /// What the client's software can do.
    #[must_use]
    pub fn client_software(&self) -> ClientSoftware {
        let text = |name| self.text(name).unwrap_or_default();
        ClientSoftware::recognise(text("IV_SSO"), text("IV_GUI_VER"), text("IV_PROTO"))
    }

    /// What the client calls itself, for the log.
    #[must_use]
    pub fn client_version(&self) -> Option<&str> {
        self.text("IV_GUI_VER").or_else(|| self.text("IV_VER"))
    }

    /// What OpenVPN says of the session token.
    #[must_use]
    pub fn session_state(&self) -> SessionState {
        match self.raw("session_state").map(OsStr::to_string_lossy).as_deref() {
            None | Some("Initial") => SessionState::Initial,
            Some("Authenticated") => SessionState::Authenticated,
            Some(_) => SessionState::Refused,
        }
    }

    /// The files that carry a deferred verdict; `None` where OpenVPN named none of them.
    #[must_use]
    pub fn control_files(&self) -> Option<ControlFiles> {
        let path = |name| self.raw(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Some(ControlFiles {
            verdict: path("auth_control_file")?,
            pending: path("auth_pending_file"),
            reason: path("auth_failed_reason_file"),
        })
    }

    fn raw(&self, name: &str) -> Option<&OsStr> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.raw(name)?.to_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_variables(pairs.iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    #[test]
    fn only_the_two_hooks_of_the_contract_are_served() {
        assert_eq!(environment(&[]).script_type(), Ok(None));
        let verify = environment(&[("script_type", "user-pass-verify")]);
        assert_eq!(verify.script_type(), Ok(Some(ScriptType::UserPassVerify)));
        let response = environment(&[("script_type", "client-crresponse")]);
        assert_eq!(response.script_type(), Ok(Some(ScriptType::ClientCrResponse)));
        assert!(environment(&[("script_type", "client-connect")]).script_type().is_err());
    }

    #[test]
    fn a_token_counts_as_genuine_in_one_state_only() {
        for (state, expected) in [
            ("Initial", SessionState::Initial),
            ("Authenticated", SessionState::Authenticated),
            ("Expired", SessionState::Refused),
            ("Invalid", SessionState::Refused),
            ("AuthenticatedEmptyUser", SessionState::Refused),
            ("ExpiredEmptyUser", SessionState::Refused),
            ("", SessionState::Refused),
            ("something new", SessionState::Refused),
        ] {
            assert_eq!(environment(&[("session_state", state)]).session_state(), expected, "{state}");
        }
        assert_eq!(environment(&[]).session_state(), SessionState::Initial);
    }

    #[test]
    fn the_address_is_taken_from_either_family() {
        let v4 = environment(&[("untrusted_ip", "192.0.2.1")]);
        assert_eq!(v4.client_address(), "192.0.2.1".parse().ok());
        let v6 = environment(&[("untrusted_ip6", "2001:db8::1")]);
        assert_eq!(v6.client_address(), "2001:db8::1".parse().ok());
        assert_eq!(environment(&[("untrusted_ip", "not an address")]).client_address(), None);
    }
}
