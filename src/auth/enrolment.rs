//! Self-enrolment (`[totp] self_enroll`): a user without a token is shown the key of a new one after a right password, and
//! the token is theirs once they answer with its code.
//!
//! The key is random for each login. It is kept with the question, and so is for one user and certificate, expires, and
//! goes with the first answer; a wrong one hands it on to the next question. A login that could see the key of an
//! earlier one would let whoever tried first know what the owner sets up later.

use super::decision::{Decision, SecondFactor, Stop, can_follow_up, finish, second_factor, stop};
use super::proof::{PrimaryProof, accept};
use super::{
    Asked, Attempt, Carrier, ChallengeKey, Outcome, Question, QuestionForm, QuestionText, Reason, Token,
    TokenId, Told,
};
use crate::config::{Factor, Primary, Settings};
use crate::factor::totp::{self, Algorithm, NEW_SECRET_BYTES};
use crate::random::{Random, RandomError};
use crate::secret::{ExposeSecret, SecretBytes, secret};
use zeroize::Zeroizing;

/// Why a login whose question came too late ends, for the log.
const TOO_LATE: &str = "[totp] self_enroll: PAM's answer came after [auth] stall_budget_ms, another question stood in the client's window by then, and this client cannot connect again with an answer";

/// The secret of a token that is offered to its owner, and not theirs yet.
#[derive(Debug, Clone)]
pub struct NewSecret(SecretBytes);

impl NewSecret {
    /// A secret that nobody knows.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn make(random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; NEW_SECRET_BYTES]);
        random.fill(bytes.as_mut_slice())?;
        Ok(Self(secret(bytes.as_slice())))
    }

    /// The token that it is to be.
    #[must_use]
    pub fn token(&self) -> Token {
        Token {
            id: TokenId(0),
            secret: self.0.clone(),
            algorithm: Algorithm::default(),
            digits: 6,
            period: 30,
            last_step: None,
        }
    }

    /// The first question, in at most `room` bytes (40 at least).
    pub(super) fn question(&self, room: usize) -> QuestionText {
        let key = self.grouped();
        self.longest(
            room,
            [
                format!(
                    "Enter this key into your authenticator app - {} - then type the code that the app shows",
                    key.as_str()
                ),
                format!("Key for your app - {} - then its code", key.as_str()),
            ],
        )
    }

    /// The question after a wrong code: a key that was mistyped is the likeliest reason.
    fn question_again(&self, room: usize) -> QuestionText {
        let again = format!("{}, try again", Told::IncorrectCode.text());
        self.longest(room, [format!("{again} - the key is {}", self.grouped().as_str()), again])
    }

    /// The first text that fits; where none does, the key alone. It is never cut.
    fn longest<const N: usize>(&self, room: usize, texts: [String; N]) -> QuestionText {
        let texts = texts.map(Zeroizing::new);
        match texts.iter().find(|text| text.len() <= room) {
            Some(text) => QuestionText::from(text.as_str().to_owned()),
            None => QuestionText::from(format!("Key {}", totp::base32(&self.0).expose_secret())),
        }
    }

    /// In base32, by four, as it is best typed.
    fn grouped(&self) -> Zeroizing<String> {
        let base32 = totp::base32(&self.0);
        let mut grouped = Zeroizing::new(String::with_capacity(2 * base32.expose_secret().len()));
        for (index, character) in base32.expose_secret().char_indices() {
            if index > 0 && index % 4 == 0 {
                grouped.push(' ');
            }
            grouped.push(character);
        }
        grouped
    }
}

impl From<SecretBytes> for NewSecret {
    /// One that a store has kept.
    fn from(secret: SecretBytes) -> Self {
        Self(secret)
    }
}

