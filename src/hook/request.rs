//! From what OpenVPN hands over to what the decision understands.

use crate::auth::{Ability, Attempt, IdentityError, Peer, QuestionForm, Reason, Submission};
use crate::config::Settings;
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

    /// Whether the client can be asked at once, before the primary check has come to an end.
    pub(super) fn asks_in_session(&self, settings: &Settings) -> bool {
        matches!(self.attempt.question, QuestionForm::InSession { .. })
            && self.submission.lacks_factor(&settings.auth)
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
