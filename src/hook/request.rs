//! From what OpenVPN hands over to what the decision understands.

use crate::auth::{Ability, Attempt, FollowUp, IdentityError, Peer, QuestionForm, Reason, Submission};
use crate::config::{DuoPrompt, Factor, Line, Primary, Settings};
use crate::openvpn::{Credentials, CredentialsError, Environment, PasswordField, SessionState};
use crate::secret::ExposeSecret;

/// Why a login cannot even be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl RequestError {
    /// For the log.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Credentials(error) => Reason::Malformed(error.to_string()),
            Self::Identity(error) => Reason::Identity(error.to_string()),
        }
    }
}

/// A verify call, understood.
pub(super) struct Login {
    pub(super) attempt: Attempt,
    pub(super) submission: Submission,
}

impl Login {
    /// Parses the bytes of the credentials file.
    pub(super) fn parse(
        settings: &Settings,
        environment: &Environment,
        bytes: &[u8],
    ) -> Result<Self, RequestError> {
        let credentials = Credentials::parse(bytes)?;
        let submission = submission(environment, credentials.password.expose_secret())?;
        let attempt = attempt(settings, environment, &credentials.username)?;
        Ok(Self { attempt, submission })
    }

    /// The question that can be put before anything is known of the user. Without one, the worker's question is put in
    /// the session when it is there in time, and by reconnecting later.
    pub(super) fn question_ahead<'s>(&self, settings: &'s Settings) -> Option<&'s Line> {
        let QuestionForm::InSession { then_reconnect } = self.attempt.question else { return None };
        if !self.submission.lacks_factor(&settings.auth) {
            return None;
        }
        match settings.auth.factor {
            Factor::Totp => Some(&settings.totp.challenge_text),
            Factor::Duo => {
                let duo = &settings.duo;
                let asks = !duo.autopush && settings.auth.primary == Primary::Pam;
                // A client that is asked now or never gets the words that fit everybody.
                let ahead = duo.prompt == DuoPrompt::Generic || then_reconnect == FollowUp::None;
                (asks && ahead).then_some(&duo.prompt_text)
            }
        }
    }
}

/// Who is at the door, by OpenVPN's environment and the name that was typed.
pub(super) fn attempt(
    settings: &Settings,
    environment: &Environment,
    username: &[u8],
) -> Result<Attempt, IdentityError> {
    let client = environment.client_software();
    let question = QuestionForm::choose(
        settings.auth.challenge,
        Ability::from(client.answers_in_session),
        Ability::from(client.answers_by_reconnecting),
    );
    let peer = Peer {
        common_name: environment.common_name().map(str::to_owned),
        certificate: environment.certificate().map(str::to_owned),
        address: environment.client_address(),
    };
    Attempt::identify(&settings.auth, username, peer, question)
}

fn submission(environment: &Environment, password: &[u8]) -> Result<Submission, CredentialsError> {
    Ok(match PasswordField::parse(password)? {
        PasswordField::Plain(typed) => Submission::Typed(typed),
        PasswordField::Static { password, response } => Submission::Both { password, response },
        PasswordField::Dynamic { state, response } => {
            Submission::Answer { state: state.as_str().to_owned(), response }
        }
        PasswordField::SessionToken => match environment.session_state() {
            SessionState::Authenticated => Submission::GenuineToken,
            SessionState::Initial | SessionState::Refused => Submission::RefusedToken,
        },
    })
}

#[cfg(test)]
mod fuzz;