impl ExposeSecret<[u8]> for NewSecret {
    fn expose_secret(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl PartialEq for NewSecret {
    fn eq(&self, other: &Self) -> bool {
        self.expose_secret() == other.expose_secret()
    }
}

impl Eq for NewSecret {}

/// Whether somebody without a token may set one up in this login.
///
/// # Errors
/// When not; why, for the log, where the settings would have it.
pub(super) fn permitted(
    settings: &Settings,
    attempt: &Attempt,
    primary: &PrimaryProof,
) -> Result<(), Option<String>> {
    if !settings.totp.self_enroll {
        return Err(None);
    }
    let why_not = |why: &str| Err(Some(format!("[totp] self_enroll: {why}")));
    // Whoever holds a certificate alone, or has come in without a token before, has not shown whose account it is.
    if settings.auth.primary != Primary::Pam || !primary.is_by_password() {
        return why_not("only a login with the password sets up a token");
    }
    // The password is that of the account. It says nothing of another identity.
    if attempt.user != attempt.identity {
        return why_not("the certificate has another name than the account, whose password was right");
    }
    match attempt.question {
        QuestionForm::InSession { .. } | QuestionForm::Reconnect => Ok(()),
        QuestionForm::Impossible => why_not("the client has no way to ask that the settings allow"),
    }
}

/// The words of a question about a new token after a wrong code.
pub(super) fn question_again(secret: &NewSecret, attempt: &Attempt) -> QuestionText {
    secret.question_again(attempt.room())
}

impl Decision<'_> {
    /// Offers a token to a user who has none.
    pub(super) fn offer_token(
        &mut self,
        attempt: &Attempt,
        primary: PrimaryProof,
        session: Option<&ChallengeKey>,
    ) -> Result<Outcome, Stop> {
        let (key, carrier) = self.carrier(attempt, session)?;
        let key = match carrier {
            // Another question may stand in the client's window, and be answered: not with a code of this key.
            Carrier::Session => key.unshown(),
            Carrier::Reconnect { .. } => key,
        };
        let secret = NewSecret::make(self.services.random)?;
        let text = secret.question(attempt.room());
        self.put(&key, attempt, primary, Asked::Enrolment(secret))?;
        Ok(Outcome::Ask(Question {
            text,
            user: attempt.user.clone(),
            carrier,
            factor: Factor::Totp,
            reason: Reason::EnrolmentNeeded,
        }))
    }

    /// The user has the question of a session before their eyes, which [`Decision::login`] returned and which
    /// [must be seen](Question::must_be_seen): from now on it can be answered. Returns it, or what takes its place.
    pub fn shown_in_session(&mut self, session: &ChallengeKey, question: Question) -> Outcome {
        finish(self.show(session, question))
    }

    fn show(&mut self, session: &ChallengeKey, question: Question) -> Result<Outcome, Stop> {
        let now = self.services.clock.now();
        let mut records = self.services.store.begin()?;
        let Some(challenge) = records.take_challenge(&session.unshown())? else {
            return stop(Told::AuthenticationFailed, Reason::UnknownChallenge);
        };
        records.put_challenge(session, &challenge, now)?;
        records.commit()?;
        Ok(Outcome::Ask(question))
    }

    /// The question of a session was not seen, and cannot be put in another way: the user is let in if the settings do
    /// that with those who have no second factor, else told to come back.
    fn not_shown(&mut self, attempt: &Attempt, session: &ChallengeKey) -> Result<Outcome, Stop> {
        let Self { services } = self;
        let now = services.clock.now();
        let mut records = services.store.begin()?;
        let challenge = records.take_challenge(&session.unshown())?;
        let primary =
            challenge.as_ref().and_then(|challenge| PrimaryProof::by_challenge(challenge, attempt, now).ok());
        let Some(primary) = primary else {
            return stop(Told::AuthenticationFailed, Reason::UnknownChallenge);
        };
        let unasked = Attempt { question: QuestionForm::Impossible, ..attempt.clone() };
        let factor = second_factor(services.settings, records.as_mut(), &unasked, &primary, now);
        records.commit()?;
        match factor {
            Ok(SecondFactor::None(waived)) => Ok(Outcome::Accept(accept(primary, waived))),
            Ok(SecondFactor::Totp(_)) => stop(Told::EnrolledMeanwhile, Reason::EnrolledMeanwhile),
            Ok(SecondFactor::Duo | SecondFactor::Unset) => {
                stop(Told::AuthenticationFailed, Reason::UnknownChallenge)
            }
            Err(Stop::Reject(rejection)) if matches!(rejection.reason, Reason::NotEnrolled(_)) => {
                stop(Told::EnrolNextTime, Reason::NotEnrolled(Some(TOO_LATE.to_owned())))
            }
            Err(stop) => Err(stop),
        }
    }

    /// Puts the question of a session by reconnecting, or ends the login where the client cannot.
    pub(super) fn move_unshown(
        &mut self,
        attempt: &Attempt,
        session: &ChallengeKey,
        question: Question,
    ) -> Result<Outcome, Stop> {
        if can_follow_up(attempt) {
            self.move_question(&session.unshown(), question)
        } else {
            self.not_shown(attempt, session)
        }
    }
}
