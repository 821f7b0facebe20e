//! The flows of a login, over the traits of [`super::services`].

use super::enrolment::{NewSecret, permitted, question_again};
use super::limits::Limits;
use super::proof::{CallersWord, ChallengeFault, CodeCheck, FactorProof, PrimaryProof, accept};
use super::services::{
    Asked, Challenge, ChallengeKey, Records, Services, StoreError, Token, User, UserState,
};
use super::{
    Attempt, Carrier, FollowUp, Outcome, PrimaryDenial, Question, QuestionForm, Reason, RefusedName,
    Rejection, Submission, Told, appended,
};
use crate::clock::UnixTime;
use crate::config::{Appended, Factor, Primary, Settings};
use crate::factor::totp;
use crate::random::{Random, RandomError};
use crate::secret::{ExposeSecret, SecretBytes, secret};
use std::time::Duration;

/// Decides logins.
pub struct Decision<'a> {
    pub(super) services: Services<'a>,
}

/// What ends a flow early.
pub(super) enum Stop {
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

pub(super) fn stop<T>(told: Told, reason: Reason) -> Result<T, Stop> {
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
    /// `session` names the waiting session, for a question in it; one that [must be seen](Question::must_be_seen) there
    /// goes on with [`Decision::shown_in_session`] or [`Decision::ask_by_reconnecting`]. Whatever fails inside is a
    /// rejection.
    pub fn login(
        &mut self,
        attempt: &Attempt,
        submission: &Submission,
        session: Option<&ChallengeKey>,
    ) -> Outcome {
        if let Some(refusal) = attempt.refusal {
            return Outcome::Reject(self.refuse_name(refusal, submission));
        }
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

    /// Decides a login whose primary check was passed elsewhere, by the word of the caller; `response` may be empty. The
    /// answer to a question that comes of it is [`Submission::Answer`], to [`Decision::login`].
    pub fn login_by_word(&mut self, attempt: &Attempt, word: CallersWord, response: &SecretBytes) -> Outcome {
        if let Some(refusal) = attempt.refusal {
            return Outcome::refused(Reason::Identity(refusal.to_string()));
        }
        finish(self.after_primary(attempt, PrimaryProof::by_word(word), response, None))
    }

    /// Decides the answer to the question of a waiting session. `None` while there is no question to answer: the
    /// primary check goes on, or was never passed.
    pub fn answer_in_session(
        &mut self,
        attempt: &Attempt,
        session: &ChallengeKey,
        response: &SecretBytes,
    ) -> Option<Outcome> {
        // Nothing was asked: the login is refused by itself.
        if attempt.refusal.is_some() {
            return None;
        }
        match self.services.store.is_asked(session) {
            Ok(true) => Some(finish(self.answer(attempt, session, response))),
            Ok(false) => None,
            Err(error) => Some(finish(Err(error.into()))),
        }
    }

    /// Refuses a name as a wrong password would be refused, and asks neither PAM nor the store.
    fn refuse_name(&self, refusal: RefusedName, submission: &Submission) -> Rejection {
        let password = match submission {
            Submission::Typed(typed) => Some(typed),
            Submission::Both { password, .. } => Some(password),
            Submission::Answer { .. } | Submission::GenuineToken | Submission::RefusedToken => None,
        };
        let checked = self.services.settings.auth.primary == Primary::Pam
            && password.is_some_and(|password| !password.expose_secret().is_empty());
        let hold = if checked { refused_name_hold(self.services.random) } else { Duration::ZERO };
        Rejection { told: Told::AuthenticationFailed, reason: Reason::Identity(refusal.to_string()), hold }
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
        self.after_primary(attempt, primary, response, session)
    }

    /// The primary check was passed; `response` is the second factor's part, and may be empty.
    fn after_primary(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        response: &SecretBytes,
        session: Option<&ChallengeKey>,
    ) -> Result<Outcome, Stop> {
        let Services { settings, store, clock, .. } = &mut self.services;
        let now = clock.now();
        let mut records = store.begin()?;
        let user = match second_factor(settings, records.as_mut(), attempt, &primary, now)? {
            SecondFactor::None(waived) => return Ok(Outcome::Accept(accept(primary, waived))),
            SecondFactor::Totp(user) => user,
            SecondFactor::Unset => {
                Limits::new(&settings.lockout, attempt, now).refuse_locked(records.as_mut())?;
                drop(records);
                // A response that came along is the code of no key that anybody was shown.
                return self.offer_token(attempt, primary, session);
            }
            SecondFactor::Duo => {
                drop(records);
                return self.duo(attempt, primary, response, session);
            }
        };
        Limits::new(&settings.lockout, attempt, now).refuse_locked(records.as_mut())?;
        if response.expose_secret().is_empty() {
            drop(records);
            let text = self.services.settings.totp.challenge_text.as_str().to_owned();
            return self.ask(
                attempt,
                primary,
                Asked::Code,
                session,
                Wording { text, reason: Reason::FactorNeeded },
            );
        }
        let wanted = Wanted::Code(user);
        let outcome = match judge(settings, records.as_mut(), attempt, primary, &wanted, response, now)? {
            Judgement::Accepted(outcome) => outcome,
            // The answer came with the password: a fresh question would be answered with the same, saved, text.
            Judgement::Wrong { rejection, .. } => Outcome::Reject(rejection),
        };
        records.commit()?;
        Ok(outcome)
    }

    /// The primary check was passed, and a question is put.
    pub(super) fn ask(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        asked: Asked,
        session: Option<&ChallengeKey>,
        wording: Wording,
    ) -> Result<Outcome, Stop> {
        let (key, carrier) = self.carrier(attempt, session)?;
        let factor = asked.factor();
        self.put(&key, attempt, primary, asked)?;
        let Wording { text, reason } = wording;
        Ok(Outcome::Ask(Question { text: text.into(), user: attempt.user.clone(), carrier, factor, reason }))
    }

    /// How a question reaches the user, and where the answer will look for it.
    pub(super) fn carrier(
        &self,
        attempt: &Attempt,
        session: Option<&ChallengeKey>,
    ) -> Result<(ChallengeKey, Carrier), Stop> {
        match (attempt.question, session) {
            (QuestionForm::InSession { .. }, Some(session)) => Ok((*session, Carrier::Session)),
            (QuestionForm::Reconnect, _) => {
                let state = self.services.random.state_id()?;
                Ok((ChallengeKey::of_state(&state), Carrier::Reconnect { state }))
            }
            (QuestionForm::InSession { .. }, None) | (QuestionForm::Impossible, _) => {
                stop(Told::ClientCannotBeAsked, Reason::NoChallengeMethod)
            }
        }
    }

    /// Stores what is asked.
    pub(super) fn put(
        &mut self,
        key: &ChallengeKey,
        attempt: &Attempt,
        primary: PrimaryProof,
        asked: Asked,
    ) -> Result<(), Stop> {
        let Services { settings, store, clock, .. } = &mut self.services;
        let now = clock.now();
        let expires_at = now.saturating_add(settings.totp.challenge_timeout.get());
        let mut records = store.begin()?;
        records.put_challenge(key, &primary.into_challenge(attempt, asked, expires_at), now)?;
        Ok(records.commit()?)
    }

    /// Puts a further question, which can only be answered by reconnecting.
    pub(super) fn ask_again(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        asked: Asked,
        wording: Wording,
    ) -> Result<Outcome, Stop> {
        let reconnecting = Attempt { question: QuestionForm::Reconnect, ..attempt.clone() };
        self.ask(&reconnecting, primary, asked, None, wording)
    }

    /// Puts the question of a session by reconnecting instead: it came too late to be put in the session. `question` is
    /// what [`Decision::login`] returned for `attempt`.
    pub fn ask_by_reconnecting(
        &mut self,
        attempt: &Attempt,
        session: &ChallengeKey,
        question: Question,
    ) -> Outcome {
        finish(if question.must_be_seen() {
            self.move_unshown(attempt, session, question)
        } else {
            self.move_question(session, question)
        })
    }

    /// Puts by reconnecting what is asked under `key`.
    pub(super) fn move_question(&mut self, key: &ChallengeKey, question: Question) -> Result<Outcome, Stop> {
        let state = self.services.random.state_id()?;
        let now = self.services.clock.now();
        let mut records = self.services.store.begin()?;
        let Some(challenge) = records.take_challenge(key)? else {
            return stop(Told::AuthenticationFailed, Reason::UnknownChallenge);
        };
        records.put_challenge(&ChallengeKey::of_state(&state), &challenge, now)?;
        records.commit()?;
        Ok(Outcome::Ask(Question { carrier: Carrier::Reconnect { state }, ..question }))
    }

    /// The answer to a question. The question is consumed in the transaction that decides; for a code, that transaction
    /// also burns it or counts a failure.
    fn answer(
        &mut self,
        attempt: &Attempt,
        key: &ChallengeKey,
        response: &SecretBytes,
    ) -> Result<Outcome, Stop> {
        let Services { settings, store, random, clock, .. } = &mut self.services;
        let now = clock.now();
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
        let factor = second_factor(settings, records.as_mut(), attempt, &primary, now)?;
        let wanted = match (factor, challenge.asked) {
            (SecondFactor::None(waived), _) => {
                records.commit()?;
                return Ok(Outcome::Accept(accept(primary, waived)));
            }
            (SecondFactor::Totp(user), Asked::Code) => Wanted::Code(user),
            (SecondFactor::Unset, Asked::Enrolment(secret)) => Wanted::Enrolment(secret),
            // What an administrator or another login has set up stays, and nothing comes beside it.
            (SecondFactor::Totp(_), Asked::Enrolment(_)) => {
                records.commit()?;
                return stop(Told::EnrolledMeanwhile, Reason::EnrolledMeanwhile);
            }
            (SecondFactor::Duo, asked @ (Asked::Duo | Asked::DuoMenu(_) | Asked::DuoApproval(_))) => {
                records.commit()?;
                return self.duo_answer(attempt, primary, asked, response);
            }
            // The user's factor was changed since.
            (SecondFactor::Totp(_) | SecondFactor::Unset, _)
            | (SecondFactor::Duo, Asked::Code | Asked::Enrolment(_)) => {
                records.commit()?;
                return stop(Told::AuthenticationFailed, Reason::UnknownChallenge);
            }
        };
        Limits::new(&settings.lockout, attempt, now).refuse_locked(records.as_mut())?;
        let outcome = match judge(settings, records.as_mut(), attempt, primary, &wanted, response, now)? {
            Judgement::Accepted(outcome) => outcome,
            Judgement::Wrong { rejection, primary, attempts_left: true } if can_follow_up(attempt) => {
                // In the same transaction, so that there is always a question, or a failure and a rejection.
                let state = random.state_id()?;
                let expires_at = now.saturating_add(settings.totp.challenge_timeout.get());
                let (text, asked) = match wanted {
                    Wanted::Code(_) => {
                        (format!("{}, try again", Told::IncorrectCode.text()).into(), Asked::Code)
                    }
                    Wanted::Enrolment(secret) => (question_again(&secret, attempt), Asked::Enrolment(secret)),
                };
                let challenge: Challenge = primary.into_challenge(attempt, asked, expires_at);
                records.put_challenge(&ChallengeKey::of_state(&state), &challenge, now)?;
                Outcome::Ask(Question {
                    text,
                    user: attempt.user.clone(),
                    carrier: Carrier::Reconnect { state },
                    factor: Factor::Totp,
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
        let Services { settings, primary, store, clock, .. } = &mut self.services;
        let now = clock.now();
        let primary = PrimaryProof::by_token(*primary, &settings.auth, attempt)?;
        let mut records = store.begin()?;
        let factor = second_factor(settings, records.as_mut(), attempt, &primary, now)?;
        let user = match factor {
            SecondFactor::None(waived) => return Ok(Outcome::Accept(accept(primary, waived))),
            SecondFactor::Totp(user) => Some(user),
            SecondFactor::Duo => records.user(&attempt.identity)?,
            // Only a password leads there.
            SecondFactor::Unset => return stop(Told::AuthenticationFailed, Reason::NotEnrolled(None)),
        };
        match FactorProof::by_token(user.as_ref()) {
            Some(factor) => Ok(Outcome::Accept(accept(primary, factor))),
            None => stop(Told::AuthenticationFailed, Reason::Disabled),
        }
    }
}

/// How long the refusal of a name is kept back that PAM is not even shown: as libpam keeps back a wrong password for which
/// `pam_unix` asks for two seconds (`_pam_compute_delay`): one to three, and mostly about two.
fn refused_name_hold(random: &dyn Random) -> Duration {
    let mut bytes = [0; 6];
    if random.fill(&mut bytes).is_err() {
        return Duration::from_secs(2);
    }
    let sum: u64 = bytes.chunks_exact(2).map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    Duration::from_millis(1_000 + sum * 2_000 / (3 * u64::from(u16::MAX)))
}

/// The words of a question, and why it is put, for the log.
pub(super) struct Wording {
    pub(super) text: String,
    pub(super) reason: Reason,
}

/// Which second factor a user has.
pub(super) enum SecondFactor {
    /// None is needed.
    None(FactorProof),
    /// Codes; the user has a token.
    Totp(User),
    /// None yet, and the user may set up a token now, with a record here or without.
    Unset,
    /// Duo, with a record here or without.
    Duo,
}

/// What a response is to be.
enum Wanted {
    /// A code of this user's.
    Code(User),
    /// A code of the token that is offered.
    Enrolment(NewSecret),
}

/// The second factor of an attempt. The refusal is kept back as that of a wrong password would have been: it is to look like
/// one, and not tell a guesser that it was right.
pub(super) fn second_factor(
    settings: &Settings,
    records: &mut dyn Records,
    attempt: &Attempt,
    primary: &PrimaryProof,
    now: UnixTime,
) -> Result<SecondFactor, Stop> {
    let hold = primary.denial_hold();
    let user = records.user(&attempt.identity)?;
    let refused = |reason| Err(Stop::Reject(Rejection { told: Told::AuthenticationFailed, reason, hold }));
    if user.is_some_and(|user| user.state == UserState::Disabled) {
        return refused(Reason::Disabled);
    }
    let factor = user.and_then(|user| user.factor).unwrap_or(settings.auth.factor);
    if let Some(exempt) = FactorProof::exempt(settings, attempt, primary, factor) {
        return Ok(SecondFactor::None(exempt));
    }
    match (factor, user) {
        (Factor::Duo, _) => Ok(SecondFactor::Duo),
        (Factor::Totp, Some(user)) if user.has_token => Ok(SecondFactor::Totp(user)),
        (Factor::Totp, user) => {
            let Err(why_not) = permitted(settings, attempt, primary) else { return Ok(SecondFactor::Unset) };
            match FactorProof::waived(&settings.auth, user.as_ref(), now) {
                Ok(waived) => Ok(SecondFactor::None(waived)),
                Err(Reason::NotEnrolled(None)) => refused(Reason::NotEnrolled(why_not)),
                Err(reason) => refused(reason),
            }
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

/// Looks at the code of a user who is not locked, from an address that is not, and counts what came of it.
fn judge(
    settings: &Settings,
    records: &mut dyn Records,
    attempt: &Attempt,
    primary: PrimaryProof,
    wanted: &Wanted,
    response: &SecretBytes,
    now: UnixTime,
) -> Result<Judgement, Stop> {
    let limits = Limits::new(&settings.lockout, attempt, now);
    let when = totp::Instant { now, window: settings.totp.window.get() };
    let check = match wanted {
        Wanted::Code(user) => {
            let tokens: Vec<Token> = records.tokens(user.id)?;
            FactorProof::by_code(records, user, &tokens, response, when)?
        }
        Wanted::Enrolment(secret) => {
            FactorProof::by_enrolment(records, &attempt.identity, secret, response, when)?
        }
    };
    let reason = match check {
        CodeCheck::Right(factor) => {
            limits.forgive_user(records)?;
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
    limits.count_user(records)?;
    limits.count_address(records)?;
    let attempts_left = limits.locked(records)?.is_none();
    let told = if attempts_left { Told::IncorrectCode } else { Told::Locked };
    Ok(Judgement::Wrong { rejection: Rejection::at_once(told, reason), primary, attempts_left })
}

/// Whether a wrong answer can be followed by a question.
pub(super) fn can_follow_up(attempt: &Attempt) -> bool {
    match attempt.question {
        QuestionForm::InSession { then_reconnect: FollowUp::Reconnect } | QuestionForm::Reconnect => true,
        QuestionForm::InSession { then_reconnect: FollowUp::None } | QuestionForm::Impossible => false,
    }
}

pub(super) fn finish(result: Result<Outcome, Stop>) -> Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(Stop::Reject(rejection)) => Outcome::Reject(rejection),
        Err(Stop::Internal(detail)) => Outcome::refused(Reason::Internal(detail)),
    }
}
