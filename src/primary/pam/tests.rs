//! What the conversation answers. The real PAM with real modules is in the end-to-end tests.

use super::ffi::Conversation;
use super::*;
use crate::secret::secret;

#[test]
fn one_hidden_prompt_is_answered_and_no_other() {
    let password = secret(b"secret");
    let mut answers = Answers::new(Some(&password));
    answers.note("Your password expires in 3 days");
    let given = answers.answer(Message::HiddenPrompt("Password: ")).map(|a| a.expose_secret().to_vec());
    assert_eq!(given.as_deref(), Some(b"secret".as_slice()));
    assert!(answers.answer(Message::HiddenPrompt("One-time code: ")).is_none());
    assert!(answers.fault_text().contains("second hidden answer"));
}

#[test]
fn a_visible_prompt_and_an_unknown_message_are_refused() {
    let password = secret(b"secret");
    for message in [Message::VisiblePrompt("login: "), Message::Unknown] {
        let mut answers = Answers::new(Some(&password));
        assert!(answers.answer(message).is_none());
        assert!(!answers.fault_text().is_empty());
    }
}

#[test]
fn an_account_check_has_no_password_to_give() {
    assert!(Answers::new(None).answer(Message::HiddenPrompt("Password: ")).is_none());
}

#[test]
fn a_password_that_pam_would_cut_is_refused() {
    let service = ServiceName::default();
    let denial =
        Pam::new(&service).authenticate(&"nobody".parse().unwrap(), &secret(&[b'x'; 512]), None).unwrap_err();
    assert!(denial.detail.contains("511 bytes"), "{}", denial.detail);
}
