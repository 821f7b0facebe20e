//! The real services of a decision, with somebody who tells what they say.

use super::Steps;
use super::record::Record;
use crate::auth::{PrimaryCheck, PrimaryDenial, PrimaryPass};
use crate::clock::Stopwatch;
use crate::factor::duo::{
    Api, AuthRequest, DeviceChoice, DuoError, Factor, Preauth, PreauthRequest, Status, Transaction, Verdict,
};
use crate::name::UserName;
use crate::secret::SecretBytes;
use std::cell::RefCell;
use std::net::IpAddr;

/// PAM.
pub(super) struct ObservedPrimary<'a> {
    pub(super) inner: &'a dyn PrimaryCheck,
    pub(super) service: &'a str,
    pub(super) steps: &'a RefCell<Steps>,
    /// Told when the password was right.
    pub(super) record: &'a Record,
}

impl ObservedPrimary<'_> {
    fn tell(&self, result: &Result<PrimaryPass, PrimaryDenial>, watch: Stopwatch) {
        let mut steps = self.steps.borrow_mut();
        let findings = &mut steps.findings;
        findings.about("primary");
        let service = self.service;
        match result {
            Ok(pass) => {
                let group = pass.group.as_ref();
                let group = group.map_or_else(String::new, |group| format!(", member of {}", group.as_str()));
                let took = watch.milliseconds();
                findings.good(format!("PAM ({service}): password right, account valid{group} ({took} ms)"));
                self.record.show(findings);
            }
            Err(denial) => findings.bad(
                format!("PAM ({service}): {}", denial.detail),
                "the password; else /etc/pam.d and what the modules log (facility auth or authpriv)",
            ),
        }
        // A reader who is gone is noticed by whoever shows the next step.
        let _ = steps.flush();
    }
}

impl PrimaryCheck for ObservedPrimary<'_> {
    fn authenticate(
        &self,
        user: &UserName,
        password: &SecretBytes,
        client: Option<IpAddr>,
    ) -> Result<PrimaryPass, PrimaryDenial> {
        let watch = Stopwatch::start();
        let result = self.inner.authenticate(user, password, client);
        self.tell(&result, watch);
        result
    }

    fn account(&self, user: &UserName, client: Option<IpAddr>) -> Result<PrimaryPass, PrimaryDenial> {
        self.inner.account(user, client)
    }
}

/// Duo.
pub(super) struct ObservedDuo<'a> {
    pub(super) inner: &'a dyn Api,
    pub(super) steps: &'a RefCell<Steps>,
    /// What Duo said last of a transaction: it says the same again and again.
    pub(super) last: RefCell<Option<Status>>,
}

impl ObservedDuo<'_> {
    fn good(&self, text: String) {
        let mut steps = self.steps.borrow_mut();
        steps.findings.about("duo");
        steps.findings.good(text);
        let _ = steps.flush();
    }

    fn bad(&self, error: &DuoError) {
        let mut steps = self.steps.borrow_mut();
        steps.findings.about("duo");
        steps.findings.bad(error.to_string(), "openvpn-2fa check duo");
        let _ = steps.flush();
    }
}

impl Api for ObservedDuo<'_> {
    fn preauth(&self, request: &PreauthRequest<'_>) -> Result<Preauth, DuoError> {
        let result = self.inner.preauth(request);
        match &result {
            Ok(Preauth::Auth(choices)) => {
                let devices = super::super::duo::devices(choices);
                self.good(format!("Duo: a second factor is needed; devices: {devices}"));
            }
            Ok(Preauth::Allow { message }) => {
                self.good(format!("Duo: no second factor is needed: {message}"));
            }
            Ok(Preauth::Deny { message }) => self.good(format!("Duo refuses the user: {message}")),
            Ok(Preauth::Enroll { message, .. }) => {
                self.good(format!("Duo does not know the user: {message}"));
            }
            Err(error) => self.bad(error),
        }
        result
    }

    fn auth(&self, request: &AuthRequest<'_>) -> Result<Transaction, DuoError> {
        let what = match &request.factor {
            Factor::Auto => "Duo's default factor".to_owned(),
            Factor::Push(device) => format!("push{}", of(device)),
            Factor::Phone(device) => format!("a call{}", of(device)),
            Factor::Sms(device) => format!("passcodes by text message{}", of(device)),
            Factor::Passcode(_) => "the passcode, to be checked".to_owned(),
            Factor::Prompt(prompt) => format!("the choice {prompt}"),
        };
        let result = self.inner.auth(request);
        match &result {
            Ok(_) => self.good(format!("Duo was sent: {what}")),
            Err(error) => self.bad(error),
        }
        result
    }

    fn auth_status(&self, transaction: &Transaction) -> Result<Status, DuoError> {
        let result = self.inner.auth_status(transaction);
        match &result {
            Ok(status) if self.last.borrow().as_ref() == Some(status) => {}
            Ok(status) => {
                let verdict = match status.verdict {
                    Verdict::Waiting => "waits",
                    Verdict::Allow => "allows",
                    Verdict::Deny => "does not allow",
                };
                self.good(format!("Duo {verdict}: {}", status.message));
                *self.last.borrow_mut() = Some(status.clone());
            }
            Err(error) => self.bad(error),
        }
        result
    }

    fn time_is_over(&self) -> bool {
        self.inner.time_is_over()
    }
}

fn of(device: &DeviceChoice<'_>) -> &'static str {
    match device {
        DeviceChoice::Auto => ", to the device that Duo chooses",
        DeviceChoice::Id(_) => ", to the device chosen",
    }
}
