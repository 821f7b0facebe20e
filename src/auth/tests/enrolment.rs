//! Self-enrolment: who is offered a token, and what it takes to have it.

use super::fakes::*;
use crate::auth::*;
use crate::config::{Factor, Primary, Unenrolled};
use crate::factor::totp;
use crate::random::SystemRandom;
use crate::secret::secret;
use data_encoding::BASE32_NOPAD;
use proptest::prelude::*;

const NOT_ENROLLED: &str = "Authentication failed: not-enrolled";

/// A door that lets users enrol themselves, with `alice`, who is enrolled.
fn door() -> Door {
    let mut door = Door::new();
    door.settings.totp.self_enroll = true;
    door
}

/// Somebody without a record.
fn bob() -> Attempt {
    attempt_of("bob", QuestionForm::Reconnect)
}

fn bob_in_session() -> Attempt {
    attempt_of("bob", IN_SESSION)
}

/// The client of one who cannot connect again with an answer.
fn bob_on_android() -> Attempt {
    attempt_of("bob", QuestionForm::InSession { then_reconnect: FollowUp::None })
}

fn question(outcome: Outcome) -> Question {
    match outcome {
        Outcome::Ask(question) => question,
        other => panic!("a question was expected, not {}", shown(&other)),
    }
}

fn state(question: &Question) -> String {
    match &question.carrier {
        Carrier::Reconnect { state } => state.clone(),
        Carrier::Session => panic!("by reconnecting"),
    }
}

/// The key in a text, as a person would find it: 32 characters of base32, perhaps by four.
fn key_in(text: &str) -> Option<NewSecret> {
    let base32 = |word: &&str| word.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    let found: String = text.split(' ').filter(|word| word.len().is_multiple_of(4)).filter(base32).collect();
    let bytes = BASE32_NOPAD.decode(found.as_bytes()).ok()?;
    (bytes.len() == 20).then(|| NewSecret::from(secret(&bytes)))
}

/// The key that a question shows.
fn key(question: &Question) -> NewSecret {
    let text = question.text.expose_secret();
    key_in(text).unwrap_or_else(|| panic!("no key in {text:?}"))
}

fn code(door: &Door, key: &NewSecret, steps_off: i64) -> Vec<u8> {
    let time = door.clock.0.get().saturating_add_signed(30 * steps_off);
    totp::code_at(&key.token(), time).expose_secret().as_bytes().to_vec()
}

fn wrong_code(door: &Door, key: &NewSecret) -> Vec<u8> {
    let near: Vec<_> = (-3..=3).map(|steps_off| code(door, key, steps_off)).collect();
    (0..10).map(|n| format!("{n:06}").into_bytes()).find(|code| !near.contains(code)).unwrap()
}

/// Asks `attempt` by reconnecting: the question and its key.
fn offered(door: &mut Door, attempt: &Attempt) -> (Question, NewSecret) {
    let question = question(door.login(attempt, &typed(PASSWORD)));
    assert_eq!(question.reason, Reason::EnrolmentNeeded);
    let key = key(&question);
    (question, key)
}

fn nobody_is_set_up(door: &Door) {
    assert!(door.store.tables.set_up.is_empty());
    assert!(door.store.tables.users.get("bob").is_none_or(|bob| !bob.has_token));
}

#[test]
fn a_user_without_a_token_is_shown_a_key_and_has_it_with_its_code() {
    let mut door = door();
    let (question, key) = offered(&mut door, &bob());
    assert_eq!(question.factor, Factor::Totp);
    nobody_is_set_up(&door);
    let right = code(&door, &key, 0);
    let outcome = door.login(&bob(), &answer(&state(&question), &right));
    assert_eq!(shown(&outcome), "accept self-enrolled");
    let Outcome::Accept(acceptance) = &outcome else { panic!("it was") };
    assert_eq!((acceptance.factor(), acceptance.offset()), ("totp", Some(0)));
    assert_eq!(door.store.tables.set_up.len(), 1);
    assert_eq!(door.store.tables.set_up[0].secret.expose_secret(), key.expose_secret());
    assert_eq!(door.store.tables.logins, 1);

    // From now on as everybody else; the code is used up.
    let again = door.login(&bob(), &both(PASSWORD, &right));
    assert_eq!(shown(&again), "Incorrect code: code-already-used");
    let next = code(&door, &key, 1);
    assert_eq!(shown(&door.login(&bob(), &both(PASSWORD, &next))), "accept both-factors");
    let asked = door.login(&bob(), &typed(PASSWORD));
    assert_eq!(shown(&asked), "ask factor-needed: Please enter your TOTP code");
}

