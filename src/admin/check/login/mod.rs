//! `check login`: a login from the shell, through the same decision as any other, with a word about each step.

mod code;
mod observed;
mod record;

use super::finding::{Finding, Findings};
use super::server::Hook;
use super::server_conf::ServerConf;
use super::{CONF_DIRECTORIES, NOBODY, configurations, load, settings_of};
use crate::admin::terminal::{self, Colours};
use crate::admin::terminal::{Answers, Echo};
use crate::auth::{
    Attempt, Carrier, Decision, Outcome, Peer, Question, QuestionForm, Reason, Services, Submission,
};
use crate::cli::{CheckLogin, Global};
use crate::clock::Deadline;
use crate::config::{Factor, Identity, Primary, Settings};
use crate::door::{Report, Visitor, with_services};
use crate::openvpn::Environment;
use crate::printable;
use crate::process;
use crate::secret::{ExposeSecret, SecretBytes, secret};
use crate::store::Database;
use anyhow::Context;
use observed::{ObservedDuo, ObservedPrimary};
use record::Record;
use serde_json::json;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

/// How long PAM, or Duo after an answer, may take: as long as behind a login of OpenVPN's that waits.
const PATIENCE: Duration = Duration::from_secs(50);

/// What the log calls this way in.
const DOOR: &str = "shell";

/// Logs a user in. Returns whether OpenVPN would have let them in.
pub(in crate::admin) fn run(
    arguments: &CheckLogin,
    global: &Global,
    environment: &Environment,
) -> anyhow::Result<bool> {
    process::protect_memory();
    let steps = RefCell::new(Steps::new(global.json));
    let Some(settings) = find_settings(arguments, global, environment, &mut steps.borrow_mut())? else {
        steps.borrow_mut().end(None)?;
        return Ok(false);
    };
    let mut answers = Answers::of_process()?;
    writeln!(
        io::stderr(),
        "This is a login: a right code is used up by it, a wrong one counts as a failure, and the log has a line with door={DOOR}."
    )?;
    let common_name = common_name(arguments, &settings);
    let visitor = Visitor { door: Some(DOOR), common_name: common_name.as_deref(), ..Visitor::default() };
    let mut report = Report::begin("login", &arguments.user, visitor);
    report.set_factor(settings.auth.factor);
    let peer = Peer { common_name: common_name.clone(), ..Peer::default() };
    let attempt =
        match Attempt::identify(&settings.auth, arguments.user.as_bytes(), peer, QuestionForm::Reconnect) {
            Ok(attempt) => attempt,
            Err(error) => {
                let outcome = Outcome::refused(Reason::Identity(error.to_string()));
                return conclude(&outcome, &report, &steps);
            }
        };
    report.set_username(attempt.user.as_str());
    named(arguments, &attempt, &mut steps.borrow_mut());
    steps.borrow_mut().flush()?;
    let login = Login { settings: &settings, attempt: &attempt, report: &report, steps: &steps };
    let outcome = login.run(&mut answers)?;
    conclude(&outcome, &report, &steps)
}

/// The settings that the hooks of the server have that is named; or of the only one that there is; or those of the shell.
fn find_settings(
    arguments: &CheckLogin,
    global: &Global,
    environment: &Environment,
    steps: &mut Steps,
) -> anyhow::Result<Option<Settings>> {
    let named = arguments.server_conf.iter().cloned().collect::<Vec<_>>();
    let findings = &mut steps.findings;
    findings.about("settings");
    let conf =
        if named.is_empty() { only_server() } else { configurations(&named, findings).into_iter().next() };
    if conf.is_none() && !named.is_empty() {
        return Ok(None);
    }
    let (settings, whose) = match &conf {
        Some(conf) => (
            settings_of(conf, global, findings),
            format!("as the hooks of {} have them", conf.path.display()),
        ),
        None => (
            load(global.config.clone(), global, environment.variables().to_vec()),
            "as this shell has them (hooks: --server-conf FILE)".to_owned(),
        ),
    };
    match settings {
        Ok(mut settings) => {
            // The key of a new token is for the user's eyes.
            settings.totp.self_enroll = false;
            findings.good(format!("the settings, {whose}"));
            steps.flush()?;
            Ok(Some(settings))
        }
        Err(error) => {
            findings.bad(error.to_string(), NOBODY);
            Ok(None)
        }
    }
}

