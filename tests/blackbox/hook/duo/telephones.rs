//! One request on a user's phone at a time, fraud, and lockout.

use crate::duo::{Endpoint, Phone, User};
use crate::support::{DuoSite, eventually};
use std::time::Duration;

const PUSH_OPEN: &str = "Another login waits for your answer on your phone, answer it or wait a minute";
const LOCKED: &str = "Too many failed attempts, try again later";
const WRONG: &str = "Incorrect passcode. Please try again.";

fn site(setenv: &[(&str, &str)]) -> DuoSite {
    let site = DuoSite::with(setenv);
    site.duo.add(User::with_phone("alice").passcode("123456"));
    site
}

/// A login that waits for the phone.
fn waiting(site: &DuoSite, user: &str, typed: &str, count: usize) -> crate::support::Session {
    let session = site.session();
    assert_eq!(site.login(&session, user, typed).set("authStallBudgetMs", "0").status(), 2);
    site.duo.await_sent(count);
    session
}

#[test]
fn while_a_phone_waits_another_login_is_told_so_and_sends_nothing() {
    let site = site(&[]);
    let first = waiting(&site, "alice", "push", 1);
    for typed in ["push", "phone", "", "push1", "1", "auto"] {
        site.enter("alice", typed).is_out(PUSH_OPEN);
    }
    assert!(site.logged(&["user=alice ", "outcome=reject reason=duo-push-open"]));
    assert_eq!(site.duo.sent().len(), 1);
    assert_eq!(site.duo.requests_to(Endpoint::Auth).len(), 1);
    // Codes and other users are not in its way.
    site.enter("alice", "123456").is_in();
    site.duo.add(User::with_phone("bob").phone(Phone::ApprovesAfter(Duration::ZERO)));
    site.enter("bob", "push").is_in();
    assert_eq!(first.verdict(), "");
    assert_eq!(site.duo.approve("alice"), 1);
    assert_eq!(first.decided(), "1");
}

#[test]
fn when_the_first_login_has_ended_the_next_is_sent() {
    let site = site(&[]);
    for (count, verdict) in [(1, "1"), (2, "0"), (3, "1")] {
        let session = waiting(&site, "alice", "push", count);
        site.enter("alice", "push").is_out(PUSH_OPEN);
        if verdict == "1" {
            site.duo.approve("alice")
        } else {
            site.duo.deny("alice")
        };
        assert_eq!(session.decided(), verdict);
        assert_eq!(site.duo.sent().len(), count);
    }
}

#[test]
fn of_many_logins_at_the_same_time_one_makes_the_phone_ring() {
    let site = site(&[]);
    let sessions: Vec<_> = (0..12).map(|_| site.session()).collect();
    std::thread::scope(|scope| {
        for session in &sessions {
            scope.spawn(|| site.login(session, "alice", "push").set("authStallBudgetMs", "0").status());
        }
    });
    eventually("eleven rejections", || {
        (sessions.iter().filter(|session| session.verdict() == "0").count() == 11).then_some(())
    });
    assert_eq!(site.duo.sent().len(), 1);
    site.duo.approve("alice");
    eventually("the one that is in", || {
        (sessions.iter().filter(|session| session.verdict() == "1").count() == 1).then_some(())
    });
    let told = sessions.iter().filter(|session| session.verdict() == "0" && session.told() == PUSH_OPEN);
    assert_eq!(told.count(), 11);
    assert_eq!(site.failed("alice"), 0);
}

#[test]
#[ignore = "needs root, to find a process that protects itself"]
fn a_worker_that_is_killed_keeps_the_phone_no_longer_than_it_would_have_waited() {
    let site = site(&[("duoTimeout", "6")]);
    let session = waiting(&site, "alice", "push", 1);
    let workers = super::keys::processes_with(&session.control.display().to_string());
    let [worker] = &workers[..] else { panic!("one worker: {workers:?}") };
    let id: i32 = worker.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    site.enter("alice", "push").is_out(PUSH_OPEN);
    assert_eq!(session.verdict(), "", "nobody decided");
    site.duo.deny("alice");
    site.duo.add(User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::ZERO)));
    eventually("the end of the claim", || (site.enter("alice", "push").status == 0).then_some(()));
    assert_eq!(site.duo.sent().len(), 2);
    assert_eq!(site.failed("alice"), 0);
}

