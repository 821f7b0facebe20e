//! What Duo is told of a login.

use crate::duo::{Endpoint, Misbehaviour, Phone, Request, User};
use crate::support::{Call, DuoSite};
use std::time::Duration;

fn site() -> DuoSite {
    let site = DuoSite::new();
    site.duo.add(User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::ZERO)).passcode("123456"));
    site
}

/// The look-up and the factor of a login.
fn asked<'a>(site: &'a DuoSite, typed: &str, change: impl FnOnce(Call<'a>) -> Call<'a>) -> [Request; 2] {
    site.enter_by("alice", typed, change).is_in();
    [Endpoint::Preauth, Endpoint::Auth].map(|endpoint| site.duo.requests_to(endpoint).pop().unwrap())
}

fn machine() -> String {
    rustix::system::uname().nodename().to_str().unwrap().to_owned()
}

#[test]
fn the_clients_address_goes_along_where_openvpn_knows_it() {
    let site = site();
    let table = [
        (&[("untrusted_ip", "203.0.113.7")][..], Some("203.0.113.7")),
        (&[("untrusted_ip6", "2001:db8::7")], Some("2001:db8::7")),
        (&[("untrusted_ip6", "::ffff:203.0.113.7")], Some("203.0.113.7")),
        (&[], None),
        (&[("untrusted_ip", "somewhere")], None),
        (&[("UV_untrusted_ip", "203.0.113.7"), ("IV_PLAT", "untrusted_ip=203.0.113.7")], None),
    ];
    std::thread::scope(|scope| {
        for (number, (variables, address)) in table.iter().enumerate() {
            let site = &site;
            scope.spawn(move || {
                let name = format!("user{number}");
                site.duo.add(User::with_phone(&name).phone(Phone::ApprovesAfter(Duration::ZERO)));
                let session = site.session();
                let mut call = site.login(&session, &name, "push").without("untrusted_ip");
                for (name, value) in *variables {
                    call = call.set(name, value);
                }
                assert_eq!(call.status(), 0);
                let mut requests = site.duo.requests();
                requests.retain(|request| request.parameter("username") == Some(&name));
                assert_eq!(requests.len(), 2, "the look-up and the factor");
                for request in requests {
                    assert_eq!(request.parameter("ipaddr"), *address, "{variables:?}");
                }
            });
        }
    });
}

#[test]
fn the_phone_shows_who_logs_in_where_and_from_where() {
    let site = site();
    for typed in ["push", ""] {
        let [look_up, factor] = asked(&site, typed, |call| call);
        assert_eq!(look_up.parameter("text_prompt"), Some("1"));
        assert_eq!(look_up.parameter("hostname"), Some(&*machine()));
        assert_eq!(look_up.parameter("client_supports_verified_push"), None);
        assert_eq!(factor.parameter("hostname"), Some(&*machine()));
        assert_eq!(factor.parameter("async"), Some("1"));
        assert_eq!(factor.parameter("type"), Some("VPN login"));
        assert_eq!(factor.parameter("display_username"), Some("alice"));
        let info = format!("Server={}&Client%20address=10.99.0.2", machine());
        assert_eq!(factor.parameter("pushinfo"), Some(&*info));
    }
    let [_, factor] = asked(&site, "push", |call| call.without("untrusted_ip"));
    assert_eq!(factor.parameter("pushinfo"), Some(&*format!("Server={}", machine())));
}

#[test]
fn with_a_passcode_goes_nothing_that_a_phone_would_show() {
    let site = site();
    let [_, factor] = asked(&site, "123456", |call| call);
    assert_eq!(factor.parameter("passcode"), Some("123456"));
    for name in ["type", "display_username", "pushinfo", "device"] {
        assert_eq!(factor.parameter(name), None, "{name}");
    }
}

#[test]
fn names_go_as_they_are_written() {
    let site = site();
    for name in ["Jos\u{e9}", "a b+c&d=e%f", "ALICE@example.com", "\u{5c0f}\u{660e}", "a~b-c_d.e*f'(g)!"] {
        site.duo.add(User::with_phone(name).passcode("123456"));
        site.enter(name, "123456").is_in();
        let factor = site.duo.requests_to(Endpoint::Auth).pop().unwrap();
        assert_eq!(factor.parameter("username"), Some(name));
    }
}

#[test]
fn duo_knows_a_client_by_its_certificate_where_the_settings_say_so() {
    let site = DuoSite::with(&[("authIdentity", "common-name")]);
    site.duo.add(User::with_phone("Test-Client").passcode("123456").passcode("234567"));
    for (name, typed) in [("alice", "123456"), ("", "234567")] {
        site.enter(name, typed).is_in();
        for request in
            site.duo.requests().iter().filter(|request| request.endpoint != Some(Endpoint::AuthStatus))
        {
            assert_eq!(request.parameter("username"), Some("Test-Client"));
        }
    }
}

#[test]
fn a_code_to_be_entered_on_the_phone_is_shown_and_the_login_goes_on_when_the_user_comes_back() {
    let site = DuoSite::with(&[("duoVerifiedPush", "true")]);
    site.duo.add(User::with_phone("alice").verified_push("376"));
    let login = site.enter("alice", "push");
    assert_eq!((login.status, &*login.session.verdict()), (1, "0"));
    let question = login.session.question();
    assert_eq!(question.text, "Please enter verification code 376 into Duo Mobile...");
    assert!(site.logged(&["outcome=challenge reason=duo-verification"]));
    site.duo.approve("alice");
    site.enter("alice", &question.answer("")).is_in();
    let [look_up] = &site.duo.requests_to(Endpoint::Preauth)[..] else { panic!("one look-up") };
    assert_eq!(look_up.parameter("client_supports_verified_push"), Some("1"));
    assert!(site.duo.requests_to(Endpoint::Auth)[0].parameter("txid").is_some());
    assert_eq!(site.duo.sent().len(), 1);
    // Whoever cannot be shown a code is not promised one.
    let session = site.session();
    let call = site.login(&session, "alice", "push").set("IV_GUI_VER", "de.blinkt.openvpn_0.7.51");
    let call = call.set("authStallBudgetMs", "0");
    assert_eq!(call.status(), 2);
    site.duo.await_sent(2);
    site.duo.approve("alice");
    assert_eq!(session.decided(), "1");
    let look_up = site.duo.requests_to(Endpoint::Preauth).pop().unwrap();
    assert_eq!(look_up.parameter("client_supports_verified_push"), None);
}

#[test]
fn words_about_a_code_are_no_question_where_duo_has_not_promised_one() {
    fn with_a_code(answer: &mut serde_json::Value) -> String {
        answer["response"]["status_msg"] = "Enter code 376 in Duo Mobile".into();
        answer.to_string()
    }
    let site = DuoSite::with(&[("duoVerifiedPush", "true")]);
    site.duo.add(User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::ZERO)));
    site.duo.misbehave(Misbehaviour::Edited(with_a_code).always().at(Endpoint::AuthStatus));
    site.enter("alice", "push").is_in();
}
