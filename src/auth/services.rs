//! What the decision asks of the world, as traits.

use super::{Failures, Network, NewSecret};
use crate::clock::{Clock, UnixTime};
use crate::config::{self, Settings};
use crate::factor::backup_code::SaltedHash;
use crate::factor::duo;
use crate::factor::totp::Algorithm;
use crate::name::{GroupName, UserName};
use crate::random::Random;
use crate::secret::SecretBytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::time::Duration;

/// Everything a decision needs besides the attempt.
pub struct Services<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The primary check.
    pub primary: &'a dyn PrimaryCheck,
    /// The store.
    pub store: &'a mut dyn Store,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Randomness.
    pub random: &'a dyn Random,
    /// Duo.
    pub duo: &'a dyn duo::Api,
}

/// The primary check: a name, a password and an account.
pub trait PrimaryCheck {
    /// Checks password and account. Must take no longer for one reason to deny than for another.
    ///
    /// # Errors
    /// When the user is not to be let in, for whatever reason.
    fn authenticate(
        &self,
        user: &UserName,
        password: &SecretBytes,
        client: Option<IpAddr>,
    ) -> Result<PrimaryPass, PrimaryDenial>;

    /// Checks that the account is still valid, without a password.
    ///
    /// # Errors
    /// When it is not.
    fn account(&self, user: &UserName, client: Option<IpAddr>) -> Result<PrimaryPass, PrimaryDenial>;
}

/// The primary check said yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryPass {
    /// How long after the login began a denial would have been known. A refusal that must look like one is kept back
    /// as long.
    pub denial_hold: Duration,
    /// The first of the groups in the settings that the user is a member of.
    pub group: Option<GroupName>,
}

/// The primary check said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryDenial {
    /// Why, for the log.
    pub detail: String,
    /// How long after the login began the verdict may be known.
    pub hold: Duration,
}

impl PrimaryDenial {
    /// A denial that may be known at once: it tells nothing about the user.
    #[must_use]
    pub fn at_once(detail: String) -> Self {
        Self { detail, hold: Duration::ZERO }
    }
}

/// A store of users, tokens, challenges and failures.
pub trait Store {
    /// Begins a transaction that no other writer can interleave with. Dropped without [`Records::commit`], it changes
    /// nothing.
    ///
    /// # Errors
    /// When the store cannot be reached, is not ours, or stays locked.
    fn begin(&mut self) -> Result<Box<dyn Records + '_>, StoreError>;

    /// Whether a challenge is stored under `key`. Holds up no writer, so that it can be asked again and again.
    ///
    /// # Errors
    /// As [`Store::begin`].
    fn is_asked(&mut self, key: &ChallengeKey) -> Result<bool, StoreError>;
}

/// The store did not do what it was asked. The text is for the log and for administrators.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// A transaction.
pub trait Records {
    /// The record of a user.
    ///
    /// # Errors
    /// As all methods: when the store fails. The transaction is then to be dropped.
    fn user(&mut self, name: &UserName) -> Result<Option<User>, StoreError>;

    /// The TOTP tokens of a user, oldest first.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn tokens(&mut self, user: UserId) -> Result<Vec<Token>, StoreError>;

    /// Records that `step` of a token was used and how many steps it was off, so that neither it nor an earlier one is
    /// ever accepted again.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn burn_step(&mut self, token: TokenId, step: u64, offset: i64) -> Result<(), StoreError>;

    /// Stores a token of default parameters for somebody who has none, with a record where there is none either. Its
    /// `step` was used, as with [`Records::burn_step`]. Fails where there is a token: none is ever added or replaced.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn enrol(
        &mut self,
        name: &UserName,
        secret: &NewSecret,
        used: UsedStep,
        now: UnixTime,
    ) -> Result<UserId, StoreError>;

    /// The backup codes of a user, the used ones too.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn backup_codes(&mut self, user: UserId) -> Result<Vec<StoredBackupCode>, StoreError>;

    /// Records that a backup code was used, so that it is never accepted again.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn use_backup_code(&mut self, code: BackupCodeId, now: UnixTime) -> Result<(), StoreError>;

    /// Records a login.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn note_login(&mut self, user: UserId, now: UnixTime) -> Result<(), StoreError>;

    /// The failures of an identity, whether it is enrolled or not.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn failures(&mut self, identity: &UserName) -> Result<Failures, StoreError>;

    /// Replaces the failures of an identity.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn set_failures(&mut self, identity: &UserName, failures: Failures) -> Result<(), StoreError>;

    /// The failures of those who come from a network, whoever they say they are.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn address_failures(&mut self, network: Network) -> Result<Failures, StoreError>;

    /// Replaces the failures of a network, and drops those of others that were to be forgotten before `now`.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn set_address_failures(
        &mut self,
        network: Network,
        failures: Failures,
        now: UnixTime,
    ) -> Result<(), StoreError>;

    /// Whether a telephone waits for the owner of an identity to say yes or no.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn push_is_open(&mut self, identity: &UserName, now: UnixTime) -> Result<bool, StoreError>;

    /// Records that a telephone waits for the owner of an identity, no longer than `until`.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn open_push(&mut self, identity: &UserName, until: UnixTime) -> Result<(), StoreError>;

    /// Records that it waits no more.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn close_push(&mut self, identity: &UserName) -> Result<(), StoreError>;

    /// Stores a challenge, and forgets those that expired before `now`. One of the same key is replaced.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn put_challenge(
        &mut self,
        key: &ChallengeKey,
        challenge: &Challenge,
        now: UnixTime,
    ) -> Result<(), StoreError>;

    /// Takes a challenge out of the store: its first answer consumes it.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn take_challenge(&mut self, key: &ChallengeKey) -> Result<Option<Challenge>, StoreError>;

    /// Makes everything durable.
    #[expect(clippy::missing_errors_doc, reason = "see `user`")]
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// The store's number of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserId(pub i64);

