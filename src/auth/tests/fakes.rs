//! Services that do what a test says, and keep count.

use crate::auth::*;
use crate::clock::{Clock, UnixTime};
use crate::config::Settings;
use crate::factor::backup_code::BackupCode;
use crate::factor::duo::{self, DuoError};
use crate::factor::totp::{self, Algorithm};
use crate::name::GroupName;
use crate::random::{Random, RandomError};
use crate::secret::{ExposeSecret, secret};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};

pub(super) const PASSWORD: &[u8] = b"right";
pub(super) const HOLD: Duration = Duration::from_secs(2);

/// A primary check that knows one password, and an account that a test can close.
#[derive(Default)]
pub(super) struct FakePrimary {
    pub(super) account_closed: Cell<bool>,
    pub(super) calls: Cell<usize>,
    pub(super) group: RefCell<Option<GroupName>>,
}

impl PrimaryCheck for FakePrimary {
    fn authenticate(
        &self,
        _: &UserName,
        password: &SecretBytes,
        _: Option<IpAddr>,
    ) -> Result<PrimaryPass, PrimaryDenial> {
        self.calls.set(self.calls.get() + 1);
        if password.expose_secret() == PASSWORD && !self.account_closed.get() {
            return Ok(PrimaryPass { denial_hold: HOLD, group: self.group.borrow().clone() });
        }
        Err(PrimaryDenial { detail: "no".to_owned(), hold: HOLD })
    }

    fn account(&self, _: &UserName, _: Option<IpAddr>) -> Result<PrimaryPass, PrimaryDenial> {
        self.calls.set(self.calls.get() + 1);
        if self.account_closed.get() {
            return Err(PrimaryDenial { detail: "closed".to_owned(), hold: HOLD });
        }
        Ok(PrimaryPass { denial_hold: HOLD, group: self.group.borrow().clone() })
    }
}

#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) users: HashMap<String, User>,
    /// The tokens that users have set up themselves.
    pub(super) set_up: Vec<SetUp>,
    pub(super) last_step: Option<u64>,
    pub(super) backup_codes: Vec<StoredBackupCode>,
    pub(super) failures: HashMap<String, Failures>,
    pub(super) address_failures: HashMap<Network, Failures>,
    pub(super) challenges: HashMap<ChallengeKey, Challenge>,
    pub(super) pushes: HashMap<String, UnixTime>,
    pub(super) logins: usize,
}

/// A token that a user has set up.
#[derive(Clone)]
pub(super) struct SetUp {
    owner: UserId,
    pub(super) secret: NewSecret,
    pub(super) last_step: u64,
}

/// A store in memory. Each user has one token, of [`token`], or the one that they have set up. `fails_at` makes the n-th operation fail.
#[derive(Default)]
pub(super) struct FakeStore {
    pub(super) tables: Tables,
    pub(super) operations: Cell<usize>,
    pub(super) fails_at: Option<usize>,
    /// Somebody disables everybody before the n-th transaction.
    pub(super) disabled_before: Option<usize>,
    pub(super) transactions: usize,
}

impl FakeStore {
    fn step(&self) -> Result<(), StoreError> {
        let operation = self.operations.get() + 1;
        self.operations.set(operation);
        if self.fails_at == Some(operation) {
            return Err(StoreError("disk full".to_owned()));
        }
        Ok(())
    }
}

impl Store for FakeStore {
    fn begin(&mut self) -> Result<Box<dyn Records + '_>, StoreError> {
        self.step()?;
        self.transactions += 1;
        if self.disabled_before == Some(self.transactions) {
            self.tables.users.values_mut().for_each(|user| user.state = UserState::Disabled);
        }
        let changed = self.tables.clone();
        Ok(Box::new(FakeRecords { store: self, changed }))
    }

    fn is_asked(&mut self, key: &ChallengeKey) -> Result<bool, StoreError> {
        self.step()?;
        Ok(self.tables.challenges.contains_key(key))
    }
}

struct FakeRecords<'a> {
    store: &'a mut FakeStore,
    changed: Tables,
}

