//! The flows of users whose second factor is Duo.
#![allow(clippy::unnecessary_wraps, reason = "a script holds answers and failures")]

use super::fakes::*;
use crate::auth::*;
use crate::clock::Clock;
use crate::config::{DuoPrompt, Factor, Failmode, Primary};
use crate::factor::duo::{
    Capability, Choices, Device, DuoError, Event, Preauth, Status, Transaction, Verdict,
};

/// A door whose users have Duo; `alice` has a record, with a token, and the others have none.
fn duo_door() -> Door {
    let mut door = Door::new();
    door.settings.auth.factor = Factor::Duo;
    door.duo.patience.set(5);
    door
}

/// What Duo says of a user with one telephone.
fn one_phone() -> Preauth {
    let capabilities = vec![Capability::Auto, Capability::Push, Capability::Phone, Capability::Sms];
    let device = Device { id: "D1".to_owned(), label: "XXX-XXX-1234".to_owned(), capabilities };
    Preauth::Auth(Choices { devices: vec![device], ..Choices::default() })
}

const QUESTION: &str =
    "Duo login for alice. Passcode, or 1 push XXX-XXX-1234, 2 phone XXX-XXX-1234, 3 sms XXX-XXX-1234";

fn status(verdict: Verdict, event: Event, message: &str) -> Result<Status, DuoError> {
    Ok(Status { verdict, event, message: message.to_owned() })
}

fn waiting() -> Result<Status, DuoError> {
    status(Verdict::Waiting, Event::Other, "Pushed a login request to your phone...")
}

fn allowed() -> Result<Status, DuoError> {
    status(Verdict::Allow, Event::Other, "Success. Logging you in...")
}

fn denied() -> Result<Status, DuoError> {
    status(Verdict::Deny, Event::Other, "Login request denied.")
}

fn unreachable() -> DuoError {
    DuoError::Unreachable("no route".to_owned())
}

/// Scripts Duo: a look-up, a factor, and what becomes of it.
fn expect(door: &Door, look_up: Option<Preauth>, statuses: Vec<Result<Status, DuoError>>) {
    door.duo.look_ups.borrow_mut().extend(look_up.map(Ok));
    if !statuses.is_empty() {
        door.duo.transactions.borrow_mut().push_back(Ok(()));
    }
    door.duo.statuses.borrow_mut().extend(statuses);
}

fn state_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ask(Question { carrier: Carrier::Reconnect { state }, .. }) => state.clone(),
        other => panic!("a question was expected, not {other:?}"),
    }
}

#[test]
fn a_factor_that_comes_with_the_password_is_looked_up_sent_and_waited_for() {
    let mut door = duo_door();
    expect(&door, Some(one_phone()), vec![waiting(), waiting(), allowed()]);
    let outcome = door.login(&attempt(IN_SESSION), &both(PASSWORD, b"Push"));
    assert_eq!(shown(&outcome), "accept both-factors");
    let Outcome::Accept(acceptance) = outcome else { panic!("accepted") };
    assert_eq!(acceptance.factor(), "duo");
    let heard = ["preauth alice", "auth alice push auto", "status tx1", "status tx1", "status tx1"];
    assert_eq!(door.duo.heard(), heard);
    assert_eq!(door.failures(), Failures::default());
    assert!(door.store.tables.pushes.is_empty());
    assert_eq!(door.store.tables.logins, 1);
}

#[test]
fn duo_is_never_asked_before_the_password_is_right() {
    for prompt in [DuoPrompt::Full, DuoPrompt::Short, DuoPrompt::Generic] {
        let mut door = duo_door();
        door.settings.duo.prompt = prompt;
        for submission in [typed(b"wrong"), both(b"wrong", b"push"), both(b"", b"push")] {
            let outcome = door.login(&attempt(IN_SESSION), &submission);
            assert!(matches!(outcome, Outcome::Reject(Rejection { told: Told::AuthenticationFailed, .. })));
        }
        assert!(door.duo.heard().is_empty());
    }
}

