//! One flow after the other.

use super::fakes::*;
use crate::auth::*;
use crate::config::{Appended, Unenrolled};

#[test]
fn right_password_and_code_are_accepted_and_the_step_is_burnt() {
    let mut door = Door::new();
    let code = door.code(0);
    let outcome = door.login(&attempt(QuestionForm::Reconnect), &both(PASSWORD, &code));
    assert_eq!(shown(&outcome), "accept both-factors");
    let Outcome::Accept(acceptance) = &outcome else { panic!("it was") };
    assert_eq!((acceptance.factor(), acceptance.offset()), ("totp", Some(0)));
    assert_eq!(door.store.tables.last_step, Some(1_000_000_020 / 30));
    assert_eq!(door.store.tables.logins, 1);
}

#[test]
fn a_wrong_password_is_held_back_and_never_reaches_the_store() {
    let mut door = Door::new();
    let code = door.code(0);
    for submission in [both(b"wrong", &code), typed(b"wrong")] {
        let Outcome::Reject(rejection) = door.login(&attempt(IN_SESSION), &submission) else {
            panic!("a rejection was expected");
        };
        assert_eq!(rejection.told.text(), "Authentication failed");
        assert_eq!(rejection.hold, HOLD);
    }
    assert_eq!(door.store.operations.get(), 0);
}

#[test]
fn an_empty_password_never_reaches_the_primary_check() {
    let mut door = Door::new();
    let code = door.code(0);
    for submission in [typed(b""), both(b"", &code), both(b"", b"")] {
        let outcome = door.login(&attempt(IN_SESSION), &submission);
        assert_eq!(shown(&outcome), "Authentication failed: empty-password");
    }
    assert_eq!(door.primary.calls.get(), 0);
}

#[test]
fn a_password_alone_leads_to_a_question_in_the_form_that_the_client_can_answer() {
    let mut door = Door::new();
    let outcome = door.login(&attempt(IN_SESSION), &typed(PASSWORD));
    assert_eq!(shown(&outcome), "ask factor-needed: Please enter your TOTP code");
    assert!(matches!(outcome, Outcome::Ask(Question { carrier: Carrier::Session, .. })));
    assert!(door.store.tables.challenges.contains_key(&session()));

    let state = door.ask_by_reconnecting();
    assert!(door.store.tables.challenges.contains_key(&ChallengeKey::of_state(&state)));

    // An empty static response is a password alone, too.
    assert!(matches!(door.login(&attempt(IN_SESSION), &both(PASSWORD, b"")), Outcome::Ask(_)));

    let outcome = door.login(&attempt(QuestionForm::Impossible), &typed(PASSWORD));
    assert!(shown(&outcome).ends_with("no-challenge-method"), "{}", shown(&outcome));
}

#[test]
fn an_answer_in_the_session_counts_once_and_only_after_the_question() {
    let mut door = Door::new();
    let code = door.code(0);
    let here = attempt(IN_SESSION);
    assert!(door.answer_in_session(&here, &code).is_none(), "unasked");
    door.login(&here, &typed(b"wrong"));
    assert!(door.answer_in_session(&here, &code).is_none(), "after the password was wrong");
    door.login(&here, &typed(PASSWORD));
    assert_eq!(shown(&door.answer_in_session(&here, &code).unwrap()), "accept both-factors");
    assert!(door.answer_in_session(&here, &door.code(1)).is_none(), "twice");
}

#[test]
fn a_wrong_answer_uses_the_question_up_and_leads_to_a_new_one() {
    let mut door = Door::new();
    let here = attempt(IN_SESSION);
    door.login(&here, &typed(PASSWORD));
    let outcome = door.answer_in_session(&here, &door.wrong_code()).unwrap();
    assert_eq!(shown(&outcome), "ask wrong-code: Incorrect code, try again");
    let Outcome::Ask(Question { carrier: Carrier::Reconnect { state }, .. }) = outcome else {
        panic!("by reconnecting");
    };
    assert!(door.answer_in_session(&here, &door.code(0)).is_none(), "the first question is used up");
    let code = door.code(0);
    let outcome = door.login(&attempt(QuestionForm::Reconnect), &answer(&state, &code));
    assert_eq!(shown(&outcome), "accept both-factors");
    assert_eq!(door.failures(), Failures::default(), "a good login clears the failures");
}

