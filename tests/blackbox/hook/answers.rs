//! Questions in a waiting session (`CR_TEXT`), and their answers.

use crate::support::{Session, Site, Token, chmod, eventually, now};
use data_encoding::BASE64;
use std::fs::File;
use std::os::unix::fs::symlink;

fn alice() -> (Site, Token) {
    let site = Site::new();
    let token = site.enroll("alice");
    (site, token)
}

/// What OpenVPN puts into the file of `client-crresponse`.
fn sent(typed: &str) -> Vec<u8> {
    format!("{}\n", BASE64.encode(typed.as_bytes())).into_bytes()
}

/// Alice answers.
fn answer(site: &Site, session: &Session, typed: &str) {
    assert_eq!(site.answer(session, "alice", &sent(typed)).status(), 0);
}

#[test]
fn a_client_that_can_is_asked_while_it_waits() {
    let (site, token) = alice();
    let session = site.session();
    assert_eq!(site.login(&session, "alice", "").status(), 2);
    assert_eq!(session.pending(), "300\ncrtext\nCR_TEXT:R,E:Please enter your TOTP code\n");
    assert_eq!((session.verdict(), session.reason()), (String::new(), String::new()));
    answer(&site, &session, &token.code());
    assert_eq!(session.decided(), "1");
    assert_eq!(session.reason(), "");
    assert!(site.logged(&["event=answer user=alice", "outcome=accept reason=both-factors"]));
    assert!(site.logged(&[
        "event=login user=alice",
        "outcome=challenge reason=factor-needed",
        "method=crtext"
    ]));
}

#[test]
fn the_question_is_that_of_the_settings() {
    let site =
        Site::with(&[("totpChallengeText", "Code of your phone, please"), ("totpChallengeTimeout", "120")]);
    site.enroll("alice");
    let session = site.asked_in_session("alice");
    assert_eq!(session.pending(), "120\ncrtext\nCR_TEXT:R,E:Code of your phone, please\n");
}

#[test]
fn the_question_has_three_lines_of_plain_text_whatever_is_set() {
    let text = format!("\"]'\\ \u{fc}\u{1f512}: {}", "x".repeat(180));
    let site = Site::with(&[("totpChallengeText", &text)]);
    site.enroll("alice");
    let pending = site.asked_in_session("alice").pending();
    let lines: Vec<&str> = pending.split('\n').collect();
    assert!(matches!(lines[..], ["300", "crtext", _, ""]), "{pending:?}");
    assert!(
        lines[2].len() <= 246 && lines[2].bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{pending:?}"
    );
}

#[test]
fn with_no_budget_the_question_is_asked_before_anything_is_looked_up() {
    let site = Site::with(&[("authStallBudgetMs", "0")]);
    let token = site.enroll("alice");
    let session = site.asked_in_session("alice");
    assert_eq!(session.pending().lines().count(), 3);
    // Perhaps before the worker has put the question down: the answer waits for it.
    answer(&site, &session, &token.code());
    assert_eq!(session.decided(), "1");

    // Nobody's question ends by itself.
    let session = site.asked_in_session("nobody");
    assert_eq!((session.decided(), session.told()), ("0".to_owned(), "Authentication failed".to_owned()));
}

#[test]
fn a_wrong_answer_leads_to_another_question_by_reconnecting() {
    let (site, token) = alice();
    let session = site.asked_in_session("alice");
    answer(&site, &session, &token.wrong_code());
    assert_eq!(session.decided(), "0");
    let question = session.question();
    assert_eq!((question.user.as_str(), question.text.as_str()), ("alice", "Incorrect code, try again"));
    assert_eq!(site.failures("alice"), 1);
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &question.answer(&token.code())).status(), 0);
    assert_eq!(session.verdict(), "1");
    assert_eq!(site.failures("alice"), 0);
}

#[test]
fn a_wrong_answer_of_a_client_that_cannot_reconnect_is_the_end() {
    let (site, token) = alice();
    for set in [("IV_GUI_VER", "de.blinkt.openvpn 0.7.51"), ("authChallenge", "crtext")] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", "").set(set.0, set.1).status(), 2);
        let call = site.answer(&session, "alice", &sent(&token.wrong_code()));
        assert_eq!(call.set(set.0, set.1).status(), 0);
        assert_eq!((session.decided(), session.told()), ("0".to_owned(), "Incorrect code".to_owned()));
    }
}

