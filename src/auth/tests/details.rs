//! What no flow shows by itself: how long a refusal is kept back, what a log line says of a clock, and a rule that
//! another rule hides.

use super::fakes::*;
use crate::auth::proof::FactorProof;
use crate::auth::*;
use crate::config::{self, Unenrolled};
use crate::random::{Random, RandomError};

/// All of its bytes are the same; `None` has none to give.
struct Bytes(Option<u8>);

impl Random for Bytes {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        match self.0 {
            Some(byte) => {
                bytes.fill(byte);
                Ok(())
            }
            None => Err(getrandom::Error::UNSUPPORTED.into()),
        }
    }
}

/// As `pam_unix` has a wrong password kept back: two seconds, give or take one, so that the time does not tell a refused
/// name.
#[test]
fn a_name_that_is_refused_is_kept_back_for_as_long_as_a_wrong_password() {
    for (bytes, milliseconds) in
        [(Some(0), 1_000), (Some(0x55), 1_666), (Some(0x80), 2_003), (Some(0xff), 3_000), (None, 2_000)]
    {
        let mut door = Door::new();
        let Outcome::Reject(rejection) = Decision::new(Services {
            settings: &door.settings,
            primary: &door.primary,
            store: &mut door.store,
            clock: &door.clock,
            random: &Bytes(bytes),
            duo: &door.duo,
        })
        .login(&attempt_of("-x", QuestionForm::Reconnect), &typed(PASSWORD), None) else {
            panic!("a rejection was expected");
        };
        assert_eq!(rejection.hold.as_millis(), milliseconds, "{bytes:?}");
    }
}

#[test]
fn the_log_is_told_how_far_the_clock_of_a_token_is_off() {
    for steps in [-1, 1] {
        let mut door = Door::new();
        let code = door.code(steps);
        let Outcome::Accept(acceptance) =
            door.login(&attempt(QuestionForm::Reconnect), &both(PASSWORD, &code))
        else {
            panic!("a code of a step beside this one is right");
        };
        assert_eq!(acceptance.offset(), Some(steps));
    }
}

/// The flows ask for a code before they come to this; it has to hold without them.
#[test]
fn a_setting_that_waives_the_factor_waives_none_that_a_user_has() {
    let user = |has_token| User { id: UserId(1), state: UserState::Enabled, factor: None, has_token };
    for unenrolled in [Unenrolled::Deny, Unenrolled::Allow] {
        let settings = config::Auth { unenrolled, ..config::Auth::default() };
        let refused = FactorProof::waived(&settings, Some(&user(true)), 0);
        assert!(matches!(refused, Err(Reason::NotEnrolled(None))), "{refused:?}");
    }
    let settings = config::Auth { unenrolled: Unenrolled::Allow, ..config::Auth::default() };
    for without in [None, Some(&user(false))] {
        assert!(FactorProof::waived(&settings, without, 0).is_ok());
    }
}
