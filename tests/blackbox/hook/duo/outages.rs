//! Duo that cannot be reached, or answers with nonsense: who is let in by `failmode`, what the log says, and that
//! nobody waits for longer than the settings say.

use super::UNAVAILABLE;
use crate::duo::{Endpoint, Misbehaviour, Phone, Response, RetryAfter, User};
use crate::support::{DuoSite, Namespace, log_is_visible, need};
use Fate::{Opens, Shut, Works};
use std::time::Duration;

/// What becomes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It goes on.
    Works,
    /// Duo is out of reach: `failmode` decides in the look-up.
    Opens,
    /// Duo did answer: rejected.
    Shut,
}

/// Shorter than the slowest machine takes for everything around a request.
const MARGIN: Duration = Duration::from_secs(10);

fn header_of(length: usize) -> Misbehaviour {
    Misbehaviour::Instead(
        Response::new(200, "application/json", "").with_header("X-Long", "x".repeat(length)),
    )
}

fn many_headers() -> Misbehaviour {
    let response = Response::new(200, "application/json", r#"{"stat":"OK","response":{"result":"allow"}}"#);
    Misbehaviour::Instead(
        (0..5_000).fold(response, |response, number| response.with_header(&format!("X-{number}"), "x")),
    )
}

/// Before a request, with a part of the line in the log.
fn of_connections() -> Vec<(Misbehaviour, Fate, &'static str)> {
    vec![
        (Misbehaviour::CloseOnAccept, Opens, "Duo cannot be reached: localhost:"),
        (Misbehaviour::StallBeforeTls, Opens, "no answer within 1.0 s"),
        (Misbehaviour::StallInTls, Opens, "no answer within 1.0 s"),
        (Misbehaviour::Tls11, Opens, "TLS failed: "),
        (Misbehaviour::PlainHttp, Opens, "TLS failed: "),
    ]
}

/// In an answer, with a part of the line in the log.
fn of_answers() -> Vec<(Misbehaviour, Fate, &'static str)> {
    let mut table = vec![
        (Misbehaviour::CloseAfterRequest, Opens, "Duo cannot be reached: localhost:"),
        (Misbehaviour::StallAfterRequest, Opens, "no answer within 1.0 s"),
        (Misbehaviour::Truncated, Opens, "the connection was closed before the answer was complete"),
        (Misbehaviour::Endless, Opens, "the answer is longer than 65536 bytes"),
        (Misbehaviour::Padded(40_000_000), Opens, "the answer is longer than 65536 bytes"),
        (Misbehaviour::Padded(1_000), Works, ""),
        (Misbehaviour::Drip(Duration::from_millis(100)), Opens, "no answer within 1.0 s"),
        (header_of(100_000), Opens, "Duo cannot be reached: localhost:"),
        (many_headers(), Opens, "Duo cannot be reached: localhost:"),
        (Misbehaviour::garbage(), Opens, "is it [duo] host?"),
        (Misbehaviour::empty(), Opens, "is it [duo] host?"),
        (Misbehaviour::unknown_stat(), Opens, "is it [duo] host?"),
        (
            Misbehaviour::Instead(Response::new(200, "text/html", "<html>hotel</html>")),
            Opens,
            "is it [duo] host?",
        ),
        (Misbehaviour::RateLimited(RetryAfter::Seconds(3_600)), Shut, "rate limited (HTTP 429)"),
        (Misbehaviour::RateLimited(RetryAfter::Nothing), Shut, "rate limited (HTTP 429)"),
        (
            Misbehaviour::refusal(400, 40002, "Invalid request parameters"),
            Shut,
            "HTTP 400, code 40002: Invalid request",
        ),
        (Misbehaviour::refusal(401, 40101, "Missing credentials"), Shut, "check [duo] ikey and skey"),
        (Misbehaviour::refusal(401, 40102, "Invalid integration key"), Shut, "check [duo] ikey and skey"),
        (Misbehaviour::refusal(401, 40103, "Invalid signature"), Shut, "check [duo] skey"),
        (
            Misbehaviour::refusal(403, 40301, "Access forbidden"),
            Shut,
            "an application of the kind Auth API is needed",
        ),
        (
            Misbehaviour::refusal(404, 40401, "Resource not found"),
            Shut,
            "an application of the kind Auth API is needed",
        ),
        (
            Misbehaviour::refusal(405, 40501, "Method not allowed"),
            Shut,
            "an application of the kind Auth API is needed",
        ),
        (Misbehaviour::refusal(200, 40002, "Invalid request parameters"), Shut, "HTTP 200, code 40002"),
        (Misbehaviour::status(407), Shut, "HTTP 407"),
        // The status is enough: what cannot be read behind it makes it no milder.
        (Misbehaviour::Instead(Response::new(403, "text/html", "x".repeat(100_000))), Shut, "HTTP 403"),
        (
            Misbehaviour::Instead(Response::new(302, "text/html", "x".repeat(100_000))),
            Shut,
            "HTTP 302, a redirect",
        ),
        (Misbehaviour::status(418), Shut, "HTTP 418"),
        (
            Misbehaviour::redirect(302, "https://localhost:1/"),
            Shut,
            "HTTP 302, a redirect, which Duo never sends",
        ),
    ];
    for status in [500, 502, 503, 504] {
        table.push((
            Misbehaviour::refusal(status, 50000, "oops"),
            Opens,
            "Duo cannot be reached: localhost:",
        ));
    }
    table.push((Misbehaviour::status(503), Opens, "/auth/v2/preauth: HTTP 503"));
    table
}

/// The time that Duo has, in seconds: little where it is used up, and enough for a busy machine elsewhere.
fn timeout((misbehaviour, _, part): &(Misbehaviour, Fate, &str), little: &'static str) -> &'static str {
    match misbehaviour {
        Misbehaviour::RateLimited(RetryAfter::Nothing) => "3",
        _ if part.starts_with("no answer within") => little,
        _ => "20",
    }
}

/// Tries a row of a table in the look-up.
fn in_the_look_up(row: &(Misbehaviour, Fate, &str)) {
    let (misbehaviour, fate, part) = row;
    for failmode in ["secure", "safe"] {
        let site = DuoSite::with(&[("duoFailmode", failmode), ("duoTimeout", timeout(row, "1"))]);
        site.duo.add(User::with_phone("alice").passcode("123456"));
        let rule = misbehaviour.clone().always();
        let of_connection = matches!(
            misbehaviour,
            Misbehaviour::CloseOnAccept
                | Misbehaviour::StallBeforeTls
                | Misbehaviour::StallInTls
                | Misbehaviour::Tls11
                | Misbehaviour::PlainHttp
        );
        site.duo.misbehave(if of_connection { rule } else { rule.at(Endpoint::Preauth) });
        let login = site.enter("alice", "123456");
        assert!(login.took < MARGIN, "{row:?} took {:?}", login.took);
        assert_eq!(site.failed("alice"), 0, "no fault of the user's: {row:?}");
        let (outcome, reason) = match (fate, failmode) {
            (Works, _) => ("accept", "both-factors"),
            (Opens, "safe") => ("accept", "duo-failed-open"),
            _ => ("reject", "duo-unavailable"),
        };
        if outcome == "accept" {
            login.is_in();
        } else {
            login.is_out(UNAVAILABLE);
        }
        let line = format!("outcome={outcome} reason={reason} ");
        assert!(site.logged(&["event=login", &line, part]), "{row:?} {failmode}: {}", site.logs());
        assert!(!log_is_visible() || site.decisions().len() == 1, "{row:?}: {}", site.logs());
        assert_eq!(site.duo.requests_to(Endpoint::Auth).len(), usize::from(*fate == Works));
    }
}

/// Does something for each row, several at a time.
fn each<T: Sync>(rows: &[T], work: impl Fn(&T) + Sync) {
    for rows in rows.chunks(8) {
        std::thread::scope(|scope| {
            for row in rows {
                scope.spawn(|| work(row));
            }
        });
    }
}

#[test]
fn connections_that_fail_in_the_look_up_let_in_by_failmode_safe_alone() {
    each(&of_connections(), in_the_look_up);
}

#[test]
fn answers_that_are_none_in_the_look_up_let_in_by_failmode_safe_and_refusals_never() {
    each(&of_answers(), in_the_look_up);
}

#[test]
fn once_a_factor_was_sent_nothing_but_duos_yes_lets_in() {
    each(&of_answers(), |row| {
        let (misbehaviour, fate, part) = row;
        let site = DuoSite::with(&[("duoFailmode", "safe"), ("duoTimeout", timeout(row, "3"))]);
        site.duo.add(User::with_phone("alice").passcode("123456"));
        site.duo.misbehave(misbehaviour.clone().always().at(Endpoint::Auth));
        let login = site.enter("alice", "123456");
        assert!(login.took < MARGIN, "{row:?} took {:?}", login.took);
        if *fate == Works {
            return login.is_in();
        }
        login.is_out(UNAVAILABLE);
        let part = part.replace("within 1.0 s", "within ").replace("preauth", "auth");
        assert!(site.logged(&["outcome=reject reason=duo-unavailable ", &part]), "{row:?}: {}", site.logs());
        assert_eq!(site.failed("alice"), 0, "no fault of the user's: {row:?}");
    });
}

#[test]
fn a_factor_whose_fate_duo_does_not_tell_lets_nobody_in() {
    each(&of_answers(), |row| {
        let (misbehaviour, fate, part) = row;
        if matches!(misbehaviour, Misbehaviour::RateLimited(RetryAfter::Nothing)) {
            return; // The pauses take longer than the login has.
        }
        let site = DuoSite::with(&[("duoFailmode", "safe"), ("duoTimeout", timeout(row, "4"))]);
        site.duo.add(User::with_phone("alice").passcode("123456"));
        site.duo.misbehave(misbehaviour.clone().always().at(Endpoint::AuthStatus));
        let login = site.enter("alice", "123456");
        assert!(login.took < MARGIN, "{row:?} took {:?}", login.took);
        if *fate == Works {
            return login.is_in();
        }
        assert_eq!((login.status, &*login.session.verdict()), (1, "0"), "{row:?}");
        // A status that does not come is what waiting for a person looks like.
        let silent = part.starts_with("no answer within");
        let told = if silent { "No answer to the login request, try again" } else { UNAVAILABLE };
        login.is_out(told);
        let reason = if silent { "duo-no-answer" } else { "duo-unavailable" };
        let part = if silent { "" } else { part };
        let (part, reason) =
            (part.replace("preauth", "auth_status"), format!("outcome=reject reason={reason} "));
        assert!(site.logged(&[&reason, &part]), "{row:?}: {}", site.logs());
        // Duo has looked at the passcode.
        assert_eq!(site.failed("alice"), 1, "{row:?}");
    });
}

#[test]
fn a_status_that_gets_lost_once_is_asked_for_again() {
    for misbehaviour in [Misbehaviour::CloseAfterRequest, Misbehaviour::Truncated, Misbehaviour::status(502)]
    {
        let site = DuoSite::new();
        site.duo.add(User::with_phone("alice").passcode("123456"));
        site.duo.misbehave(misbehaviour.times(1).at(Endpoint::AuthStatus));
        site.enter("alice", "123456").is_in();
    }
}

#[test]
fn a_phone_does_not_ring_twice_because_an_answer_got_lost() {
    for misbehaviour in [
        Misbehaviour::CloseAfterRequest,
        Misbehaviour::Truncated,
        Misbehaviour::Edited(crate::duo::odd::missing_fields),
        Misbehaviour::Edited(crate::duo::odd::not_an_object),
    ] {
        let site = DuoSite::new();
        site.duo.add(User::with_phone("alice"));
        site.duo.misbehave(misbehaviour.clone().times(1).at(Endpoint::Auth));
        site.enter("alice", "push").is_out(UNAVAILABLE);
        assert_eq!(site.duo.requests_to(Endpoint::Auth).len(), 1, "{misbehaviour:?}");
        // It may be ringing.
        let told = "Another login waits for your answer on your phone, answer it or wait a minute";
        site.enter("alice", "push").is_out(told);
        assert_eq!(site.duo.sent().len(), 1, "{misbehaviour:?}");
    }
}

#[test]
fn long_answers_do_not_fill_the_memory() {
    need("prlimit");
    for misbehaviour in [Misbehaviour::Padded(40_000_000), Misbehaviour::Endless, header_of(40_000_000)] {
        let site = DuoSite::with(&[("duoTimeout", "10")]);
        site.duo.misbehave(misbehaviour.clone().always());
        let session = site.session();
        // A worker that keeps more than that dies, and leaves another line or none.
        let call = site.login(&session, "alice", "push").by(&["/usr/bin/prlimit", "--data=16000000", "--"]);
        assert_eq!(call.status(), 1);
        assert_eq!(session.told(), UNAVAILABLE);
        assert!(site.logged(&["reason=duo-unavailable", "Duo cannot be reached: "]), "{}", site.logs());
    }
}

#[test]
fn a_duo_that_is_not_there_is_out_of_reach() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    for (name, value, part) in [("duoPort", &*port, "refused"), ("duoHost", "duo.invalid", "duo.invalid:")] {
        for (failmode, status, reason) in [("secure", 1, "duo-unavailable"), ("safe", 0, "duo-failed-open")] {
            let site = DuoSite::with(&[(name, value), ("duoFailmode", failmode), ("duoTimeout", "5")]);
            let login = site.enter("alice", "push");
            assert_eq!(login.status, status, "{name} {failmode}");
            assert!(site.logged(&[reason, part]), "{}", site.logs());
            assert!(login.took < MARGIN);
        }
    }
}

#[test]
fn failmode_waives_duo_and_neither_a_lock_nor_an_administrators_no() {
    let site = DuoSite::with(&[("duoFailmode", "safe"), ("lockoutMaxFailures", "1")]);
    site.duo.add(User::with_phone("alice"));
    site.enter("alice", "111111").is_out("Too many failed attempts, try again later");
    site.duo.misbehave(Misbehaviour::CloseOnAccept.always());
    site.enter("alice", "push").is_out("Too many failed attempts, try again later");
    site.sql("INSERT INTO user (name, state, created_at) VALUES ('bob', 'disabled', 0)");
    site.enter("bob", "push").is_out("Authentication failed");
    // And a certificate is needed in any case.
    assert_eq!(site.enter_by("carol", "push", |call| call.set("common_name", "")).status, 1);
    assert_eq!(site.enter("carol", "push").status, 0);
}

#[test]
#[ignore = "needs root, for a log daemon of its own"]
fn the_log_says_how_much_it_matters() {
    const ERROR: u8 = 3;
    const WARNING: u8 = 4;
    const INFO: u8 = 6;
    let site = DuoSite::with(&[("lockoutMaxFailures", "3")]);
    let namespace = Namespace::new(&site, "");
    for (name, phone) in [
        ("alice", Phone::ApprovesAfter(Duration::ZERO)),
        ("bob", Phone::ReportsFraudAfter(Duration::ZERO)),
        ("carol", Phone::DeniesAfter(Duration::ZERO)),
    ] {
        site.duo.add(User::with_phone(name).phone(phone));
    }
    let level_of = |user: &str, failmode: &str| {
        let session = site.session();
        let call = site.login(&session, user, "push").set("duoFailmode", failmode);
        let status = namespace.enter_with_daemon(call).status();
        let (level, line) = namespace.logged();
        let reason = line.split(" reason=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        (status, level, reason)
    };
    assert_eq!(level_of("alice", "secure"), (0, INFO, "both-factors".into()));
    assert_eq!(level_of("carol", "secure"), (1, INFO, "duo-denied".into()));
    assert_eq!(level_of("bob", "secure"), (1, WARNING, "duo-fraud".into()));
    assert_eq!(level_of("bob", "secure"), (1, WARNING, "locked".into()));
    site.duo.misbehave(Misbehaviour::status(503).always());
    assert_eq!(level_of("alice", "secure"), (1, ERROR, "duo-unavailable".into()));
    assert_eq!(level_of("alice", "safe"), (0, WARNING, "duo-failed-open".into()));
    site.duo.behave();
    site.duo.set_clock_ahead(600);
    let session = site.session();
    assert_eq!(namespace.enter_with_daemon(site.login(&session, "alice", "push")).status(), 0);
    let (level, line) = namespace.logged();
    assert!(level == WARNING && line.contains("clock_difference_seconds="), "{line}");
    let _ = site.duo.take_faults();
}
