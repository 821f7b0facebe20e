//! What somebody sees who asks without fault.

use super::client::{Client, PATIENCE, Request, ask, lookalike, with};
use super::duo::{Channel, Device, Endpoint, Lookalike, Options, Phone, Policy, User};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PUSH: &str = "async=1&device=auto&factor=push&username=jdoe";

/// The transaction of a factor.
fn auth(duo: &Lookalike, parameters: &str) -> String {
    let response = ask(duo, &Request::auth(parameters)).response();
    response["txid"].as_str().unwrap().to_owned()
}

fn status(duo: &Lookalike, txid: &str) -> Value {
    ask(duo, &Request::status(txid)).response()
}

/// Result and status of the next two things that are told.
fn told(duo: &Lookalike, parameters: &str) -> Vec<String> {
    let txid = auth(duo, parameters);
    let mut told = Vec::new();
    for _ in 0..3 {
        let status = status(duo, &txid);
        told.push(format!("{}/{}", status["result"].as_str().unwrap(), status["status"].as_str().unwrap()));
        if status["result"] != "waiting" {
            break;
        }
    }
    told
}

fn code(code: &str) -> String {
    format!("async=1&factor=passcode&passcode={code}&username=jdoe")
}

#[test]
fn ping_and_check_tell_the_time() {
    let duo = lookalike();
    for request in [Request::ping(), Request::get("/auth/v2/check", "")] {
        assert_eq!(ask(&duo, &request).response(), json!({ "time": super::client::NOW }));
    }
    duo.set_clock_ahead(600);
    let ahead = ask(&duo, &Request::ping()).response()["time"].as_i64().unwrap();
    duo.set_clock_ahead(0);
    let now = ask(&duo, &Request::ping()).response()["time"].as_i64().unwrap();
    assert!((595..=600).contains(&(ahead - now)), "{ahead} {now}");
}

#[test]
fn a_look_up_tells_the_devices() {
    let duo = lookalike();
    let keys = Device::token("DHEKH0JJIYC1LX3AZWO4", "0");
    duo.add(User::with_phone("jdoe").device(keys));
    let parameters = "hostname=vpn&ipaddr=2001%3Adb8%3A%3A1&text_prompt=1&username=jdoe";
    let response = ask(&duo, &Request::preauth(parameters)).response();
    let expected = json!({ "result": "auth", "status_msg": "Account is active", "devices": [
        { "device": "DPFZRS9FB0D46QFTM891", "type": "phone", "name": "", "number": "XXX-XXX-0100",
          "display_name": "iOS (XXX-XXX-0100)", "capabilities": ["auto", "push", "sms", "phone", "mobile_otp"],
          "sms_nextcode": "1" },
        { "device": "DHEKH0JJIYC1LX3AZWO4", "type": "token", "name": "0" },
    ]});
    assert_eq!(response, expected);
    let requests = duo.requests_to(Endpoint::Preauth);
    assert_eq!(requests[0].parameter("ipaddr"), Some("2001:db8::1"));
    assert_eq!(requests[0].parameter("hostname"), Some("vpn"));
}

#[test]
fn a_look_up_tells_the_policy() {
    let duo = lookalike();
    duo.add(User::new("allowed").policy(Policy::Allow));
    duo.add(User::new("denied").policy(Policy::Deny("Not today.".into())));
    duo.add(User::new("new").policy(Policy::Enroll("https://portal.invalid/x".into())));
    duo.add(User::new("locked").policy(Policy::LockedOut));
    let look_up = |name| ask(&duo, &Request::preauth(&format!("username={name}"))).response();
    assert_eq!(look_up("allowed")["result"], "allow");
    assert_eq!(look_up("denied"), json!({ "result": "deny", "status_msg": "Not today." }));
    assert_eq!(look_up("new")["enroll_portal_url"], "https://portal.invalid/x");
    assert_eq!(look_up("locked")["result"], "deny");
    assert_eq!(look_up("stranger")["result"], "enroll");
    assert_eq!(told(&duo, "async=1&device=auto&factor=auto&username=allowed"), ["allow/bypass"]);
    assert_eq!(told(&duo, "async=1&device=auto&factor=auto&username=locked"), ["deny/locked_out"]);
}

