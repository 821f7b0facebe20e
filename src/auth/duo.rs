//! The flows of a login whose second factor is Duo.
//!
//! No transaction is open while Duo is asked. So a failure is counted before Duo hears of a factor, and taken back when
//! it was none: however many guesses come at once, Duo sees no more of them than `[lockout] max_failures`. For the client's
//! address that goes for what is typed; what waits for a person is counted for it when it has failed, because an office
//! whose people all look at their telephones at nine o'clock has done nothing wrong yet.

use super::decision::{Decision, Stop, Wording, can_follow_up, stop};
use super::limits::Limits;
use super::proof::{DuoCheck, FactorProof, LookUp, PrimaryProof, accept};
use super::{Asked, Attempt, ChallengeKey, Outcome, QuestionForm, Reason, Rejection, Told, User, UserState};
use crate::config::{DuoPrompt, Primary};
use crate::factor::duo::menu::{Choice, Menu, Style, one_line};
use crate::factor::duo::{AuthRequest, DuoError, Event, PreauthRequest, Status, Transaction};
use crate::printable;
use crate::secret::{ExposeSecret, SecretBytes};
use std::time::Duration;

/// The pause between two looks at a transaction of which Duo has nothing new to say. As a rule Duo holds a request until
/// it has.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a request stays on the telephone, in seconds (Duo's Auth API: about a minute).
const REQUEST_SECONDS: u64 = 60;

/// How many looks in a row may fail before a login is given up whose factor is under way.
const FAILED_LOOKS: u32 = 3;

/// The longest text of Duo's that a user is told, in bytes.
const MAX_MESSAGE_BYTES: usize = 200;

/// What a look-up came to.
enum Found {
    Decided(Outcome),
    Menu(PrimaryProof, Menu),
}

/// How a response reached us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// With the password, where a client may have saved it.
    Password,
    /// As the answer to a question.
    Answer,
    /// Nobody typed anything.
    Nobody,
}

/// What the user's telephone does when a failure is settled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telephone {
    /// It may still ring.
    Rings,
    /// It waits for nobody.
    Quiet,
}

/// A factor that was sent to Duo.
struct Sent {
    transaction: Transaction,
    choice: Choice,
    menu: Menu,
    origin: Origin,
}