#[test]
fn a_client_that_cannot_reconnect_is_not_asked_again() {
    let mut door = Door::new();
    let here = attempt(QuestionForm::InSession { then_reconnect: FollowUp::None });
    door.login(&here, &typed(PASSWORD));
    let outcome = door.answer_in_session(&here, &door.wrong_code()).unwrap();
    assert_eq!(shown(&outcome), "Incorrect code: wrong-code");
}

/// As OpenVPN does with `username-as-common-name`, once it has asked.
#[test]
fn the_name_typed_may_have_taken_the_place_of_the_certificates() {
    let mut door = Door::new();
    let state = door.ask_by_reconnecting();
    let mut renamed = attempt(QuestionForm::Reconnect);
    renamed.peer.common_name = Some("alice".to_owned());
    let code = door.code(0);
    assert_eq!(shown(&door.login(&renamed, &answer(&state, &code))), "accept both-factors");
}

#[test]
fn a_question_is_answered_once_by_the_same_user_and_certificate_and_in_time() {
    let other = |change: fn(&mut Attempt)| {
        let mut other = attempt(QuestionForm::Reconnect);
        change(&mut other);
        other
    };
    let mut door = Door::new();
    let bob = User { id: UserId(2), state: UserState::Enabled, factor: None, has_token: true };
    door.store.tables.users.insert("bob".to_owned(), bob);
    let state = door.ask_by_reconnecting();
    let code = door.code(0);
    for foreign in [
        attempt_of("bob", QuestionForm::Reconnect),
        other(|attempt| attempt.identity = "bob".parse().unwrap()),
        other(|attempt| attempt.peer.common_name = Some("Other-Client".to_owned())),
        other(|attempt| attempt.peer.common_name = None),
        other(|attempt| attempt.peer.certificate = Some("46:09".to_owned())),
        other(|attempt| {
            attempt.peer.common_name = Some("alice".to_owned());
            attempt.peer.certificate = Some("46:09".to_owned());
        }),
    ] {
        let outcome = door.login(&foreign, &answer(&state, &code));
        assert_eq!(shown(&outcome), "Authentication failed: foreign-challenge");
    }
    let here = attempt(QuestionForm::Reconnect);
    // It is still there for the one it was put to.
    assert_eq!(shown(&door.login(&here, &answer(&state, &code))), "accept both-factors");
    let code = door.code(1);
    let again = door.login(&here, &answer(&state, &code));
    assert_eq!(shown(&again), "Authentication failed: unknown-challenge");
    assert_eq!(door.failures(), Failures::default(), "an answer to a used question is no failure");

    let state = door.ask_by_reconnecting();
    door.clock.0.set(door.clock.0.get() + 300);
    let code = door.code(0);
    let at_the_last_moment = door.login(&here, &answer(&state, &code));
    assert_eq!(shown(&at_the_last_moment), "accept both-factors");

    let state = door.ask_by_reconnecting();
    door.clock.0.set(door.clock.0.get() + 301);
    let code = door.code(0);
    let late = door.login(&here, &answer(&state, &code));
    assert_eq!(shown(&late), "Code expired, try again: challenge-expired");
    let again = door.login(&here, &answer(&state, &code));
    assert_eq!(shown(&again), "Authentication failed: unknown-challenge");
}

#[test]
fn the_same_code_is_refused_and_counts_as_no_failure() {
    let mut door = Door::new();
    let code = door.code(0);
    let here = attempt(QuestionForm::Reconnect);
    door.login(&here, &both(PASSWORD, &code));
    for _ in 0..10 {
        let outcome = door.login(&here, &both(PASSWORD, &code));
        assert_eq!(shown(&outcome), "Incorrect code: code-already-used");
    }
    door.clock.0.set(door.clock.0.get() + 3_600);
    let outcome = door.login(&here, &both(PASSWORD, &code));
    assert_eq!(shown(&outcome), "Incorrect code: code-already-used");
    assert_eq!(door.failures(), Failures::default());
}