#[test]
fn a_user_is_asked_in_the_style_of_the_settings() {
    for (prompt, text, look_up) in [
        (DuoPrompt::Full, QUESTION, true),
        (DuoPrompt::Short, "Duo - push1, phone1, sms1 or passcode", true),
        (DuoPrompt::Generic, "Duo passcode or second factor", false),
    ] {
        for form in [IN_SESSION, QuestionForm::Reconnect] {
            let mut door = duo_door();
            door.settings.duo.prompt = prompt;
            expect(&door, look_up.then(one_phone), vec![]);
            let outcome = door.login(&attempt(form), &typed(PASSWORD));
            assert_eq!(shown(&outcome), format!("ask factor-needed: {text}"));
            assert_eq!(door.duo.heard().len(), usize::from(look_up));
            assert_eq!(door.failures(), Failures::default(), "a question is no failure");
        }
    }
}

#[test]
fn an_answer_is_one_of_the_choices_that_were_shown() {
    for (answer, sent) in [
        (&b"1"[..], "push D1"),
        (b"2", "phone D1"),
        (b"PUSH", "push auto"),
        (b"phone1", "phone D1"),
        (b"123456", "passcode 123456"),
        (b"", "auto"),
    ] {
        let mut door = duo_door();
        expect(&door, Some(one_phone()), vec![]);
        let here = attempt(IN_SESSION);
        door.login(&here, &typed(PASSWORD));
        expect(&door, None, vec![allowed()]);
        let outcome = door.answer_in_session(&here, answer).unwrap();
        assert_eq!(shown(&outcome), "accept both-factors", "{answer:?}");
        assert_eq!(door.duo.heard()[1], format!("auth alice {sent}"));
        assert!(door.answer_in_session(&here, answer).is_none(), "an answer counts once");
    }
}

#[test]
fn after_a_fixed_question_the_look_up_comes_with_the_answer() {
    let mut door = duo_door();
    door.settings.duo.prompt = DuoPrompt::Generic;
    let state = door.ask_by_reconnecting();
    expect(&door, Some(one_phone()), vec![allowed()]);
    let outcome = door.login(&attempt(QuestionForm::Reconnect), &super::fakes::answer(&state, b"phone1"));
    assert_eq!(shown(&outcome), "accept both-factors");
    assert_eq!(door.duo.heard(), ["preauth alice", "auth alice phone D1", "status tx1"]);
}

#[test]
fn autopush_and_an_empty_field_without_a_password_send_the_default_factor() {
    let mut door = duo_door();
    door.settings.duo.autopush = true;
    expect(&door, Some(one_phone()), vec![waiting(), allowed()]);
    assert_eq!(shown(&door.login(&attempt(IN_SESSION), &typed(PASSWORD))), "accept both-factors");
    assert_eq!(door.duo.heard()[1], "auth alice auto");

    let mut door = duo_door();
    door.settings.auth.primary = Primary::None;
    expect(&door, Some(one_phone()), vec![allowed()]);
    assert_eq!(shown(&door.login(&attempt(IN_SESSION), &typed(b""))), "accept both-factors");
    assert_eq!(door.duo.heard()[1], "auth alice auto");
    expect(&door, Some(one_phone()), vec![allowed()]);
    assert_eq!(shown(&door.login(&attempt(IN_SESSION), &typed(b"phone"))), "accept both-factors");
    assert_eq!(door.duo.heard()[1], "auth alice phone auto");
    assert_eq!(door.primary.calls.get(), 0);
}

#[test]
fn passcodes_by_text_message_are_followed_by_a_question_and_are_no_failure() {
    let mut door = duo_door();
    let sent = || status(Verdict::Deny, Event::SmsSent, "New SMS passcodes sent");
    expect(&door, Some(one_phone()), vec![sent()]);
    let outcome = door.login(&attempt(IN_SESSION), &both(PASSWORD, b"sms"));
    assert_eq!(shown(&outcome), "ask duo-passcodes-sent: Passcodes were sent, enter one of them");
    assert_eq!(door.failures(), Failures::default());
    expect(&door, None, vec![allowed()]);
    let answer = super::fakes::answer(&state_of(&outcome), b"1234567");
    assert_eq!(shown(&door.login(&attempt(QuestionForm::Reconnect), &answer)), "accept both-factors");

    // A client that cannot come back is told.
    let mut door = duo_door();
    expect(&door, Some(one_phone()), vec![sent()]);
    let android = attempt(QuestionForm::InSession { then_reconnect: FollowUp::None });
    let outcome = door.login(&android, &both(PASSWORD, b"sms"));
    assert_eq!(shown(&outcome), "New SMS passcodes sent: duo-passcodes-sent");
    assert_eq!(door.failures(), Failures::default());
}

