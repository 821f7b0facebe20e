//! Bytes that are almost a request.

use super::*;
use crate::fuzzing::{almost, cases, troublesome_text};
use proptest::prelude::*;

fn request() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        Just(("primary", "passed".to_owned())),
        "[ -~]{0,12}".prop_map(|password| ("password", password)),
        "[A-Z2-7]{32}".prop_map(|state| ("state", state)),
    ];
    (troublesome_text(), first, proptest::option::of(troublesome_text())).prop_map(|(user, first, answer)| {
        let mut object = serde_json::json!({ "user": user, first.0: first.1, "address": "192.0.2.7" });
        if let Some(answer) = answer {
            object["answer"] = answer.into();
        }
        object.to_string().into_bytes()
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_a_password_counts_as_checked_only_where_the_caller_says_so(bytes in almost(request())) {
        let Ok(Request { who, first }) = Request::parse(&bytes) else { return Ok(()) };
        let object: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(Some(&*who.user), object["user"].as_str());
        let says_so = object["primary"] == CallersWord::TEXT;
        prop_assert_eq!(matches!(first, FirstProof::Word { .. }), says_so);
        if says_so {
            prop_assert!(object["password"].is_null() && object["state"].is_null());
        }
        let _ = who.identify(&Settings::default());
    }
}