#[test]
fn a_record_without_a_token_is_kept_and_gets_one() {
    let mut door = door();
    // The settings say Duo, and the record says otherwise.
    door.settings.auth.factor = Factor::Duo;
    let record =
        User { id: UserId(5), state: UserState::Enabled, factor: Some(Factor::Totp), has_token: false };
    door.store.tables.users.insert("bob".to_owned(), record);
    let (question, key) = offered(&mut door, &bob());
    let right = code(&door, &key, 0);
    let outcome = door.login(&bob(), &answer(&state(&question), &right));
    assert_eq!(shown(&outcome), "accept self-enrolled");
    assert_eq!(door.store.tables.users["bob"], User { has_token: true, ..record });
}

#[test]
fn in_a_session_the_key_counts_once_it_is_seen() {
    let mut door = door();
    let (question, key) = offered(&mut door, &bob_in_session());
    assert_eq!(question.carrier, Carrier::Session);
    assert!(question.must_be_seen());
    let right = code(&door, &key, 0);
    assert!(door.answer_in_session(&bob_in_session(), &right).is_none(), "another question is before them");
    let shown_question = door.shown_in_session(question.clone());
    assert!(matches!(shown_question, Outcome::Ask(same) if same == question));
    let outcome = door.answer_in_session(&bob_in_session(), &right).unwrap();
    assert_eq!(shown(&outcome), "accept self-enrolled");
    assert!(door.answer_in_session(&bob_in_session(), &code(&door, &key, 1)).is_none(), "twice");
    let gone = door.shown_in_session(question);
    assert_eq!(shown(&gone), "Authentication failed: unknown-challenge");
}

#[test]
fn a_key_that_comes_too_late_for_the_session_is_shown_by_reconnecting() {
    let mut door = door();
    let (question, key) = offered(&mut door, &bob_in_session());
    // They have answered what was put ahead: that is no answer to this, and no failure.
    assert!(door.answer_in_session(&bob_in_session(), b"123456").is_none());
    let moved = door.ask_by_reconnecting_instead_for(&bob_in_session(), question);
    let Outcome::Ask(question) = moved else { panic!("{}", shown(&moved)) };
    assert!(door.answer_in_session(&bob_in_session(), &code(&door, &key, 0)).is_none());
    let right = code(&door, &key, 0);
    let outcome = door.login(&bob(), &answer(&state(&question), &right));
    assert_eq!(shown(&outcome), "accept self-enrolled");
    assert!(door.store.tables.failures.values().all(|failures| failures.count == 0));
}

#[test]
fn who_can_only_be_asked_in_a_session_is_told_to_come_back_when_that_is_too_late() {
    let mut door = door();
    let (question, key) = offered(&mut door, &bob_on_android());
    let outcome = door.ask_by_reconnecting_instead_for(&bob_on_android(), question);
    assert_eq!(
        shown(&outcome),
        "You have no authenticator app here yet, log in again to set one up: not-enrolled"
    );
    let Outcome::Reject(Rejection { reason, .. }) = &outcome else { panic!("it was") };
    assert!(reason.detail().unwrap().contains("stall_budget_ms"), "{reason:?}");
    assert!(door.answer_in_session(&bob_on_android(), &code(&door, &key, 0)).is_none(), "it is gone");
    assert!(door.store.tables.challenges.is_empty() && door.store.tables.failures.is_empty());

    // In time, they are asked like everybody else; after a wrong code there is no question to follow.
    let (question, key) = offered(&mut door, &bob_on_android());
    door.shown_in_session(question);
    let wrong = wrong_code(&door, &key);
    let outcome = door.answer_in_session(&bob_on_android(), &wrong).unwrap();
    assert_eq!(shown(&outcome), "Incorrect code: wrong-code");
    nobody_is_set_up(&door);
    assert!(door.store.tables.challenges.is_empty());
}