#[test]
fn whatever_a_client_sends_is_removed_and_is_no_right_code() {
    let (site, token) = alice();
    let right = token.code();
    let long = BASE64.encode(&[b'1'; 513]);
    let huge = vec![b'A'; 20_000];
    for (sent, what) in [
        (&b"not base64!\n"[..], "not base64"),
        (right.as_bytes(), "the right code, but not in base64"),
        (b"", "nothing"),
        (b"\n", "an empty line"),
        (b"\xff\xfe\x00\x01\n", "binary"),
        (b"AAAA\n", "NUL bytes"),
        (b"MTIz\nNDU2\n", "two lines"),
        (BASE64.encode(b"' OR 1=1 --").as_bytes(), "SQL"),
        (long.as_bytes(), "too long an answer"),
        (&huge, "a file that is too long"),
    ] {
        site.sql("DELETE FROM failure");
        let session = site.asked_in_session("alice");
        // That the file is gone afterwards is looked at in every call of a hook here.
        assert_eq!(site.answer(&session, "alice", sent).status(), 0, "{what}");
        assert_eq!(session.decided(), "0", "{what}");
        assert_eq!(session.question().text, "Incorrect code, try again", "{what}");
        assert_eq!(site.failures("alice"), 1, "{what} counts");
    }
    let session = site.asked_in_session("alice");
    answer(&site, &session, &right);
    assert_eq!(session.decided(), "1", "the code was not used up");
}

#[test]
fn the_file_of_an_answer_is_removed_where_there_is_no_session_either() {
    let (site, token) = alice();
    let code = sent(&token.code());
    let session = site.session();
    // No control files in the environment, none on the disk, settings that cannot be read.
    assert_eq!(site.answer(&session, "alice", &code).without_control_files().status(), 0);
    let ended = site.session();
    ended.end();
    assert_eq!(site.answer(&ended, "alice", &code).status(), 0);
    assert!(ended.files().iter().all(|file| !file.exists()), "none is made");
    assert_eq!(site.answer(&session, "alice", &code).set("totpWindow", "x").status(), 0);
    assert_eq!((session.decided(), session.told()), ("0".to_owned(), "Authentication failed".to_owned()));
    let session = site.session();
    assert_eq!(site.answer(&session, "alice", &code).without_file().status(), 0);
    assert_eq!(session.verdict(), "");
    assert_eq!(site.login(&site.session(), "alice", &token.code()).status(), 0, "the code was not used up");
}

#[test]
fn a_link_in_place_of_the_answer_is_removed_and_not_followed() {
    let (site, token) = alice();
    let target = site.path("target");
    std::fs::write(&target, sent(&token.code())).unwrap();
    chmod(&target, 0o600);
    let link = site.tmp().join("openvpn_cr_link.tmp");
    symlink(&target, &link).unwrap();
    let session = site.asked_in_session("alice");
    assert_eq!(site.answer(&session, "alice", b"").file(&link).status(), 0);
    assert_eq!(session.decided(), "0", "its content is no answer");
    assert_eq!(std::fs::read(&target).unwrap(), sent(&token.code()));
}

#[test]
fn an_answer_without_a_question_changes_nothing() {
    let (site, token) = alice();
    let [code, later] = token.codes();
    let session = site.session();
    answer(&site, &session, &code);
    assert_eq!(site.answer(&session, "alice", b"garbage").status(), 0);
    assert!(session.is_being_answered(), "the first one waits for its question");
    assert_eq!((session.verdict(), session.pending(), session.reason()), Default::default());
    session.end();
    assert_eq!(site.failures("alice"), 0);
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");

    // A session that was let in by other means, while an answer waited for a question.
    let session = site.session();
    answer(&site, &session, &token.wrong_code());
    assert_eq!(site.login(&session, "alice", &later).status(), 0);
    session.answers_are_judged();
    assert_eq!(session.verdict(), "1");
    assert_eq!(site.failures("alice"), 0);
    assert!(site.logged(&["event=answer", "outcome=ignored reason=nothing-to-answer"]));
    assert!(site.logged(&["event=answer", "outcome=ignored reason=answered-already"]));
}

#[test]
fn only_the_first_of_several_answers_counts() {
    let (site, token) = alice();
    let session = site.asked_in_session("alice");
    // The test is the worker that judges the first answer, and takes its time.
    let first = File::open(&session.control).unwrap();
    first.try_lock().unwrap();
    for _ in 0..3 {
        answer(&site, &session, &token.code());
    }

    assert_eq!((session.verdict(), session.reason()), Default::default(), "none of them was looked at");
    drop(first);
    session.renew();

    answer(&site, &session, &token.code());
    assert_eq!(session.decided(), "1");
}

