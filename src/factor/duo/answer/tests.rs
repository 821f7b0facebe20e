use super::*;
use proptest::prelude::*;
use serde_json::json;

fn response(body: &str) -> Value {
    match envelope(body.as_bytes()) {
        Some(Envelope::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn device(id: &str, label: &str, capabilities: &[Capability]) -> Device {
    Device { id: id.to_owned(), label: label.to_owned(), capabilities: capabilities.to_vec() }
}

#[test]
fn a_look_up_lists_devices_prompt_and_transaction() {
    let answer = response(
        r#"{"stat": "OK", "response": {"result": "auth", "status_msg": "Account is active", "txid": "T-1", "new": {"x": []},
        "devices": [
            {"device": "DP1", "type": "phone", "name": "", "number": "XXX-XXX-0100", "display_name": "iOS (XXX-XXX-0100)",
             "capabilities": ["auto", "push", "sms", "phone", "mobile_otp", "telepathy"], "sms_nextcode": "1"},
            {"device": "DH1", "type": "token", "name": "0"},
            {"device": "DT1", "type": "phone", "name": null, "number": "", "display_name": "Tablet", "capabilities": null}],
        "prompt": {"text": "Duo login for jdoe\n\n 1. Push\nPasscode or option (1-3): ",
            "factors": {"default": "push1", "1": "push1", "10": "sms1", "2": "voice1"}}}}"#,
    );
    let expected = Choices {
        devices: vec![
            device(
                "DP1",
                "XXX-XXX-0100",
                &[
                    Capability::Auto,
                    Capability::Push,
                    Capability::Sms,
                    Capability::Phone,
                    Capability::MobileOtp,
                ],
            ),
            device("DH1", "0", &[]),
            device("DT1", "Tablet", &[]),
        ],
        prompt: Some(Prompt {
            text: "Duo login for jdoe\n\n 1. Push\nPasscode or option (1-3): ".to_owned(),
            factors: [("1", "push1"), ("2", "voice1"), ("10", "sms1")]
                .map(|(typed, sent)| (typed.to_owned(), sent.to_owned()))
                .to_vec(),
            default: Some("push1".to_owned()),
        }),
        transaction: Some(Transaction("T-1".to_owned())),
    };
    assert_eq!(preauth(&answer), Preauth::Auth(expected));
}

#[test]
fn what_is_missing_or_null_or_of_another_type_is_passed_over() {
    for fields in [
        json!({}),
        json!({"devices": null, "prompt": null, "txid": null, "status_msg": null}),
        json!({"devices": "none", "prompt": 1, "txid": 2, "status_msg": []}),
        json!({"devices": [], "prompt": {}, "txid": ""}),
        json!({"devices": [null, 1, {}, {"device": null}, {"device": ""}, {"device": "a b"}, {"device": "x".repeat(257)}]}),
        json!({"prompt": {"text": null, "factors": {"1": "push1"}}}),
    ] {
        let mut answer = fields;
        answer["result"] = json!("auth");
        assert_eq!(preauth(&answer), Preauth::Auth(Choices::default()), "{answer}");
    }
    let odd = json!({"result": "auth", "prompt": {"text": "Code: ", "factors": {"1": 5, "2": "x y", "": "push1", "3": "sms1"}}});
    let Preauth::Auth(Choices { prompt: Some(prompt), .. }) = preauth(&odd) else { panic!("no prompt") };
    assert_eq!((prompt.factors.len(), prompt.default), (1, None));
}

#[test]
fn only_the_words_that_let_somebody_in_do() {
    let deny = Preauth::Deny { message: "m".to_owned() };
    for (result, expected) in [
        (json!("allow"), Preauth::Allow { message: "m".to_owned() }),
        (json!("deny"), deny.clone()),
        (json!("enroll"), Preauth::Enroll { message: "m".to_owned(), portal: None }),
        (json!("ALLOW"), deny.clone()),
        (json!("allow "), deny.clone()),
        (json!("perhaps"), deny.clone()),
        (json!(""), deny.clone()),
        (json!(true), deny.clone()),
        (json!(["allow"]), deny.clone()),
        (Value::Null, deny.clone()),
    ] {
        assert_eq!(preauth(&json!({"result": result, "status_msg": "m"})), expected);
    }
    let portal = json!({"result": "enroll", "status_msg": "m", "enroll_portal_url": "https://api.example/portal?code=1"});
    let Preauth::Enroll { portal, .. } = preauth(&portal) else { panic!("not enroll") };
    assert_eq!(portal.as_deref(), Some("https://api.example/portal?code=1"));
    for nothing in [json!("allow"), json!([{"result": "allow"}]), json!(true), Value::Null] {
        assert_eq!(preauth(&nothing), Preauth::Deny { message: String::new() });
        assert_eq!(status(&nothing).verdict, Verdict::Deny);
    }
}

#[test]
fn a_status_has_a_verdict_an_event_and_duos_words() {
    for (result, word, verdict, event) in [
        ("waiting", "pushed", Verdict::Waiting, Event::Other),
        ("waiting", "calling", Verdict::Waiting, Event::Other),
        ("allow", "allow", Verdict::Allow, Event::Other),
        ("allow", "bypass", Verdict::Allow, Event::Bypass),
        ("deny", "sms_sent", Verdict::Deny, Event::SmsSent),
        ("deny", "timeout", Verdict::Deny, Event::Timeout),
        ("deny", "fraud", Verdict::Deny, Event::Fraud),
        ("deny", "locked_out", Verdict::Deny, Event::LockedOut),
        ("deny", "something new", Verdict::Deny, Event::Other),
        ("later", "allow", Verdict::Deny, Event::Other),
        ("Allow", "allow", Verdict::Deny, Event::Other),
        ("", "", Verdict::Deny, Event::Other),
    ] {
        let answer = json!({"result": result, "status": word, "status_msg": "Pushed a login request..."});
        let expected = Status { verdict, event, message: "Pushed a login request...".to_owned() };
        assert_eq!(status(&answer), expected);
    }
    assert_eq!(status(&json!({"status": "allow"})).verdict, Verdict::Deny);
}

#[test]
fn a_transaction_is_something_that_can_be_sent_back() {
    let named = |txid: Value| transaction(&json!({ "txid": txid })).map(|transaction| transaction.0);
    assert_eq!(named(json!("45f7c92b-f45f-4862-8545-e0f58e78075a")).unwrap().len(), 36);
    for unusable in [json!(""), json!("a b"), json!("a\nb"), json!("x".repeat(257)), json!(1), Value::Null] {
        assert_eq!(named(unusable), None);
    }
    assert_eq!(transaction(&Value::Null), None);
}

#[test]
fn texts_are_made_printable_and_bounded() {
    let answer = json!({"result": "allow", "status_msg": "a\u{1b}[2Jb\r\nc\u{202e}d"});
    assert_eq!(preauth(&answer), Preauth::Allow { message: "a\\u{1b}[2Jb  c\\u{202e}d".to_owned() });
    let long = json!({"result": "deny", "status_msg": "\u{f6}".repeat(5_000)});
    let Preauth::Deny { message } = preauth(&long) else { panic!("not deny") };
    assert_eq!(message.chars().count(), MAX_TEXT);
    let long = json!({"result": "auth", "devices": [{"device": "D", "number": "\u{f6}".repeat(41)}],
        "prompt": {"text": "a\u{7}\nb\u{7}", "factors": null}});
    let Preauth::Auth(choices) = preauth(&long) else { panic!("not auth") };
    assert_eq!(choices.devices[0].label.chars().count(), MAX_LABEL);
    assert_eq!(choices.prompt.unwrap().text, "a\\u{7}\nb\\u{7}");
}

#[test]
fn what_is_no_answer_of_duos_is_none() {
    for body in [
        "",
        "null",
        "[]",
        "true",
        "<html>502 Bad Gateway</html>",
        "{}",
        r#"{"response": {"result": "allow"}}"#,
        r#"{"stat": null, "response": {"result": "allow"}}"#,
        r#"{"stat": "ok", "response": {"result": "allow"}}"#,
        r#"{"stat": "OK", "response": {"result": "allow"}"#,
        r#"{"stat": "OK", "response": {"result": "allow"}} {}"#,
        r#"{"stat": "OK", "stat": "OK", "response": {"result": "allow"}}"#,
        &"[".repeat(60_000),
        &format!(r#"{{"stat": "OK", "response": {}1{}}}"#, "[".repeat(30_000), "]".repeat(30_000)),
    ] {
        assert_eq!(envelope(body.as_bytes()), None, "{}", &body[..body.len().min(80)]);
    }
    assert_eq!(envelope(b"{\"stat\": \"OK\", \"response\": \"\xff\"}"), None);
    assert_eq!(response(r#"{"stat": "OK"}"#), Value::Null);
    // What nobody asks for is skipped without going down into it.
    let deep = format!(r#"{{"stat": "OK", "other": {}1{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(response(&deep), Value::Null);
}

#[test]
fn refusals_name_status_code_words_and_what_to_do() {
    for (status, body, expected) in [
        (
            401,
            r#"{"stat": "FAIL", "code": 40102, "message": "Invalid integration key in request credentials"}"#,
            "HTTP 401, code 40102: Invalid integration key in request credentials: check [duo] ikey and skey",
        ),
        (
            401,
            r#"{"stat": "FAIL", "code": 40103, "message": "Invalid signature", "message_detail": null}"#,
            "HTTP 401, code 40103: Invalid signature: check [duo] skey, and that ikey and host belong to the same application",
        ),
        (401, r#"{"stat": "FAIL", "code": 40105}"#, "HTTP 401, code 40105: set this machine's clock"),
        (
            400,
            r#"{"stat": "FAIL", "code": 40002, "message": "Invalid request parameters", "message_detail": "username"}"#,
            "HTTP 400, code 40002: Invalid request parameters (username)",
        ),
        (
            403,
            r#"{"stat": "FAIL", "code": 40301, "message": "Access forbidden"}"#,
            "HTTP 403, code 40301: Access forbidden: an application of the kind Auth API is needed: check [duo] ikey",
        ),
        (
            404,
            r#"{"stat": "FAIL", "code": "?", "message": "a\nb\u001b"}"#,
            "HTTP 404: a b\\u{1b}: an application of the kind Auth API is needed: check [duo] host",
        ),
    ] {
        let Some(Envelope::Fault(fault)) = envelope(body.as_bytes()) else { panic!("{body}") };
        assert_eq!(fault.describe(status), expected);
        assert!(!fault.describe(status).chars().any(char::is_control));
    }
    for (code, clock) in [(40_103, false), (40_104, true), (40_105, true), (40_106, false), (0, false)] {
        assert_eq!(Fault { code, ..Fault::default() }.is_about_the_clock(), clock);
    }
    let long =
        format!(r#"{{"stat": "FAIL", "message": "{0}", "message_detail": "{0}"}}"#, "x".repeat(10_000));
    let Some(Envelope::Fault(fault)) = envelope(long.as_bytes()) else { panic!("no fault") };
    assert!(fault.describe(400).len() < 700);
}

proptest! {
    #[test]
    fn no_answer_brings_the_parser_down_or_lets_anybody_in(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(envelope(&body), None);
    }

    #[test]
    fn nothing_but_allow_is_allow(word in ".{0,8}") {
        prop_assume!(word != "allow");
        let answer = json!({"result": word});
        let let_in = matches!(preauth(&answer), Preauth::Allow { .. });
        prop_assert!(!let_in);
        prop_assert_ne!(status(&answer).verdict, Verdict::Allow);
    }
}
