//! Each way to misbehave, once a request is there, seen from the other end.

use super::client::{Client, Request, ask, lookalike};
use super::duo::{Endpoint, Lookalike, Misbehaviour, RetryAfter, User};
use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

/// One who is looked up, and a push to whom.
const LOOK_UP: &str = "username=jdoe";
const PUSH: &str = "async=1&device=auto&factor=push&username=jdoe";

fn misbehaving(misbehaviour: Misbehaviour) -> Lookalike {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe"));
    duo.misbehave(misbehaviour.always());
    duo
}

/// The envelope of a look-up that went well.
fn right() -> Vec<u8> {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe"));
    ask(&duo, &Request::preauth(LOOK_UP)).body
}

#[test]
fn rules_are_for_an_endpoint_and_for_some_times() {
    let duo = lookalike();
    duo.misbehave(Misbehaviour::status(503).times(2).at(Endpoint::Ping));
    duo.misbehave(Misbehaviour::status(418).times(1));
    let mut client = Client::connect(&duo);
    let statuses: Vec<u16> = (0..4).map(|_| client.ask(&Request::ping()).status).collect();
    assert_eq!(statuses, [503, 503, 418, 200]);
    duo.misbehave(Misbehaviour::status(500).always().at(Endpoint::Check));
    assert_eq!(client.ask(&Request::ping()).status, 200);
    assert_eq!(client.ask(&Request::get("/auth/v2/check", "")).status, 500);
    duo.behave();
    assert_eq!(client.ask(&Request::get("/auth/v2/check", "")).status, 200);
}

#[test]
fn statuses_come_with_and_without_an_envelope() {
    for status in [400, 401, 403, 404, 405, 418, 500, 502, 503] {
        let answer = ask(&misbehaving(Misbehaviour::status(status)), &Request::preauth(LOOK_UP));
        assert_eq!((answer.status, answer.header("content-type")), (status, Some("text/html")));
        let refusal = Misbehaviour::refusal(status, 40301, "Access forbidden");
        let answer = ask(&misbehaving(refusal), &Request::preauth(LOOK_UP));
        assert_eq!((answer.status, &answer.json()["code"]), (status, &40301.into()));
    }
}

#[test]
fn another_answer_carries_nothing_out() {
    let duo = misbehaving(Misbehaviour::status(500));
    assert_eq!(ask(&duo, &Request::auth(PUSH)).status, 500);
    assert_eq!((duo.sent().len(), duo.requests_to(Endpoint::Auth).len()), (0, 1));
}

#[test]
fn a_misbehaving_look_alike_is_strict_all_the_same() {
    let duo = misbehaving(Misbehaviour::status(500));
    assert_eq!(ask(&duo, &Request::preauth("color=red&username=jdoe")).status, 500);
    assert_eq!(duo.take_faults().len(), 1);
}

#[test]
fn bodies_can_be_garbage_empty_and_of_an_unknown_kind() {
    let answer = ask(&misbehaving(Misbehaviour::garbage()), &Request::ping());
    assert!(answer.status == 200 && serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
    let answer = ask(&misbehaving(Misbehaviour::empty()), &Request::ping());
    assert!(answer.status == 200 && answer.body.is_empty());
    let answer = ask(&misbehaving(Misbehaviour::unknown_stat()), &Request::ping());
    assert_eq!(answer.json()["stat"], "PERHAPS");
}

#[test]
fn redirects_name_their_target() {
    for status in [301, 302, 307, 308] {
        let duo = misbehaving(Misbehaviour::redirect(status, "https://elsewhere.invalid/auth/v2/preauth"));
        let answer = ask(&duo, &Request::preauth(LOOK_UP));
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("location"), Some("https://elsewhere.invalid/auth/v2/preauth"));
    }
}

#[test]
fn too_many_requests_may_say_when_to_come_back() {
    let ask = |retry| ask(&misbehaving(Misbehaviour::RateLimited(retry)), &Request::preauth(LOOK_UP));
    let minute = Duration::from_secs(60);
    for (retry, header, expected) in [
        (RetryAfter::Seconds(7), "retry-after", Some("7")),
        (RetryAfter::ExtendedSeconds(7), "x-retry-after", Some("7")),
        (RetryAfter::Garbage, "retry-after", Some("when it is convenient")),
        (RetryAfter::Date(minute), "retry-after", None),
        (RetryAfter::ExtendedDate(minute), "x-retry-after", None),
    ] {
        let answer = ask(retry);
        assert_eq!((answer.status, &answer.json()["code"]), (429, &42901.into()));
        let value = answer.header(header).unwrap();
        match expected {
            Some(expected) => assert_eq!(value, expected),
            None => assert!(value.len() == 29 && value.ends_with(" GMT"), "{value}"),
        }
    }
    assert_eq!(ask(RetryAfter::Nothing).header("retry-after"), None);
}