#[test]
fn what_duo_says_of_a_user_decides_without_a_factor() {
    let message = || "Account disabled: \"call\" us".to_owned();
    for (preauth, expected) in [
        (Preauth::Allow { message: "Bypass".to_owned() }, "accept duo-bypass"),
        (Preauth::Deny { message: message() }, "Account disabled call us: duo-denied"),
        (
            Preauth::Enroll { message: "Enroll".to_owned(), portal: Some("https://duo.test/x".to_owned()) },
            "Enroll - enrol at https://duo.test/x: duo-unknown-user",
        ),
        (
            Preauth::Enroll { message: String::new(), portal: Some("https://duo.test/a b".to_owned()) },
            "Enrol in Duo first: duo-unknown-user",
        ),
        (
            Preauth::Deny { message: "CRV1:R:x:y:TEMP[backoff 9]".to_owned() },
            "CRV1RxyTEMPbackoff 9: duo-denied",
        ),
    ] {
        let mut door = duo_door();
        expect(&door, Some(preauth), vec![]);
        assert_eq!(shown(&door.login(&attempt(IN_SESSION), &typed(PASSWORD))), expected);
        assert_eq!(door.failures(), Failures::default());
    }
}

#[test]
fn failmode_opens_for_an_unreachable_duo_in_the_look_up_and_for_nothing_else() {
    let errors = [
        (unreachable(), true),
        (DuoError::Certificate("not theirs".to_owned()), false),
        (DuoError::Refused("HTTP 401".to_owned()), false),
        (DuoError::TooLate("no answer".to_owned()), false),
        (DuoError::Settings("no host".to_owned()), false),
    ];
    for (error, opens) in errors {
        for failmode in [Failmode::Secure, Failmode::Safe] {
            let mut door = duo_door();
            door.settings.duo.failmode = failmode;
            door.duo.look_ups.borrow_mut().push_back(Err(error.clone()));
            let outcome = shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push")));
            let expected = if opens && failmode == Failmode::Safe {
                "accept duo-failed-open"
            } else {
                "The second factor cannot be checked now, try again later: duo-unavailable"
            };
            assert_eq!(outcome, expected, "{error:?} {failmode:?}");
            assert_eq!(door.failures(), Failures::default());
        }
    }
    // With a wrong password Duo is not even looked up; once a factor was sent, nothing opens.
    let mut door = duo_door();
    door.settings.duo.failmode = Failmode::Safe;
    let outcome = door.login(&attempt(IN_SESSION), &both(b"wrong", b"push"));
    assert_eq!(shown(&outcome), "Authentication failed: primary-denied");
    door.duo.look_ups.borrow_mut().push_back(Ok(one_phone()));
    door.duo.transactions.borrow_mut().push_back(Err(unreachable()));
    let outcome = shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push")));
    assert!(outcome.ends_with("duo-unavailable"), "{outcome}");
    door.clock.0.set(door.clock.0.get() + 61);
    expect(
        &door,
        Some(one_phone()),
        vec![waiting(), Err(unreachable()), Err(unreachable()), Err(unreachable())],
    );
    let outcome = shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push")));
    assert!(outcome.ends_with("duo-unavailable"), "{outcome}");
}

