//! What is refused, and how: a request for each rule, which breaks that rule alone.

use super::client::{Client, DATE, PATIENCE, Request, ask, lookalike, tcp, with};
use super::duo::{Device, Endpoint, Lookalike, Options, User};
use std::io::{Read, Write};

// Signatures by OpenSSL 3.0, so that no code of these tests has a say in what is right:
//   printf 'DATE\nMETHOD\nlocalhost\nPATH\nPARAMETERS' | openssl dgst -sha512 -hmac SKEY
const OF_CHECK: &str = "ec8314a1306787d57693b3ac11542c39a1a57ac0ca16ca6c12140a2d8603f9e0\
                        82a91822bde36e5c3825dfba4f4563039cc12ece976bbf46902897ec21fc7db9";
const OF_LOOK_UP: &str = "cc3a81c8302987fb757059488525d1b2ad568c58d405a102e0f5775dd7f72bd8\
                          53e5e3c12e56fb3f27e1c9d97a834a1bdf56854dfc6917c66479c57d1eb21adb";
/// Of the same as [`OF_CHECK`], with `-sha1`.
const SHA1_OF_CHECK: &str = "f469a8324201127a946c4400f92cebc728ae8910";

fn check() -> Request {
    Request::get("/auth/v2/check", "")
}

/// Someone with every kind of device.
fn somebody() -> Lookalike {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe").device(Device::token("DHEKH0JJIYC1LX3AZWO4", "0")).passcode("123456"));
    duo
}

/// That a request is refused like this, and remembered as a fault for this reason.
fn refused(duo: &Lookalike, request: &Request, status: u16, code: u32, because: &str) {
    let answer = ask(duo, request);
    let what = format!("{}\n{}", request.canonical(), String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.status, status, "{what}");
    let json = answer.json();
    assert_eq!((&json["stat"], &json["code"]), (&"FAIL".into(), &code.into()), "{what}");
    if let Some(name) = because.strip_prefix("parameter ").and_then(|rest| rest.split_once(':')) {
        assert_eq!(json["message_detail"], name.0, "{what}");
    }
    let faults = duo.take_faults();
    assert_eq!(faults.len(), 1, "{what}{faults:?}");
    assert!(faults[0].what.contains(because), "{what}{faults:?}");
}

/// That a parameter is refused.
fn parameter(duo: &Lookalike, request: &Request, name: &str) {
    refused(duo, request, 400, 40002, &format!("parameter {name}:"));
}

#[test]
fn signatures_by_openssl_are_accepted() {
    let duo = somebody();
    assert_eq!(ask(&duo, &check().signature(OF_CHECK)).status, 200);
    // What is sent may be encoded otherwise than what is signed, and in another order.
    let canonical = "hostname=vpn%20%C3%A9~&ipaddr=192.0.2.1&username=jdoe";
    let sent = "username=%6adoe&hostname=vpn+%c3%a9%7e&ipaddr=192.0.2.1";
    let look_up = Request::preauth(canonical).signature(OF_LOOK_UP);
    assert_eq!(ask(&duo, &look_up).status, 200);
    assert_eq!(ask(&duo, &look_up.sent(sent)).status, 200);
    assert_eq!(duo.requests()[2].parameter("hostname"), Some("vpn é~"));
}

#[test]
fn wrong_signatures_are_refused() {
    let duo = somebody();
    let because = "signature; it should be over";
    let wrong = |request: &Request| refused(&duo, request, 401, 40103, because);
    wrong(&check().signature(OF_LOOK_UP));
    wrong(&check().signature(SHA1_OF_CHECK));
    wrong(&check().signature(&OF_CHECK.to_uppercase()));
    wrong(&check().signature(""));
    wrong(&check().signature(&OF_CHECK[1..]));
    wrong(&check().signed_host("LOCALHOST"));
    wrong(&check().signed_host("api-00000000.duosecurity.com"));
    // Another date, other parameters, another path than was signed.
    wrong(&check().signature(OF_CHECK).date("Tue, 21 Aug 2012 17:29:19 -0000"));
    wrong(&Request::preauth("username=jdoe").sent("username=root"));
    wrong(&Request::preauth("username=jdoe").sent("username=jdoe&ipaddr=192.0.2.1"));
    wrong(&Request::preauth("username=jdoe").signature(OF_CHECK));
    // What is signed is not in the canonical form: order, lower-case escapes, a plus, characters not escaped.
    wrong(&Request::preauth("username=jdoe&ipaddr=192.0.2.1"));
    wrong(&Request::preauth("hostname=%c3%a9&username=jdoe"));
    wrong(&Request::preauth("hostname=a+b&username=jdoe"));
    wrong(&Request::preauth("hostname=a*b&username=jdoe"));
    wrong(&Request::preauth("hostname=a%7Eb&username=jdoe"));
}