/// The one server of this machine whose logins come to this program.
fn only_server() -> Option<ServerConf> {
    let mut confs = configurations(&[], &mut Findings::default());
    confs.retain(|conf| Hook::of_logins(conf).is_some());
    let alone =
        confs.len() == 1 && CONF_DIRECTORIES.iter().any(|directory| confs[0].path.starts_with(directory));
    if alone { confs.pop() } else { None }
}

/// The certificate's common name, where the settings ask for one.
fn common_name(arguments: &CheckLogin, settings: &Settings) -> Option<String> {
    let auth = &settings.auth;
    let needed =
        auth.primary == Primary::None || auth.identity == Identity::CommonName || auth.match_common_name;
    arguments.common_name.clone().or_else(|| needed.then(|| arguments.user.clone()))
}

fn named(arguments: &CheckLogin, attempt: &Attempt, steps: &mut Steps) {
    let findings = &mut steps.findings;
    findings.about("name");
    if let Some(refusal) = attempt.refusal {
        findings.bad(
            format!("nobody of this name is let in: {refusal}"),
            "another name, or [auth] username_pattern",
        );
    }
    let mut text = format!("the name is {}", attempt.user);
    if attempt.user.as_str() != arguments.user {
        let _ = write!(text, " ({} as it was typed)", arguments.user);
    }
    if attempt.identity != attempt.user {
        let _ = write!(text, "; the second factor is that of {}, by the certificate", attempt.identity);
    } else if attempt.peer.common_name.is_some() && arguments.common_name.is_none() {
        text += "; the certificate is taken to be of the same name (--common-name NAME for another)";
    }
    findings.good(text);
}

/// A login that is under way.
struct Login<'a> {
    settings: &'a Settings,
    attempt: &'a Attempt,
    report: &'a Report<'a>,
    steps: &'a RefCell<Steps>,
}

impl Login<'_> {
    fn run(&self, answers: &mut Answers) -> anyhow::Result<Outcome> {
        if self.settings.first_login_makes_database() {
            // As the front of a hook does. What goes wrong is met again.
            let _ = Database::open_or_create(self.settings);
        }
        let record = Record::look_up(self.settings, self.attempt);
        let password = match self.settings.auth.primary {
            Primary::Pam => answers.ask("Password: ", Echo::Hidden)?,
            Primary::None => secret(b""),
        };
        let mut response = match record.factor(self.settings) {
            Factor::Totp => Self::ask(answers, self.settings.totp.challenge_text.as_str())?,
            // Duo says what there is to choose from.
            Factor::Duo => secret(b""),
        };
        if self.settings.auth.primary == Primary::None {
            self.steps.borrow_mut().findings.about("primary");
            self.steps.borrow_mut().findings.good("the certificate is the first proof; PAM is not asked");
            self.show(&record)?;
        }
        let first = Submission::Both { password, response: secret(response.expose_secret()) };
        let mut outcome = self.decide(&first, &record);
        loop {
            if record.factor(self.settings) == Factor::Totp {
                code::explain(
                    &record,
                    &response,
                    &outcome,
                    self.settings,
                    &mut self.steps.borrow_mut().findings,
                );
            }
            self.steps.borrow_mut().flush()?;
            let Outcome::Ask(Question { text, carrier: Carrier::Reconnect { state }, reason, .. }) = &outcome
            else {
                return Ok(outcome);
            };
            self.report.outcome(&outcome);
            let text = text.expose_secret();
            self.steps.borrow_mut().asked(text, reason)?;
            response = Self::ask(answers, text)?;
            let answer =
                Submission::Answer { state: state.clone(), response: secret(response.expose_secret()) };
            outcome = self.decide(&answer, &record);
        }
    }

    fn ask(answers: &mut Answers, question: &str) -> anyhow::Result<SecretBytes> {
        let question = printable::text(question);
        let prompt = if question.ends_with(':') { format!("{question} ") } else { format!("{question}: ") };
        answers.ask(&prompt, Echo::Shown).context("the login is not at its end")
    }

    /// Has the real decision decide, with the real PAM, database and Duo, looked at from outside.
    fn decide(&self, submission: &Submission, record: &Record) -> Outcome {
        with_services(self.settings, Deadline::after(PATIENCE), |services| {
            let Services { settings, primary, store, clock, random, duo } = services;
            let service = settings.pam.service.as_str();
            let primary = ObservedPrimary { inner: primary, service, steps: self.steps, record };
            let duo = ObservedDuo { inner: duo, steps: self.steps, last: RefCell::default() };
            let observed = Services { settings, primary: &primary, store, clock, random, duo: &duo };
            Decision::new(observed).login(self.attempt, submission, None)
        })
    }

    fn show(&self, record: &Record) -> anyhow::Result<()> {
        let mut steps = self.steps.borrow_mut();
        record.show(&mut steps.findings);
        steps.flush()
    }
}