#[test]
fn wrong_codes_lock_and_a_locked_user_keeps_the_code() {
    let mut door = Door::new();
    let here = attempt(QuestionForm::Reconnect);
    let wrong = door.wrong_code();
    let mut state = door.ask_by_reconnecting();
    for _ in 0..4 {
        state = match door.login(&here, &answer(&state, &wrong)) {
            Outcome::Ask(Question { carrier: Carrier::Reconnect { state }, .. }) => state,
            other => panic!("{other:?}"),
        };
    }
    let outcome = door.login(&here, &answer(&state, &wrong));
    assert_eq!(shown(&outcome), "Too many failed attempts, try again later: wrong-code");
    let code = door.code(0);
    for submission in [both(PASSWORD, &code), typed(PASSWORD)] {
        let outcome = door.login(&here, &submission);
        assert_eq!(shown(&outcome), "Too many failed attempts, try again later: locked");
    }
    assert_eq!(door.store.tables.last_step, None, "the code was not looked at");
    door.clock.0.set(door.clock.0.get() + 300);
    let code = door.code(0);
    assert_eq!(shown(&door.login(&here, &both(PASSWORD, &code))), "accept both-factors");
}

#[test]
fn a_backup_code_is_good_once_wherever_a_code_is() {
    let mut door = Door::new();
    for code in [&b"aaaa-bbbb-cc01"[..], b"aaaa-bbbb-cc02", b"aaaa-bbbb-cc03", b"aaaa-bbbb-cc04"] {
        door.add_backup_code(code);
    }
    let left = |outcome: &Outcome| match outcome {
        Outcome::Accept(acceptance) => (shown(outcome), acceptance.backup_codes_left()),
        _ => (shown(outcome), None),
    };
    let accepted = |left: usize| ("accept backup-code".to_owned(), Some(left));
    let (here, in_session) = (attempt(QuestionForm::Reconnect), attempt(IN_SESSION));
    // With the password.
    assert_eq!(left(&door.login(&here, &both(PASSWORD, b"aaaa-bbbb-cc02"))), accepted(3));
    // By reconnecting, and in the session.
    let state = door.ask_by_reconnecting();
    assert_eq!(left(&door.login(&here, &answer(&state, b"AAAABBBBCCO1"))), accepted(2));
    door.login(&in_session, &typed(PASSWORD));
    assert_eq!(left(&door.answer_in_session(&in_session, b"aaaa bbbb cc04").unwrap()), accepted(1));
    // After the password, and its comma.
    door.settings.auth.appended = Appended::Comma;
    assert_eq!(left(&door.login(&here, &typed(b"right,aaaa-bbbb-cc03"))), accepted(0));
    assert_eq!((door.store.tables.logins, door.store.tables.last_step), (4, None));
    // Never again; and that is no guess.
    for code in [&b"aaaa-bbbb-cc01"[..], b"aaaabbbbcc02"] {
        let outcome = door.login(&here, &both(PASSWORD, code));
        assert_eq!(shown(&outcome), "Incorrect code: code-already-used");
    }
    assert_eq!((door.failures(), door.address_failures()), (Failures::default(), 0));
    // A token's codes go on as before.
    let code = door.code(0);
    assert_eq!(shown(&door.login(&here, &both(PASSWORD, &code))), "accept both-factors");
}

