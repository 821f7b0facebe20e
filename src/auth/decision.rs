//! The flows of a login, over the traits of [`super::services`].

use super::proof::{ChallengeFault, CodeCheck, FactorProof, PrimaryProof, accept};
use super::services::{ChallengeKey, Records, Services, StoreError, Token, User, UserState};
use super::{
    Attempt, Carrier, Failures, FollowUp, Outcome, PrimaryDenial, Question, QuestionForm, Reason, Rejection,
    Submission, Told, after_failure, appended, is_locked,
};
use crate::clock::UnixTime;
use crate::config::{Appended, Factor, Primary, Settings};
use crate::factor::totp;
use crate::random::RandomError;
use crate::secret::{ExposeSecret, SecretBytes, secret};
use std::time::Duration;

/// Decides logins.
pub struct Decision<'a> {
    services: Services<'a>,
}

/// What ends a flow early.
enum Stop {
    Reject(Rejection),
    Internal(String),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<RandomError> for Stop {
    fn from(error: RandomError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<PrimaryDenial> for Stop {
    fn from(denial: PrimaryDenial) -> Self {
        Self::Reject(Rejection {
            told: Told::AuthenticationFailed,
            reason: Reason::PrimaryDenied(denial.detail),
            hold: denial.hold,
        })
    }
}

fn stop<T>(told: Told, reason: Reason) -> Result<T, Stop> {
    Err(Stop::Reject(Rejection::at_once(told, reason)))
}

impl<'a> Decision<'a> {
    /// A decision that uses these services.
    #[must_use]
    pub fn new(services: Services<'a>) -> Self {
        Self { services }
    }

    /// Decides a login, or the answer to a question that was asked by reconnecting.
    ///
    /// `session` names the waiting session, for a question in it. Whatever fails inside is a rejection.
    pub fn login(
        &mut self,
        attempt: &Attempt,
        submission: &Submission,
        session: Option<&ChallengeKey>,
    ) -> Outcome {
        finish(match submission {
            Submission::Typed(typed) => self.typed(attempt, typed, session),
            Submission::Both { password, response } => self.both(attempt, password, response, session),
            Submission::Answer { state, response } => {
                self.answer(attempt, &ChallengeKey::of_state(state), response)
            }
            Submission::GenuineToken => self.token(attempt),
            Submission::RefusedToken => stop(Told::AuthenticationFailed, Reason::TokenRefused),
        })
    }

    /// Decides the answer to the question of a waiting session. `None` while there is no question to answer: the
    /// primary check goes on, or was never passed.
    pub fn answer_in_session(
        &mut self,
        attempt: &Attempt,
        session: &ChallengeKey,
        response: &SecretBytes,
    ) -> Option<Outcome> {
        match self.services.store.is_asked(session) {
            Ok(true) => Some(finish(self.answer(attempt, session, response))),
            Ok(false) => None,
            Err(error) => Some(finish(Err(error.into()))),
        }
    }

    fn typed(
        &mut self,
        attempt: &Attempt,
        typed: &SecretBytes,
        session: Option<&ChallengeKey>,
    ) -> Result<Outcome, Stop> {
        let settings = &self.services.settings.auth;
        if settings.primary == Primary::None {
            return self.both(attempt, &secret(b""), typed, session);
        }
        let digits = self.digits_of_codes(attempt)?;
        let settings = &self.services.settings.auth;
        match appended::split(typed.expose_secret(), settings.appended, digits) {
            Some((password, response)) => self.both(attempt, &secret(password), &secret(response), session),
            None => self.both(attempt, typed, &secret(b""), session),
        }
    }

    /// How many digits to take off the end of a password; looks into the store only where that is needed.
    fn digits_of_codes(&mut self, attempt: &Attempt) -> Result<usize, Stop> {
        if self.services.settings.auth.appended != Appended::Digits {
            return Ok(appended::DEFAULT_DIGITS);
        }
        let mut records = self.services.store.begin()?;
        let tokens = match records.user(&attempt.identity)? {
            Some(user) => records.tokens(user.id)?,
            None => Vec::new(),
        };
        let longest = tokens.iter().map(|token| usize::from(token.digits)).max();
        Ok(longest.unwrap_or(appended::DEFAULT_DIGITS))
    }

    /// A login with the primary check's part and the second factor's part, either of which may be empty.
    fn both(
        &mut self,
        attempt: &Attempt,
        password: &SecretBytes,
        response: &SecretBytes,
        session: Option<&ChallengeKey>,
    ) -> Result<Outcome, Stop> {
        let settings = &self.services.settings.auth;
        let primary = match PrimaryProof::by_certificate(settings, attempt) {
            Some(proof) => proof,
            None if password.expose_secret().is_empty() => {
                return stop(Told::AuthenticationFailed, Reason::EmptyPassword);
            }
            None => PrimaryProof::by_password(self.services.primary, attempt, password)?,
        };
        if response.expose_secret().is_empty() {
            return self.ask(attempt, primary, session);
        }
        let now = self.services.clock.now();
        let Services { settings, store, .. } = &mut self.services;
        let mut records = store.begin()?;
        let judgement = judge(settings, records.as_mut(), attempt, primary, response, now)?;
        let outcome = match judgement {
            Judgement::Accepted(outcome) => outcome,
            // The answer came with the password: a fresh question would be answered with the same, saved, text.
            Judgement::Wrong { rejection, .. } => Outcome::Reject(rejection),
        };
        records.commit()?;
        Ok(outcome)
    }

    /// The primary check was passed, and the second factor is to be asked for.
    fn ask(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        session: Option<&ChallengeKey>,
    ) -> Result<Outcome, Stop> {
        let now = self.services.clock.now();
        let Services { settings, random, store, .. } = &mut self.services;
        let mut records = store.begin()?;
        let user = records.user(&attempt.identity)?;
        if let Some(waived) = FactorProof::waived(&settings.auth, user.as_ref()) {
            return Ok(Outcome::Accept(accept(primary, waived)));
        }
        usable(user, settings.auth.factor, primary.denial_hold())?;
        if is_locked(records.failures(&attempt.identity)?, now) {
            return stop(Told::Locked, Reason::Locked);
        }
        let text = settings.totp.challenge_text.as_str();
        let question = |carrier| Question {
            text: text.to_owned(),
            user: attempt.user.clone(),
            carrier,
            reason: Reason::FactorNeeded,
        };
        let expires_at = now.saturating_add(settings.totp.challenge_timeout.get());
        let (key, question) = match (attempt.question, session) {
            (QuestionForm::InSession { .. }, Some(session)) => (*session, question(Carrier::Session)),
            (QuestionForm::Reconnect, _) => {
                let state = random.state_id()?;
                (ChallengeKey::of_state(&state), question(Carrier::Reconnect { state }))
            }
            (QuestionForm::InSession { .. }, None) | (QuestionForm::Impossible, _) => {
                return stop(Told::ClientCannotBeAsked, Reason::NoChallengeMethod);
            }
        };
        records.put_challenge(&key, &primary.into_challenge(attempt, expires_at), now)?;
        records.commit()?;
        Ok(Outcome::Ask(question))
    }

    /// The answer to a question. The question is consumed, the code burnt and a failure counted in one transaction.
    fn answer(
        &mut self,
        attempt: &Attempt,
        key: &ChallengeKey,
        response: &SecretBytes,
    ) -> Result<Outcome, Stop> {
        let now = self.services.clock.now();
        let Services { settings, store, random, .. } = &mut self.services;
        let mut records = store.begin()?;
        let Some(challenge) = records.take_challenge(key)? else {
            return stop(Told::AuthenticationFailed, Reason::UnknownChallenge);
        };
        let primary = match PrimaryProof::by_challenge(&challenge, attempt, now) {
            Ok(proof) => proof,
            // Not committed: the question stays for the one it was put to.
            Err(ChallengeFault::Foreign) => {
                return stop(Told::AuthenticationFailed, Reason::ForeignChallenge);
            }
            Err(ChallengeFault::Expired) => {
                records.commit()?;
                return stop(Told::CodeExpired, Reason::ChallengeExpired);
            }
        };
        let outcome = match judge(settings, records.as_mut(), attempt, primary, response, now)? {
            Judgement::Accepted(outcome) => outcome,
            Judgement::Wrong { rejection, primary, attempts_left: true } if can_follow_up(attempt) => {
                let state = random.state_id()?;
                let expires_at = now.saturating_add(settings.totp.challenge_timeout.get());
                records.put_challenge(
                    &ChallengeKey::of_state(&state),
                    &primary.into_challenge(attempt, expires_at),
                    now,
                )?;
                Outcome::Ask(Question {
                    text: format!("{}, try again", Told::IncorrectCode.text()),
                    user: attempt.user.clone(),
                    carrier: Carrier::Reconnect { state },
                    reason: rejection.reason,
                })
            }
            Judgement::Wrong { rejection, .. } => Outcome::Reject(rejection),
        };
        records.commit()?;
        Ok(outcome)
    }

    /// A session token that the VPN server found genuine: the account must still be valid, nothing is asked again.
    fn token(&mut self, attempt: &Attempt) -> Result<Outcome, Stop> {
        let settings = &self.services.settings.auth;
        let primary = PrimaryProof::by_token(self.services.primary, settings, attempt)?;
        let user = self.services.store.begin()?.user(&attempt.identity)?;
        if let Some(waived) = FactorProof::waived(settings, user.as_ref()) {
            return Ok(Outcome::Accept(accept(primary, waived)));
        }
        let user = usable(user, settings.factor, primary.denial_hold())?;
        match FactorProof::by_token(&user) {
            Some(factor) => Ok(Outcome::Accept(accept(primary, factor))),
            None => stop(Told::AuthenticationFailed, Reason::Disabled),
        }
    }
}

/// What a response to a right primary check came to. The records say so too, once committed.
enum Judgement {
    Accepted(Outcome),
    Wrong {
        rejection: Rejection,
        /// The primary proof, back for a further question.
        primary: PrimaryProof,
        attempts_left: bool,
    },
}

/// Looks at a response, unless the user is locked, and counts what came of it.
fn judge(
    settings: &Settings,
    records: &mut dyn Records,
    attempt: &Attempt,
    primary: PrimaryProof,
    response: &SecretBytes,
    now: UnixTime,
) -> Result<Judgement, Stop> {
    let user = records.user(&attempt.identity)?;
    if let Some(waived) = FactorProof::waived(&settings.auth, user.as_ref()) {
        return Ok(Judgement::Accepted(Outcome::Accept(accept(primary, waived))));
    }
    let user = usable(user, settings.auth.factor, primary.denial_hold())?;
    let failures = records.failures(&attempt.identity)?;
    if is_locked(failures, now) {
        return stop(Told::Locked, Reason::Locked);
    }
    let tokens: Vec<Token> = records.tokens(user.id)?;
    let when = totp::Instant { now, window: settings.totp.window.get() };
    let reason = match FactorProof::by_code(records, &user, &tokens, response, when)? {
        CodeCheck::Right(factor) => {
            records.set_failures(&attempt.identity, Failures::default())?;
            return Ok(Judgement::Accepted(Outcome::Accept(accept(primary, factor))));
        }
        // Judged before: no guess, so no failure. Clients that save what was typed send it again and again.
        CodeCheck::AlreadyUsed => {
            let rejection = Rejection::at_once(Told::IncorrectCode, Reason::CodeAlreadyUsed);
            return Ok(Judgement::Wrong { rejection, primary, attempts_left: true });
        }
        CodeCheck::Wrong => Reason::WrongCode,
        CodeCheck::Malformed => Reason::MalformedCode,
    };
    let failures = after_failure(failures, now, &settings.lockout);
    records.set_failures(&attempt.identity, failures)?;
    let attempts_left = !is_locked(failures, now);
    let told = if attempts_left { Told::IncorrectCode } else { Told::Locked };
    Ok(Judgement::Wrong { rejection: Rejection::at_once(told, reason), primary, attempts_left })
}

/// The user, if there is one who may log in with a factor that this version has. The refusal is kept back for `hold`: it
/// is to look like that of a wrong password, and not tell a guesser that it was right.
fn usable(user: Option<User>, default: Factor, hold: Duration) -> Result<User, Stop> {
    let reason = match user {
        None => Reason::NotEnrolled,
        Some(User { state: UserState::Disabled, .. }) => Reason::Disabled,
        Some(user) => match user.factor.unwrap_or(default) {
            Factor::Totp => return Ok(user),
            Factor::Duo => Reason::FactorUnavailable,
        },
    };
    Err(Stop::Reject(Rejection { told: Told::AuthenticationFailed, reason, hold }))
}

/// Whether a wrong answer can be followed by a question.
fn can_follow_up(attempt: &Attempt) -> bool {
    match attempt.question {
        QuestionForm::InSession { then_reconnect: FollowUp::Reconnect } | QuestionForm::Reconnect => true,
        QuestionForm::InSession { then_reconnect: FollowUp::None } | QuestionForm::Impossible => false,
    }
}

fn finish(result: Result<Outcome, Stop>) -> Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(Stop::Reject(rejection)) => Outcome::Reject(rejection),
        Err(Stop::Internal(detail)) => {
            Outcome::Reject(Rejection::at_once(Told::AuthenticationFailed, Reason::Internal(detail)))
        }
    }
}
