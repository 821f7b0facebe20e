use super::*;
use crate::factor::duo::{Device, Prompt};

fn device(id: &str, label: &str, capabilities: &[Capability]) -> Device {
    Device { id: id.to_owned(), label: label.to_owned(), capabilities: capabilities.to_vec() }
}

fn two_phones_and_a_token() -> Menu {
    use Capability::{Auto, MobileOtp, Phone, Push, Sms};
    let devices = vec![
        device("D1", "XXX-XXX-1234", &[Auto, Push, Sms, Phone, MobileOtp]),
        device("D2", "XXX-XXX-5678", &[Phone]),
        device("T1", "0", &[]),
    ];
    Menu::new(Choices { devices, ..Choices::default() })
}

fn duos_own() -> Menu {
    let factors = [("1", "push1"), ("2", "voice1"), ("3", "smsrefresh1")];
    let prompt = Prompt {
        text:
            "Duo login for jdoe\n\n 1. Duo Push to XXX-XXX-1234\n 2. Phone call\n\nPasscode or option (1-3): "
                .to_owned(),
        factors: factors.map(|(typed, entry)| (typed.to_owned(), entry.to_owned())).to_vec(),
        default: Some("push1".to_owned()),
    };
    Menu::new(Choices { prompt: Some(prompt), ..Choices::default() })
}

fn chosen(menu: &Menu, answer: &str) -> String {
    match menu.choose(&secret(answer.as_bytes())) {
        Some(Choice::Passcode(code)) => format!("passcode {}", String::from_utf8_lossy(code.expose_secret())),
        Some(choice) => format!("{choice:?}"),
        None => "nothing".to_owned(),
    }
}

#[test]
fn a_question_has_the_users_devices_as_long_as_they_fit() {
    let menu = two_phones_and_a_token();
    let full = "Duo login for jdoe. Passcode, or 1 push XXX-XXX-1234, 2 phone XXX-XXX-1234, \
                3 sms XXX-XXX-1234, 4 phone XXX-XXX-5678";
    let compact = "Duo - push1, phone1, sms1, phone2 or passcode";
    assert_eq!(menu.question(Style::Full, "jdoe", 200), full);
    assert_eq!(menu.question(Style::Full, "jdoe", full.len()), full);
    assert_eq!(menu.question(Style::Full, "jdoe", full.len() - 1), compact);
    assert_eq!(menu.question(Style::Short, "jdoe", 200), compact);
    assert_eq!(menu.question(Style::Full, "jdoe", 40), "Duo passcode, push, phone or sms");
    assert_eq!(menu.question(Style::Full, "jdoe", 5), "Duo");
    assert_eq!(Menu::default().question(Style::Full, "jdoe", 200), "Duo passcode for jdoe");
}

#[test]
fn duos_own_prompt_becomes_one_line() {
    let expected = "Duo login for jdoe, 1. Duo Push to XXX-XXX-1234, 2. Phone call, Passcode or option (1-3)";
    assert_eq!(duos_own().question(Style::Full, "x", 200), expected);
    assert_eq!(duos_own().question(Style::Short, "x", 200), "Duo - 1, 2, 3 or passcode");
}

#[test]
fn an_answer_is_an_option_a_word_or_a_passcode() {
    for (answer, meaning) in [
        ("1", "Push(Some(\"D1\"))"),
        ("2", "Phone(Some(\"D1\"))"),
        (" 3 ", "Sms(Some(\"D1\"))"),
        ("4", "Phone(Some(\"D2\"))"),
        ("5", "nothing"),
        ("0", "nothing"),
        ("999", "nothing"),
        ("push", "Push(None)"),
        ("PUSH", "Push(None)"),
        ("push1", "Push(Some(\"D1\"))"),
        ("Push 1", "Push(Some(\"D1\"))"),
        ("push2", "nothing"),
        ("push0", "nothing"),
        ("push99999999999999999999", "nothing"),
        ("phone2", "Phone(Some(\"D2\"))"),
        ("call", "Phone(None)"),
        ("sms", "Sms(None)"),
        ("text1", "Sms(Some(\"D1\"))"),
        ("", "Default"),
        ("  ", "Default"),
        ("auto", "Default"),
        ("123456", "passcode 123456"),
        ("123 456", "passcode 123456"),
        ("1234567890", "passcode 1234567890"),
        (
            "cccccBCGujhingjrdejhgfnuetrgigvejhhgbkugded",
            "passcode cccccBCGujhingjrdejhgfnuetrgigvejhhgbkugded",
        ),
        ("12345", "nothing"),
        ("please", "nothing"),
        ("12345a", "nothing"),
        ("123456;", "nothing"),
        ("p\u{fc}sh", "nothing"),
    ] {
        assert_eq!(chosen(&two_phones_and_a_token(), answer), meaning, "{answer:?}");
    }
    assert_eq!(chosen(&two_phones_and_a_token(), &"1".repeat(65)), "nothing");
    assert!(two_phones_and_a_token().choose(&secret(b"\xff\xfe123456")).is_none());
}

#[test]
fn duos_own_choices_are_sent_as_they_came() {
    for (answer, meaning) in [
        ("1", "Prompt(\"push1\")"),
        ("3", "Prompt(\"smsrefresh1\")"),
        ("push", "Prompt(\"push1\")"),
        ("phone1", "Prompt(\"voice1\")"),
        ("SMS", "Prompt(\"smsrefresh1\")"),
        ("", "Prompt(\"push1\")"),
        ("4", "nothing"),
        ("123456", "passcode 123456"),
    ] {
        assert_eq!(chosen(&duos_own(), answer), meaning, "{answer:?}");
    }
}

#[test]
fn a_choice_that_lights_up_a_telephone_is_known_as_one() {
    for (choice, waits) in [
        (Choice::Default, true),
        (Choice::Push(None), true),
        (Choice::Phone(None), true),
        (Choice::Sms(None), false),
        (Choice::Passcode(secret(b"123456")), false),
        (Choice::Prompt("push1".to_owned()), true),
        (Choice::Prompt("voice1".to_owned()), true),
        (Choice::Prompt("smsrefresh1".to_owned()), false),
        (Choice::Prompt("something new".to_owned()), true),
    ] {
        assert_eq!(choice.waits_for_a_person(), waits, "{choice:?}");
    }
}

#[test]
fn texts_from_duo_are_put_into_one_line_that_clients_show() {
    assert_eq!(one_line("a:b 'c' [d] \"e\"\\\n\n\t f\u{1b}[2J  g"), "ab c d e, f 2J g");
}