#[test]
fn a_wrong_backup_code_is_a_wrong_code_and_a_locked_user_keeps_the_right_one() {
    let mut door = Door::new();
    door.add_backup_code(b"aaaa-bbbb-cc01");
    let here = attempt(QuestionForm::Reconnect);
    for count in 1..=4 {
        let outcome = door.login(&here, &both(PASSWORD, b"aaaa-bbbb-cc09"));
        assert_eq!(shown(&outcome), "Incorrect code: wrong-code");
        assert_eq!((door.failures().count, door.address_failures()), (count, count));
    }
    door.login(&here, &both(PASSWORD, b"aaaa-bbbb-cc09"));
    let outcome = door.login(&here, &both(PASSWORD, b"aaaa-bbbb-cc01"));
    assert_eq!(shown(&outcome), "Too many failed attempts, try again later: locked");
    door.clock.0.set(door.clock.0.get() + 300);
    // Without a right password it is not even looked at.
    let outcome = door.login(&here, &both(b"wrong", b"aaaa-bbbb-cc01"));
    assert_eq!(shown(&outcome), "Authentication failed: primary-denied");
    let outcome = door.login(&here, &both(PASSWORD, b"aaaa-bbbb-cc01"));
    assert_eq!(shown(&outcome), "accept backup-code");
    assert_eq!(door.failures(), Failures::default());
}

/// A door with `bob` beside `alice`, where three failures lock an address.
fn door_that_counts_addresses() -> Door {
    let mut door = Door::new();
    let bob = User { id: UserId(2), state: UserState::Enabled, factor: None, has_token: true };
    door.store.tables.users.insert("bob".to_owned(), bob);
    door.settings.lockout.address_max_failures = config::Bounded::new::<3>();
    door
}

fn from(address: &str, user: &str) -> Attempt {
    let mut attempt = attempt_of(user, QuestionForm::Reconnect);
    attempt.peer.address = Some(address.parse().unwrap());
    attempt
}

#[test]
fn failures_lock_the_address_that_they_come_from_whoever_they_are_about() {
    let mut door = door_that_counts_addresses();
    let wrong = door.wrong_code();
    let told =
        |door: &mut Door, attempt: &Attempt, code: &[u8]| shown(&door.login(attempt, &both(PASSWORD, code)));
    assert_eq!(told(&mut door, &from("192.0.2.1", "alice"), &wrong), "Incorrect code: wrong-code");
    assert_eq!(told(&mut door, &from("::ffff:192.0.2.1", "bob"), b"x"), "Incorrect code: malformed-code");
    // A right factor ends the user's row and not the address's.
    let code = door.code(0);
    assert_eq!(told(&mut door, &from("192.0.2.1", "alice"), &code), "accept both-factors");
    assert_eq!((door.failures().count, door.address_failures()), (0, 2));
    assert_eq!(told(&mut door, &from("192.0.2.1", "alice"), &code), "Incorrect code: code-already-used");
    assert_eq!(door.address_failures(), 2, "a stale answer is no guess");
    let last = "Too many failed attempts, try again later: wrong-code";
    assert_eq!(told(&mut door, &from("192.0.2.1", "bob"), &wrong), last);

    let locked = "Too many failed attempts, try again later: address-locked";
    let code = door.code(1);
    for user in ["alice", "bob"] {
        let here = from("192.0.2.1", user);
        assert_eq!(told(&mut door, &here, &code), locked);
        assert_eq!(shown(&door.login(&here, &typed(PASSWORD))), locked, "nobody is asked");
        // Until the password is right, nobody learns of it.
        assert_eq!(shown(&door.login(&here, &typed(b"wrong"))), "Authentication failed: primary-denied");
    }
    assert_eq!(
        shown(&door.login(&from("192.0.2.1", "nobody"), &typed(PASSWORD))),
        "Authentication failed: not-enrolled"
    );
    assert_eq!(door.address_failures(), 3, "what is not looked at is not counted");
    assert_eq!(told(&mut door, &from("192.0.2.2", "alice"), &code), "accept both-factors");
    let mut unknown = attempt(QuestionForm::Reconnect);
    unknown.peer.address = None;
    assert_eq!(told(&mut door, &unknown, &wrong), "Incorrect code: wrong-code");

    door.clock.0.set(door.clock.0.get() + 300);
    let code = door.code(0);
    assert_eq!(told(&mut door, &from("192.0.2.1", "bob"), &code), "accept both-factors");
}

