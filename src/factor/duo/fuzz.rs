//! What Duo answers, and what users answer to its menus.

use super::answer::{self, Envelope};
use super::menu::{Choice, Menu, Style, one_line};
use super::*;
use crate::fuzzing::{almost, almost_text, cases, is_printable, troublesome_text};
use crate::secret::{ExposeSecret, secret};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A value of the wrong kind, as likely as not.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        troublesome_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-z_]{1,12}", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn or_anything(usual: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    prop_oneof![5 => usual, 1 => anything()]
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    or_anything(proptest::sample::select(words).prop_map(Value::from))
}

fn text() -> impl Strategy<Value = Value> {
    or_anything(troublesome_text().prop_map(Value::from))
}

/// An object with some of these keys.
fn object(keys: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let entries: Vec<_> = keys
        .into_iter()
        .map(|(key, value)| proptest::option::weighted(0.8, value).prop_map(move |value| (key, value)))
        .collect();
    entries.prop_map(|entries| {
        let entries = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Value::Object(entries.collect::<Map<_, _>>())
    })
}

fn device_json() -> impl Strategy<Value = Value> {
    let capabilities =
        proptest::collection::vec(word(&["auto", "push", "sms", "phone", "mobile_otp", "x"]), 0..5);
    object(vec![
        ("device", or_anything("[A-Z0-9]{1,24}".prop_map(Value::from)).boxed()),
        ("number", text().boxed()),
        ("name", text().boxed()),
        ("display_name", text().boxed()),
        ("capabilities", or_anything(capabilities.prop_map(Value::from)).boxed()),
    ])
}

fn prompt_json() -> impl Strategy<Value = Value> {
    let name =
        prop_oneof![Just("default".to_owned()), "[0-9]{1,2}", "(push|phone|sms)[0-9]?", troublesome_text()];
    let entry = (name, or_anything("(push|phone|sms|auto)[0-9]{0,2}".prop_map(Value::from)));
    let entries = proptest::collection::vec(entry, 0..6)
        .prop_map(|entries| Value::Object(entries.into_iter().collect()));
    object(vec![("text", text().boxed()), ("factors", or_anything(entries).boxed())])
}

fn response() -> impl Strategy<Value = Value> {
    object(vec![
        ("result", word(&["auth", "allow", "deny", "enroll", "waiting", "Allow", "allow "]).boxed()),
        (
            "status",
            word(&["sms_sent", "timeout", "fraud", "locked_out", "bypass", "pushed", "allow"]).boxed(),
        ),
        ("status_msg", text().boxed()),
        ("enroll_portal_url", text().boxed()),
        ("txid", or_anything("[a-f0-9-]{1,40}".prop_map(Value::from)).boxed()),
        ("time", anything().boxed()),
        (
            "devices",
            or_anything(proptest::collection::vec(device_json(), 0..5).prop_map(Value::from)).boxed(),
        ),
        ("prompt", or_anything(prompt_json()).boxed()),
    ])
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let ok = response().prop_map(|response| json!({ "stat": "OK", "response": response }));
    let fail = object(vec![
        ("stat", word(&["FAIL", "OK", "ok"]).boxed()),
        ("code", anything().boxed()),
        ("message", text().boxed()),
        ("message_detail", text().boxed()),
    ]);
    prop_oneof![2 => ok, 1 => fail].prop_map(|body| body.to_string().into_bytes())
}

