use super::*;
use crate::config::{CaFile, Duo};
use std::path::PathBuf;

fn settings() -> Duo {
    Duo {
        host: Some("api-1.example".to_owned().try_into().unwrap()),
        ikey: Some("DIKEY".to_owned().try_into().unwrap()),
        skey: Some(SecretString::from("topsecret")),
        ..Duo::default()
    }
}

fn client(settings: &Duo) -> Result<Client, DuoError> {
    Client::new(settings, Deadline::after(Duration::from_secs(60)))
}

fn complaint(settings: &Duo) -> String {
    match client(settings) {
        Err(DuoError::Settings(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, retry_after: None, body: body.as_bytes().to_vec() }
}

#[test]
fn answers_are_sorted_by_their_status_first() {
    let ok = r#"{"stat": "OK", "response": {"result": "allow"}}"#;
    let fail = r#"{"stat": "FAIL", "code": 40002, "message": "m"}"#;
    assert!(read(&reply(200, ok)).is_ok());
    let unreachable = |text: &str| DuoError::Unreachable(text.to_owned());
    let refused = |text: &str| DuoError::Refused(text.to_owned());
    let redirect = "HTTP 302, a redirect, which Duo never sends: check [duo] host and http_proxy";
    for (status, body, expected) in [
        (200, "<html>", unreachable("HTTP 200, and no answer of Duo's: is it [duo] host?")),
        (200, "", unreachable("HTTP 200, and no answer of Duo's: is it [duo] host?")),
        (200, fail, refused("HTTP 200, code 40002: m")),
        (302, ok, refused(redirect)),
        (302, "", refused(redirect)),
        (400, fail, refused("HTTP 400, code 40002: m")),
        (400, ok, refused("HTTP 400")),
        (418, "", refused("HTTP 418")),
        (429, ok, refused("HTTP 429")),
        (500, ok, unreachable("HTTP 500")),
        (503, fail, unreachable("HTTP 503")),
        (600, ok, unreachable("HTTP 600")),
    ] {
        assert_eq!(read(&reply(status, body)).unwrap_err().error, expected, "{status} {body}");
    }
}

#[test]
fn an_error_names_host_and_port_and_path_and_shows_no_key() {
    let client = client(&settings()).unwrap();
    let trouble = client.open("/auth/v2/check", &reply(500, "")).unwrap_err();
    assert_eq!(
        trouble.error.to_string(),
        "Duo cannot be reached: api-1.example:443 /auth/v2/check: HTTP 500"
    );
    assert_eq!(format!("{client:?}"), "Client { place: \"api-1.example:443\", .. }");
}

#[test]
fn without_time_nothing_is_asked_and_duo_is_not_out_of_reach() {
    let client = Client::new(&settings(), Deadline::after(Duration::ZERO)).unwrap();
    let user = "alice".parse().unwrap();
    let request = PreauthRequest { user: &user, address: None, verified_push: false };
    for error in
        [client.preauth(&request).unwrap_err(), client.ping().unwrap_err(), client.check().unwrap_err()]
    {
        let text = "api-1.example:443: no answer within 0.0 s, which were all that the login had left";
        assert_eq!(error, DuoError::TooLate(text.to_owned()));
    }
}

#[test]
fn duo_is_out_of_reach_only_when_it_had_a_fair_time_to_answer() {
    // Takes connections and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ping = |timeout: u64, left: Duration| {
        let numbers: Duo = toml::from_str(&format!("port = {port}\ntimeout = {timeout}")).unwrap();
        let settings = Duo {
            host: Some("127.0.0.1".to_owned().try_into().unwrap()),
            port: numbers.port,
            timeout: numbers.timeout,
            ..settings()
        };
        Client::new(&settings, Deadline::after(left)).unwrap().ping().unwrap_err()
    };
    let text = format!("127.0.0.1:{port}: no answer within 1.0 s");
    assert_eq!(ping(1, Duration::from_secs(60)), DuoError::Unreachable(text.clone()));
    // A login gives Duo no more than the timeout.
    assert_eq!(ping(1, Duration::from_secs(1)), DuoError::Unreachable(text));
    // Who answers a question at the last moment.
    let late = ping(60, Duration::from_millis(200));
    assert!(
        matches!(&late, DuoError::TooLate(text) if text.contains("all that the login had left")),
        "{late:?}"
    );
}

#[test]
fn what_is_not_set_is_named() {
    assert!(complaint(&Duo { host: None, ..settings() }).contains("[duo] host is not set"));
    assert!(complaint(&Duo { ikey: None, ..settings() }).contains("[duo] ikey is not set"));
    assert!(complaint(&Duo { skey: None, ..settings() }).contains("[duo] skey_file nor skey is set"));
    let missing = CaFile::File(PathBuf::from("/nonexistent.pem"));
    assert!(
        complaint(&Duo { ca_file: Some(missing), ..settings() }).contains("[duo] ca_file: /nonexistent.pem")
    );
}

#[test]
fn a_clock_that_is_wrong_is_put_right_for_later_requests() {
    let client = client(&settings()).unwrap();
    let ours = SystemClock.now();
    client.clock_difference.set(Some(difference(ours - 1_000, ours)));
    assert!((ours - 1_000..ours - 990).contains(&client.now()));
    client.clock_difference.set(Some(difference(0, ours)));
    assert!(client.now() < 10);
    assert_eq!(difference(u64::MAX, 0), 0, "nonsense corrects nothing");
}

#[test]
fn a_wait_that_is_too_long_is_not_begun() {
    let client = client(&settings()).unwrap();
    let limited = Reply { retry_after: Some("120".to_owned()), ..reply(429, "") };
    let error = client.wait(0, &limited, Deadline::after(Duration::from_secs(60)), "/x").unwrap_err();
    let DuoError::Refused(text) = error else { panic!("{error:?}") };
    assert!(
        text.starts_with("api-1.example:443 /x: rate limited (HTTP 429)") && text.contains("120 s"),
        "{text}"
    );
}