#[test]
fn a_question_from_before_does_not_lead_around_the_lock_of_an_address() {
    let mut door = door_that_counts_addresses();
    let (by_reconnecting, wrong) = (door.ask_by_reconnecting(), door.wrong_code());
    door.login(&attempt(IN_SESSION), &typed(PASSWORD));
    for _ in 0..3 {
        door.login(&from("192.0.2.1", "bob"), &both(PASSWORD, &wrong));
    }
    let (code, locked) = (door.code(0), "Too many failed attempts, try again later: address-locked");
    let here = attempt(QuestionForm::Reconnect);
    assert_eq!(shown(&door.login(&here, &answer(&by_reconnecting, &code))), locked);
    assert_eq!(shown(&door.answer_in_session(&attempt(IN_SESSION), &code).unwrap()), locked);
    assert_eq!(door.store.tables.last_step, None, "the code was not looked at");
}

#[test]
fn the_failures_of_an_address_start_again_after_a_time_without_any_and_may_not_count_at_all() {
    let mut door = door_that_counts_addresses();
    let wrong = door.wrong_code();
    let fail =
        |door: &mut Door, user| shown(&door.login(&from("2001:db8::1", user), &both(PASSWORD, &wrong)));
    fail(&mut door, "alice");
    fail(&mut door, "bob");
    door.clock.0.set(door.clock.0.get() + 300);
    assert_eq!(fail(&mut door, "alice"), "Incorrect code: wrong-code");
    assert_eq!(fail(&mut door, "bob"), "Incorrect code: wrong-code");
    door.settings.lockout.address_max_failures = config::Bounded::new::<0>();
    assert_eq!(fail(&mut door, "alice"), "Incorrect code: wrong-code");
    assert_eq!(fail(&mut door, "alice"), "Incorrect code: wrong-code");
    let counted: u64 = door.store.tables.address_failures.values().map(|failures| failures.count).sum();
    assert_eq!(counted, 2);
}

#[test]
fn what_is_no_code_counts_as_a_failure() {
    let mut door = Door::new();
    for (count, response) in [&b"x"[..], b"12345", b"123456789", b"\xff\xfe"].into_iter().enumerate() {
        let outcome = door.login(&attempt(QuestionForm::Reconnect), &both(PASSWORD, response));
        assert_eq!(shown(&outcome), "Incorrect code: malformed-code");
        assert_eq!(door.failures().count, count as u64 + 1);
    }
}

#[test]
fn who_is_not_enrolled_is_let_in_only_where_the_settings_say_so() {
    let mut door = Door::new();
    let bob = attempt_of("bob", IN_SESSION);
    for submission in [typed(PASSWORD), both(PASSWORD, b"123456"), Submission::GenuineToken] {
        door.settings.auth.unenrolled = Unenrolled::Deny;
        assert_eq!(shown(&door.login(&bob, &submission)), "Authentication failed: not-enrolled");
        door.settings.auth.unenrolled = Unenrolled::Allow;
        assert_eq!(shown(&door.login(&bob, &submission)), "accept unenrolled-allowed");
    }
    assert_eq!(shown(&door.login(&bob, &typed(b"wrong"))), "Authentication failed: primary-denied");
    // Whoever is enrolled needs the factor all the same.
    let wrong = door.wrong_code();
    let outcome = door.login(&attempt(IN_SESSION), &both(PASSWORD, &wrong));
    assert_eq!(shown(&outcome), "Incorrect code: wrong-code");
}