impl Records for FakeRecords<'_> {
    fn user(&mut self, name: &UserName) -> Result<Option<User>, StoreError> {
        self.store.step()?;
        Ok(self.changed.users.get(name.as_str()).copied())
    }

    fn tokens(&mut self, user: UserId) -> Result<Vec<Token>, StoreError> {
        self.store.step()?;
        if let Some(index) = self.changed.set_up.iter().position(|token| token.owner == user) {
            let SetUp { secret, last_step, .. } = &self.changed.set_up[index];
            let id = TokenId(FIRST_SET_UP + i64::try_from(index).unwrap());
            return Ok(vec![Token { id, last_step: Some(*last_step), ..secret.token() }]);
        }
        Ok(vec![Token { last_step: self.changed.last_step, ..token() }])
    }

    fn burn_step(&mut self, token: TokenId, step: u64, _: i64) -> Result<(), StoreError> {
        self.store.step()?;
        if let Ok(index) = usize::try_from(token.0 - FIRST_SET_UP) {
            let last_step = &mut self.changed.set_up[index].last_step;
            assert!(step > *last_step, "a step is burnt once");
            *last_step = step;
            return Ok(());
        }
        assert!(self.changed.last_step.is_none_or(|last| step > last), "a step is burnt once");
        self.changed.last_step = Some(step);
        Ok(())
    }

    fn enrol(
        &mut self,
        name: &UserName,
        secret: &NewSecret,
        UsedStep { step, .. }: UsedStep,
        _: UnixTime,
    ) -> Result<UserId, StoreError> {
        self.store.step()?;
        let next = UserId(i64::try_from(self.changed.users.len()).unwrap() + 10);
        let user = self.changed.users.entry(name.as_str().to_owned()).or_insert(User {
            id: next,
            state: UserState::Enabled,
            factor: None,
            has_token: false,
        });
        assert!(!user.has_token, "no token is ever added or replaced");
        user.has_token = true;
        let owner = user.id;
        self.changed.set_up.push(SetUp { owner, secret: secret.clone(), last_step: step });
        Ok(owner)
    }

    fn backup_codes(&mut self, _: UserId) -> Result<Vec<StoredBackupCode>, StoreError> {
        self.store.step()?;
        Ok(self.changed.backup_codes.clone())
    }

    fn use_backup_code(&mut self, code: BackupCodeId, now: UnixTime) -> Result<(), StoreError> {
        self.store.step()?;
        let stored = self.changed.backup_codes.iter_mut().find(|stored| stored.id == code).unwrap();
        assert_eq!(stored.used_at.replace(now), None, "a backup code is used once");
        Ok(())
    }

    fn note_login(&mut self, _: UserId, _: UnixTime) -> Result<(), StoreError> {
        self.store.step()?;
        self.changed.logins += 1;
        Ok(())
    }

    fn failures(&mut self, identity: &UserName) -> Result<Failures, StoreError> {
        self.store.step()?;
        Ok(self.changed.failures.get(identity.as_str()).copied().unwrap_or_default())
    }

    fn set_failures(&mut self, identity: &UserName, failures: Failures) -> Result<(), StoreError> {
        self.store.step()?;
        self.changed.failures.insert(identity.as_str().to_owned(), failures);
        Ok(())
    }

    fn address_failures(&mut self, network: Network) -> Result<Failures, StoreError> {
        self.store.step()?;
        Ok(self.changed.address_failures.get(&network).copied().unwrap_or_default())
    }

    fn set_address_failures(
        &mut self,
        network: Network,
        failures: Failures,
        _: UnixTime,
    ) -> Result<(), StoreError> {
        self.store.step()?;
        self.changed.address_failures.insert(network, failures);
        Ok(())
    }

    fn push_is_open(&mut self, identity: &UserName, now: UnixTime) -> Result<bool, StoreError> {
        self.store.step()?;
        Ok(self.changed.pushes.get(identity.as_str()).is_some_and(|until| *until > now))
    }

    fn open_push(&mut self, identity: &UserName, until: UnixTime) -> Result<(), StoreError> {
        self.store.step()?;
        self.changed.pushes.insert(identity.as_str().to_owned(), until);
        Ok(())
    }

    fn close_push(&mut self, identity: &UserName) -> Result<(), StoreError> {
        self.store.step()?;
        self.changed.pushes.remove(identity.as_str());
        Ok(())
    }

    fn put_challenge(
        &mut self,
        key: &ChallengeKey,
        challenge: &Challenge,
        _: UnixTime,
    ) -> Result<(), StoreError> {
        self.store.step()?;
        self.changed.challenges.insert(*key, challenge.clone());
        Ok(())
    }

    fn take_challenge(&mut self, key: &ChallengeKey) -> Result<Option<Challenge>, StoreError> {
        self.store.step()?;
        Ok(self.changed.challenges.remove(key))
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.store.step()?;
        self.store.tables = self.changed;
        Ok(())
    }
}

pub(super) struct FakeClock(pub(super) Cell<UnixTime>);

impl Clock for FakeClock {
    fn now(&self) -> UnixTime {
        self.0.get()
    }

    fn pause(&self, time: Duration) {
        self.0.set(self.0.get() + time.as_secs());
    }
}

