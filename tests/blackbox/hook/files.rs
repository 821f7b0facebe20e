//! The files that carry a verdict.

use crate::support::{Session, Site, Token, chmod, files_below};
use data_encoding::BASE64;
use std::os::unix::fs::symlink;
use std::path::Path;

fn alice() -> (Site, Token) {
    let site = Site::new();
    let token = site.enroll("alice");
    (site, token)
}

fn sent(typed: &str) -> Vec<u8> {
    format!("{}\n", BASE64.encode(typed.as_bytes())).into_bytes()
}

#[test]
fn a_verdict_is_written_once_and_never_changed() {
    let (site, token) = alice();
    let [code, ..] = token.codes::<3>();
    for verdict in ["0", "1"] {
        for password in [code.clone(), token.wrong_code(), token.code(), "CRV1::x::1".to_owned()] {
            site.sql("DELETE FROM failure");
            let session = site.session();
            std::fs::write(&session.control, verdict).unwrap();
            std::fs::write(&session.reason, "what was said").unwrap();
            let status = site.login(&session, "alice", &password).status();
            assert_eq!(status, 1, "what cannot be written is no acceptance");
            assert_eq!(
                (session.verdict(), session.reason()),
                (verdict.to_owned(), "what was said".to_owned())
            );
        }
    }
    assert!(
        site.logged(&["event=verdict outcome=not-delivered detail=\"the session has its verdict already\""])
    );
}

#[test]
fn a_session_that_has_its_verdict_is_not_asked_again() {
    let (site, token) = alice();
    let session = site.asked_in_session("alice");
    std::fs::write(&session.control, "0").unwrap();
    assert_eq!(site.answer(&session, "alice", &sent(&token.code())).status(), 0);
    session.answers_are_judged();
    assert_eq!((session.verdict(), session.reason()), ("0".to_owned(), String::new()));
    assert_eq!(site.login(&site.session(), "alice", &token.code()).status(), 0, "the code was not used up");
}

#[test]
fn files_that_are_gone_are_not_made() {
    let (site, token) = alice();
    let codes = token.codes::<3>();
    let gone = || {
        let session = site.session();
        session.end();
        session
    };
    let nothing = |session: &Session| {
        assert!(session.files().iter().all(|file| !file.exists()));
        assert!(files_below(&site.tmp()).is_empty());
    };
    for (password, sso) in [(codes[0].as_str(), ""), (&token.wrong_code(), ""), ("", ""), ("", "crtext")] {
        let session = gone();
        assert_eq!(site.login(&session, "alice", password).set("IV_SSO", sso).status(), 1, "{password:?}");
        nothing(&session);
    }
    let session = gone();
    assert_eq!(site.answer(&session, "alice", &sent(&codes[1])).status(), 0);
    nothing(&session);
    // The verdict's file only: what is there of the others is left as it is.
    let session = site.session();
    std::fs::remove_file(&session.control).unwrap();
    assert_eq!(site.login(&session, "alice", &codes[2]).status(), 1);
    assert_eq!(files_below(&site.tmp()).values().map(Vec::len).sum::<usize>(), 0);
}

#[test]
fn a_verdict_is_delivered_where_the_reason_cannot_be() {
    let (site, token) = alice();
    let session = site.session();
    std::fs::remove_file(&session.reason).unwrap();
    assert_eq!(site.login(&session, "alice", &token.wrong_code()).status(), 1);
    assert_eq!(session.verdict(), "0");
    assert!(!session.reason.exists());
    let session = site.session();
    let call = site.login(&session, "alice", &token.wrong_code()).without("auth_failed_reason_file");
    assert_eq!((call.status(), session.verdict()), (1, "0".to_owned()));
}

#[test]
fn a_question_that_cannot_be_written_is_a_rejection() {
    let (site, _) = alice();
    let session = site.session();
    std::fs::remove_file(&session.pending).unwrap();
    assert_eq!(site.login(&session, "alice", "").status(), 1);
    assert_eq!((session.verdict(), session.told()), ("0".to_owned(), "Authentication failed".to_owned()));
    assert!(!session.pending.exists());
    let session = site.session();
    assert_eq!(site.login(&session, "alice", "").without("auth_pending_file").status(), 1);
    assert_eq!(session.verdict(), "0");
}

#[test]
fn a_question_that_is_cut_off_is_a_rejection() {
    crate::support::need("prlimit");
    let site = Site::with(&[("authStallBudgetMs", "0")]);
    site.enroll("alice");
    let session = site.session();
    // A file may have 20 bytes: writing more writes less, which is no error of the system's. The log is a file, too.
    let little_room = ["/bin/sh", "-c", "exec prlimit --fsize=20 -- \"$0\" \"$@\" >/dev/null 2>&1"];
    let call = site.login(&session, "alice", "").set("PATH", "/usr/bin:/bin").by(&little_room);
    assert_eq!(call.status(), 1);
    assert_eq!(session.pending().len(), 20, "it was cut off");
}

#[test]
fn without_control_files_the_status_says_everything() {
    let (site, token) = alice();
    let session = site.session();
    for (password, sso, status) in [
        (token.code(), "", 0),
        (token.wrong_code(), "", 1),
        (String::new(), "", 1),
        (String::new(), "crtext", 1),
    ] {
        let call = site.login(&session, "alice", &password).set("IV_SSO", sso).without_control_files();
        assert_eq!(call.status(), status, "{password:?} {sso}");
    }
    assert_eq!((session.verdict(), session.pending(), session.reason()), Default::default());
}

#[test]
fn nothing_is_written_through_a_link() {
    let (site, token) = alice();
    let victim = site.path("victim");
    let spoil_by_symlink: fn(&Path, &Path) = |victim, file| symlink(victim, file).unwrap();
    let spoil_by_hard_link: fn(&Path, &Path) = |victim, file| std::fs::hard_link(victim, file).unwrap();
    for spoil in [spoil_by_symlink, spoil_by_hard_link] {
        for which in 0..3 {
            for (password, sso) in [(token.wrong_code(), ""), (String::new(), "crtext"), (String::new(), "")]
            {
                site.sql("DELETE FROM failure");
                let _ = std::fs::remove_file(&victim);
                std::fs::write(&victim, "").unwrap();
                chmod(&victim, 0o600);
                let session = site.session();
                let file = session.files()[which];
                std::fs::remove_file(file).unwrap();
                spoil(&victim, file);
                let status = site.login(&session, "alice", &password).set("IV_SSO", sso).status();
                assert_ne!(status, 0);
                assert_eq!(std::fs::read(&victim).unwrap(), b"", "{} {password:?} {sso}", file.display());
                session.end();
            }
        }
    }
    let code = token.code();
    let session = site.session();
    std::fs::remove_file(&session.control).unwrap();
    symlink(&victim, &session.control).unwrap();
    assert_eq!(site.login(&session, "alice", &code).status(), 1);
    assert_eq!(site.answer(&session, "alice", &sent(&token.code_steps_from_now(2))).status(), 0);
    assert_eq!(std::fs::read(&victim).unwrap(), b"");
}

#[test]
fn nothing_of_ours_stays_in_the_temporary_directory() {
    let (site, token) = alice();
    let session = site.asked_in_session("alice");
    assert_eq!(site.answer(&session, "alice", &sent(&token.wrong_code())).status(), 0);
    assert_eq!(session.decided(), "0");
    session.answers_are_judged();
    let session_files = session.files().len();
    assert_eq!(files_below(&site.tmp()).len(), session_files, "OpenVPN's own only");
}
