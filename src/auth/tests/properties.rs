//! Whatever clients do in whatever order: nobody gets in without both proofs, and no step counts twice.

use super::fakes::*;
use crate::auth::*;
use proptest::prelude::*;
use std::collections::HashSet;

#[derive(Debug, Clone)]
enum Move {
    Login {
        right_password: bool,
        code: Option<i64>,
    },
    AnswerByReconnecting {
        which: usize,
        code: Option<i64>,
    },
    AnswerInSession {
        code: Option<i64>,
    },
    Token {
        genuine: bool,
    },
    /// The clock goes on, or is set back.
    Wait {
        seconds: i64,
    },
}

/// A code by its distance from now in steps; `None` is a wrong one.
fn code() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![3 => (-3..=3_i64).prop_map(Some), 2 => Just(None)]
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        (any::<bool>(), code()).prop_map(|(right_password, code)| Move::Login { right_password, code }),
        (0..4_usize, code()).prop_map(|(which, code)| Move::AnswerByReconnecting { which, code }),
        code().prop_map(|code| Move::AnswerInSession { code }),
        any::<bool>().prop_map(|genuine| Move::Token { genuine }),
        prop_oneof![3 => 1..400_i64, 1 => -4_000..4_000_i64].prop_map(|seconds| Move::Wait { seconds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_gets_in_without_both_proofs_and_no_step_counts_twice(
        moves in proptest::collection::vec((any_move(), any::<bool>()), 1..40)
    ) {
        let mut door = Door::new();
        let mut states = Vec::new();
        // What the door must know: whether a question waits in the session, and which steps were used.
        let mut asked_in_session = false;
        let mut used = HashSet::new();
        for (step, in_session) in moves {
            let here = attempt(if in_session { IN_SESSION } else { QuestionForm::Reconnect });
            let text = |door: &Door, code: Option<i64>| {
                code.map_or_else(|| door.wrong_code(), |steps_off| door.code(steps_off))
            };
            let (outcome, may_enter, steps_off) = match step {
                Move::Wait { seconds } => {
                    door.clock.0.set(door.clock.0.get().saturating_add_signed(seconds));
                    continue;
                }
                Move::Login { right_password, code: None } => {
                    let password: &[u8] = if right_password { PASSWORD } else { b"wrong" };
                    (Some(door.login(&here, &typed(password))), false, None)
                }
                Move::Login { right_password, code } => {
                    let password: &[u8] = if right_password { PASSWORD } else { b"wrong" };
                    let text = text(&door, code);
                    (Some(door.login(&here, &both(password, &text))), right_password, code)
                }
                Move::AnswerByReconnecting { which, code } => {
                    let Some(state): Option<String> = states.get(which).cloned() else { continue };
                    let known = door.store.tables.challenges.contains_key(&ChallengeKey::of_state(&state));
                    let text = text(&door, code);
                    (Some(door.login(&here, &answer(&state, &text))), known, code)
                }
                Move::AnswerInSession { code } => {
                    let text = text(&door, code);
                    let outcome = door.answer_in_session(&here, &text);
                    prop_assert_eq!(outcome.is_some(), asked_in_session);
                    (outcome, asked_in_session, code)
                }
                Move::Token { genuine } => {
                    let token = if genuine { Submission::GenuineToken } else { Submission::RefusedToken };
                    let outcome = door.login(&here, &token);
                    prop_assert_eq!(matches!(outcome, Outcome::Accept(_)), genuine);
                    continue;
                }
            };
            match &outcome {
                Some(Outcome::Accept(_)) => {
                    prop_assert!(may_enter);
                    let present = i64::try_from(door.clock.0.get() / 30).unwrap();
                    let distance = steps_off.expect("a right code");
                    prop_assert!(distance.abs() <= 1, "outside the window");
                    prop_assert!(used.insert(present + distance), "a step that was used");
                    prop_assert!(used.iter().all(|step| *step <= present + distance), "a step before a used one");
                    prop_assert_eq!(door.failures(), Failures::default());
                }
                Some(Outcome::Ask(Question { carrier: Carrier::Reconnect { state }, .. })) => {
                    states.push(state.clone());
                }
                Some(Outcome::Ask(Question { carrier: Carrier::Session, .. }) | Outcome::Reject(_)) | None => {}
            }
            asked_in_session = door.store.tables.challenges.contains_key(&session());
        }
    }
}