#[test]
fn who_is_not_enrolled_is_let_in_until_the_end_of_the_day_that_is_set() {
    let mut door = Door::new();
    let bob = attempt_of("bob", IN_SESSION);
    door.settings.auth.unenrolled = Unenrolled::Allow;
    let detail = |outcome: &Outcome| match outcome {
        Outcome::Accept(acceptance) => acceptance.reason().detail().map(str::to_owned),
        Outcome::Reject(rejection) => rejection.reason.detail().map(str::to_owned),
        Outcome::Ask(_) => None,
    };
    let outcome = door.login(&bob, &typed(PASSWORD));
    assert_eq!(shown(&outcome), "accept unenrolled-allowed");
    assert!(detail(&outcome).unwrap().contains("set [auth] unenrolled_until"), "{outcome:?}");

    // The clock of a door stands at 2001-09-09 01:47:00 by UTC.
    let day = |text: &str| toml::Value::String(text.to_owned()).try_into().ok();
    let midnight = 1_000_080_000;
    door.settings.auth.unenrolled_until = day("2001-09-09");
    for submission in [typed(PASSWORD), both(PASSWORD, b"123456"), Submission::GenuineToken] {
        door.clock.0.set(midnight - 1);
        let outcome = door.login(&bob, &submission);
        assert_eq!(shown(&outcome), "accept unenrolled-allowed");
        assert_eq!(detail(&outcome).unwrap(), "until 2001-09-09");
        door.clock.0.set(midnight);
        let outcome = door.login(&bob, &submission);
        assert_eq!(shown(&outcome), "Authentication failed: not-enrolled");
        assert!(detail(&outcome).unwrap().contains("held until 2001-09-09"));
    }
    door.settings.auth.unenrolled = Unenrolled::Deny;
    door.clock.0.set(midnight - 1);
    let outcome = door.login(&bob, &typed(PASSWORD));
    assert_eq!((shown(&outcome), detail(&outcome)), ("Authentication failed: not-enrolled".to_owned(), None));
}

#[test]
fn a_disabled_user_stays_out_whatever_the_factor() {
    let mut door = Door::new();
    let code = door.code(0);
    for (state, factor, word) in [
        (UserState::Disabled, None, "disabled"),
        (UserState::Disabled, Some(config::Factor::Duo), "disabled"),
    ] {
        door.store
            .tables
            .users
            .insert("alice".to_owned(), User { id: UserId(1), state, factor, has_token: true });
        door.settings.auth.unenrolled = Unenrolled::Allow;
        for submission in [both(PASSWORD, &code), typed(PASSWORD), Submission::GenuineToken] {
            let outcome = door.login(&attempt(IN_SESSION), &submission);
            assert_eq!(shown(&outcome), format!("Authentication failed: {word}"));
        }
    }
}

#[test]
fn a_right_password_of_a_user_who_cannot_log_in_is_refused_like_a_wrong_one() {
    let mut door = Door::new();
    let code = door.code(0);
    let disabled = User { id: UserId(1), state: UserState::Disabled, factor: None, has_token: true };
    door.store.tables.users.insert("alice".to_owned(), disabled);
    for user in ["alice", "nobody"] {
        for submission in [typed(PASSWORD), both(PASSWORD, &code)] {
            let Outcome::Reject(right) = door.login(&attempt_of(user, IN_SESSION), &submission) else {
                panic!("a rejection was expected");
            };
            let Outcome::Reject(wrong) = door.login(&attempt_of(user, IN_SESSION), &typed(b"wrong")) else {
                panic!("a rejection was expected");
            };
            assert_eq!((right.told, right.hold), (wrong.told, wrong.hold));
        }
    }
}