#[test]
fn a_right_answer_after_a_wrong_one_is_too_late() {
    let (site, token) = alice();
    let session = site.asked_in_session("alice");
    for typed in [token.wrong_code(), token.code(), token.code()] {
        answer(&site, &session, &typed);
    }
    assert_eq!(session.decided(), "0");
    session.answers_are_judged();
    answer(&site, &session, &token.code());
    session.answers_are_judged();
    assert_eq!(session.verdict(), "0");
    assert_eq!(session.question().text, "Incorrect code, try again");
    assert_eq!(site.failures("alice"), 1, "one answer was judged");
    assert!(site.logged(&["reason=session-decided"]));
}

#[test]
fn a_question_in_the_session_is_answered_there_and_once() {
    let (site, token) = alice();
    let session = site.asked_in_session("alice");
    answer(&site, &session, &token.code());
    assert_eq!(session.decided(), "1");
    // After the client is connected.
    for typed in [token.wrong_code(), token.code()] {
        answer(&site, &session, &typed);
        session.answers_are_judged();
        assert_eq!((session.verdict(), session.reason()), ("1".to_owned(), String::new()));
    }
    assert_eq!(site.failures("alice"), 0);

    assert_eq!(site.number("SELECT count(*) FROM challenge"), 0);
}

#[test]
fn the_question_of_a_session_is_not_for_others() {
    let (site, token) = alice();
    let bob = site.enroll("bob");
    let session = site.asked_in_session("alice");
    for (call, what) in [
        (site.answer(&session, "bob", &sent(&bob.code())), "another user"),
        (site.answer(&session, "alice", &sent(&token.code())).set("common_name", "Other"), "another name"),
        (
            site.answer(&session, "alice", &sent(&token.code())).set("tls_digest_sha256_0", "00:11"),
            "another certificate",
        ),
        (site.answer(&session, "alice", &sent(&token.code())).without("common_name"), "no certificate"),
    ] {
        assert_eq!(call.status(), 0, "{what}");
        assert_eq!(
            (session.decided(), session.told()),
            ("0".to_owned(), "Authentication failed".to_owned()),
            "{what}"
        );

        session.renew();
    }
    answer(&site, &session, &token.code());
    assert_eq!(session.decided(), "1", "it waits for the one it was put to, and no code was used up");
}

#[test]
fn an_answer_that_comes_too_late_is_told_so() {
    let site = Site::with(&[("totpChallengeTimeout", "1")]);
    let token = site.enroll("alice");
    let session = site.asked_in_session("alice");
    let asked = now();
    eventually("the end of the question's time", || (now() > asked + 1).then_some(()));
    let code = token.code();
    answer(&site, &session, &code);
    assert_eq!((session.decided(), session.told()), ("0".to_owned(), "Code expired, try again".to_owned()));
    assert_eq!(site.failures("alice"), 0);
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");
}

#[test]
fn the_question_of_a_deleted_user_is_dead() {
    let (site, old) = alice();
    let session = site.asked_in_session("alice");
    let bystander = site.enroll("bob");
    let other = site.asked_in_session("bob");
    assert_eq!(site.number("SELECT count(*) FROM challenge"), 2);
    assert_eq!(site.admin(&["delete", "alice"]).status, 0);
    assert_eq!(site.number("SELECT count(*) FROM challenge"), 1, "the other one's");
    answer(&site, &session, &old.code());

    // There is no question to answer, and so no verdict; the code of the next enrolment does not change that.
    let new = site.enroll("alice");
    answer(&site, &session, &new.code());
    assert_eq!(session.verdict(), "");
    assert_eq!(site.answer(&other, "bob", &sent(&bystander.code())).status(), 0);
    assert_eq!(other.decided(), "1");
    session.end();
    assert_eq!(site.login(&site.session(), "alice", &new.code()).status(), 0, "the code was not used up");
}

#[test]
fn the_question_of_before_a_new_enrolment_is_dead() {
    let (site, old) = alice();
    let session = site.asked_in_session("alice");
    let new = site.enroll("alice");
    assert_eq!(site.number("SELECT count(*) FROM challenge"), 0);
    for token in [&old, &new] {
        answer(&site, &session, &token.code());
    }
    assert_eq!(session.verdict(), "");
    session.end();
    assert_eq!(site.login(&site.session(), "alice", &new.code()).status(), 0, "the code was not used up");
}