#[test]
fn a_wrong_code_counts_and_the_next_question_has_the_same_key() {
    let mut door = door();
    let (mut question, key_before) = offered(&mut door, &bob());
    for (count, wrong) in
        [wrong_code(&door, &key_before), b"nonsense".to_vec(), Vec::new()].into_iter().enumerate()
    {
        let outcome = door.login(&bob(), &answer(&state(&question), &wrong));
        let Outcome::Ask(next) = outcome else { panic!("{}", shown(&outcome)) };
        assert!(next.text.expose_secret().starts_with("Incorrect code, try again"));
        assert_ne!(state(&next), state(&question));
        assert_eq!(key(&next).expose_secret(), key_before.expose_secret());
        assert_eq!(door.store.tables.failures["bob"].count, count as u64 + 1);
        assert_eq!(door.address_failures(), count as u64 + 1);
        // The one before is used up.
        let right = code(&door, &key_before, 0);
        let outcome = door.login(&bob(), &answer(&state(&question), &right));
        assert_eq!(shown(&outcome), "Authentication failed: unknown-challenge");
        question = next;
    }
    nobody_is_set_up(&door);
    let right = code(&door, &key_before, 0);
    let outcome = door.login(&bob(), &answer(&state(&question), &right));
    assert_eq!(shown(&outcome), "accept self-enrolled");
    assert_eq!(door.store.tables.failures["bob"], Failures::default());
}

#[test]
fn wrong_codes_lock_and_a_locked_user_is_offered_nothing() {
    let mut door = door();
    let (mut question, key_before) = offered(&mut door, &bob());
    let wrong = wrong_code(&door, &key_before);
    for _ in 0..4 {
        question = match door.login(&bob(), &answer(&state(&question), &wrong)) {
            Outcome::Ask(question) => question,
            other => panic!("{}", shown(&other)),
        };
    }
    let outcome = door.login(&bob(), &answer(&state(&question), &wrong));
    assert_eq!(shown(&outcome), "Too many failed attempts, try again later: wrong-code");
    for submission in [typed(PASSWORD), both(PASSWORD, b"123456")] {
        let outcome = door.login(&bob(), &submission);
        assert_eq!(shown(&outcome), "Too many failed attempts, try again later: locked");
    }
    // Nor does an older question help.
    door.clock.0.set(door.clock.0.get() + 300);
    let (question, key_now) = offered(&mut door, &bob());
    assert_ne!(key_now.expose_secret(), key_before.expose_secret());
    let locked = Failures { count: 5, locked_until: Some(door.clock.0.get() + 10), forget_at: None };
    door.store.tables.failures.insert("bob".to_owned(), locked);
    let right = code(&door, &key_now, 0);
    let outcome = door.login(&bob(), &answer(&state(&question), &right));
    assert_eq!(shown(&outcome), "Too many failed attempts, try again later: locked");
    nobody_is_set_up(&door);
}

#[test]
fn every_login_is_offered_another_key() {
    let mut door = door();
    let keys: Vec<_> = (0..3).map(|_| offered(&mut door, &bob()).1.expose_secret().to_vec()).collect();
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
}

#[test]
fn nobody_is_offered_anything_unless_the_settings_say_so() {
    let mut door = Door::new();
    for attempt in [bob(), bob_in_session()] {
        assert_eq!(shown(&door.login(&attempt, &typed(PASSWORD))), NOT_ENROLLED);
    }
    assert!(door.store.tables.challenges.is_empty());
}

#[test]
fn with_a_wrong_password_nothing_differs() {
    let mut door = door();
    for attempt in [bob(), bob_in_session(), attempt(IN_SESSION), attempt_of("nobody", IN_SESSION)] {
        for submission in [typed(b"wrong"), both(b"wrong", b"123456")] {
            let Outcome::Reject(rejection) = door.login(&attempt, &submission) else { panic!("rejected") };
            assert_eq!((rejection.told, rejection.hold), (Told::AuthenticationFailed, HOLD));
            assert_eq!(rejection.reason.word(), "primary-denied");
        }
    }
    assert_eq!(door.store.operations.get(), 0);
}

