//! What the process says in which PAM's modules run.

use super::*;
use crate::fuzzing::{almost, cases, troublesome_text};
use proptest::prelude::*;

fn reply() -> impl Strategy<Value = Reply> {
    let hold = any::<u32>().prop_map(|micros| Duration::from_micros(micros.into()));
    prop_oneof![
        hold.clone().prop_map(|denial_hold| Reply::Passed(PrimaryPass { denial_hold, group: None })),
        (troublesome_text(), hold).prop_map(|(detail, hold)| Reply::Denied(PrimaryDenial { detail, hold })),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_only_a_whole_pass_passes(bytes in almost(reply().prop_map(|reply| reply.serialise()))) {
        match Reply::parse(&bytes) {
            Some(Reply::Passed(_)) => {
                let rest = bytes.strip_prefix(b"passed\0").and_then(|rest| rest.strip_suffix(b"\0")).unwrap();
                let hold = rest.split(|byte| *byte == 0).next().unwrap();
                prop_assert!(!hold.is_empty() && hold.iter().all(|byte| byte.is_ascii_digit() || *byte == b'+'));
            }
            Some(Reply::Denied(denial)) => prop_assert!(denial.hold <= MAX_HOLD),
            None => {}
        }
    }
}
