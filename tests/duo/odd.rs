//! Answers that are no longer what they should be. Each is made from the right answer, so that only what is odd about
//! it can be what a client takes offence at.

use serde_json::{Map, Value, json};

/// Makes the text of an answer from Duo's envelope as it should have been.
pub(crate) type Edit = fn(&mut Value) -> String;

/// All of them, with names for the messages of tests.
pub(crate) const ALL: [(&str, Edit); 12] = [
    ("unknown values", unknown_values),
    ("nulls", nulls),
    ("missing fields", missing_fields),
    ("wrong types", wrong_types),
    ("deep nesting", deep_nesting),
    ("duplicate keys", duplicate_keys),
    ("control characters", control_characters),
    ("long texts", long_texts),
    ("many devices", many_devices),
    ("incapable devices", incapable_devices),
    ("more fields", more_fields),
    ("not an object", not_an_object),
];

const CHOICES: [&str; 4] = ["result", "status", "type", "capabilities"];

/// Words that nobody knows wherever there is a choice of words.
pub(crate) fn unknown_values(answer: &mut Value) -> String {
    each_field(&mut answer["response"], &mut |name, value| {
        if CHOICES.contains(&name) {
            *value = if value.is_array() { json!(["telepathy", "hologram"]) } else { json!("perhaps") };
        }
    });
    answer.to_string()
}

/// `null` in every field that may be left out.
pub(crate) fn nulls(answer: &mut Value) -> String {
    each_field(&mut answer["response"], &mut |name, value| {
        if !["result", "device", "devices", "txid", "time"].contains(&name) {
            *value = Value::Null;
        }
    });
    answer.to_string()
}

/// An empty response.
pub(crate) fn missing_fields(answer: &mut Value) -> String {
    answer["response"] = json!({});
    answer.to_string()
}

/// Numbers for texts, texts for numbers and lists.
pub(crate) fn wrong_types(answer: &mut Value) -> String {
    each_field(&mut answer["response"], &mut |_, value| {
        *value = if value.is_string() { json!(42) } else { json!("forty-two") };
    });
    answer.to_string()
}

/// A field with 100,000 lists in one another.
pub(crate) fn deep_nesting(answer: &mut Value) -> String {
    const DEPTH: usize = 100_000;
    let deep = "[".repeat(DEPTH) + &"]".repeat(DEPTH);
    with_field(answer, &format!(r#""deep":{deep}"#))
}

/// Every field of the response again, with `allow` in it.
pub(crate) fn duplicate_keys(answer: &mut Value) -> String {
    let empty = Map::new();
    let names = answer["response"].as_object().unwrap_or(&empty).keys();
    let again: Vec<String> = names.map(|name| format!(r#""{name}":"allow""#)).collect();
    with_field(answer, &again.join(","))
}

/// Line ends, escape sequences, quotes, bells and direction marks in every text that a person may be shown.
pub(crate) fn control_characters(answer: &mut Value) -> String {
    each_text(answer, &|text| {
        format!(
            "\u{1b}[2J\u{1b}]0;title\u{7}{text}\r\nuser=\"root\" outcome='accept'\0\u{202e}\u{9b}31m\u{7f}\n,;:="
        )
    });
    answer.to_string()
}

/// 100,000 characters in every text that a person may be shown.
pub(crate) fn long_texts(answer: &mut Value) -> String {
    each_text(answer, &|text| format!("{text}{}", "\u{e4}".repeat(100_000)));
    answer.to_string()
}

/// 10,000 devices, where there are devices.
pub(crate) fn many_devices(answer: &mut Value) -> String {
    if let Some(devices) = answer["response"]["devices"].as_array_mut() {
        for number in devices.len()..10_000 {
            let id = format!("DP{number:018}");
            devices.push(json!({
                "device": id, "type": "phone", "name": "", "number": "XXX-XXX-9999",
                "display_name": "Android (XXX-XXX-9999)", "capabilities": ["auto", "push", "sms", "phone"],
            }));
        }
    }
    answer.to_string()
}

/// Devices that can do none of what is needed.
pub(crate) fn incapable_devices(answer: &mut Value) -> String {
    each_field(&mut answer["response"], &mut |name, value| {
        if name == "capabilities" {
            *value = json!([]);
        }
    });
    answer.to_string()
}

/// Fields that Duo may add at any time.
pub(crate) fn more_fields(answer: &mut Value) -> String {
    answer["version"] = json!(3);
    answer["response"]["auth_delayed"] = json!(false);
    answer["response"]["later"] = json!({ "result": "allow", "devices": [1, null, {}] });
    answer.to_string()
}

/// A list where the response should be.
pub(crate) fn not_an_object(answer: &mut Value) -> String {
    answer["response"] = json!(["allow"]);
    answer.to_string()
}

/// Adds text behind the fields of the response, which JSON's own type could not hold.
fn with_field(answer: &Value, field: &str) -> String {
    let response = answer["response"].to_string();
    let fields = response.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    let comma = if fields.is_empty() || field.is_empty() { "" } else { "," };
    format!(r#"{{"stat":{},"response":{{{fields}{comma}{field}}}}}"#, answer["stat"])
}

/// Calls `edit` for each field of an object, and of the objects in it unless the field was replaced.
fn each_field(value: &mut Value, edit: &mut impl FnMut(&str, &mut Value)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                edit(name, field);
                each_field(field, edit);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_field(item, edit)),
        _ => {}
    }
}

fn each_text(answer: &mut Value, edit: &impl Fn(&str) -> String) {
    const TEXTS: [&str; 8] = [
        "status_msg",
        "message",
        "message_detail",
        "name",
        "number",
        "display_name",
        "text",
        "enroll_portal_url",
    ];
    each_field(answer, &mut |name, value| {
        if let (true, Some(text)) = (TEXTS.contains(&name), value.as_str()) {
            *value = edit(text).into();
        }
    });
}
