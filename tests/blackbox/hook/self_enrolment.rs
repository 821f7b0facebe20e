//! Users who set up their own token: with PAM, in a view of the machine that has a service of its own.

use crate::support::{Namespace, Question, Session, Site, Token};
use data_encoding::BASE64;
use std::thread;

const PERMIT: &str = "auth required pam_permit.so\naccount required pam_permit.so\n";
const DENY: &str = "auth required pam_deny.so\naccount required pam_deny.so\n";

/// A site where every password is right, and where users set up their tokens.
struct Office {
    site: Site,
    namespace: Namespace,
}

impl Office {
    fn new(setenv: &[(&str, &str)]) -> Self {
        Self::with_pam(PERMIT, setenv)
    }

    fn with_pam(pam: &str, setenv: &[(&str, &str)]) -> Self {
        let site = Site::with(&[&[("authPrimary", "pam"), ("totpSelfEnroll", "true")], setenv].concat());
        let namespace = Namespace::new(&site, pam);
        Self { site, namespace }
    }

    /// The exit status for a password, from a client that can do this.
    fn enter(&self, user: &str, password: &str, sso: &str) -> (i32, Session) {
        let session = self.site.session();
        let call = self.site.login(&session, user, password).set("IV_SSO", sso);
        (self.namespace.enter(call).status(), session)
    }

    /// A user is shown a key by reconnecting.
    fn offered(&self, user: &str) -> (Question, Token) {
        let (status, session) = self.enter(user, "Password-1", "");
        assert_eq!((status, session.verdict()), (1, "0".to_owned()), "{:?}", session.reason());
        let question = session.question();
        let key = self.key_in(&question.text);
        (question, key)
    }

    fn come_back(&self, user: &str, question: &Question, response: &str) -> (i32, Session) {
        let session = self.site.session();
        (self.site.login(&session, user, &question.answer(response)).status(), session)
    }

