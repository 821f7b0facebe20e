//! Duo that asks to wait, and Duo that says that the clock is wrong.

use super::UNAVAILABLE;
use crate::duo::{Endpoint, Lookalike, Misbehaviour, Options, Request, RetryAfter, User};
use crate::support::DuoSite;
use std::time::Duration;

fn site(setenv: &[(&str, &str)]) -> DuoSite {
    let site = DuoSite::with(setenv);
    site.duo.add(User::with_phone("alice").passcode("123456"));
    site
}

fn endpoints(requests: &[Request]) -> Vec<Endpoint> {
    requests.iter().filter_map(|request| request.endpoint).collect()
}

#[test]
fn a_request_is_made_again_when_duo_says_that_it_may_be() {
    let second = Duration::from_secs(1);
    std::thread::scope(|scope| {
        for (retry, least, most) in [
            (RetryAfter::Seconds(2), 2.0, 3.5),
            (RetryAfter::ExtendedSeconds(2), 2.0, 3.5),
            // Dates have whole seconds.
            (RetryAfter::Date(3 * second), 1.9, 4.5),
            (RetryAfter::ExtendedDate(3 * second), 1.9, 4.5),
            (RetryAfter::Seconds(0), 1.0, 2.5),
            (RetryAfter::Nothing, 1.0, 3.5),
            (RetryAfter::Garbage, 1.0, 3.5),
        ] {
            for endpoint in [Endpoint::Preauth, Endpoint::Auth, Endpoint::AuthStatus] {
                scope.spawn(move || {
                    let site = site(&[]);
                    site.duo.misbehave(Misbehaviour::RateLimited(retry).times(1).at(endpoint));
                    site.enter("alice", "123456").is_in();
                    let [first, second] = &site.duo.requests_to(endpoint)[..] else { panic!("two requests") };
                    let pause = (second.at - first.at).as_secs_f64();
                    assert!((least..most + 3.0).contains(&pause), "{retry:?} at {endpoint:?}: {pause}");
                });
            }
        }
    });
}

#[test]
fn whoever_is_told_to_wait_for_ever_gives_up_in_time_and_lets_nobody_in() {
    std::thread::scope(|scope| {
        for (retry, requests) in [
            (RetryAfter::Nothing, 2..=3),
            (RetryAfter::Garbage, 2..=3),
            (RetryAfter::Seconds(0), 2..=5),
            (RetryAfter::Seconds(3_600), 1..=1),
            (RetryAfter::ExtendedSeconds(u64::MAX), 1..=1),
            (RetryAfter::Date(Duration::from_secs(86_400 * 365)), 1..=1),
        ] {
            scope.spawn(move || {
                let site = site(&[("duoFailmode", "safe"), ("duoTimeout", "4")]);
                site.duo.misbehave(Misbehaviour::RateLimited(retry).always());
                let login = site.enter("alice", "123456");
                login.is_out(UNAVAILABLE);
                assert!(login.took < Duration::from_secs(12), "{retry:?}: {:?}", login.took);
                let made = site.duo.requests().len();
                assert!(requests.contains(&made), "{retry:?}: {made}");
                assert!(
                    site.logged(&["reason=duo-unavailable", "rate limited (HTTP 429)"]),
                    "{}",
                    site.logs()
                );
            });
        }
    });
}