#[test]
fn a_name_that_is_refused_looks_like_a_wrong_password_and_is_shown_to_nobody() {
    let mut door = Door::new();
    let code = door.code(0);
    let pattern = |text: &str| Some(text.to_owned().try_into().unwrap());
    // A question that was put before the rule was there, and one that waits in the session.
    let state = door.ask_by_reconnecting();
    door.login(&attempt(IN_SESSION), &typed(PASSWORD));
    let (calls, operations) = (door.primary.calls.get(), door.store.operations.get());
    door.settings.auth.username_pattern = pattern("[b-z]+");
    let peer = attempt(IN_SESSION).peer;
    let refused = Attempt::identify(&door.settings.auth, b"alice", peer, IN_SESSION).unwrap();
    let at_once = Duration::ZERO..=Duration::ZERO;
    let held = Duration::from_secs(1)..=Duration::from_secs(3);
    for (submission, hold) in [
        (typed(PASSWORD), &held),
        (typed(b"wrong"), &held),
        (both(PASSWORD, &code), &held),
        (typed(b""), &at_once),
        (both(b"", &code), &at_once),
        (answer(&state, &code), &at_once),
        (Submission::GenuineToken, &at_once),
    ] {
        let Outcome::Reject(rejection) = door.login(&refused, &submission) else {
            panic!("a rejection was expected");
        };
        assert_eq!(rejection.reason.word(), "identity");
        assert_eq!(rejection.told, Told::AuthenticationFailed);
        assert!(hold.contains(&rejection.hold), "{:?}", rejection.hold);
    }
    assert!(door.answer_in_session(&refused, &code).is_none());
    assert_eq!((door.primary.calls.get(), door.store.operations.get()), (calls, operations));
    // Where the certificate is the first proof there is no password to look like.
    door.settings.auth.primary = config::Primary::None;
    let Outcome::Reject(rejection) = door.login(&refused, &typed(&code)) else { panic!("a rejection") };
    assert_eq!((rejection.reason.word(), rejection.hold), ("identity", Duration::ZERO));
}

#[test]
fn until_the_password_is_right_everybody_is_told_the_same_after_the_same_work_and_time() {
    type Change = fn(&mut Door);
    let as_it_is: Change = |_| {};
    let locked: Change = |door| {
        let lock = Failures { count: 5, locked_until: Some(u64::MAX), forget_at: None };
        door.store.tables.failures.insert("alice".to_owned(), lock);
    };
    let locked_address: Change = |door| {
        let lock = Failures { count: 50, locked_until: Some(u64::MAX), forget_at: None };
        let network = Network::of("192.0.2.1".parse().unwrap());
        door.store.tables.address_failures.insert(network, lock);
    };
    let disabled: Change = |door| {
        let state = UserState::Disabled;
        let alice = User { id: UserId(1), state, factor: None, has_token: true };
        door.store.tables.users.insert("alice".to_owned(), alice);
    };
    let closed: Change = |door| door.primary.account_closed.set(true);
    for (what, user, password, change) in [
        ("a wrong password", "alice", &b"wrong"[..], as_it_is),
        ("an unknown user", "nobody", b"wrong", as_it_is),
        ("a user who is locked", "alice", b"wrong", locked),
        ("an address that is locked", "alice", b"wrong", locked_address),
        ("a user who is disabled", "alice", b"wrong", disabled),
        ("a closed account, and a right password", "alice", PASSWORD, closed),
        ("no enrolment, and a right password", "nobody", PASSWORD, as_it_is),
        ("a user who is disabled, and a right password", "alice", PASSWORD, disabled),
    ] {
        for form in [IN_SESSION, QuestionForm::Reconnect, QuestionForm::Impossible] {
            for code in [&b""[..], b"123456", b"aaaa-bbbb-cc01"] {
                let mut door = Door::new();
                change(&mut door);
                let submission = if code.is_empty() { typed(password) } else { both(password, code) };
                let before = door.store.tables.clone();
                let Outcome::Reject(rejection) = door.login(&attempt_of(user, form), &submission) else {
                    panic!("a rejection was expected: {what}");
                };
                assert_eq!((rejection.told, rejection.hold), (Told::AuthenticationFailed, HOLD), "{what}");
                assert_eq!(door.primary.calls.get(), 1, "{what}");
                assert_eq!(door.store.tables.failures, before.failures, "{what}");
                assert!(door.store.tables.challenges.is_empty(), "{what}");
            }
        }
    }
}

#[test]
fn a_session_token_needs_a_valid_account_and_nothing_typed() {
    let mut door = Door::new();
    let here = attempt(IN_SESSION);
    assert_eq!(shown(&door.login(&here, &Submission::GenuineToken)), "accept session-token");
    assert_eq!(shown(&door.login(&here, &Submission::RefusedToken)), "Authentication failed: token-refused");
    door.primary.account_closed.set(true);
    assert_eq!(shown(&door.login(&here, &Submission::GenuineToken)), "Authentication failed: primary-denied");
}