#[test]
fn a_look_that_fails_once_or_twice_does_not_end_a_login_that_is_under_way() {
    let mut door = duo_door();
    let looks =
        vec![waiting(), Err(unreachable()), Err(unreachable()), waiting(), Err(unreachable()), allowed()];
    door.duo.patience.set(9);
    expect(&door, Some(one_phone()), looks);
    assert_eq!(shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push"))), "accept both-factors");
}

#[test]
fn a_wrong_passcode_counts_and_is_asked_for_again_while_attempts_are_left() {
    let mut door = duo_door();
    expect(&door, Some(one_phone()), vec![]);
    let mut state = door.ask_by_reconnecting();
    let wrong = || status(Verdict::Deny, Event::Other, "Incorrect passcode. Please try again.");
    for count in 1..=4 {
        expect(&door, None, vec![wrong()]);
        let answer = super::fakes::answer(&state, b"111111");
        let outcome = door.login(&attempt(QuestionForm::Reconnect), &answer);
        assert_eq!(shown(&outcome), "ask duo-denied: Incorrect passcode. Please try again.");
        assert_eq!(door.failures(), Failures { count, ..Failures::default() });
        state = state_of(&outcome);
    }
    expect(&door, None, vec![wrong()]);
    let outcome = door.login(&attempt(QuestionForm::Reconnect), &super::fakes::answer(&state, b"111111"));
    assert_eq!(shown(&outcome), "Too many failed attempts, try again later: duo-denied");
    door.duo.heard();
    let outcome = door.login(&attempt(QuestionForm::Reconnect), &both(PASSWORD, b"222222"));
    assert_eq!(shown(&outcome), "Too many failed attempts, try again later: locked");
    assert!(door.duo.heard().is_empty(), "a locked user's code is not looked at");
}

#[test]
fn what_is_no_choice_counts_and_never_reaches_duo() {
    let mut door = duo_door();
    expect(&door, Some(one_phone()), vec![]);
    let here = attempt(IN_SESSION);
    door.login(&here, &typed(PASSWORD));
    door.duo.heard();
    let outcome = door.answer_in_session(&here, b"please").unwrap();
    assert_eq!(shown(&outcome), "ask malformed-code: Incorrect code, try again");
    assert!(door.duo.heard().is_empty());
    assert_eq!(door.failures().count, 1);
}

#[test]
fn a_denied_or_unanswered_request_counts_and_ends_the_login() {
    let timeout = || status(Verdict::Deny, Event::Timeout, "Login timed out.");
    for (statuses, expected) in [
        (vec![waiting(), denied()], "Login request denied.: duo-denied"),
        (vec![waiting(), timeout()], "No answer to the login request, try again: duo-no-answer"),
        (vec![waiting(); 6], "No answer to the login request, try again: duo-no-answer"),
    ] {
        let mut door = duo_door();
        let ours = statuses.len();
        expect(&door, Some(one_phone()), statuses);
        assert_eq!(shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push"))), expected);
        assert_eq!(door.failures().count, 1);
        // Where Duo has said how it ended, the telephone is free again.
        assert_eq!(door.store.tables.pushes.is_empty(), ours < 6);
    }
}

#[test]
fn one_request_at_a_time_is_on_the_telephone() {
    let mut door = duo_door();
    door.store.tables.pushes.insert("alice".to_owned(), door.clock.now() + 60);
    for factor in [&b"push"[..], b"phone", b"auto"] {
        expect(&door, Some(one_phone()), vec![]);
        let outcome = shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, factor)));
        assert!(outcome.ends_with(": duo-push-open"), "{outcome}");
    }
    assert!(door.duo.heard().iter().all(|asked| asked.starts_with("preauth")));
    assert_eq!(door.failures(), Failures::default());
    // A passcode rings no telephone, and a request ends by itself.
    expect(&door, Some(one_phone()), vec![allowed()]);
    assert_eq!(shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"123456"))), "accept both-factors");
    door.store.tables.pushes.insert("alice".to_owned(), door.clock.now());
    expect(&door, Some(one_phone()), vec![allowed()]);
    assert_eq!(shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push"))), "accept both-factors");
}

#[test]
fn a_telephone_that_may_ring_is_taken_for_one_that_does() {
    for (error, rings) in [
        (unreachable(), true),
        (DuoError::TooLate("no answer".to_owned()), true),
        (DuoError::Refused("HTTP 400".to_owned()), false),
    ] {
        let mut door = duo_door();
        door.settings.duo.timeout = serde::Deserialize::deserialize(toml::Value::from(5)).unwrap();
        expect(&door, Some(one_phone()), vec![]);
        door.duo.transactions.borrow_mut().push_back(Err(error));
        door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push"));
        let until = door.store.tables.pushes.get("alice").copied();
        assert_eq!(until, rings.then(|| door.clock.now() + 60));
        assert_eq!(door.failures(), Failures::default());
    }
}