#[test]
fn a_clock_that_is_off_is_put_right_once_and_the_log_says_so() {
    std::thread::scope(|scope| {
        for (ahead, off_date_code) in [(600, 40104), (-600, 40104), (600, 40105), (-86_400 * 400, 40105)] {
            scope.spawn(move || {
                let duo = Lookalike::start(Options { off_date_code, ..Options::default() });
                let site = DuoSite::at(duo, "localhost", &[]);
                site.duo.add(User::with_phone("alice").passcode("123456"));
                site.duo.set_clock_ahead(ahead);
                site.enter("alice", "123456").is_in();
                let asked = [
                    Endpoint::Preauth,
                    Endpoint::Ping,
                    Endpoint::Preauth,
                    Endpoint::Auth,
                    Endpoint::AuthStatus,
                ];
                assert_eq!(endpoints(&site.duo.requests()), asked);
                assert!(site.duo.requests()[1].parameters.is_empty());
                assert!(!site.duo.requests()[1].headers.contains_key("authorization"), "it is not signed");
                assert_eq!(site.duo.take_faults().len(), 1);
                let near = [ahead - 1, ahead, ahead + 1];
                let logged = near.iter().any(|seconds| {
                    site.logged(&[
                        "event=duo",
                        &format!("clock_difference_seconds={seconds} "),
                        "this machine's clock differs from Duo's: set it",
                    ])
                });
                assert!(logged, "{}", site.logs());
            });
        }
    });
}

#[test]
fn a_few_minutes_are_borne_without_a_word() {
    let site = site(&[]);
    site.duo.set_clock_ahead(240);
    site.enter("alice", "123456").is_in();
    assert!(site.duo.requests_to(Endpoint::Ping).is_empty());
    assert!(!site.logs().contains("clock"), "{}", site.logs());
}

#[test]
fn a_date_that_is_refused_again_is_not_tried_for_ever() {
    for code in [40104, 40105] {
        for endpoint in [Endpoint::Preauth, Endpoint::Auth] {
            let site = site(&[("duoFailmode", "safe")]);
            site.duo
                .misbehave(Misbehaviour::refusal(401, code, "Bad request timestamp").always().at(endpoint));
            site.enter("alice", "123456").is_out(UNAVAILABLE);
            assert_eq!(site.duo.requests_to(endpoint).len(), 2);
            assert_eq!(site.duo.requests_to(Endpoint::Ping).len(), 1);
            assert!(site.logged(&["reason=duo-unavailable", "set this machine's clock"]), "{}", site.logs());
        }
    }
}

#[test]
fn a_clock_that_duo_does_not_tell_corrects_nothing() {
    for misbehaviour in [
        Misbehaviour::status(500),
        Misbehaviour::garbage(),
        Misbehaviour::CloseAfterRequest,
        Misbehaviour::Edited(crate::duo::odd::missing_fields),
        Misbehaviour::Edited(crate::duo::odd::wrong_types),
    ] {
        let site = site(&[("duoFailmode", "safe")]);
        site.duo.set_clock_ahead(600);
        site.duo.misbehave(misbehaviour.always().at(Endpoint::Ping));
        site.enter("alice", "123456").is_out(UNAVAILABLE);
        assert_eq!(endpoints(&site.duo.requests()), [Endpoint::Preauth, Endpoint::Ping]);
        assert!(site.logged(&["reason=duo-unavailable", "set this machine's clock"]), "{}", site.logs());
        assert_eq!(site.duo.take_faults().len(), 1);
    }
}

#[test]
fn whoever_has_answered_once_is_not_out_of_reach_when_the_next_attempt_fails() {
    std::thread::scope(|scope| {
        for then in [Misbehaviour::CloseAfterRequest, Misbehaviour::status(503), Misbehaviour::garbage()] {
            for first in [
                Misbehaviour::RateLimited(RetryAfter::Seconds(1)),
                Misbehaviour::refusal(401, 40104, "Bad request timestamp"),
            ] {
                let then = then.clone();
                scope.spawn(move || {
                    let site = site(&[("duoFailmode", "safe")]);
                    site.duo.misbehave(first.times(1).at(Endpoint::Preauth));
                    site.duo.misbehave(then.clone().always().at(Endpoint::Preauth));
                    site.enter("alice", "123456").is_out(UNAVAILABLE);
                    assert_eq!(site.duo.requests_to(Endpoint::Preauth).len(), 2, "{then:?}");
                    assert!(site.logged(&["reason=duo-unavailable"]), "{}", site.logs());
                });
            }
        }
    });
}
