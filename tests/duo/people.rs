//! Who is known to Duo, with which devices, and what they do when the phone rings.

use super::request::Parameters;
use serde_json::{Value, json};
use std::time::Duration;

/// Everything that a phone with Duo's app can do.
pub(crate) const SMARTPHONE: [&str; 5] = ["auto", "push", "sms", "phone", "mobile_otp"];

/// Somebody with a second factor. What is not said is not there: no devices, no passcodes.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(super) name: String,
    pub(super) policy: Policy,
    pub(super) devices: Vec<Device>,
    pub(super) phone: Phone,
    pub(super) passcodes: Vec<String>,
    pub(super) by_sms: Vec<String>,
    pub(super) verification_code: Option<String>,
    pub(super) prompted: bool,
}

/// What the look-up says of somebody.
#[derive(Clone, Debug)]
pub(crate) enum Policy {
    /// A factor is needed.
    Auth,
    /// None is needed.
    Allow,
    /// No login, with this text.
    Deny(String),
    /// Enrolment, at this address.
    Enroll(String),
    /// Known, and a factor is needed, but every one is refused.
    LockedOut,
}

/// What becomes of a push, or of a call once it was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phone {
    ApprovesAfter(Duration),
    DeniesAfter(Duration),
    ReportsFraudAfter(Duration),
    /// Nobody reacts; Duo gives up after this time.
    TimesOutAfter(Duration),
    /// The push cannot be delivered.
    Unreachable,
    /// Waits for `Lookalike::approve` and the like; Duo gives up after a minute.
    WhenTold,
}

#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) number: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) capabilities: Vec<String>,
}

impl Device {
    /// A phone with everything.
    pub(crate) fn phone(id: &str, number: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: "phone".to_owned(),
            name: String::new(),
            number: Some(number.to_owned()),
            display_name: Some(format!("iOS ({number})")),
            capabilities: SMARTPHONE.map(str::to_owned).to_vec(),
        }
    }

    /// A hardware token: it has no capabilities and no number.
    pub(crate) fn token(id: &str, serial: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: "token".to_owned(),
            name: serial.to_owned(),
            number: None,
            display_name: None,
            capabilities: Vec::new(),
        }
    }

    /// Only these capabilities, whatever they are called.
    pub(crate) fn can(mut self, capabilities: &[&str]) -> Self {
        self.capabilities = capabilities.iter().map(|&capability| capability.to_owned()).collect();
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub(crate) fn displayed(mut self, display_name: &str) -> Self {
        self.display_name = Some(display_name.to_owned());
        self
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    fn json(&self) -> Value {
        let mut json = json!({ "device": self.id, "type": self.kind, "name": self.name });
        if let Some(number) = &self.number {
            json["number"] = number.as_str().into();
        }
        if let Some(display_name) = &self.display_name {
            json["display_name"] = display_name.as_str().into();
        }
        if self.kind != "token" {
            json["capabilities"] = self.capabilities.clone().into();
        }
        if self.has("sms") {
            json["sms_nextcode"] = "1".into();
        }
        json
    }
}

impl User {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            policy: Policy::Auth,
            devices: Vec::new(),
            phone: Phone::WhenTold,
            passcodes: Vec::new(),
            by_sms: Vec::new(),
            verification_code: None,
            prompted: false,
        }
    }

    /// With one phone that can do everything.
    pub(crate) fn with_phone(name: &str) -> Self {
        Self::new(name).device(Device::phone("DPFZRS9FB0D46QFTM891", "XXX-XXX-0100"))
    }

    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    pub(crate) fn device(mut self, device: Device) -> Self {
        self.devices.push(device);
        self
    }

    pub(crate) fn phone(mut self, phone: Phone) -> Self {
        self.phone = phone;
        self
    }

    /// A passcode that is right once.
    pub(crate) fn passcode(mut self, code: &str) -> Self {
        self.passcodes.push(code.to_owned());
        self
    }

    /// A passcode that is right once, after it was sent by text message.
    pub(crate) fn sms_passcode(mut self, code: &str) -> Self {
        self.by_sms.push(code.to_owned());
        self
    }

    /// Pushes show this code where the client can show it.
    pub(crate) fn verified_push(mut self, code: &str) -> Self {
        self.verification_code = Some(code.to_owned());
        self
    }

    /// Duo's own prompt is sent to clients that ask for it.
    pub(crate) fn prompted(mut self) -> Self {
        self.prompted = true;
        self
    }

    /// The answer to a look-up, but for its transaction.
    pub(super) fn looked_up(&self, parameters: &Parameters) -> Value {
        let result = |result: &str, message: &str| json!({ "result": result, "status_msg": message });
        match &self.policy {
            Policy::Allow => result("allow", "No second factor is needed."),
            Policy::Deny(message) => result("deny", message),
            Policy::LockedOut => result("deny", "The account is locked out."),
            Policy::Enroll(portal) => {
                let mut json = result("enroll", "Enrol to go on.");
                json["enroll_portal_url"] = portal.as_str().into();
                json
            }
            Policy::Auth => {
                let mut json = result("auth", "Account is active");
                json["devices"] = self.devices.iter().map(Device::json).collect();
                if self.prompted && parameters.get("text_prompt").is_some_and(|value| value == "1") {
                    json["prompt"] = self.prompt();
                }
                json
            }
        }
    }

    /// What can be chosen by Duo's own prompt: its line, and the word that is sent for it.
    pub(super) fn choices(&self) -> Vec<(String, String)> {
        let mut choices = Vec::new();
        for (number, device) in (1..).zip(self.devices.iter().filter(|device| device.number.is_some())) {
            let label = device.number.as_deref().unwrap_or_default();
            for (capability, line, word) in [
                ("push", "Push to", "push"),
                ("phone", "Call", "voice"),
                ("sms", "Text passcodes to", "smsrefresh"),
            ] {
                if device.has(capability) {
                    choices.push((format!("{line} {label}"), format!("{word}{number}")));
                }
            }
        }
        choices
    }

    fn prompt(&self) -> Value {
        let choices = self.choices();
        let mut text = format!("Duo login for {}\n\n", self.name);
        let mut factors = serde_json::Map::new();
        for (number, (line, word)) in (1..).zip(&choices) {
            text.extend([" ", &number.to_string(), ". ", line, "\n"]);
            factors.insert(number.to_string(), word.as_str().into());
        }
        if let Some((_, first)) = choices.first() {
            factors.insert("default".to_owned(), first.as_str().into());
        }
        text.extend(["\nPasscode or option (1-", &choices.len().to_string(), "): "]);
        json!({ "text": text, "factors": factors })
    }

    /// The device that `device` means for a factor.
    pub(super) fn device_for(&self, device: &str, capability: &str) -> Option<&Device> {
        let able = |known: &&Device| known.has(capability);
        if device == "auto" {
            return self.devices.iter().find(able);
        }
        self.devices.iter().find(|known| known.id == device).filter(able)
    }
}
