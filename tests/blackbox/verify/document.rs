//! The document shows requests and replies: they are tried.

use super::*;

/// The JSON blocks of the document, in order.
fn blocks() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/doc/verify.md");
    let document = std::fs::read_to_string(path).unwrap();
    let blocks = document.split("```json\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    blocks
        .map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{block}: {error}")))
        .collect()
}

#[test]
fn each_request_of_the_document_gets_the_reply_that_stands_below_it() {
    let site = Site::new();
    let token = site.enroll("alice");
    let blocks = blocks();
    assert!(blocks.len() >= 8, "{}", blocks.len());
    let mut state = Value::Null;
    let mut steps = -2;
    for pair in blocks.chunks(2) {
        let [request, shown] = pair else { panic!("a request without a reply: {pair:?}") };
        let mut request = request.clone();
        if request.get("state").is_some() {
            request["state"] = state.clone();
        }
        if request.get("answer").is_some() {
            request["answer"] = match (shown["result"].as_str(), shown["text"].as_str()) {
                (Some("allow"), _) => {
                    steps += 1;
                    token.code_steps_from_now(steps).into()
                }
                (_, Some(text)) if text.starts_with("Incorrect code") => token.wrong_code().into(),
                _ => request["answer"].clone(),
            };
        }
        let answered = verify(&site, &request);
        state = answered.reply["state"].clone();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&answered.reply), names(shown), "{request}");
        for name in ["result", "text", "factor", "echo", "seconds"] {
            assert_eq!(answered.reply.get(name), shown.get(name), "{name}: {request}");
        }
        let decided = ["primary", "password", "state"].iter().any(|field| request.get(field).is_some());
        assert_eq!(answered.status, i32::from(!decided), "{request}");
    }
}