/// A Duo that answers what a test has put down, in that order, and complains when it is asked for more or for less.
#[derive(Default)]
pub(super) struct FakeDuo {
    pub(super) look_ups: RefCell<VecDeque<Result<duo::Preauth, DuoError>>>,
    pub(super) transactions: RefCell<VecDeque<Result<(), DuoError>>>,
    pub(super) statuses: RefCell<VecDeque<Result<duo::Status, DuoError>>>,
    /// What was asked, in words.
    pub(super) asked: RefCell<Vec<String>>,
    /// How many more looks there is time for.
    pub(super) patience: Cell<usize>,
}

impl FakeDuo {
    fn next<T>(answers: &RefCell<VecDeque<Result<T, DuoError>>>, what: &str) -> Result<T, DuoError> {
        answers.borrow_mut().pop_front().unwrap_or_else(|| panic!("Duo is asked unexpectedly: {what}"))
    }

    fn note(&self, what: String) -> String {
        self.asked.borrow_mut().push(what.clone());
        what
    }

    /// What was asked since the last time.
    pub(super) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.borrow_mut())
    }
}

impl duo::Api for FakeDuo {
    fn preauth(&self, request: &duo::PreauthRequest<'_>) -> Result<duo::Preauth, DuoError> {
        let verified = if request.verified_push { " verified" } else { "" };
        let what = self.note(format!("preauth {}{verified}", request.user.as_str()));
        Self::next(&self.look_ups, &what)
    }

    fn auth(&self, request: &duo::AuthRequest<'_>) -> Result<duo::Transaction, DuoError> {
        let device = |choice: &duo::DeviceChoice<'_>| match choice {
            duo::DeviceChoice::Auto => "auto".to_owned(),
            duo::DeviceChoice::Id(id) => (*id).to_owned(),
        };
        let factor = match &request.factor {
            duo::Factor::Auto => "auto".to_owned(),
            duo::Factor::Push(choice) => format!("push {}", device(choice)),
            duo::Factor::Phone(choice) => format!("phone {}", device(choice)),
            duo::Factor::Sms(choice) => format!("sms {}", device(choice)),
            duo::Factor::Passcode(code) => {
                format!("passcode {}", String::from_utf8_lossy(code.expose_secret()))
            }
            duo::Factor::Prompt(entry) => format!("prompt {entry}"),
        };
        let what = self.note(format!("auth {} {factor}", request.user.as_str()));
        Self::next(&self.transactions, &what)?;
        Ok(duo::Transaction("tx1".to_owned()))
    }

    fn auth_status(&self, transaction: &duo::Transaction) -> Result<duo::Status, DuoError> {
        let what = self.note(format!("status {}", transaction.0));
        Self::next(&self.statuses, &what)
    }

    fn time_is_over(&self) -> bool {
        let left = self.patience.get();
        self.patience.set(left.saturating_sub(1));
        left == 0
    }
}

/// Counts up, so that no two ids are alike.
#[derive(Default)]
struct FakeRandom(Cell<u8>);

impl Random for FakeRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.0.set(self.0.get().wrapping_add(1));
        bytes.fill(self.0.get());
        Ok(())
    }
}

/// The number of the first token that a user sets up.
const FIRST_SET_UP: i64 = 100;

pub(super) fn token() -> Token {
    Token {
        id: TokenId(7),
        secret: secret(b"12345678901234567890"),
        algorithm: Algorithm::Sha1,
        digits: 6,
        period: 30,
        last_step: None,
    }
}

/// A door with one enrolled user, `alice`.
pub(super) struct Door {
    pub(super) settings: Settings,
    pub(super) primary: FakePrimary,
    pub(super) store: FakeStore,
    pub(super) clock: FakeClock,
    pub(super) duo: FakeDuo,
    random: FakeRandom,
}

impl Door {
    pub(super) fn new() -> Self {
        let mut store = FakeStore::default();
        let alice = User { id: UserId(1), state: UserState::Enabled, factor: None, has_token: true };
        store.tables.users.insert("alice".to_owned(), alice);
        Self {
            settings: Settings::default(),
            primary: FakePrimary::default(),
            store,
            clock: FakeClock(Cell::new(1_000_000_020)),
            duo: FakeDuo::default(),
            random: FakeRandom::default(),
        }
    }

    pub(super) fn login(&mut self, attempt: &Attempt, submission: &Submission) -> Outcome {
        self.decide(|decision| decision.login(attempt, submission, Some(&session())))
    }

    pub(super) fn login_by_word(&mut self, attempt: &Attempt, response: &[u8]) -> Outcome {
        let word = "passed".parse().unwrap();
        self.decide(|decision| decision.login_by_word(attempt, word, &secret(response)))
    }