#[test]
fn what_fails_at_duo_counts_for_the_address_and_what_is_right_does_not() {
    let fraud = || status(Verdict::Deny, Event::Fraud, "Login request reported as fraudulent.");
    let timeout = || status(Verdict::Deny, Event::Timeout, "Login timed out.");
    let sent = || status(Verdict::Deny, Event::SmsSent, "New SMS passcodes sent.");
    for (factor, statuses, counted) in [
        (&b"push"[..], vec![waiting(), denied()], 1),
        (b"push", vec![timeout()], 1),
        (b"push", vec![waiting(); 6], 1),
        (b"push", vec![fraud()], 1),
        (b"push", vec![waiting(), allowed()], 0),
        (b"123456", vec![denied()], 1),
        (b"123456", vec![waiting(); 6], 1),
        (b"123456", vec![allowed()], 0),
        (b"sms", vec![sent()], 0),
        (b"please", vec![], 1),
    ] {
        let mut door = duo_door();
        expect(&door, Some(one_phone()), statuses);
        let outcome = door.login(&attempt(IN_SESSION), &both(PASSWORD, factor));
        assert_eq!(door.address_failures(), counted, "{}", shown(&outcome));
        assert_eq!(door.failures().count > 0, counted > 0);
    }
}

#[test]
fn members_of_a_group_need_no_factor_where_the_settings_say_so() {
    let groups = |text: &str| toml::Value::String(text.to_owned()).try_into().unwrap();
    for (auth, duo, member, factor, accepted) in [
        ("staff, robots", "", "robots", Factor::Duo, true),
        ("staff, robots", "", "robots", Factor::Totp, true),
        ("", "robots", "robots", Factor::Duo, true),
        ("", "robots", "robots", Factor::Totp, false),
        ("staff", "", "robots", Factor::Totp, false),
    ] {
        let mut door = Door::new();
        door.settings.auth.factor = factor;
        (door.settings.auth.exempt_groups, door.settings.duo.exempt_groups) = (groups(auth), groups(duo));
        *door.primary.group.borrow_mut() = Some(member.parse().unwrap());
        for submission in [typed(PASSWORD), both(PASSWORD, b"1"), Submission::GenuineToken] {
            let outcome = door.login(&attempt(IN_SESSION), &submission);
            assert_eq!(shown(&outcome) == "accept exempt", accepted, "{auth} {duo} {}", shown(&outcome));
            if let (true, Outcome::Accept(acceptance)) = (accepted, &outcome) {
                assert_eq!(acceptance.reason().detail(), Some("in the group robots"));
            }
        }
        assert!(matches!(door.login(&attempt(IN_SESSION), &typed(b"wrong")), Outcome::Reject(_)));
        // It is the account's group, and says nothing of another's second factor.
        let mut other = attempt(IN_SESSION);
        other.identity = "laptop".parse().unwrap();
        expect(&door, Some(Preauth::Deny { message: String::new() }), vec![]);
        assert!(matches!(door.login(&other, &typed(PASSWORD)), Outcome::Reject(_)));
    }
}

#[test]
fn duo_never_hears_of_a_factor_from_an_address_that_is_locked() {
    let mut door = duo_door();
    door.settings.lockout.address_max_failures = crate::config::Bounded::new::<1>();
    expect(&door, Some(one_phone()), vec![denied()]);
    let outcome = door.login(&attempt(IN_SESSION), &both(PASSWORD, b"123456"));
    assert_eq!(shown(&outcome), "Too many failed attempts, try again later: duo-denied");
    door.duo.heard();
    for submission in [typed(PASSWORD), both(PASSWORD, b"push")] {
        let outcome = door.login(&attempt_of("bob", IN_SESSION), &submission);
        assert_eq!(shown(&outcome), "Too many failed attempts, try again later: address-locked");
    }
    assert!(door.duo.heard().is_empty());
}

#[test]
fn who_reports_fraud_is_locked_at_once() {
    let mut door = duo_door();
    let fraud = status(Verdict::Deny, Event::Fraud, "Login request reported as fraudulent.");
    expect(&door, Some(one_phone()), vec![waiting(), fraud]);
    let outcome = door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push"));
    assert_eq!(shown(&outcome), "Login request reported as fraudulent.: duo-fraud");
    assert!(is_locked(door.failures(), door.clock.now()));
    let outcome = door.login(&attempt(IN_SESSION), &typed(PASSWORD));
    assert_eq!(shown(&outcome), "Too many failed attempts, try again later: locked");
}