#[test]
fn the_host_is_signed_with_or_without_its_port() {
    let duo = somebody();
    assert_eq!(ask(&duo, &check().signed_host(&duo.host())).status, 200);
}

#[test]
fn missing_and_foreign_credentials_are_refused() {
    let duo = somebody();
    for path in ["/auth/v2/check", "/auth/v2/auth_status"] {
        let unsigned = Request::get(path, "").without("authorization");
        refused(&duo, &unsigned, 401, 40101, "no Authorization");
    }
    let unsigned = Request::preauth("username=jdoe").without("authorization");
    refused(&duo, &unsigned, 401, 40101, "no Authorization");
    let bearer = check().header("authorization", "Bearer abc");
    refused(&duo, &bearer, 401, 40101, "not Basic");
    let broken = check().header("authorization", "Basic ???");
    refused(&duo, &broken, 401, 40101, "not Basic");
    let no_colon = check().header("authorization", "Basic YWJj");
    refused(&duo, &no_colon, 401, 40101, "no colon");
    let foreign = check().ikey("DIXXXXXXXXXXXXXXXXXX");
    refused(&duo, &foreign, 401, 40102, "integration key");
}

#[test]
fn dates_that_are_wrong_or_off_are_refused() {
    let duo = somebody();
    refused(&duo, &check().without("date"), 401, 40104, "no Date");
    // By `date -u -R -d @…`: five minutes less and more than a second, before and after.
    for near in ["Tue, 21 Aug 2012 17:34:17 +0000", "Tue, 21 Aug 2012 17:24:19 +0000"] {
        assert_eq!(ask(&duo, &check().date(near)).status, 200, "{near}");
    }
    assert_eq!(ask(&duo, &check().date("Tue, 21 Aug 2012 19:29:18 +0200")).status, 200);
    for far in [
        "Tue, 21 Aug 2012 17:34:19 +0000",
        "Tue, 21 Aug 2012 17:24:17 +0000",
        "Tue, 21 Aug 2012 17:29:18 +0200",
        "Wed, 21 Aug 2013 17:29:18 -0000",
    ] {
        refused(&duo, &check().date(far), 401, 40104, "s off");
    }
    for wrong in [
        "",
        "2012-08-21T17:29:18Z",
        "1345570158",
        "Tue, 21 Aug 2012 17:29:18 GMT",
        "Wed, 21 Aug 2012 17:29:18 -0000",
        "Tue, 21 Aug 12 17:29:18 -0000",
        "Tue, 21 Aug 2012 17:29 -0000",
        "Tue, 21 aug 2012 17:29:18 -0000",
        "Tue,  21 Aug 2012 17:29:18 -0000",
    ] {
        refused(&duo, &check().date(wrong), 401, 40104, "not of RFC 2822");
    }
}

#[test]
fn a_clock_that_is_off_refuses_everybody() {
    let duo = with(Options { off_date_code: 40105, ..Options::default() });
    duo.set_clock(super::client::NOW + 600);
    assert_eq!(ask(&duo, &Request::ping()).response()["time"], super::client::NOW + 600);
    refused(&duo, &check(), 401, 40105, "is -600 s off");
}