#[test]
fn a_push_waits_until_the_phone_decides() {
    let duo = lookalike();
    let phone = |phone| duo.add(User::with_phone("jdoe").phone(phone));
    for (does, end) in [
        (Phone::ApprovesAfter(Duration::from_millis(50)), "allow/allow"),
        (Phone::DeniesAfter(Duration::ZERO), "deny/deny"),
        (Phone::ReportsFraudAfter(Duration::from_millis(20)), "deny/fraud"),
        (Phone::TimesOutAfter(Duration::from_millis(20)), "deny/timeout"),
    ] {
        phone(does);
        assert_eq!(told(&duo, PUSH), ["waiting/pushed", end]);
    }
    phone(Phone::Unreachable);
    assert_eq!(told(&duo, PUSH), ["deny/push_failed"]);
    assert_eq!(duo.sent().len(), 5);
}

#[test]
fn a_held_request_ends_when_the_test_approves() {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe"));
    let txid = auth(&duo, PUSH);
    let first = status(&duo, &txid);
    assert_eq!(first["status_msg"], "Pushed a login request to your phone...");
    let mut held = Client::connect(&duo);
    held.send(&Request::status(&txid)).unwrap();
    duo.await_requests(Endpoint::AuthStatus, 2);
    held.stream.get_ref().sock.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(held.receive().is_err(), "answered before anything had happened");
    held.stream.get_ref().sock.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(duo.approve("jdoe"), 1);
    assert_eq!(held.receive().unwrap().response()["result"], "allow");
    // Whoever asks again is told again.
    assert_eq!(status(&duo, &txid)["result"], "allow");
}

#[test]
fn the_test_can_deny_and_report_fraud() {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe"));
    for (fraud, end) in [(true, "fraud"), (false, "deny")] {
        let txid = auth(&duo, PUSH);
        if fraud {
            duo.report_fraud("jdoe")
        } else {
            duo.deny("jdoe")
        };
        assert_eq!(status(&duo, &txid)["status"], "pushed");
        assert_eq!(status(&duo, &txid)["status"], end);
    }
}

#[test]
fn a_status_is_held_no_longer_than_said() {
    let duo = with(Options { hold: Duration::from_millis(30), ..Options::default() });
    duo.add(User::with_phone("jdoe"));
    assert_eq!(told(&duo, PUSH), ["waiting/pushed"; 3]);
}

#[test]
fn without_async_the_answer_is_the_end() {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe").phone(Phone::ApprovesAfter(Duration::from_millis(50))));
    let response = ask(&duo, &Request::auth("device=auto&factor=push&username=jdoe")).response();
    assert_eq!((&response["result"], &response["status"]), (&json!("allow"), &json!("allow")));
}

#[test]
fn a_call_rings_first_and_is_then_answered() {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe").phone(Phone::ApprovesAfter(Duration::from_millis(60))));
    let call = "async=1&device=DPFZRS9FB0D46QFTM891&factor=phone&username=jdoe";
    assert_eq!(told(&duo, call), ["waiting/calling", "waiting/answered", "allow/allow"]);
    assert_eq!(duo.sent()[0].channel, Channel::Phone);
}

#[test]
fn auto_takes_what_there_is() {
    let duo = lookalike();
    let auto = "async=1&device=auto&factor=auto&username=jdoe";
    duo.add(User::new("jdoe").device(Device::phone("DP1", "1").can(&["phone"])));
    assert_eq!(status(&duo, &auth(&duo, auto))["status"], "calling");
    duo.add(
        User::new("jdoe").device(Device::phone("DP1", "1").can(&["phone"])).device(Device::phone("DP2", "2")),
    );
    assert_eq!(status(&duo, &auth(&duo, auto))["status"], "pushed");
    assert_eq!(duo.sent()[1].device, "DP2");
}