/// The record of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub id: UserId,
    /// Whether it may log in.
    pub state: UserState,
    /// Its factor, where it is not the one of the settings.
    pub factor: Option<config::Factor>,
    /// Whether it has a TOTP token.
    pub has_token: bool,
}

/// Whether a user may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    /// Yes.
    Enabled,
    /// No; the enrolment stays.
    Disabled,
}

/// The store's number of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenId(pub i64);

/// A TOTP token.
pub struct Token {
    /// Its number.
    pub id: TokenId,
    /// The shared secret.
    pub secret: SecretBytes,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Digits of a code, 6 to 8.
    pub digits: u8,
    /// Seconds of a step, at least 1.
    pub period: u32,
    /// The last step that was accepted.
    pub last_step: Option<u64>,
}

/// A step that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedStep {
    /// The step.
    pub step: u64,
    /// How many steps from the present one; positive when the user's clock is ahead.
    pub offset: i64,
}

/// The store's number of a backup code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupCodeId(pub i64);

/// A backup code.
#[derive(Debug, Clone, Copy)]
pub struct StoredBackupCode {
    /// Its number.
    pub id: BackupCodeId,
    /// What there is of it.
    pub hash: SaltedHash,
    /// When it was used, if it was.
    pub used_at: Option<UnixTime>,
}

/// What a challenge is stored under: the SHA-256 of its name, so that nobody who reads the store can answer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChallengeKey(pub [u8; 32]);

impl ChallengeKey {
    /// The key of a question in a session, which the VPN server names in a way that nobody else shares.
    #[must_use]
    pub fn of_session(session: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(b"session\0").chain_update(session).finalize().into())
    }

    /// The key of a question that is answered by reconnecting.
    #[must_use]
    pub fn of_state(state: &str) -> Self {
        Self(Sha256::new_with_prefix(b"state\0").chain_update(state).finalize().into())
    }

    /// The key of a question in a session that has not been shown yet. No answer finds it.
    #[must_use]
    pub fn unshown(&self) -> Self {
        Self(Sha256::new_with_prefix(b"unshown\0").chain_update(self.0).finalize().into())
    }
}

/// A question that was asked after a right primary check: to whom, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Who passed the primary check.
    pub user: String,
    /// Whose second factor is wanted.
    pub identity: String,
    /// The certificate's common name at the time.
    pub common_name: Option<String>,
    /// The certificate's fingerprint at the time.
    pub certificate: Option<String>,
    /// The last moment for an answer.
    pub expires_at: UnixTime,
    /// What the answer is to be.
    pub asked: Asked,
}

/// What an answer is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// A code of one of the user's tokens.
    Code,
    /// A code of a token that the user does not have yet. Of it a store keeps the secret as it keeps those of tokens.
    #[serde(skip)]
    Enrolment(NewSecret),
    /// A choice or a passcode for Duo; what there is to choose from is looked up when the answer comes.
    Duo,
    /// A choice from this menu, or a passcode for Duo.
    DuoMenu(duo::menu::Menu),
    /// Anything, once the user has approved this transaction at Duo.
    DuoApproval(duo::Transaction),
}

impl Asked {
    /// The factor that it belongs to.
    #[must_use]
    pub fn factor(&self) -> config::Factor {
        match self {
            Self::Code | Self::Enrolment(_) => config::Factor::Totp,
            Self::Duo | Self::DuoMenu(_) | Self::DuoApproval(_) => config::Factor::Duo,
        }
    }
}