#[test]
fn only_the_owner_of_the_password_is_offered_a_token() {
    // With a certificate alone, whatever the settings were let through with.
    let mut without_password = door();
    without_password.settings.auth.primary = Primary::None;
    for submission in [typed(b""), typed(b"123456"), both(b"", b"")] {
        assert_eq!(shown(&without_password.login(&bob(), &submission)), NOT_ENROLLED);
    }
    // Nor with the password of one account, and the certificate of another.
    let mut other_identity = door();
    let mut attempt = bob();
    attempt.identity = "carol".parse().unwrap();
    let outcome = other_identity.login(&attempt, &typed(PASSWORD));
    assert_eq!(shown(&outcome), NOT_ENROLLED);
    let Outcome::Reject(Rejection { reason, hold, .. }) = &outcome else { panic!("it was") };
    assert!(reason.detail().unwrap().contains("certificate"), "{reason:?}");
    assert_eq!(*hold, HOLD, "as a wrong password");
    // Nor with a session token.
    let mut with_token = door();
    assert_eq!(shown(&with_token.login(&bob(), &Submission::GenuineToken)), NOT_ENROLLED);
    // The session of one who was let in without goes on: there is nobody to ask at a renegotiation.
    with_token.settings.auth.unenrolled = Unenrolled::Allow;
    let goes_on = with_token.login(&bob(), &Submission::GenuineToken);
    assert_eq!(shown(&goes_on), "accept unenrolled-allowed");
    for door in [&without_password, &other_identity, &with_token] {
        assert!(door.store.tables.challenges.is_empty());
        nobody_is_set_up(door);
    }
}

#[test]
fn a_certificate_alone_answers_no_question_that_a_password_led_to() {
    let mut door = door();
    let (question, key) = offered(&mut door, &bob());
    door.settings.auth.primary = Primary::None;
    let right = code(&door, &key, 0);
    assert_eq!(shown(&door.login(&bob(), &answer(&state(&question), &right))), NOT_ENROLLED);
    nobody_is_set_up(&door);
}

#[test]
fn who_has_another_factor_or_none_to_have_is_offered_nothing() {
    let record = User { id: UserId(5), state: UserState::Enabled, factor: None, has_token: false };
    let disabled = User { state: UserState::Disabled, ..record };
    let mut door = door();
    door.store.tables.users.insert("bob".to_owned(), disabled);
    assert_eq!(shown(&door.login(&bob(), &typed(PASSWORD))), "Authentication failed: disabled");
    door.store.tables.users.insert("bob".to_owned(), User { factor: Some(Factor::Duo), ..record });
    door.settings.duo.prompt = crate::config::DuoPrompt::Generic;
    let asked = door.login(&bob(), &typed(PASSWORD));
    assert_eq!(shown(&asked), "ask factor-needed: Duo passcode or second factor");
    door.store.tables.users.insert("bob".to_owned(), record);
    door.settings.auth.exempt = serde_json::from_str("[\"bob\"]").unwrap();
    assert_eq!(shown(&door.login(&bob(), &typed(PASSWORD))), "accept exempt");
    // And who has one is asked for its code.
    let asked = door.login(&attempt(QuestionForm::Reconnect), &typed(PASSWORD));
    assert_eq!(shown(&asked), "ask factor-needed: Please enter your TOTP code");
}

#[test]
fn a_client_that_cannot_be_asked_is_refused_as_ever() {
    let mut door = door();
    let attempt = attempt_of("bob", QuestionForm::Impossible);
    for submission in [typed(PASSWORD), both(PASSWORD, b"123456")] {
        let Outcome::Reject(rejection) = door.login(&attempt, &submission) else { panic!("rejected") };
        assert_eq!((rejection.told, rejection.hold), (Told::AuthenticationFailed, HOLD));
        assert_eq!(rejection.reason.word(), "not-enrolled");
        assert!(rejection.reason.detail().unwrap().contains("client"), "{:?}", rejection.reason);
    }
    assert!(door.store.tables.challenges.is_empty());
}

#[test]
fn allow_lets_in_those_who_cannot_be_asked_and_nobody_else() {
    let mut door = door();
    door.settings.auth.unenrolled = Unenrolled::Allow;
    let unasked = attempt_of("bob", QuestionForm::Impossible);
    assert_eq!(shown(&door.login(&unasked, &typed(PASSWORD))), "accept unenrolled-allowed");
    // Asked too late, and by no other way.
    let (question, _) = offered(&mut door, &bob_on_android());
    let outcome = door.ask_by_reconnecting_instead_for(&bob_on_android(), question);
    assert_eq!(shown(&outcome), "accept unenrolled-allowed");
    // Everybody else has to set one up; no other answer than the right one will do.
    let (question, key) = offered(&mut door, &bob());
    let wrong = wrong_code(&door, &key);
    let outcome = door.login(&bob(), &answer(&state(&question), &wrong));
    assert!(matches!(outcome, Outcome::Ask(_)), "{}", shown(&outcome));
}