#[test]
fn a_failure_is_counted_before_duo_hears_of_the_factor() {
    // As many guesses as may be wrong are under way: the next one is not even sent.
    let mut door = duo_door();
    door.store.tables.failures.insert("alice".to_owned(), Failures { count: 4, ..Failures::default() });
    expect(&door, Some(one_phone()), vec![]);
    door.duo.transactions.borrow_mut().push_back(Err(DuoError::Refused("HTTP 400".to_owned())));
    let outcome = shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"123456")));
    assert!(outcome.ends_with("duo-unavailable"), "{outcome}");
    assert_eq!(door.failures(), Failures { count: 4, ..Failures::default() }, "taken back");

    // A store that cannot count keeps the factor from Duo.
    for operation in 1.. {
        let mut door = duo_door();
        door.store.fails_at = Some(operation);
        expect(&door, Some(one_phone()), vec![allowed()]);
        let outcome = door.login(&attempt(IN_SESSION), &both(PASSWORD, b"123456"));
        if matches!(outcome, Outcome::Accept(_)) {
            assert!(operation > 10, "a store that fails at {operation} lets somebody in");
            break;
        }
        let counted = door.failures().count == 1;
        assert!(counted || !door.duo.heard().iter().any(|asked| asked.starts_with("auth")), "{operation}");
    }
}

#[test]
fn a_verification_code_is_shown_and_the_login_goes_on_when_the_user_comes_back() {
    let mut door = duo_door();
    door.settings.duo.verified_push = true;
    let Preauth::Auth(choices) = one_phone() else { panic!() };
    let with_transaction = Choices { transaction: Some(Transaction("pre".to_owned())), ..choices };
    let code = "Please enter verification code 376 into Duo Mobile...";
    expect(
        &door,
        Some(Preauth::Auth(with_transaction.clone())),
        vec![status(Verdict::Waiting, Event::Other, code)],
    );
    let outcome = door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push"));
    assert_eq!(shown(&outcome), format!("ask duo-verification: {code}"));
    assert_eq!(door.duo.heard()[0], "preauth alice verified");
    for answer in [&b""[..], b"anything"] {
        let tables = door.store.tables.clone();
        door.duo.statuses.borrow_mut().extend([waiting(), allowed()]);
        let answer = super::fakes::answer(&state_of(&outcome), answer);
        assert_eq!(shown(&door.login(&attempt(QuestionForm::Reconnect), &answer)), "accept both-factors");
        door.store.tables = tables;
    }
    // Not approved, not in.
    door.duo.statuses.borrow_mut().push_back(denied());
    let answer = super::fakes::answer(&state_of(&outcome), b"376");
    let outcome = door.login(&attempt(QuestionForm::Reconnect), &answer);
    assert_eq!(shown(&outcome), "Login request denied.: duo-denied");

    // Where no code can be shown, none is asked of Duo.
    door.duo.heard();
    expect(&door, Some(one_phone()), vec![allowed()]);
    let android = attempt(QuestionForm::InSession { then_reconnect: FollowUp::None });
    door.login(&android, &both(PASSWORD, b"push"));
    assert_eq!(door.duo.heard()[0], "preauth alice");
}

#[test]
fn a_users_own_factor_goes_before_the_one_of_the_settings() {
    let mut door = duo_door();
    let user = |factor, has_token| User { id: UserId(1), state: UserState::Enabled, factor, has_token };
    door.store.tables.users.insert("alice".to_owned(), user(Some(Factor::Totp), true));
    let code = door.code(0);
    assert_eq!(shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, &code))), "accept both-factors");
    assert!(door.duo.heard().is_empty());
    door.store.tables.users.insert("alice".to_owned(), user(Some(Factor::Totp), false));
    let outcome = door.login(&attempt(IN_SESSION), &typed(PASSWORD));
    assert_eq!(shown(&outcome), "Authentication failed: not-enrolled");

    let mut door = Door::new();
    door.store.tables.users.insert("alice".to_owned(), user(Some(Factor::Duo), false));
    door.duo.patience.set(5);
    expect(&door, Some(one_phone()), vec![allowed()]);
    assert_eq!(shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push"))), "accept both-factors");
    assert_eq!(door.store.tables.logins, 1);
}