/// The end: the line in the log, and what it comes to.
fn conclude(outcome: &Outcome, report: &Report<'_>, steps: &RefCell<Steps>) -> anyhow::Result<bool> {
    report.outcome(outcome);
    let mut steps = steps.borrow_mut();
    steps.findings.about("verdict");
    let reference = report.reference().unwrap_or_default();
    let logged = |reason: &Reason| {
        let detail = reason.detail().map_or_else(String::new, |detail| format!(", {detail}"));
        format!("reason={reason}{detail}, ref={reference}")
    };
    let (accepted, reason, told) = match outcome {
        Outcome::Accept(acceptance) => {
            let text = format!(
                "let in (second factor: {}); in the log: {}",
                acceptance.factor(),
                logged(acceptance.reason())
            );
            steps.findings.good(text);
            (true, acceptance.reason(), None)
        }
        Outcome::Reject(rejection) => {
            let told = report.text(&rejection.told);
            let mut text =
                format!("refused; the user reads {told:?}; in the log: {}", logged(&rejection.reason));
            if !rejection.hold.is_zero() {
                let _ = write!(
                    text,
                    "; held back for {:.1} s, so that it does not tell why",
                    rejection.hold.as_secs_f64()
                );
            }
            steps.findings.bad(text, remedy(&rejection.reason));
            (false, &rejection.reason, Some(told))
        }
        Outcome::Ask(question) => (false, &question.reason, None),
    };
    let verdict = json!({
        "accepted": accepted,
        "reason": reason.word(),
        "detail": reason.detail(),
        "told": told,
        "reference": reference,
    });
    steps.end(Some(verdict))?;
    Ok(accepted)
}

/// What to do about a refusal.
fn remedy(reason: &Reason) -> &'static str {
    match reason {
        Reason::PrimaryDenied(_) => {
            "a wrong password, or see what PAM said above; its modules log to the journal (facility auth)"
        }
        Reason::EmptyPassword => "type the password",
        Reason::NotEnrolled(_) => {
            "openvpn-2fa enroll USER; with [totp] self_enroll a VPN client would be offered a token"
        }
        Reason::Disabled => "openvpn-2fa enable USER",
        Reason::Locked => "wait, or openvpn-2fa unlock USER",
        Reason::WrongCode | Reason::MalformedCode | Reason::CodeAlreadyUsed => {
            "the next code of the app; see above for what this one was"
        }
        Reason::Identity(_) => "[auth] identity, username_pattern, match_common_name; --common-name NAME",
        Reason::DuoUnavailable(_) => "openvpn-2fa check duo",
        Reason::DuoDenied(_) | Reason::DuoUnknownUser(_) | Reason::DuoFraud(_) => {
            "what Duo says; openvpn-2fa check duo USER, and Duo's Admin Panel"
        }
        Reason::DuoNoAnswer | Reason::DuoPushOpen => "answer the telephone, or wait a minute",
        Reason::DuoPasscodesSent => "again, with one of the passcodes",
        Reason::ChallengeExpired => "again, faster; [totp] challenge_timeout",
        Reason::Internal(_) => "openvpn-2fa check",
        _ => "openvpn-2fa check; README, \"When it does not work\", explains the reason",
    }
}

/// What was said so far: shown step by step to people, at the end to programs.
struct Steps {
    findings: Findings,
    shown: usize,
    json: bool,
    colours: Colours,
}

impl Steps {
    fn new(json: bool) -> Self {
        Self { findings: Findings::default(), shown: 0, json, colours: terminal::colours(&std::io::stdout()) }
    }

    /// Shows what is new.
    fn flush(&mut self) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        let text: String =
            self.findings.all[self.shown..].iter().map(|step: &Finding| step.show(self.colours)).collect();
        self.shown = self.findings.all.len();
        crate::admin::print(&text)
    }

    fn asked(&mut self, text: &str, reason: &Reason) -> anyhow::Result<()> {
        self.findings.about("question");
        self.findings.good(format!("the user is asked {text:?} (reason={reason})"));
        self.flush()
    }

    fn end(&mut self, verdict: Option<serde_json::Value>) -> anyhow::Result<()> {
        self.flush()?;
        if !self.json {
            return Ok(());
        }
        let mut value = self.findings.json();
        if let Some(verdict) = verdict {
            value["verdict"] = verdict;
        }
        crate::admin::print_json(&value)
    }
}