#[test]
fn a_passcode_is_good_once() {
    let duo = lookalike();
    duo.add(User::new("jdoe").passcode("123456"));
    assert_eq!(told(&duo, &code("654321")), ["deny/deny"]);
    assert_eq!(told(&duo, &code("123456")), ["allow/allow"]);
    assert_eq!(told(&duo, &code("123456")), ["deny/deny"]);
    assert!(duo.sent().is_empty());
}

#[test]
fn passcodes_by_text_message_are_good_once_they_are_sent() {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe").sms_passcode("1234567"));
    assert_eq!(told(&duo, &code("1234567")), ["deny/deny"]);
    assert_eq!(told(&duo, "async=1&device=auto&factor=sms&username=jdoe"), ["deny/sms_sent"]);
    assert_eq!(told(&duo, &code("1234567")), ["allow/allow"]);
    assert_eq!(duo.sent()[0].channel, Channel::Sms);
}

#[test]
fn duos_own_prompt_can_be_answered() {
    let duo = lookalike();
    let phone = Phone::ApprovesAfter(Duration::ZERO);
    duo.add(User::with_phone("jdoe").prompted().phone(phone).passcode("123456").sms_passcode("7654321"));
    assert_eq!(ask(&duo, &Request::preauth("username=jdoe")).response().get("prompt"), None);
    let prompt = ask(&duo, &Request::preauth("text_prompt=1&username=jdoe")).response()["prompt"].clone();
    let factors = json!({ "default": "push1", "1": "push1", "2": "voice1", "3": "smsrefresh1" });
    assert_eq!(prompt["factors"], factors);
    assert!(prompt["text"].as_str().unwrap().ends_with("\n\nPasscode or option (1-3): "), "{prompt}");
    let choose = |choice| told(&duo, &format!("async=1&factor=prompt&prompt={choice}&username=jdoe"));
    assert_eq!(choose("push1"), ["waiting/pushed", "allow/allow"]);
    assert_eq!(choose("voice1")[0], "waiting/calling");
    assert_eq!(choose("smsrefresh1"), ["deny/sms_sent"]);
    assert_eq!(choose("7654321"), ["allow/allow"]);
    assert_eq!(choose("push9"), ["deny/deny"]);
}

#[test]
fn a_verified_push_tells_its_code_to_those_who_can_show_it() {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe").verified_push("376"));
    let plain = ask(&duo, &Request::preauth("username=jdoe")).response();
    assert_eq!(plain.get("txid"), None);
    assert_eq!(status(&duo, &auth(&duo, PUSH))["status_msg"], "Pushed a login request to your phone...");
    let able = Request::preauth("client_supports_verified_push=1&username=jdoe");
    let look_up = ask(&duo, &able).response()["txid"].as_str().unwrap().to_owned();
    let push = format!("async=1&device=auto&factor=push&txid={look_up}&username=jdoe");
    let told = status(&duo, &auth(&duo, &push));
    assert_eq!(told["status_msg"], "Please enter verification code 376 into Duo Mobile...");
}

#[test]
fn a_connection_serves_many_requests_and_chunked_ones() {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe"));
    let mut client = Client::connect(&duo);
    for _ in 0..3 {
        assert_eq!(client.ask(&Request::preauth("username=jdoe")).response()["result"], "auth");
    }
    let chunked = Request::preauth("username=jdoe")
        .sent("5\r\nusern\r\n8\r\name=jdoe\r\n0\r\n\r\n")
        .without("content-length")
        .header("transfer-encoding", "chunked");
    assert_eq!(client.ask(&chunked).response()["result"], "auth");
    assert_eq!(duo.connections().len(), 1);
}

#[test]
fn it_goes_away_at_once_whatever_is_open() {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe"));
    let txid = auth(&duo, PUSH);
    status(&duo, &txid);
    let mut held = Client::connect(&duo);
    held.send(&Request::status(&txid)).unwrap();
    duo.await_requests(Endpoint::AuthStatus, 2);
    let _idle = Client::connect(&duo);
    let start = Instant::now();
    drop(duo);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