#[test]
fn whoever_reports_fraud_is_locked_at_once_and_duo_is_not_asked_any_more() {
    let site = site(&[]);
    let session = waiting(&site, "alice", "push", 1);
    site.duo.report_fraud("alice");
    assert_eq!(session.decided(), "0");
    assert_eq!(session.told(), "Login request reported as fraudulent.");
    assert!(
        site.logged(&["outcome=reject reason=duo-fraud detail=\"Login request reported as fraudulent.\""])
    );
    let before = site.duo.requests().len();
    for typed in ["push", "123456", "sms", ""] {
        site.enter("alice", typed).is_out(LOCKED);
    }
    assert_eq!(site.duo.requests().len(), before);
    assert_eq!(site.failed("alice"), 5);
    // Until the lock has passed.
    site.sql("UPDATE failure SET locked_until = 1");
    site.enter("alice", "123456").is_in();
}

#[test]
fn the_fifth_wrong_passcode_locks_and_duo_is_not_asked_any_more() {
    let site = site(&[]);
    for _ in 0..4 {
        site.enter("alice", "111111").is_out(WRONG);
    }
    site.enter("alice", "111111").is_out(LOCKED);
    let before = site.duo.requests().len();
    for typed in ["123456", "push", "sms", "", "nonsense"] {
        site.enter("alice", typed).is_out(LOCKED);
    }
    assert_eq!(site.duo.requests().len(), before);
    assert_eq!(site.failed("alice"), 5);
    assert!(site.logged(&["outcome=reject reason=locked"]));
    site.sql("UPDATE failure SET locked_until = 1");
    site.enter("alice", "123456").is_in();
    assert_eq!(site.failed("alice"), 0);
}

#[test]
fn denials_lock_like_wrong_passcodes() {
    let site = site(&[("lockoutMaxFailures", "2")]);
    site.duo.add(User::with_phone("alice").phone(Phone::DeniesAfter(Duration::ZERO)));
    site.enter("alice", "push").is_out("Login request denied.");
    site.enter("alice", "push").is_out("Login request denied.");
    site.enter("alice", "push").is_out(LOCKED);
    assert_eq!(site.duo.sent().len(), 2);
}

#[test]
fn a_locked_user_answers_no_question_of_before() {
    let site = site(&[("lockoutMaxFailures", "1")]);
    site.duo.add(User::with_phone("alice").sms_passcode("777777"));
    let question = site.enter("alice", "sms").session.question();
    site.enter("alice", "111111").is_out(LOCKED);
    let asked = site.duo.requests().len();
    site.enter("alice", &question.answer("777777")).is_out(LOCKED);
    assert_eq!(site.duo.requests().len(), asked);
}

#[test]
fn of_many_wrong_passcodes_at_the_same_time_duo_sees_no_more_than_allowed() {
    let site = site(&[]);
    let sessions: Vec<_> = (0..12).map(|_| site.session()).collect();
    std::thread::scope(|scope| {
        for (session, number) in sessions.iter().zip(111_111..) {
            let site = &site;
            scope.spawn(move || site.login(session, "alice", &number.to_string()).status());
        }
    });
    assert_eq!(site.duo.requests_to(Endpoint::Auth).len(), 5);
    assert_eq!(site.failed("alice"), 5);
    assert!(sessions.iter().all(|session| session.verdict() == "0"));
    let looks = site.duo.requests().len();
    site.enter("alice", "123456").is_out(LOCKED);
    assert_eq!(site.duo.requests().len(), looks);
}

#[test]
fn users_are_told_apart_by_every_letter() {
    let site = site(&[("lockoutMaxFailures", "1")]);
    site.enter("alice", "111111").is_out(LOCKED);
    // Whether `Alice` is somebody is for Duo to say.
    site.enter("Alice", "123456").is_out("Enrol to go on. - enrol at https://enrol.invalid/portal");
    site.duo.add(User::with_phone("bob").passcode("123456"));
    site.enter("bob", "123456").is_in();
}