impl Decision<'_> {
    /// The primary check was passed by a user of Duo's; `response` may be empty.
    pub(super) fn duo(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        response: &SecretBytes,
        session: Option<&ChallengeKey>,
    ) -> Result<Outcome, Stop> {
        self.refuse_locked(attempt)?;
        if !response.expose_secret().is_empty() {
            return self.look_up_and_choose(attempt, primary, response, Origin::Password);
        }
        let settings = self.services.settings;
        let unasked = settings.duo.autopush
            || settings.auth.primary == Primary::None
            || attempt.question == QuestionForm::Impossible;
        if !unasked && settings.duo.prompt == DuoPrompt::Generic {
            let text = settings.duo.prompt_text.as_str().to_owned();
            let wording = Wording { text, reason: Reason::FactorNeeded };
            return self.ask(attempt, primary, Asked::Duo, session, wording);
        }
        let (primary, menu) = match self.look_up(attempt, primary)? {
            Found::Decided(outcome) => return Ok(outcome),
            Found::Menu(primary, menu) => (primary, menu),
        };
        if unasked {
            let choice = menu.default_choice();
            return self.send(attempt, primary, menu, choice, Origin::Nobody);
        }
        let style = match settings.duo.prompt {
            DuoPrompt::Full => Style::Full,
            DuoPrompt::Short | DuoPrompt::Generic => Style::Short,
        };
        let text = menu.question(style, attempt.user.as_str(), attempt.room());
        let wording = Wording { text, reason: Reason::FactorNeeded };
        self.ask(attempt, primary, Asked::DuoMenu(menu), session, wording)
    }

    /// The answer to a question that was put to a user of Duo's.
    pub(super) fn duo_answer(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        asked: Asked,
        response: &SecretBytes,
    ) -> Result<Outcome, Stop> {
        match asked {
            Asked::DuoMenu(menu) => self.choose(attempt, primary, menu, response, Origin::Answer),
            Asked::Duo => self.look_up_and_choose(attempt, primary, response, Origin::Answer),
            Asked::DuoApproval(transaction) => {
                let (menu, choice) = (Menu::default(), Choice::Default);
                self.wait(attempt, primary, Sent { transaction, choice, menu, origin: Origin::Answer })
            }
            Asked::Code | Asked::Enrolment(_) => stop(Told::AuthenticationFailed, Reason::UnknownChallenge),
        }
    }

    fn look_up_and_choose(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        response: &SecretBytes,
        origin: Origin,
    ) -> Result<Outcome, Stop> {
        match self.look_up(attempt, primary)? {
            Found::Decided(outcome) => Ok(outcome),
            Found::Menu(primary, menu) => self.choose(attempt, primary, menu, response, origin),
        }
    }

    fn look_up(&mut self, attempt: &Attempt, primary: PrimaryProof) -> Result<Found, Stop> {
        let settings = &self.services.settings.duo;
        let request = PreauthRequest {
            user: &attempt.identity,
            address: attempt.peer.address,
            // The code needs a question of its own.
            verified_push: settings.verified_push && can_follow_up(attempt),
        };
        match FactorProof::by_duo_look_up(self.services.duo, &request) {
            Ok(LookUp::Allowed(proof)) => {
                self.refuse_disabled(attempt)?;
                Ok(Found::Decided(Outcome::Accept(accept(primary, proof))))
            }
            Ok(LookUp::Choices(choices)) => Ok(Found::Menu(primary, Menu::new(choices))),
            Ok(LookUp::Denied(message)) => stop(told(&message), Reason::DuoDenied(message)),
            Ok(LookUp::Unknown { message, portal }) => {
                let portal = portal.filter(|portal| is_web_address(portal));
                stop(Told::Enrol { message: safe(&message), portal }, Reason::DuoUnknownUser(message))
            }
            Err(error) => match FactorProof::without_duo(settings.failmode, &error) {
                Some(proof) => {
                    self.refuse_disabled(attempt)?;
                    Ok(Found::Decided(Outcome::Accept(accept(primary, proof))))
                }
                None => unavailable(&error),
            },
        }
    }

    fn choose(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        menu: Menu,
        response: &SecretBytes,
        origin: Origin,
    ) -> Result<Outcome, Stop> {
        if let Some(choice) = menu.choose(response) {
            return self.send(attempt, primary, menu, choice, origin);
        }
        self.count_failure(attempt, None)?;
        let text = format!("{}, try again", Told::IncorrectCode.text());
        let wording = Wording { text, reason: Reason::MalformedCode };
        self.refuse_or_ask_again(attempt, primary, menu, origin, Told::IncorrectCode, wording)
    }

    /// Has Duo check or send a factor, and waits for what comes of it.
    fn send(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        menu: Menu,
        choice: Choice,
        origin: Origin,
    ) -> Result<Outcome, Stop> {
        self.count_failure(attempt, Some(&choice))?;
        let sent = self.services.duo.auth(&AuthRequest {
            user: &attempt.identity,
            address: attempt.peer.address,
            factor: choice.factor(),
            transaction: menu.transaction(),
        });
        match sent {
            Ok(transaction) => self.wait(attempt, primary, Sent { transaction, choice, menu, origin }),
            Err(error) => {
                // Without an answer nobody knows whether the telephone rings.
                let telephone = match error {
                    DuoError::Unreachable(_) | DuoError::TooLate(_) => Telephone::Rings,
                    DuoError::Certificate(_) | DuoError::Refused(_) | DuoError::Settings(_) => {
                        Telephone::Quiet
                    }
                };
                self.take_failure_back(attempt, &choice, telephone)?;
                unavailable(&error)
            }
        }
    }

    fn wait(&mut self, attempt: &Attempt, primary: PrimaryProof, sent: Sent) -> Result<Outcome, Stop> {
        let mut failed_looks = 0;
        let mut last = None;
        loop {
            let mut news = false;
            match FactorProof::by_duo(self.services.duo, &sent.transaction) {
                Ok(DuoCheck::Allowed(proof)) => {
                    self.forgive(attempt, &sent.choice)?;
                    return Ok(Outcome::Accept(accept(primary, proof)));
                }
                Ok(DuoCheck::Denied(status)) => return self.denied(attempt, primary, sent, &status),
                Ok(DuoCheck::Waiting(status)) => {
                    failed_looks = 0;
                    news = last.as_ref() != Some(&status);
                    if self.shows_code(attempt, &sent, &status) {
                        let wording =
                            Wording { text: safe(&status.message), reason: Reason::DuoVerification };
                        let asked = Asked::DuoApproval(sent.transaction);
                        return self.ask_again(attempt, primary, asked, wording);
                    }
                    last = Some(status);
                }
                Err(error) => {
                    failed_looks += 1;
                    if failed_looks == FAILED_LOOKS && !self.services.duo.time_is_over() {
                        return unavailable(&error);
                    }
                }
            }
            if self.services.duo.time_is_over() {
                self.settle(attempt, &sent.choice, Telephone::Rings)?;
                return stop(Told::NoAnswer, Reason::DuoNoAnswer);
            }
            if !news {
                self.services.clock.pause(LOOK_AGAIN);
            }
        }
    }

    /// Whether Duo's words hold a code that the user has to enter on the telephone, and has not been shown.
    fn shows_code(&self, attempt: &Attempt, sent: &Sent, status: &Status) -> bool {
        let digits = |word: &str| word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
        self.services.settings.duo.verified_push
            && can_follow_up(attempt)
            && sent.menu.transaction().is_some()
            && status.message.to_ascii_lowercase().contains("code")
            && status.message.split(|c: char| !c.is_ascii_alphanumeric()).any(digits)
    }

    fn denied(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        sent: Sent,
        status: &Status,
    ) -> Result<Outcome, Stop> {
        let message = status.message.clone();
        match status.event {
            Event::SmsSent => {
                self.take_failure_back(attempt, &sent.choice, Telephone::Quiet)?;
                let text = "Passcodes were sent, enter one of them".to_owned();
                let wording = Wording { text, reason: Reason::DuoPasscodesSent };
                if can_follow_up(attempt) {
                    return self.ask_again(attempt, primary, Asked::DuoMenu(sent.menu), wording);
                }
                stop(told(&message), wording.reason)
            }
            Event::Fraud => {
                self.lock(attempt, &sent.choice)?;
                stop(told(&message), Reason::DuoFraud(message))
            }
            Event::Timeout => {
                self.settle(attempt, &sent.choice, Telephone::Quiet)?;
                stop(Told::NoAnswer, Reason::DuoNoAnswer)
            }
            Event::LockedOut | Event::Bypass | Event::Other => {
                self.settle(attempt, &sent.choice, Telephone::Quiet)?;
                let Sent { choice, menu, origin, .. } = sent;
                let refusal = told(&message);
                let reason = Reason::DuoDenied(message);
                if !matches!(choice, Choice::Passcode(_)) || status.event == Event::LockedOut {
                    return stop(refusal, reason);
                }
                let wording = Wording { text: refusal.text().into_owned(), reason };
                self.refuse_or_ask_again(attempt, primary, menu, origin, refusal, wording)
            }
        }
    }

    /// A passcode or an option was wrong: the user is asked again, if an answer can still be right.
    fn refuse_or_ask_again(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        menu: Menu,
        origin: Origin,
        refusal: Told,
        wording: Wording,
    ) -> Result<Outcome, Stop> {
        let now = self.services.clock.now();
        let limits = Limits::new(&self.services.settings.lockout, attempt, now);
        if limits.locked(self.services.store.begin()?.as_mut())?.is_some() {
            return stop(Told::Locked, wording.reason);
        }
        if origin == Origin::Answer && can_follow_up(attempt) {
            return self.ask_again(attempt, primary, Asked::DuoMenu(menu), wording);
        }
        Ok(Outcome::Reject(Rejection::at_once(refusal, wording.reason)))
    }

    /// A user may have been disabled while Duo was asked.
    fn refuse_disabled(&mut self, attempt: &Attempt) -> Result<(), Stop> {
        match self.services.store.begin()?.user(&attempt.identity)? {
            Some(User { state: UserState::Disabled, .. }) => {
                stop(Told::AuthenticationFailed, Reason::Disabled)
            }
            _ => Ok(()),
        }
    }

    fn refuse_locked(&mut self, attempt: &Attempt) -> Result<(), Stop> {
        let now = self.services.clock.now();
        let limits = Limits::new(&self.services.settings.lockout, attempt, now);
        limits.refuse_locked(self.services.store.begin()?.as_mut())
    }

    /// Counts a failure in advance, and has the telephone for this login alone where `choice` is to ring it.
    fn count_failure(&mut self, attempt: &Attempt, choice: Option<&Choice>) -> Result<(), Stop> {
        let now = self.services.clock.now();
        let settings = self.services.settings;
        let mut records = self.services.store.begin()?;
        let limits = Limits::new(&settings.lockout, attempt, now);
        limits.refuse_locked(records.as_mut())?;
        if choice.is_some_and(Choice::waits_for_a_person) {
            if records.push_is_open(&attempt.identity, now)? {
                return stop(Told::PushOpen, Reason::DuoPushOpen);
            }
            let until = now.saturating_add(settings.duo.timeout.get().max(REQUEST_SECONDS));
            records.open_push(&attempt.identity, until)?;
        } else {
            limits.count_address(records.as_mut())?;
        }
        limits.count_user(records.as_mut())?;
        Ok(records.commit()?)
    }

    fn take_failure_back(
        &mut self,
        attempt: &Attempt,
        choice: &Choice,
        telephone: Telephone,
    ) -> Result<(), Stop> {
        let limits = Limits::new(&self.services.settings.lockout, attempt, self.services.clock.now());
        let mut records = self.services.store.begin()?;
        limits.take_back_user(records.as_mut())?;
        if !choice.waits_for_a_person() {
            limits.take_back_address(records.as_mut())?;
        }
        if telephone == Telephone::Quiet {
            records.close_push(&attempt.identity)?;
        }
        Ok(records.commit()?)
    }

    /// The factor has failed: what was counted in advance stays, and the rest is counted.
    fn settle(&mut self, attempt: &Attempt, choice: &Choice, telephone: Telephone) -> Result<(), Stop> {
        let limits = Limits::new(&self.services.settings.lockout, attempt, self.services.clock.now());
        let mut records = self.services.store.begin()?;
        if choice.waits_for_a_person() {
            limits.count_address(records.as_mut())?;
        }
        if telephone == Telephone::Quiet {
            records.close_push(&attempt.identity)?;
        }
        Ok(records.commit()?)
    }

    fn lock(&mut self, attempt: &Attempt, choice: &Choice) -> Result<(), Stop> {
        let limits = Limits::new(&self.services.settings.lockout, attempt, self.services.clock.now());
        let mut records = self.services.store.begin()?;
        if choice.waits_for_a_person() {
            limits.count_address(records.as_mut())?;
        }
        limits.lock_user(records.as_mut())?;
        records.close_push(&attempt.identity)?;
        Ok(records.commit()?)
    }

    /// The factor was right: nothing is held against the user any more. One who was disabled meanwhile stays out.
    fn forgive(&mut self, attempt: &Attempt, choice: &Choice) -> Result<(), Stop> {
        let now = self.services.clock.now();
        let limits = Limits::new(&self.services.settings.lockout, attempt, now);
        let mut records = self.services.store.begin()?;
        limits.forgive_user(records.as_mut())?;
        if !choice.waits_for_a_person() {
            limits.take_back_address(records.as_mut())?;
        }
        records.close_push(&attempt.identity)?;
        let user = records.user(&attempt.identity)?;
        if user.is_some_and(|user| user.state == UserState::Disabled) {
            return stop(Told::AuthenticationFailed, Reason::Disabled);
        }
        if let Some(user) = user {
            records.note_login(user.id, now)?;
        }
        Ok(records.commit()?)
    }
}

/// Words of Duo's for a user. Without colon and bracket they cannot pass for OpenVPN's own (`CRV1:`, `TEMP[`).
fn safe(message: &str) -> String {
    printable::ascii(&one_line(message), MAX_MESSAGE_BYTES)
}

fn told(message: &str) -> Told {
    Told::Duo(safe(message))
}

fn is_web_address(text: &str) -> bool {
    text.starts_with("https://") && text.len() <= 300 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unavailable<T>(error: &DuoError) -> Result<T, Stop> {
    stop(Told::FactorUnavailable, Reason::DuoUnavailable(error.to_string()))
}
