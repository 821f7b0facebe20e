//! Odd answers: each is odd in the way it says, and in no other.

use super::client::{Answer, Request, ask, lookalike};
use super::duo::odd::{self, Edit};
use super::duo::{Device, Misbehaviour, User};
use serde_json::{Value, json};

fn edited(edit: Edit) -> Answer {
    let duo = lookalike();
    duo.add(User::with_phone("jdoe").device(Device::token("DHEKH0JJIYC1LX3AZWO4", "0")));
    duo.misbehave(Misbehaviour::Edited(edit).always());
    ask(&duo, &Request::preauth("username=jdoe"))
}

/// The look-up as somebody reads it who takes the last of several fields of a name.
fn look_up(edit: Edit) -> Value {
    edited(edit).response()
}

#[test]
fn all_of_them_can_be_had_at_every_endpoint() {
    let (duo, txid) = (lookalike(), "auth0000000000000000000000000001");
    duo.add(User::with_phone("jdoe").passcode("1"));
    let auth = Request::auth("async=1&factor=passcode&passcode=1&username=jdoe");
    assert_eq!(ask(&duo, &auth).response()["txid"], txid);
    for (name, edit) in odd::ALL {
        duo.misbehave(Misbehaviour::Edited(edit).always());
        for request in
            [Request::ping(), Request::preauth("username=jdoe"), auth.clone(), Request::status(txid)]
        {
            let answer = ask(&duo, &request);
            let starts = ["{\"response\":", "{\"stat\":\"OK\","];
            let right = starts.iter().any(|start| answer.body.starts_with(start.as_bytes()));
            assert!(answer.status == 200 && right, "{name}: {answer:?}");
        }
        duo.behave();
    }
}

#[test]
fn words_and_fields_can_be_unknown_null_missing_or_of_a_wrong_type() {
    let unknown = look_up(odd::unknown_values);
    assert_eq!(
        (&unknown["result"], &unknown["status_msg"]),
        (&json!("perhaps"), &json!("Account is active"))
    );
    assert_eq!(unknown["devices"][0]["capabilities"], json!(["telepathy", "hologram"]));
    let nulls = look_up(odd::nulls);
    assert_eq!((&nulls["result"], &nulls["status_msg"]), (&json!("auth"), &Value::Null));
    let device = &nulls["devices"][0];
    assert!(device["device"].is_string() && device["capabilities"].is_null() && device["number"].is_null());
    assert_eq!(look_up(odd::missing_fields), json!({}));
    let wrong = look_up(odd::wrong_types);
    assert_eq!((&wrong["result"], &wrong["devices"]), (&json!(42), &json!("forty-two")));
    assert_eq!(look_up(odd::not_an_object), json!(["allow"]));
    let more = look_up(odd::more_fields);
    assert_eq!((&more["result"], &more["later"]["result"]), (&json!("auth"), &json!("allow")));
}

#[test]
fn json_can_be_deep_and_have_fields_twice() {
    let deep = edited(odd::deep_nesting);
    assert!(serde_json::from_slice::<Value>(&deep.body).is_err(), "this parser has a limit");
    assert_eq!(String::from_utf8_lossy(&deep.body).matches('[').count(), 100_000 + 2);
    let twice = String::from_utf8(edited(odd::duplicate_keys).body).unwrap();
    assert_eq!(twice.matches("\"result\"").count(), 2);
    assert_eq!(look_up(odd::duplicate_keys)["result"], "allow");
}

#[test]
fn texts_can_be_hostile_and_long() {
    let hostile = look_up(odd::control_characters);
    for text in [&hostile["status_msg"], &hostile["devices"][0]["number"]] {
        for part in ["\u{1b}[2J", "\r\n", "\"", "'", "\0", "\u{9b}", "\u{202e}"] {
            assert!(text.as_str().unwrap().contains(part), "{part:?}");
        }
    }
    assert_eq!(hostile["result"], "auth");
    let long = look_up(odd::long_texts);
    assert!(long["devices"][0]["number"].as_str().unwrap().chars().count() > 100_000);
}

#[test]
fn devices_can_be_many_and_incapable() {
    let many = look_up(odd::many_devices);
    assert_eq!(many["devices"].as_array().unwrap().len(), 10_000);
    let incapable = look_up(odd::incapable_devices);
    assert_eq!(
        (&incapable["result"], &incapable["devices"][0]["capabilities"]),
        (&json!("auth"), &json!([]))
    );
}
