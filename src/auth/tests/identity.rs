//! Whose login it is, and how the user can be asked.

use crate::auth::*;
use crate::config::{Auth, Challenge, Identity, Primary, UsernameCase};

fn identify(
    settings: &Auth,
    username: &str,
    common_name: Option<&str>,
) -> Result<(String, String), IdentityError> {
    let peer = Peer { common_name: common_name.map(str::to_owned), ..Peer::default() };
    Attempt::identify(settings, username.as_bytes(), peer, QuestionForm::Reconnect)
        .map(|attempt| (attempt.user.as_str().to_owned(), attempt.identity.as_str().to_owned()))
}

#[test]
fn the_settings_say_whose_second_factor_it_is() {
    use IdentityError::{CommonName, Mismatch, NoCertificate, Username};
    use NameError::Empty;
    let settings = |primary, identity, match_common_name| Auth {
        primary,
        identity,
        match_common_name,
        ..Auth::default()
    };
    let (pam, none) = (Primary::Pam, Primary::None);
    let (name, cn) = (Identity::Username, Identity::CommonName);
    for (settings, username, common_name, expected) in [
        (settings(pam, name, false), "alice", Some("laptop"), Ok(("alice", "alice"))),
        (settings(pam, name, false), "alice", None, Ok(("alice", "alice"))),
        (settings(pam, name, false), "", Some("alice"), Err(Username(Empty))),
        (settings(pam, cn, false), "alice", Some("laptop"), Ok(("alice", "laptop"))),
        (settings(pam, cn, false), "alice", None, Err(CommonName(Empty))),
        (settings(pam, cn, false), "", Some("laptop"), Err(Username(Empty))),
        (settings(pam, name, true), "alice", Some("alice"), Ok(("alice", "alice"))),
        (settings(pam, name, true), "alice", Some("bob"), Err(Mismatch)),
        (settings(pam, name, true), "alice", Some("Alice"), Err(Mismatch)),
        (settings(pam, name, true), "alice", None, Err(CommonName(Empty))),
        (settings(none, cn, false), "", Some("laptop"), Ok(("laptop", "laptop"))),
        (settings(none, cn, false), "alice", Some("laptop"), Ok(("alice", "laptop"))),
        (settings(none, name, false), "", Some("laptop"), Err(Username(Empty))),
        (settings(none, name, false), "alice", Some("laptop"), Ok(("alice", "alice"))),
        (settings(none, name, false), "alice", None, Err(NoCertificate)),
        (settings(none, cn, false), "", None, Err(NoCertificate)),
    ] {
        let result = identify(&settings, username, common_name);
        let result =
            result.as_ref().map(|(user, identity)| (user.as_str(), identity.as_str())).map_err(|e| *e);
        assert_eq!(result, expected, "{settings:?} {username:?} {common_name:?}");
    }
}

#[test]
fn names_have_one_form_for_everything_and_some_are_refused() {
    let settings = Auth { username_case: UsernameCase::Lower, match_common_name: true, ..Auth::default() };
    assert_eq!(identify(&settings, "ALICE", Some("Alice")), Ok(("alice".to_owned(), "alice".to_owned())));
    let common_name = Auth { identity: Identity::CommonName, ..settings };
    let names = identify(&common_name, "ALICE", Some("Alice"));
    assert_eq!(names, Ok(("alice".to_owned(), "alice".to_owned())));
    let kept = Auth { match_common_name: true, ..Auth::default() };
    assert_eq!(identify(&kept, "alice", Some("Alice")), Err(IdentityError::Mismatch));

    let refusal = |settings: &Auth, username: &str, common_name: &str| {
        let peer = Peer { common_name: Some(common_name.to_owned()), ..Peer::default() };
        Attempt::identify(settings, username.as_bytes(), peer, QuestionForm::Reconnect).unwrap().refusal
    };
    let common_name = Auth { identity: Identity::CommonName, ..Auth::default() };
    assert_eq!(refusal(&common_name, "alice", "laptop"), None);
    assert_eq!(refusal(&common_name, "-x", "laptop"), Some(RefusedName::Username(NameRefusal::Hyphen)));
    assert_eq!(refusal(&common_name, "alice", "a/b"), Some(RefusedName::CommonName(NameRefusal::Slash)));
    assert_eq!(refusal(&Auth::default(), "alice", "a/b"), None, "nobody's name here");
}

#[test]
fn the_question_takes_the_form_that_settings_and_client_allow() {
    use Ability::{No, Yes};
    let in_session = |then_reconnect| QuestionForm::InSession { then_reconnect };
    for (setting, in_session_ability, reconnecting, expected) in [
        (Challenge::Auto, Yes, Yes, in_session(FollowUp::Reconnect)),
        (Challenge::Auto, Yes, No, in_session(FollowUp::None)),
        (Challenge::Auto, No, Yes, QuestionForm::Reconnect),
        (Challenge::Auto, No, No, QuestionForm::Impossible),
        (Challenge::Crtext, Yes, Yes, in_session(FollowUp::None)),
        (Challenge::Crtext, No, Yes, QuestionForm::Impossible),
        (Challenge::Crv1, Yes, Yes, QuestionForm::Reconnect),
        (Challenge::Crv1, Yes, No, QuestionForm::Impossible),
        (Challenge::Off, Yes, Yes, QuestionForm::Impossible),
    ] {
        let form = QuestionForm::choose(setting, in_session_ability, reconnecting);
        assert_eq!(form, expected, "{setting:?} {in_session_ability:?} {reconnecting:?}");
    }
}