#[test]
fn a_truncated_answer_ends_too_early() {
    let duo = misbehaving(Misbehaviour::Truncated);
    let mut client = Client::connect(&duo);
    client.send(&Request::preauth(LOOK_UP)).unwrap();
    let length = right().len();
    let head = client.receive_head().unwrap();
    assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));
    let mut body = Vec::new();
    client.stream.read_to_end(&mut body).unwrap();
    assert_eq!(body, right()[..length / 2]);
}

#[test]
fn an_endless_answer_goes_on_until_the_client_goes() {
    let duo = misbehaving(Misbehaviour::Endless);
    let mut client = Client::connect(&duo);
    client.send(&Request::preauth(LOOK_UP)).unwrap();
    assert_eq!(client.receive_head().unwrap().header("transfer-encoding"), Some("chunked"));
    let mut some = vec![0; 2 * 1024 * 1024];
    client.stream.read_exact(&mut some).unwrap();
    let start = some.windows(right().len()).position(|piece| piece == right()).unwrap();
    assert!(start < 10, "the chunk begins with its size: {start}");
}

#[test]
fn a_padded_answer_is_right_but_large() {
    const PADDING: usize = 40 * 1024 * 1024;
    let duo = misbehaving(Misbehaviour::Padded(PADDING));
    let mut client = Client::connect(&duo);
    client.send(&Request::preauth(LOOK_UP)).unwrap();
    let length = PADDING + right().len();
    let head = client.receive_head().unwrap();
    assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));
    let mut start = vec![0; right().len() + 1];
    client.stream.read_exact(&mut start).unwrap();
    assert_eq!(start, [right(), b" ".to_vec()].concat());
    // To its end, with little padding: it is JSON all the same.
    let answer = ask(&misbehaving(Misbehaviour::Padded(100_000)), &Request::preauth(LOOK_UP));
    assert_eq!(answer.response()["result"], "auth");
}

#[test]
fn a_dripping_answer_is_slow_and_right() {
    let pause = Duration::from_millis(1);
    let start = Instant::now();
    let answer = ask(&misbehaving(Misbehaviour::Drip(pause)), &Request::preauth(LOOK_UP));
    assert_eq!(answer.body, right());
    let bytes = u32::try_from(answer.head.len() + answer.body.len()).unwrap();
    assert!(start.elapsed() >= pause * bytes, "{:?}", start.elapsed());
}

#[test]
fn the_connection_may_close_or_stall_after_a_request_was_carried_out() {
    let duo = misbehaving(Misbehaviour::CloseAfterRequest);
    let error = Client::connect(&duo).try_ask(&Request::auth(PUSH)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(duo.sent().len(), 1);
    let duo = misbehaving(Misbehaviour::StallAfterRequest);
    let mut client = Client::connect(&duo);
    client.send(&Request::auth(PUSH)).unwrap();
    assert_eq!(duo.await_sent(1).len(), 1);
    client.stream.get_ref().sock.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(client.receive().unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// A test that ends while the look-alike writes or stalls is not held up.
#[test]
fn it_goes_away_at_once_whatever_it_is_at() {
    for misbehaviour in [
        Misbehaviour::Endless,
        Misbehaviour::Padded(40 * 1024 * 1024),
        Misbehaviour::Drip(Duration::from_secs(30)),
        Misbehaviour::StallAfterRequest,
    ] {
        let duo = misbehaving(misbehaviour.clone());
        let mut client = Client::connect(&duo);
        client.send(&Request::preauth(LOOK_UP)).unwrap();
        duo.await_requests(Endpoint::Preauth, 1);
        let start = Instant::now();
        drop(duo);
        assert!(start.elapsed() < Duration::from_secs(5), "{misbehaviour:?}: {:?}", start.elapsed());
    }
}