#[test]
fn a_code_that_comes_with_the_password_can_only_be_wrong_and_is_not_counted() {
    let mut door = door();
    for (attempt, carried) in [(bob(), false), (bob_in_session(), true), (bob_on_android(), true)] {
        let question = question(door.login(&attempt, &both(PASSWORD, b"123456")));
        assert_eq!(question.reason, Reason::EnrolmentNeeded);
        assert_eq!(question.carrier == Carrier::Session, carried);
    }
    assert!(door.store.tables.failures.is_empty());
}

#[test]
fn a_key_is_for_one_user_and_certificate_and_in_time() {
    let mut door = door();
    let (question, key) = offered(&mut door, &bob());
    let right = code(&door, &key, 0);
    let other = |change: fn(&mut Attempt)| {
        let mut other = bob();
        change(&mut other);
        other
    };
    for foreign in [
        attempt(QuestionForm::Reconnect),
        attempt_of("carol", QuestionForm::Reconnect),
        other(|attempt| attempt.identity = "carol".parse().unwrap()),
        other(|attempt| attempt.peer.common_name = Some("Other-Client".to_owned())),
        other(|attempt| attempt.peer.certificate = None),
    ] {
        let outcome = door.login(&foreign, &answer(&state(&question), &right));
        assert_eq!(shown(&outcome), "Authentication failed: foreign-challenge");
    }
    door.clock.0.set(door.clock.0.get() + 301);
    let late = code(&door, &key, 0);
    let outcome = door.login(&bob(), &answer(&state(&question), &late));
    assert_eq!(shown(&outcome), "Code expired, try again: challenge-expired");
    nobody_is_set_up(&door);
}

#[test]
fn a_token_that_came_meanwhile_stays_and_none_comes_beside_it() {
    let mut door = door();
    let (first, first_key) = offered(&mut door, &bob());
    let (second, second_key) = offered(&mut door, &bob_in_session());
    door.shown_in_session(second.clone());
    let right = code(&door, &first_key, 0);
    let outcome = door.login(&bob(), &answer(&state(&first), &right));
    assert_eq!(shown(&outcome), "accept self-enrolled");
    // The other session's key is worthless now, and so is one that an administrator was faster than.
    let right = code(&door, &second_key, 0);
    let outcome = door.answer_in_session(&bob_in_session(), &right).unwrap();
    let refused =
        "Your authenticator app was set up meanwhile, log in again with its code: enrolled-meanwhile";
    assert_eq!(shown(&outcome), refused);
    assert!(door.answer_in_session(&bob_in_session(), &right).is_none(), "and it is used up");
    assert_eq!(door.store.tables.set_up.len(), 1);
    assert_eq!(door.store.tables.set_up[0].secret.expose_secret(), first_key.expose_secret());

    let carol = attempt_of("carol", QuestionForm::Reconnect);
    let (question, key) = offered(&mut door, &carol);
    let enrolled = User { id: UserId(7), state: UserState::Enabled, factor: None, has_token: true };
    door.store.tables.users.insert("carol".to_owned(), enrolled);
    let right = code(&door, &key, 0);
    let outcome = door.login(&carol, &answer(&state(&question), &right));
    assert_eq!(shown(&outcome), refused);
    assert_eq!(door.store.tables.set_up.len(), 1);
}

#[test]
fn whoever_may_no_more_enrol_does_not() {
    for change in [
        (|door: &mut Door| door.settings.totp.self_enroll = false) as fn(&mut Door),
        |door| {
            let disabled = User { id: UserId(5), state: UserState::Disabled, factor: None, has_token: false };
            door.store.tables.users.insert("bob".to_owned(), disabled);
        },
        |door| {
            let duo = Some(Factor::Duo);
            let user = User { id: UserId(5), state: UserState::Enabled, factor: duo, has_token: false };
            door.store.tables.users.insert("bob".to_owned(), user);
        },
    ] {
        let mut door = door();
        let (question, key) = offered(&mut door, &bob());
        change(&mut door);
        let right = code(&door, &key, 0);
        let outcome = door.login(&bob(), &answer(&state(&question), &right));
        assert!(shown(&outcome).starts_with("Authentication failed: "), "{}", shown(&outcome));
        nobody_is_set_up(&door);
    }
}

