//! What the server's answer to a login or to a code was, and what a test expects of it.

use super::management::Question;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Connected,
    /// A prompt in the open connection.
    CrText {
        flags: String,
        text: String,
    },
    /// A prompt for the next connection.
    Question(Question),
    Refused {
        reason: String,
    },
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect_connected(self) {
        assert_eq!(self, Self::Connected);
    }

    /// A refusal with `text`, with or without a reference at its end.
    #[track_caller]
    pub(crate) fn expect_refusal(self, text: &str) {
        let reason = self.expect_refused();
        assert_eq!(without_reference(&reason), text, "the reason of a refusal");
    }

    /// A refusal, whatever its reason; the reason.
    #[track_caller]
    pub(crate) fn expect_refused(self) -> String {
        let Self::Refused { reason } = self else { panic!("not refused: {self:?}") };
        reason
    }

    /// A dynamic challenge with `text`, with or without a reference at its end.
    #[track_caller]
    pub(crate) fn expect_question(self, text: &str) -> Question {
        let Self::Question(question) = self else { panic!("no question, but {self:?}") };
        assert_eq!(without_reference(&question.text), text, "the text of a question");
        assert_eq!(question.flags, "R,E", "the flags of a question");
        question
    }

    /// A `CR_TEXT` prompt; its text.
    #[track_caller]
    pub(crate) fn expect_prompt(self) -> String {
        let Self::CrText { flags, text } = self else { panic!("no prompt, but {self:?}") };
        assert_eq!(flags, "R,E", "the flags of a prompt");
        text
    }

    /// Refused for good or asked again, but not let in and not in an open prompt.
    #[track_caller]
    pub(crate) fn expect_not_let_in(&self) {
        assert!(
            matches!(self, Self::Question(_) | Self::Refused { .. }),
            "neither refused nor asked: {self:?}"
        );
    }
}

/// The reference in ` (ref 7K2M9Q)` at the end of a text.
pub(crate) fn reference(text: &str) -> Option<&str> {
    let (_, reference) = text.strip_suffix(')')?.rsplit_once(" (ref ")?;
    let good = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_alphanumeric());
    good.then_some(reference)
}

fn without_reference(text: &str) -> &str {
    let cut = reference(text).map_or(0, |reference| " (ref )".len() + reference.len());
    &text[..text.len() - cut]
}