fn is_identifier(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn choices() -> impl Strategy<Value = Choices> {
    response().prop_map(|mut response| {
        response["result"] = "auth".into();
        match answer::preauth(&response) {
            Preauth::Auth(choices) => choices,
            other => panic!("{other:?}"),
        }
    })
}

fn typed() -> impl Strategy<Value = String> {
    prop_oneof![
        "(push|phone|call|voice|sms|smsrefresh|text|auto|PUSH|Sms)[ 0-9]{0,3}",
        "[0-9 ]{0,20}",
        "[a-z]{30,66}",
        troublesome_text(),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_only_the_word_allow_of_an_answer_that_is_whole_lets_anybody_in(body in almost(body())) {
        // What is passed over is not looked at: it need not be text.
        let whole: Option<Value> = serde_json::from_str(&String::from_utf8_lossy(&body)).ok();
        match answer::envelope(&body) {
            None => {}
            Some(Envelope::Fault(fault)) => {
                prop_assert!(is_printable(&fault.message) && is_printable(&fault.detail));
                prop_assert!(is_printable(&fault.describe(401)));
                prop_assert!(whole.is_some_and(|whole| whole["stat"] == "FAIL"));
            }
            Some(Envelope::Response(response)) => {
                let whole = whole.expect("it was read");
                prop_assert_eq!(whole["stat"].as_str(), Some("OK"));
                let allowed = response["result"].as_str() == Some("allow");
                let status = answer::status(&response);
                prop_assert_eq!(status.verdict == Verdict::Allow, allowed);
                prop_assert!(is_printable(&status.message));
                let preauth = answer::preauth(&response);
                let without_factor = matches!(preauth, Preauth::Allow { .. });
                prop_assert_eq!(without_factor, allowed);
                if let Preauth::Enroll { message, portal } = &preauth {
                    prop_assert!(is_printable(message) && portal.as_deref().is_none_or(is_printable));
                }
                let _ = answer::time(&response);
                if let Some(Transaction(id)) = answer::transaction(&response) {
                    prop_assert!(is_identifier(&id));
                }
            }
        }
    }

    #[test]
    fn fuzz_what_is_kept_of_a_look_up_is_short_and_printable(choices in choices()) {
        for device in &choices.devices {
            prop_assert!(is_identifier(&device.id));
            // Before what is not printable was written out, at most 40 characters.
            prop_assert!(is_printable(&device.label) && device.label.chars().count() <= 40);
        }
        if let Some(prompt) = &choices.prompt {
            prop_assert!(prompt.text.lines().all(is_printable));
            for (typed, sent) in &prompt.factors {
                prop_assert!(is_identifier(typed) && is_identifier(sent) && typed != "default");
            }
            prop_assert!(prompt.default.as_deref().is_none_or(is_identifier));
        }
    }

    #[test]
    fn fuzz_a_menu_fits_into_one_line_and_survives_the_store(
        choices in choices(), user in troublesome_text(), room in 0..400_usize, short in any::<bool>()
    ) {
        let menu = Menu::new(choices);
        let style = if short { Style::Short } else { Style::Full };
        let question = menu.question(style, &user, room);
        prop_assert!(question.len() <= room || question == "Duo", "{question:?} in {room}");
        prop_assert!(!question.is_empty() && !question.chars().any(char::is_control));
        prop_assert!(!question.contains([':', '\'', '"', ']', '[', '\\', '\n']), "{question:?}");
        let stored = serde_json::to_string(&menu).unwrap();
        prop_assert_eq!(serde_json::from_str::<Menu>(&stored).unwrap(), menu);
    }

    #[test]
    fn fuzz_an_answer_chooses_what_there_is_or_is_a_passcode(choices in choices(), typed in typed()) {
        let ids: Vec<String> = choices.devices.iter().map(|device| device.id.clone()).collect();
        let entries: Vec<String> = choices.prompt.iter().flat_map(|prompt| {
            prompt.factors.iter().map(|(_, sent)| sent.clone()).chain(prompt.default.clone())
        }).collect();
        let menu = Menu::new(choices);
        match menu.choose(&secret(typed.as_bytes())) {
            None | Some(Choice::Default | Choice::Push(None) | Choice::Phone(None) | Choice::Sms(None)) => {}
            Some(Choice::Push(Some(id)) | Choice::Phone(Some(id)) | Choice::Sms(Some(id))) => {
                prop_assert!(ids.contains(&id));
            }
            Some(Choice::Prompt(entry)) => prop_assert!(entries.contains(&entry)),
            Some(Choice::Passcode(code)) => {
                let code = code.expose_secret();
                let digits = code.iter().all(u8::is_ascii_digit) && (6..=16).contains(&code.len());
                let letters = code.iter().all(u8::is_ascii_alphabetic) && (32..=64).contains(&code.len());
                prop_assert!(digits || letters);
                let without_blanks: String = typed.split_whitespace().collect();
                prop_assert_eq!(without_blanks.as_bytes(), code);
            }
        }
    }

    #[test]
    fn fuzz_a_text_of_duos_becomes_one_line(text in troublesome_text()) {
        let line = one_line(&text);
        prop_assert!(!line.contains([':', '\'', '"', ']', '[', '\\']) && !line.chars().any(char::is_control));
        prop_assert_eq!(one_line(&line), line);
    }

    #[test]
    fn fuzz_a_wait_that_duo_asks_for_is_understood_or_not(
        text in almost_text(prop_oneof![
            "[0-9]{0,25}",
            Just("Wed, 21 Oct 2015 07:28:00 GMT".to_owned()),
            "(Mon|Tue), [0-9]{2} (Jan|Feb) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
        ]),
        now in any::<u64>(), attempt in any::<u32>()
    ) {
        let told = super::rate_limit::retry_after(&text, now);
        let pause = super::rate_limit::pause_before(attempt, told, std::time::Duration::from_secs(1));
        prop_assert!(pause >= std::time::Duration::from_secs(1));
        if let Ok(seconds) = text.trim().parse::<u32>() && !text.contains('+') {
            prop_assert_eq!(told, Some(std::time::Duration::from_secs(seconds.into())));
        }
    }
}