#[test]
fn whatever_fails_lets_nobody_in_and_stores_no_token() {
    // The login and the question's way into the session, and then the answer.
    for fails_at in 1.. {
        let mut door = door();
        door.store.fails_at = Some(fails_at);
        let outcome = door.login(&bob_in_session(), &typed(PASSWORD));
        let outcome = match outcome {
            Outcome::Ask(question) => door.shown_in_session(question),
            other => other,
        };
        let outcome = match outcome {
            Outcome::Ask(question) => {
                let right = code(&door, &key(&question), 0);
                door.answer_in_session(&bob_in_session(), &right).unwrap()
            }
            other => other,
        };
        if door.store.operations.get() < fails_at {
            assert_eq!(shown(&outcome), "accept self-enrolled");
            assert!(fails_at > 15, "there are more operations than {fails_at}");
            return;
        }
        assert_eq!(shown(&outcome), "Authentication failed: internal", "operation {fails_at}");
        nobody_is_set_up(&door);
    }
}

#[test]
fn the_key_is_in_every_question_whatever_the_name_and_never_cut() {
    let secret = NewSecret::make(&SystemRandom).unwrap();
    for length in 1..=UserName::MAX_BYTES {
        let attempt = attempt_of(&"n".repeat(length), QuestionForm::Reconnect);
        let first = secret.question(attempt.room());
        let again = enrolment::question_again(&secret, &attempt);
        for text in [first.expose_secret(), again.expose_secret()] {
            assert!(text.len() <= attempt.room(), "{text}");
            // What some client would cut at, or lose.
            assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
            assert!(!text.contains(['\'', '"', ']', '\\', ':', ';']), "{text}");
        }
        let found = key_in(first.expose_secret()).expect("the whole key");
        assert_eq!(found.expose_secret(), secret.expose_secret());
    }
    let plain = secret.question(attempt(IN_SESSION).room());
    let words = "Enter this key into your authenticator app - ";
    assert!(plain.expose_secret().starts_with(words), "the name is short");
}

#[test]
fn nothing_prints_the_key() {
    let secret = NewSecret::make(&SystemRandom).unwrap();
    let question = Question {
        text: secret.question(200),
        user: "bob".parse().unwrap(),
        carrier: Carrier::Session,
        factor: Factor::Totp,
        reason: Reason::EnrolmentNeeded,
    };
    let again = enrolment::question_again(&secret, &bob());
    let asked = Asked::Enrolment(secret.clone());
    assert!(serde_json::to_string(&asked).is_err(), "nothing writes it down by the way");
    let printed = format!("{question:?} {again:?} {asked:?} {:?}", Outcome::Ask(question.clone()));
    let bytes = format!("{:?}", secret.expose_secret());
    let base32 = BASE32_NOPAD.encode(secret.expose_secret());
    for part in [&bytes[1..12], &base32[..8], &base32[24..], &format!("{} {}", &base32[..4], &base32[4..8])] {
        assert!(!printed.contains(part), "{part} in {printed}");
    }
}

/// What a client, or the hook between it and the decision, does next.
#[derive(Debug, Clone)]
enum Move {
    Login { right_password: bool, in_session: bool },
    Show,
    TooLate,
    AnswerInSession { right: bool, steps_off: i64 },
    AnswerByReconnecting { which: usize, right: bool, steps_off: i64 },
    Administrator,
    Wait { seconds: u64 },
}

