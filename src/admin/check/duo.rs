//! Duo: whether it can be reached, and `check duo [USER]`.

use super::finding::Findings;
use crate::cli::CheckDuo;
use crate::clock::{Clock, Deadline, SystemClock};
use crate::config::{CaFile, DuoPrompt, Line, Settings};
use crate::factor::duo::menu::{Menu, Style};
use crate::factor::duo::{
    Api, AuthRequest, Choices, Client, DeviceChoice, DuoError, Factor, Preauth, PreauthRequest, Status,
    Verdict,
};
use crate::name::UserName;
use crate::printable;
use anyhow::Context;
use serde_json::{Value, json};
use std::time::Duration;

/// How long Duo may take among other checks, in seconds.
const QUICK: u64 = 15;

/// Duo refuses dates that are further off, in seconds.
const MAX_CLOCK_DIFFERENCE: u64 = 300;

pub(in crate::admin) fn run(arguments: &CheckDuo, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let name = |user| crate::admin::new_user_name(user, settings);
    let user = arguments.user.as_deref().map(name).transpose()?;
    let duo = &settings.duo;
    let mut report = Report { json, value: json!({}) };
    let host = duo.host.as_ref().map_or("not set", |host| host.as_str());
    report.line("host", &format!("{host}, port {}", duo.port.get()))?;
    report.line("trusted roots", &roots(duo.ca_file.as_ref()))?;
    report.line("proxy", duo.http_proxy.as_ref().map_or("none", |proxy| proxy.as_str()))?;
    report.line("when Duo cannot be reached", failmode(settings))?;

    let client = Client::new(duo, Deadline::after(Duration::from_secs(duo.timeout.get())))?;
    let theirs = client.ping().context("Duo was not reached")?;
    let ours = SystemClock.now();
    report.line("reached", "yes")?;
    report.line("clock", &clock(theirs, ours))?;
    client.check().context("Duo was reached, and does not accept the keys")?;
    report.line("keys", "accepted")?;
    if let Some(user) = &user {
        look_up(&client, user, settings, &mut report)?;
        if arguments.push {
            push(&client, user, &mut report)?;
        }
    }
    report.end()
}

/// Whether Duo can be reached and takes the keys. Looks nobody up.
pub(super) fn find(settings: &Settings, findings: &mut Findings) {
    let again = "openvpn-2fa check duo says more";
    let deadline = Deadline::after(Duration::from_secs(settings.duo.timeout.get().min(QUICK)));
    let tried = Client::new(&settings.duo, deadline).and_then(|client| {
        let theirs = client.ping()?;
        client.check()?;
        Ok(clock(theirs, SystemClock.now()))
    });
    match tried {
        Ok(clock) if clock == "right" => findings.good("Duo is reached and takes the keys"),
        Ok(clock) => findings.doubtful(format!("Duo takes the keys; this machine's clock is {clock}"), again),
        Err(error) => findings.bad(error.to_string(), again),
    }
}

/// Lines for people as they come, or one value for programs.
struct Report {
    json: bool,
    value: Value,
}

impl Report {
    fn line(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        if self.json {
            self.value[name.replace(' ', "_")] = text.into();
            return Ok(());
        }
        crate::admin::print(&format!("{name}: {}\n", printable::text(text)))
    }

    fn end(self) -> anyhow::Result<()> {
        if self.json { crate::admin::print_json(&self.value) } else { Ok(()) }
    }
}

fn roots(file: Option<&CaFile>) -> String {
    match file {
        None => "those that Duo uses, built in".to_owned(),
        Some(CaFile::System) => "those of this machine".to_owned(),
        Some(CaFile::File(path)) => path.display().to_string(),
    }
}

fn failmode(settings: &Settings) -> &'static str {
    match settings.duo.failmode {
        crate::config::Failmode::Secure => "nobody gets in (failmode secure)",
        crate::config::Failmode::Safe => "whoever has the right password gets in (failmode safe)",
    }
}

fn clock(theirs: u64, ours: u64) -> String {
    let difference = theirs.abs_diff(ours);
    let side = if theirs >= ours { "behind" } else { "ahead of" };
    match difference {
        0..=2 => "right".to_owned(),
        3..=MAX_CLOCK_DIFFERENCE => format!("{difference} s {side} Duo's"),
        _ => format!("{difference} s {side} Duo's, which takes no more than 300 s: set this machine's clock"),
    }
}

/// What Duo says of a user. Nothing is sent to a telephone.
fn look_up(client: &Client, user: &UserName, settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    let request = PreauthRequest { user, address: None, verified_push: settings.duo.verified_push };
    let answer = client.preauth(&request).with_context(|| format!("{user} could not be looked up"))?;
    report.line("user", user.as_str())?;
    match answer {
        Preauth::Allow { message } => report.line("login", &format!("without a second factor: {message}")),
        Preauth::Deny { message } => report.line("login", &format!("refused by Duo: {message}")),
        Preauth::Enroll { message, portal } => {
            let portal = portal.unwrap_or_default();
            report.line("login", &format!("refused, the user has to enrol first: {message} {portal}"))
        }
        Preauth::Auth(choices) => {
            report.line("login", "with a second factor")?;
            report.line("devices", &devices(&choices))?;
            let style = if settings.duo.prompt == DuoPrompt::Full { Style::Full } else { Style::Short };
            let question = match settings.duo.prompt {
                DuoPrompt::Generic => settings.duo.prompt_text.as_str().to_owned(),
                DuoPrompt::Full | DuoPrompt::Short => {
                    Menu::new(choices).question(style, user.as_str(), Line::MAX_BYTES)
                }
            };
            if settings.duo.autopush {
                return report.line("question", "none (autopush)");
            }
            report.line("question", &question)
        }
    }
}

/// The devices of a user, in one line.
pub(super) fn devices(choices: &Choices) -> String {
    let described = choices.devices.iter().map(|device| {
        let words: Vec<&str> = device.capabilities.iter().map(|one| one.word()).collect();
        let able = if words.is_empty() { "passcodes only".to_owned() } else { words.join(", ") };
        format!("{} ({able})", device.label)
    });
    let text = described.collect::<Vec<_>>().join("; ");
    if text.is_empty() { "none".to_owned() } else { text }
}

fn push(client: &Client, user: &UserName, report: &mut Report) -> anyhow::Result<()> {
    let factor = Factor::Push(DeviceChoice::Auto);
    let sent = client.auth(&AuthRequest { user, address: None, factor, transaction: None });
    let transaction = sent.context("the push was not sent")?;
    report.line("push", "sent, waiting for the answer")?;
    loop {
        let Status { verdict, message, .. } =
            client.auth_status(&transaction).context("the answer to the push was lost")?;
        match verdict {
            Verdict::Allow => return report.line("answer", &format!("approved: {message}")),
            Verdict::Deny => anyhow::bail!("the push was not approved: {}", printable::text(&message)),
            Verdict::Waiting if client.time_is_over() => {
                return Err(DuoError::Refused("nobody answered the push in time".to_owned()).into());
            }
            Verdict::Waiting => SystemClock.pause(Duration::from_secs(1)),
        }
    }
}