#[test]
fn parameters_that_are_missing_unknown_or_there_twice_are_refused() {
    let duo = somebody();
    let look_up = |parameters: &str, name: &str| parameter(&duo, &Request::preauth(parameters), name);
    look_up("ipaddr=192.0.2.1", "username");
    look_up("username=", "username");
    look_up("color=red&username=jdoe", "color");
    look_up("factor=push&username=jdoe", "factor");
    look_up("username=jdoe&username=jdoe", "username");
    let auth = |parameters: &str, name: &str| parameter(&duo, &Request::auth(parameters), name);
    auth("async=1&device=auto&factor=push", "username");
    auth("async=1&device=auto&username=jdoe", "factor");
    auth("device=auto&factor=push&text_prompt=1&username=jdoe", "text_prompt");
    auth("device=auto&device=auto&factor=push&username=jdoe", "device");
    parameter(&duo, &Request::get("/auth/v2/auth_status", ""), "txid");
    parameter(&duo, &Request::get("/auth/v2/auth_status", "txid=1&username=jdoe"), "username");
    parameter(&duo, &Request::get("/auth/v2/check", "username=jdoe"), "username");
    parameter(&duo, &Request::ping().sent("username=jdoe"), "username");
}

#[test]
fn values_that_cannot_be_are_refused() {
    let duo = somebody();
    for address in
        ["", "192.0.2", "192.0.2.256", "%5B2001%3Adb8%3A%3A1%5D", "192.0.2.1%3A1194", "fe80%3A%3A1%25eth0"]
    {
        parameter(&duo, &Request::preauth(&format!("ipaddr={address}&username=jdoe")), "ipaddr");
    }
    parameter(
        &duo,
        &Request::preauth("client_supports_verified_push=yes&username=jdoe"),
        "client_supports_verified_push",
    );
    parameter(&duo, &Request::preauth("hostname=&username=jdoe"), "hostname");
    let push = |more: &str, name: &str| {
        parameter(&duo, &Request::auth(&format!("{more}&username=jdoe")), name);
    };
    push("async=true&device=auto&factor=push", "async");
    for info in ["server", "", "%3Da", "a%3D%25zz", "a%3Db%26", "a%3Db%20c", "a%3Db%26c"] {
        push(&format!("device=auto&factor=push&pushinfo={info}"), "pushinfo");
    }
    let right =
        "async=1&device=auto&factor=push&pushinfo=Server%3Dvpn%2520one%26Client%3D192.0.2.1&username=jdoe";
    assert_eq!(ask(&duo, &Request::auth(right)).status, 200);
}

#[test]
fn a_factor_needs_its_own_companion_and_no_other() {
    let duo = somebody();
    let auth = |parameters: &str, name: &str| parameter(&duo, &Request::auth(parameters), name);
    for factor in ["auto", "push", "phone", "sms"] {
        auth(&format!("factor={factor}&username=jdoe"), "device");
        auth(&format!("device=auto&factor={factor}&passcode=1&username=jdoe"), "passcode");
        auth(&format!("device=auto&factor={factor}&prompt=push1&username=jdoe"), "prompt");
    }
    auth("factor=passcode&username=jdoe", "passcode");
    auth("factor=passcode&passcode=&username=jdoe", "passcode");
    auth("device=auto&factor=passcode&passcode=123456&username=jdoe", "device");
    auth("factor=prompt&username=jdoe", "prompt");
    auth("device=auto&factor=Push&username=jdoe", "factor");
    auth("device=auto&factor=telepathy&username=jdoe", "factor");
    assert!(duo.sent().is_empty());
}

#[test]
fn what_does_not_exist_is_refused() {
    let duo = somebody();
    let auth = |parameters: &str, name: &str| parameter(&duo, &Request::auth(parameters), name);
    auth("device=auto&factor=push&username=stranger", "username");
    auth("device=DPXXXXXXXXXXXXXXXXXX&factor=push&username=jdoe", "device");
    auth("device=DHEKH0JJIYC1LX3AZWO4&factor=push&username=jdoe", "device");
    auth("device=auto&factor=push&txid=invented&username=jdoe", "txid");
    auth("factor=prompt&prompt=push1&username=jdoe", "prompt");
    parameter(&duo, &Request::status("invented"), "txid");
    // The transaction of a look-up is no login's.
    duo.add(User::with_phone("jdoe").verified_push("376"));
    let look_up = Request::preauth("client_supports_verified_push=1&username=jdoe");
    let txid = ask(&duo, &look_up).response()["txid"].as_str().unwrap().to_owned();
    parameter(&duo, &Request::status(&txid), "txid");
    auth("device=auto&factor=push&username=jdoe", "txid");
    duo.add(User::with_phone("other"));
    auth(&format!("device=auto&factor=push&txid={txid}&username=other"), "txid");
    assert!(duo.sent().is_empty());
}

