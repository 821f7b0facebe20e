//! Codes, made by a program that is not ours.

use super::now;
use data_encoding::BASE32_NOPAD;
use openvpn_2fa::auth::{self, TokenId};
use openvpn_2fa::factor::totp::{self, Algorithm};
use openvpn_2fa::secret::{ExposeSecret, secret};
use std::io::Write;
use std::process::{Command, Stdio};

/// Seconds of a step.
const PERIOD: u64 = 30;

/// The secret that a user was given.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) base32: String,
}

impl Token {
    /// Codes of `N` steps in a row, oldest first, around the present one. With the window of a [`super::Site`], each
    /// can be used for the next minute and a half, in this order.
    pub(crate) fn codes<const N: usize>(&self) -> [String; N] {
        assert!(N <= 6, "further steps are outside the window");
        let first = now() / PERIOD - 2;
        std::array::from_fn(|index| self.code_of_step(first + index as u64))
    }

    /// The present code.
    pub(crate) fn code(&self) -> String {
        self.code_of_step(now() / PERIOD)
    }

    /// The code of a step that many steps from now.
    pub(crate) fn code_steps_from_now(&self, steps: i64) -> String {
        self.code_of_step((now() / PERIOD).checked_add_signed(steps).unwrap())
    }

    /// Six digits that are the code of no step near the present one.
    pub(crate) fn wrong_code(&self) -> String {
        let present = now() / PERIOD;
        let right: Vec<String> = (present - 12..=present + 12).map(|step| self.by_library(step)).collect();
        (100_000..200_000).map(|number: u32| number.to_string()).find(|code| !right.contains(code)).unwrap()
    }

    pub(crate) fn code_of_step(&self, step: u64) -> String {
        self.by_oathtool(step)
    }

    fn by_oathtool(&self, step: u64) -> String {
        let mut oathtool = Command::new("oathtool")
            .args(["--totp", "--base32", "--now", &format!("@{}", step * PERIOD), "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        oathtool.stdin.take().unwrap().write_all(self.base32.as_bytes()).unwrap();
        let output = oathtool.wait_with_output().unwrap();
        assert!(output.status.success(), "oathtool failed");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn by_library(&self, step: u64) -> String {
        let token = auth::Token {
            id: TokenId(0),
            secret: secret(&BASE32_NOPAD.decode(self.base32.as_bytes()).unwrap()),
            algorithm: Algorithm::Sha1,
            digits: 6,
            period: 30,
            last_step: None,
        };
        totp::code_at(&token, step * PERIOD).expose_secret().to_owned()
    }
}

/// Fails the test where a program is missing that it needs: a test that looked at nothing has not passed.
pub(crate) fn need(program: &str) {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(found.is_ok(), "{program} is not installed; scripts/test installs what the tests need");
}

#[test]
fn codes_are_those_of_oathtool() {
    need("oathtool");
    let token = Token { base32: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned() };
    for step in [1, 37_037_036, now() / PERIOD] {
        assert_eq!(token.by_library(step), token.by_oathtool(step));
    }
}