    pub(super) fn answer_in_session(&mut self, attempt: &Attempt, response: &[u8]) -> Option<Outcome> {
        self.decide(|decision| decision.answer_in_session(attempt, &session(), &secret(response)))
    }

    pub(super) fn ask_by_reconnecting_instead(&mut self, question: Question) -> Outcome {
        self.ask_by_reconnecting_instead_for(&attempt(IN_SESSION), question)
    }

    pub(super) fn ask_by_reconnecting_instead_for(
        &mut self,
        attempt: &Attempt,
        question: Question,
    ) -> Outcome {
        self.decide(|decision| decision.ask_by_reconnecting(attempt, &session(), question))
    }

    /// The user sees the question that was put in the session.
    pub(super) fn shown_in_session(&mut self, question: Question) -> Outcome {
        self.decide(|decision| decision.shown_in_session(&session(), question))
    }

    fn decide<T>(&mut self, decide: impl FnOnce(&mut Decision<'_>) -> T) -> T {
        decide(&mut Decision::new(Services {
            settings: &self.settings,
            primary: &self.primary,
            store: &mut self.store,
            clock: &self.clock,
            random: &self.random,
            duo: &self.duo,
        }))
    }

    /// The code of the step that is `steps_off` from now.
    pub(super) fn code(&self, steps_off: i64) -> Vec<u8> {
        let time = self.clock.now().saturating_add_signed(30 * steps_off);
        totp::code_at(&token(), time).expose_secret().as_bytes().to_vec()
    }

    /// A code that is right at no time near now.
    pub(super) fn wrong_code(&self) -> Vec<u8> {
        let near: Vec<_> = (-3..=3).map(|steps_off| self.code(steps_off)).collect();
        (0..10).map(|n| format!("{n:06}").into_bytes()).find(|code| !near.contains(code)).unwrap()
    }

    /// Logs `alice` in with the password only and returns the state of the CRV1 question.
    pub(super) fn ask_by_reconnecting(&mut self) -> String {
        match self.login(&attempt(QuestionForm::Reconnect), &typed(PASSWORD)) {
            Outcome::Ask(Question { carrier: Carrier::Reconnect { state }, .. }) => state,
            other => panic!("a question was expected, not {other:?}"),
        }
    }

    /// Gives the user a backup code.
    pub(super) fn add_backup_code(&mut self, code: &[u8]) {
        let hash = BackupCode::parse(&secret(code)).unwrap().hashed(&self.random).unwrap();
        let codes = &mut self.store.tables.backup_codes;
        let id = BackupCodeId(i64::try_from(codes.len()).unwrap());
        codes.push(StoredBackupCode { id, hash, used_at: None });
    }

    /// The failures of the address that [`attempt`] comes from.
    pub(super) fn address_failures(&self) -> u64 {
        let network = Network::of("192.0.2.1".parse().unwrap());
        self.store.tables.address_failures.get(&network).map_or(0, |failures| failures.count)
    }

    pub(super) fn failures(&self) -> Failures {
        self.store.tables.failures.get("alice").copied().unwrap_or_default()
    }
}

pub(super) const IN_SESSION: QuestionForm = QuestionForm::InSession { then_reconnect: FollowUp::Reconnect };

pub(super) fn session() -> ChallengeKey {
    ChallengeKey::of_session(b"/run/openvpn_acf_1.tmp")
}

pub(super) fn attempt(question: QuestionForm) -> Attempt {
    attempt_of("alice", question)
}

pub(super) fn attempt_of(user: &str, question: QuestionForm) -> Attempt {
    let peer = Peer {
        common_name: Some("Test-Client".to_owned()),
        certificate: Some("45:08".to_owned()),
        address: "192.0.2.1".parse().ok(),
    };
    Attempt::identify(&config::Auth::default(), user.as_bytes(), peer, question).unwrap()
}

pub(super) fn typed(text: &[u8]) -> Submission {
    Submission::Typed(secret(text))
}

pub(super) fn both(password: &[u8], response: &[u8]) -> Submission {
    Submission::Both { password: secret(password), response: secret(response) }
}

pub(super) fn answer(state: &str, response: &[u8]) -> Submission {
    Submission::Answer { state: state.to_owned(), response: secret(response) }
}

/// `accept`, or what the user is told with the log's word, or `ask`.
pub(super) fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accept(acceptance) => format!("accept {}", acceptance.reason()),
        Outcome::Reject(rejection) => format!("{}: {}", rejection.told.text(), rejection.reason),
        Outcome::Ask(question) => format!("ask {}: {}", question.reason, question.text.expose_secret()),
    }
}
