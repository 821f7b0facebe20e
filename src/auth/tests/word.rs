//! Logins whose password somebody else has checked.

use super::fakes::*;
use crate::auth::proof::CallersWord;
use crate::auth::*;

#[test]
fn by_the_word_of_a_caller_the_second_factor_is_all_that_is_asked() {
    let mut door = Door::new();
    let here = attempt(QuestionForm::Reconnect);
    assert_eq!(shown(&door.login_by_word(&here, &door.wrong_code())), "Incorrect code: wrong-code");
    let code = door.code(0);
    assert_eq!(shown(&door.login_by_word(&here, &code)), "accept both-factors");
    assert_eq!(shown(&door.login_by_word(&here, &code)), "Incorrect code: code-already-used");
    assert_eq!(door.primary.calls.get(), 0, "PAM was asked");
}

#[test]
fn a_question_of_such_a_login_is_answered_like_any_other() {
    let mut door = Door::new();
    let here = attempt(QuestionForm::Reconnect);
    let Outcome::Ask(Question { carrier: Carrier::Reconnect { state }, .. }) = door.login_by_word(&here, b"")
    else {
        panic!("a question was expected")
    };
    let code = door.code(0);
    let other = attempt_of("bob", QuestionForm::Reconnect);
    assert!(shown(&door.login(&other, &answer(&state, &code))).ends_with("foreign-challenge"));
    assert_eq!(shown(&door.login(&here, &answer(&state, &code))), "accept both-factors");
    assert!(shown(&door.login(&here, &answer(&state, &door.code(1)))).ends_with("unknown-challenge"));
}

#[test]
fn the_word_does_not_stand_for_the_second_factor() {
    let mut door = Door::new();
    let here = attempt_of("nobody", QuestionForm::Reconnect);
    let code = door.code(0);
    assert_eq!(shown(&door.login_by_word(&here, &code)), "Authentication failed: not-enrolled");
    door.store.tables.users.get_mut("alice").unwrap().state = UserState::Disabled;
    let here = attempt(QuestionForm::Reconnect);
    assert_eq!(shown(&door.login_by_word(&here, &code)), "Authentication failed: disabled");
    let nameless = attempt_of("-alice", QuestionForm::Reconnect);
    assert_eq!(shown(&door.login_by_word(&nameless, &code)), "Authentication failed: identity");
    assert!(
        shown(&door.login_by_word(&attempt(QuestionForm::Impossible), b"")).contains("Authentication failed")
    );
}

#[test]
fn nobody_sets_up_a_token_by_a_callers_word() {
    let mut door = Door::new();
    door.settings.totp.self_enroll = true;
    let here = attempt_of("nobody", QuestionForm::Reconnect);
    assert!(matches!(door.login(&here, &typed(PASSWORD)), Outcome::Ask(_)), "a password does");
    assert_eq!(shown(&door.login_by_word(&here, b"")), "Authentication failed: not-enrolled");
}

#[test]
fn nobody_has_a_group_by_a_callers_word() {
    let mut door = Door::new();
    door.settings.auth.exempt_groups = toml::Value::from("vips").try_into().unwrap();
    *door.primary.group.borrow_mut() = Some("vips".parse().unwrap());
    let here = attempt(QuestionForm::Reconnect);
    assert_eq!(shown(&door.login(&here, &typed(PASSWORD))), "accept exempt");
    assert!(matches!(door.login_by_word(&here, b""), Outcome::Ask(_)));
}

#[test]
fn only_one_text_is_the_word() {
    for text in ["", "Passed", "passed ", "true", "ok", "failed"] {
        assert!(text.parse::<CallersWord>().is_err(), "{text:?}");
    }
}
