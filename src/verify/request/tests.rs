use super::*;

fn parse(json: &str) -> Result<Request, String> {
    Request::parse(json.as_bytes())
}

#[test]
fn each_of_the_three_first_proofs_is_read() {
    let request = parse(r#"{"user":"alice","primary":"passed","address":"::ffff:192.0.2.7"}"#).unwrap();
    assert_eq!((&*request.who.user, request.first.event()), ("alice", "login"));
    assert_eq!(request.who.address, "192.0.2.7".parse().ok());
    assert!(
        matches!(request.first, FirstProof::Word { response, .. } if response.expose_secret().is_empty())
    );

    let request = parse(r#"{"user":"alice","primary":"passed","answer":"12\u0033456"}"#).unwrap();
    assert!(
        matches!(request.first, FirstProof::Word { response, .. } if response.expose_secret() == b"123456")
    );

    let request = parse(r#"{"user":"alice","password":"p,1"}"#).unwrap();
    assert!(matches!(request.first, FirstProof::Given(Submission::Typed(_))));
    let request = parse(r#"{"user":"alice","password":"p","answer":""}"#).unwrap();
    assert!(matches!(request.first, FirstProof::Given(Submission::Both { .. })));

    let request =
        parse(r#"{"user":"alice","state":"A2","answer":"1","common_name":"","primary":null}"#).unwrap();
    assert_eq!((request.first.event(), request.who.common_name), ("answer", None));
    assert!(matches!(request.first, FirstProof::Given(Submission::Answer { .. })));
}

#[test]
fn what_is_not_as_documented_is_refused_and_not_repeated() {
    let long = "x".repeat(5000);
    for json in [
        "",
        "null",
        "[]",
        "Secret-1",
        "\"Secret-1\"",
        r#"{"user":"Secret-1"}"#,
        r#"{"user":"Secret-1","answer":"Secret-1"}"#,
        r#"{"primary":"passed","answer":"Secret-1"}"#,
        r#"{"user":"a","primary":"Secret-1"}"#,
        r#"{"user":"a","primary":"Passed"}"#,
        r#"{"user":"a","primary":""}"#,
        r#"{"user":"a","primary":true}"#,
        r#"{"user":"a","primary":"passed","password":"Secret-1"}"#,
        r#"{"user":"a","primary":"passed","state":"A2","answer":"Secret-1"}"#,
        r#"{"user":"a","state":"A2"}"#,
        r#"{"user":"a","state":"","answer":"1"}"#,
        r#"{"user":"a","state":"Secret-1","answer":"1"}"#,
        r#"{"user":"a","primary":"passed","answer":991199}"#,
        r#"{"user":"a","primary":"passed","answer":"Secret-1","answer":"1"}"#,
        r#"{"user":"a","primary":"passed","Secret-1":"1"}"#,
        r#"{"user":"a","primary":"passed","answer":"Secret-1\u0000"}"#,
        r#"{"user":"a","primary":"passed","address":"Secret-1"}"#,
        r#"{"user":"a","primary":"passed","address":""}"#,
        r#"{"user":"a","primary":"passed"}{}"#,
        &format!(r#"{{"user":"a","primary":"passed","answer":"{}"}}"#, &long[..513]),
        &format!(r#"{{"user":"a","password":"{}"}}"#, &long[..4097]),
        &format!(r#"{{"user":"a","primary":"passed","common_name":"{}"}}"#, &long[..1025]),
    ] {
        let fault = parse(json).map(drop).expect_err(json);
        assert!(!fault.contains("Secret") && !fault.contains("991199") && !fault.contains("xxx"), "{fault}");
    }
    assert!(Request::parse(b"{\"user\":\"\xff\",\"primary\":\"passed\"}").is_err());
}

#[test]
fn a_fault_says_where_it_is() {
    for (json, words) in [
        ("{\n\"user\":\"a\",,", "line 2 column 12: not JSON"),
        (r#"{"primary":"passed"}"#, "user is missing"),
        (r#"{"user":"a","user":"b"}"#, "comes twice"),
        (r#"{"user":"a","pasword":"b"}"#, "known are user, address,"),
        (r#"{"user":7}"#, "not an object of strings"),
    ] {
        let fault = parse(json).map(drop).unwrap_err();
        assert!(fault.contains(words), "{fault}");
    }
}

#[test]
fn a_certificate_that_a_request_mentions_proves_nothing() {
    let request = parse(r#"{"user":"alice","primary":"passed","common_name":"alice"}"#).unwrap();
    let attempt = request.who.identify(&Settings::default()).unwrap();
    assert_eq!(attempt.peer.certificate, None);
    assert_eq!(attempt.question, QuestionForm::Reconnect);
    let mut settings = Settings::default();
    settings.auth.challenge = Challenge::Off;
    assert_eq!(request.who.identify(&settings).unwrap().question, QuestionForm::Impossible);
}