    /// The key in a text, which no log may hold.
    fn key_in(&self, text: &str) -> Token {
        let base32 = |word: &&str| {
            word.len().is_multiple_of(4) && word.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
        };
        let words: Vec<&str> = text.split(' ').filter(base32).collect();
        let base32 = words.concat();
        assert_eq!(base32.len(), 32, "no key in {text:?}");
        self.site.keep_out_of_the_log(base32.as_bytes());
        self.site.keep_out_of_the_log(words.join(" ").as_bytes());
        self.site.keep_out_of_the_log(&base32.as_bytes()[..8]);
        Token { base32 }
    }
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn a_question_in_time_shows_the_key_in_the_session() {
    let office = Office::new(&[]);
    assert!(!office.site.database().exists(), "nobody was ever enrolled");
    let (status, session) = office.enter("bob", "Password-1", "crtext");
    assert_eq!((status, session.verdict(), session.reason()), (2, String::new(), String::new()));
    let pending = session.pending();
    let lines: Vec<&str> = pending.split('\n').collect();
    let ["300", "crtext", text, ""] = lines[..] else { panic!("{pending:?}") };
    assert!(text.len() <= 246 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
    let key = office.key_in(text.strip_prefix("CR_TEXT:R,E:").unwrap());
    let sent = format!("{}\n", BASE64.encode(key.code().as_bytes()));
    assert_eq!(office.site.answer(&session, "bob", sent.as_bytes()).status(), 0);
    assert_eq!((session.decided(), session.reason()), ("1".to_owned(), String::new()));
    assert!(office.site.logged(&["event=login user=bob", "outcome=challenge reason=enrolment-needed"]));
    assert!(office.site.logged(&["event=answer user=bob", "outcome=accept reason=self-enrolled"]));
    assert_eq!(office.site.number("SELECT count(*) FROM totp_token WHERE last_step IS NOT NULL"), 1);
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn a_question_that_comes_late_shows_it_by_reconnecting_and_what_was_answered_counts_for_nothing() {
    let office = Office::new(&[("authStallBudgetMs", "0")]);
    let (status, session) = office.enter("bob", "Password-1", "crtext");
    assert_eq!(
        (status, session.pending().as_str()),
        (2, "300\ncrtext\nCR_TEXT:R,E:Please enter your TOTP code\n")
    );
    // At once, which is before or after the worker has made the question: neither may matter.
    let sent = format!("{}\n", BASE64.encode(b"123456"));
    assert_eq!(office.site.answer(&session, "bob", sent.as_bytes()).status(), 0);
    assert_eq!(session.decided(), "0");
    let question = session.question();
    let key = office.key_in(&question.text);
    session.answers_are_judged();
    let (status, session) = office.come_back("bob", &question, &key.code());
    assert_eq!((status, session.decided()), (2, "1".to_owned()));
    assert_eq!(office.site.failures("bob"), 0);
    assert!(!office.site.logs().contains("wrong-code"), "{}", office.site.logs());
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn a_wrong_code_brings_the_same_key_and_a_new_login_another() {
    let office = Office::new(&[]);
    let (first, key) = office.offered("bob");
    let (status, session) = office.come_back("bob", &first, &key.wrong_code());
    assert_eq!(status, 1);
    let second = session.question();
    assert!(second.text.starts_with("Incorrect code, try again"), "{}", second.text);
    assert_eq!(office.key_in(&second.text).base32, key.base32);
    assert_eq!(office.site.number("SELECT count FROM failure WHERE kind = 'user' AND subject = 'bob'"), 1);
    assert_ne!(office.offered("bob").1.base32, key.base32);
    assert_eq!(office.come_back("bob", &first, &key.code()).0, 1, "a question is used up by its answer");
    assert_eq!(office.come_back("bob", &second, &key.code()).0, 0);
    assert_eq!(office.site.failures("bob"), 0);
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn of_many_answers_at_the_same_time_one_sets_up_the_token() {
    let office = Office::new(&[("workerMax", "100")]);
    let offered: Vec<_> = (0..6).map(|_| office.offered("bob")).collect();
    let offered: Vec<_> = offered.iter().map(|(question, key)| (question, key, key.code())).collect();
    let results: Vec<_> = thread::scope(|scope| {
        let come_back = |(question, _, code): &(&Question, &Token, String)| {
            let (status, session) = office.come_back("bob", question, code);
            (status, session.reason())
        };
        let threads: Vec<_> = offered.iter().map(|offer| scope.spawn(move || come_back(offer))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: Vec<usize> = (0..results.len()).filter(|&index| results[index].0 == 0).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    assert_eq!(office.site.number("SELECT count(*) FROM totp_token"), 1);
    for (index, (status, reason)) in results.iter().enumerate().filter(|(index, _)| *index != winners[0]) {
        assert_eq!(*status, 1, "{index}");
        assert!(reason.starts_with("Your authenticator app was set up meanwhile"), "{reason}");
    }
    let shown = office.site.admin(&["show", "--secret", "bob"]);
    assert!(shown.stdout.contains(&offered[winners[0]].1.base32));
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn what_an_administrator_does_meanwhile_stands() {
    for arguments in [&["enroll", "bob"][..], &["disable", "bob"], &["set", "bob", "--factor", "duo"]] {
        let office = Office::new(&[]);
        if arguments[0] == "disable" {
            // Of whom there is a record, but no token.
            assert_eq!(office.offered("bob").0.user, "bob");
            assert_eq!(office.site.admin(&["set", "bob", "--factor", "totp"]).status, 0);
        }
        let (question, key) = office.offered("bob");
        let printed = office.site.admin(arguments);
        assert_eq!(printed.status, 0, "{}", printed.stderr);
        let (status, session) = office.come_back("bob", &question, &key.code());
        assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()), "{arguments:?}");
        let shown = office.site.admin(&["show", "--secret", "bob"]);
        assert!(!shown.stdout.contains(&key.base32), "{arguments:?}");
    }
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn the_whole_key_is_shown_to_whoever_has_a_long_name() {
    let office = Office::new(&[]);
    for length in [32, 64, 100, 128] {
        let user = "n".repeat(length);
        let (question, key) = office.offered(&user);
        assert_eq!(office.come_back(&user, &question, &key.code()).0, 0, "{length}");
    }
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn with_a_wrong_password_nothing_is_made_and_nothing_differs() {
    let office = Office::with_pam(DENY, &[]);
    for sso in ["", "crtext"] {
        let (status, session) = office.enter("bob", "Password-1", sso);
        assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()));
        assert_eq!(session.pending(), "");
    }
    assert_eq!(office.site.number("SELECT count(*) FROM challenge"), 0);
}

#[test]
fn a_certificate_alone_sets_nothing_up() {
    let site = Site::with(&[("totpSelfEnroll", "true")]);
    let session = site.session();
    assert_eq!(site.login(&session, "bob", "").status(), 1);
    assert_eq!(session.told(), "Authentication failed");
    let printed = site.admin(&["list"]);
    assert_eq!(printed.status, 1);
    assert!(
        printed.stderr.contains("[totp] self_enroll") && printed.stderr.contains("primary"),
        "{}",
        printed.stderr
    );
}