#[test]
fn wrong_places_and_methods_are_refused() {
    let duo = somebody();
    for path in ["/", "/auth/v2/", "/auth/v1/ping", "/auth/v2/preauth/", "/auth/v2/Check", "/auth/v2//check"]
    {
        refused(&duo, &Request::get(path, ""), 404, 40401, "path");
    }
    refused(&duo, &Request::get("/auth/v2/preauth", "username=jdoe"), 405, 40501, "GET of");
    refused(&duo, &Request::post("/auth/v2/auth_status", "txid=1"), 405, 40501, "POST of");
    refused(&duo, &Request::post("/auth/v2/ping", ""), 405, 40501, "POST of");
    assert_eq!(duo.requests().len(), 9);
    assert_eq!(duo.requests_to(Endpoint::Preauth).len(), 0);
}

#[test]
fn requests_in_a_wrong_form_are_refused() {
    let duo = somebody();
    let look_up = Request::preauth("username=jdoe");
    let wrong = |request: &Request, because| refused(&duo, request, 400, 40000, because);
    wrong(&look_up.clone().without("content-type"), "Content-Type");
    wrong(&look_up.clone().header("content-type", "application/json"), "Content-Type");
    wrong(&look_up.clone().sent("username"), "not form-encoded");
    wrong(&look_up.clone().sent("username=%4"), "not form-encoded");
    wrong(&look_up.clone().sent("username=%ff"), "not form-encoded");
    wrong(&look_up.clone().sent("username=j doe"), "not form-encoded");
    wrong(&look_up.clone().sent("{\"username\":\"jdoe\"}"), "not form-encoded");
    for host in ["localhost", "elsewhere.invalid", "LOCALHOST:1", "api-00000000.duosecurity.com"] {
        wrong(&check().header("host", host), "Host");
    }
    wrong(&check().without("host"), "Host");
    let in_the_query = Request::post("/auth/v2/preauth?username=jdoe", "").sent("");
    wrong(&in_the_query, "a query with POST");
}

/// What is not HTTP as it should be ends the connection.
#[test]
fn malformed_http_is_refused() {
    let duo = lookalike();
    for (text, because) in [
        ("GET /auth/v2/ping HTTP/1.0\r\n\r\n", "request line"),
        ("GET https://localhost/auth/v2/ping HTTP/1.1\r\n\r\n", "request line"),
        ("GET /auth/v2/ping HTTP/1.1\nHost: localhost\n\n", "line end"),
        ("GET /auth/v2/ping HTTP/1.1\r\nHost : localhost\r\n\r\n", "header"),
        ("GET /auth/v2/ping HTTP/1.1\r\nDate: a\r\nDate: b\r\n\r\n", "header date twice"),
        ("GET /auth/v2/ping HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
        ("GET /auth/v2/ping HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", "body of"),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "and coding"),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk"),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "chunk longer"),
    ] {
        let mut client = Client::connect(&duo);
        client.write(text).unwrap();
        assert_eq!(client.receive().unwrap().status, 400, "{text:?}");
        assert!(client.receive().is_err(), "{text:?}");
        let faults = duo.take_faults();
        assert!(faults.len() == 1 && faults[0].what.contains(because), "{text:?}: {faults:?}");
    }
    assert!(duo.requests().is_empty());
}

#[test]
fn a_client_without_tls_gets_nothing() {
    let duo = lookalike();
    let mut stream = tcp(duo.port());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /auth/v2/ping HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The end or a reset: the request was never read.
    let _gone = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{answer:?}");
    assert!(duo.take_faults()[0].what.contains("no TLS"));
}

#[test]
fn a_fault_that_nobody_takes_fails_the_test() {
    let failed = std::panic::catch_unwind(|| {
        let duo = somebody();
        assert_eq!(ask(&duo, &check().signature("00")).status, 401);
    });
    let message = failed.unwrap_err().downcast::<String>().unwrap();
    assert!(message.starts_with("Duo would have refused: "), "{message}");
    assert!(message.contains(DATE), "{message}");
}