fn any_move() -> impl Strategy<Value = Move> {
    let right = proptest::bool::weighted(0.6);
    prop_oneof![
        3 => (proptest::bool::weighted(0.8), any::<bool>())
            .prop_map(|(right_password, in_session)| Move::Login { right_password, in_session }),
        2 => Just(Move::Show),
        1 => Just(Move::TooLate),
        2 => (right, -2..=2_i64).prop_map(|(right, steps_off)| Move::AnswerInSession { right, steps_off }),
        3 => (0..6_usize, right, -2..=2_i64)
            .prop_map(|(which, right, steps_off)| Move::AnswerByReconnecting { which, right, steps_off }),
        1 => Just(Move::Administrator),
        1 => (1..200_u64).prop_map(|seconds| Move::Wait { seconds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_in_without_the_code_of_a_key_that_was_shown_after_a_right_password(
        moves in proptest::collection::vec(any_move(), 1..40)
    ) {
        let mut door = door();
        let mut unshown: Option<(Question, NewSecret)> = None;
        let mut in_session: Option<NewSecret> = None;
        let mut asked: Vec<(String, NewSecret)> = Vec::new();
        for step in moves {
            // The key whose code was the answer, and whether it is the one that the question showed.
            let (outcome, key, right, steps_off) = match step {
                Move::Wait { seconds } => {
                    door.clock.0.set(door.clock.0.get() + seconds);
                    continue;
                }
                Move::Administrator => {
                    let id = UserId(77);
                    let user = User { id, state: UserState::Enabled, factor: None, has_token: true };
                    if !door.store.tables.users.get("bob").is_some_and(|bob| bob.has_token) {
                        door.store.tables.users.insert("bob".to_owned(), user);
                    }
                    continue;
                }
                // Who has a token is asked for its code, and that is another test.
                Move::Login { .. } if door.store.tables.users.get("bob").is_some_and(|bob| bob.has_token) => {
                    continue;
                }
                Move::Login { right_password, in_session } => {
                    let attempt = if in_session { bob_in_session() } else { bob() };
                    let password: &[u8] = if right_password { PASSWORD } else { b"wrong" };
                    let outcome = door.login(&attempt, &typed(password));
                    prop_assert!(!matches!(outcome, Outcome::Accept(_)));
                    if let Outcome::Ask(question) = outcome {
                        prop_assert!(right_password);
                        if question.must_be_seen() {
                            let key = key(&question);
                            match &question.carrier {
                                Carrier::Session => unshown = Some((question, key)),
                                Carrier::Reconnect { state } => asked.push((state.clone(), key)),
                            }
                        }
                    }
                    continue;
                }
                Move::Show => {
                    let Some((question, key)) = unshown.take() else { continue };
                    if let Outcome::Ask(_) = door.shown_in_session(question) {
                        in_session = Some(key);
                    }
                    continue;
                }
                Move::TooLate => {
                    let Some((question, key)) = unshown.take() else { continue };
                    if let Outcome::Ask(question) =
                        door.ask_by_reconnecting_instead_for(&bob_in_session(), question)
                    {
                        asked.push((state(&question), key));
                    }
                    continue;
                }
                Move::AnswerInSession { right, steps_off } => {
                    let unseen = unshown.as_ref().map(|(_, key)| key.clone());
                    let Some(key) = in_session.clone().or(unseen) else { continue };
                    let text = if right { code(&door, &key, steps_off) } else { wrong_code(&door, &key) };
                    let outcome = door.answer_in_session(&bob_in_session(), &text);
                    prop_assert_eq!(outcome.is_some(), in_session.is_some());
                    if !door.store.tables.challenges.contains_key(&session()) {
                        in_session = None;
                    }
                    let Some(outcome) = outcome else { continue };
                    (outcome, key, right, steps_off)
                }
                Move::AnswerByReconnecting { which, right, steps_off } => {
                    let Some((state, key)) = asked.get(which).cloned() else { continue };
                    let text = if right { code(&door, &key, steps_off) } else { wrong_code(&door, &key) };
                    (door.login(&bob(), &answer(&state, &text)), key, right, steps_off)
                }
            };
            match outcome {
                Outcome::Accept(acceptance) => {
                    prop_assert_eq!(acceptance.reason(), &Reason::SelfEnrolled);
                    prop_assert!(right && steps_off.abs() <= 1);
                    let set_up = &door.store.tables.set_up;
                    prop_assert_eq!(set_up.len(), 1);
                    prop_assert_eq!(set_up[0].secret.expose_secret(), key.expose_secret());
                    let present = i64::try_from(door.clock.0.get() / 30).unwrap();
                    prop_assert_eq!(set_up[0].last_step, u64::try_from(present + steps_off).unwrap());
                }
                Outcome::Ask(question) => {
                    let shown = key_in(question.text.expose_secret());
                    prop_assert_eq!(shown.as_ref(), Some(&key), "the same key");
                    asked.push((state(&question), key));
                }
                Outcome::Reject(_) => {}
            }
            prop_assert!(door.store.tables.set_up.len() <= 1);
        }
    }
}