#[test]
fn without_a_primary_check_the_field_is_the_code_and_an_empty_one_leads_to_a_question() {
    let mut door = Door::new();
    door.settings.auth.primary = config::Primary::None;
    let code = door.code(0);
    let here = attempt(IN_SESSION);
    assert!(matches!(door.login(&here, &typed(b"")), Outcome::Ask(_)));
    assert_eq!(shown(&door.login(&here, &typed(&code))), "accept both-factors");
    let code = door.code(1);
    assert_eq!(shown(&door.login(&here, &both(b"ignored", &code))), "accept both-factors");
    assert_eq!(door.primary.calls.get(), 0);
    // The certificate is the first proof: without one there is none.
    let mut nobody = attempt(IN_SESSION);
    nobody.peer.common_name = None;
    assert_eq!(shown(&door.login(&nobody, &typed(b""))), "Authentication failed: empty-password");
}

#[test]
fn appended_codes_are_taken_off_the_password() {
    let mut door = Door::new();
    let here = attempt(QuestionForm::Reconnect);
    let with = |separator: &[u8], code: &[u8]| typed(&[PASSWORD, separator, code].concat());
    let code = door.code(0);
    assert_eq!(shown(&door.login(&here, &with(b",", &code))), "Authentication failed: primary-denied");
    door.settings.auth.appended = Appended::Comma;
    assert_eq!(shown(&door.login(&here, &with(b",", &code))), "accept both-factors");
    door.settings.auth.appended = Appended::Digits;
    let code = door.code(1);
    assert_eq!(shown(&door.login(&here, &with(b"", &code))), "accept both-factors");
    assert!(matches!(door.login(&here, &typed(PASSWORD)), Outcome::Ask(_)));
}

#[test]
fn a_store_that_fails_at_any_operation_lets_nobody_in() {
    for fails_at in 1.. {
        let mut door = Door::new();
        door.store.fails_at = Some(fails_at);
        let code = door.code(0);
        let outcome = door.login(&attempt(QuestionForm::Reconnect), &both(PASSWORD, &code));
        if door.store.operations.get() < fails_at {
            assert_eq!(shown(&outcome), "accept both-factors");
            assert!(fails_at > 5, "the flow has several operations");
            break;
        }
        assert_eq!(shown(&outcome), "Authentication failed: internal", "operation {fails_at}");
        assert_eq!(door.store.tables.last_step, None, "nothing is half done");
    }
    for fails_at in 1.. {
        let mut door = Door::new();
        door.add_backup_code(b"aaaa-bbbb-cc01");
        door.store.fails_at = Some(fails_at);
        let outcome = door.login(&attempt(QuestionForm::Reconnect), &both(PASSWORD, b"aaaa-bbbb-cc01"));
        if door.store.operations.get() < fails_at {
            assert_eq!(shown(&outcome), "accept backup-code");
            break;
        }
        assert_eq!(shown(&outcome), "Authentication failed: internal", "operation {fails_at}");
        assert_eq!(door.store.tables.backup_codes[0].used_at, None, "nothing is half done");
    }
    for fails_at in 1.. {
        let mut door = Door::new();
        let here = attempt(IN_SESSION);
        door.login(&here, &typed(PASSWORD));
        door.store.fails_at = Some(door.store.operations.get() + fails_at);
        let before = door.store.operations.get();
        let code = door.code(0);
        let outcome = door.answer_in_session(&here, &code).unwrap();
        if door.store.operations.get() < before + fails_at {
            assert_eq!(shown(&outcome), "accept both-factors");
            break;
        }
        assert_eq!(shown(&outcome), "Authentication failed: internal", "operation {fails_at}");
        assert!(door.store.tables.challenges.contains_key(&session()), "nothing is half done");
    }
}