#[test]
fn a_question_about_one_factor_is_not_answered_with_another() {
    let mut door = Door::new();
    let state = door.ask_by_reconnecting();
    let code = door.code(0);
    door.settings.auth.factor = Factor::Duo;
    let outcome = door.login(&attempt(QuestionForm::Reconnect), &super::fakes::answer(&state, &code));
    assert_eq!(shown(&outcome), "Authentication failed: unknown-challenge");

    let mut door = duo_door();
    door.settings.duo.prompt = DuoPrompt::Generic;
    let state = door.ask_by_reconnecting();
    door.settings.auth.factor = Factor::Totp;
    let outcome = door.login(&attempt(QuestionForm::Reconnect), &super::fakes::answer(&state, &code));
    assert_eq!(shown(&outcome), "Authentication failed: unknown-challenge");
    assert!(door.duo.heard().is_empty());
}

#[test]
fn who_is_exempt_needs_the_password_alone() {
    let names = |text: &str| toml::Table::from_iter([("exempt".to_owned(), toml::Value::from(text))]);
    for (factor, auth, duo, expected) in [
        (Factor::Duo, "", "bob, alice", "accept exempt"),
        (Factor::Duo, "alice", "", "accept exempt"),
        (Factor::Totp, "alice", "", "accept exempt"),
        (Factor::Totp, "", "alice", "ask factor-needed: Please enter your TOTP code"),
    ] {
        let mut door = Door::new();
        door.settings.auth = serde::Deserialize::deserialize(toml::Value::Table(names(auth))).unwrap();
        door.settings.duo = serde::Deserialize::deserialize(toml::Value::Table(names(duo))).unwrap();
        door.settings.auth.factor = factor;
        assert_eq!(shown(&door.login(&attempt(IN_SESSION), &typed(PASSWORD))), expected);
        let outcome = door.login(&attempt(IN_SESSION), &typed(b"wrong"));
        assert_eq!(shown(&outcome), "Authentication failed: primary-denied");
        let disabled = User { id: UserId(1), state: UserState::Disabled, factor: None, has_token: true };
        door.store.tables.users.insert("alice".to_owned(), disabled);
        let outcome = door.login(&attempt(IN_SESSION), &typed(PASSWORD));
        assert_eq!(shown(&outcome), "Authentication failed: disabled");
    }
}

#[test]
fn a_question_that_came_too_late_for_its_session_is_put_by_reconnecting() {
    let mut door = duo_door();
    expect(&door, Some(one_phone()), vec![]);
    let here = attempt(IN_SESSION);
    let Outcome::Ask(question) = door.login(&here, &typed(PASSWORD)) else { panic!("a question") };
    let moved = door.ask_by_reconnecting_instead(question);
    assert_eq!(shown(&moved), format!("ask factor-needed: {QUESTION}"));
    assert!(door.answer_in_session(&here, b"push").is_none(), "the session is asked no more");
    expect(&door, None, vec![allowed()]);
    let answer = super::fakes::answer(&state_of(&moved), b"1");
    assert_eq!(shown(&door.login(&attempt(QuestionForm::Reconnect), &answer)), "accept both-factors");
}

#[test]
fn a_genuine_token_asks_duo_nothing() {
    let mut door = duo_door();
    for user in ["alice", "somebody"] {
        let outcome = door.login(&attempt_of(user, IN_SESSION), &Submission::GenuineToken);
        assert_eq!(shown(&outcome), "accept session-token");
    }
    door.primary.account_closed.set(true);
    let outcome = door.login(&attempt(IN_SESSION), &Submission::GenuineToken);
    assert_eq!(shown(&outcome), "Authentication failed: primary-denied");
    assert!(door.duo.heard().is_empty());
}

#[test]
fn who_is_disabled_while_duo_is_asked_stays_out() {
    let approved = |door: &Door| expect(door, Some(one_phone()), vec![allowed()]);
    let bypass = |door: &Door| expect(door, Some(Preauth::Allow { message: String::new() }), vec![]);
    let failed_open = |door: &Door| door.duo.look_ups.borrow_mut().push_back(Err(unreachable()));
    let ways: [&dyn Fn(&Door); 3] = [&approved, &bypass, &failed_open];
    for way in ways {
        for transaction in 1.. {
            let mut door = duo_door();
            door.settings.duo.failmode = Failmode::Safe;
            door.store.disabled_before = Some(transaction);
            way(&door);
            let outcome = shown(&door.login(&attempt(IN_SESSION), &both(PASSWORD, b"push")));
            if door.store.transactions < transaction {
                assert!(outcome.starts_with("accept") && transaction > 3, "{outcome} {transaction}");
                break;
            }
            assert_eq!(outcome, "Authentication failed: disabled", "{transaction}");
        }
    }
}
