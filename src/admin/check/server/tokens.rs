//! Session tokens, and the times that OpenVPN gives.

use super::super::finding::Findings;
use super::super::server_conf::{INLINE, ServerConf};
use crate::config::{Factor, Settings};
use std::os::unix::fs::PermissionsExt;

/// `hand-window` where the configuration has none, in seconds.
const HAND_WINDOW: u64 = 60;

/// `reneg-sec` where the configuration has none, in seconds.
const RENEG_SEC: u64 = 3_600;

pub(super) fn look(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    tokens(conf, findings);
    windows(conf, settings, findings);
}

fn renegotiation(conf: &ServerConf) -> u64 {
    conf.number("reneg-sec").unwrap_or(RENEG_SEC)
}

fn hand_window(conf: &ServerConf) -> u64 {
    conf.number("hand-window").unwrap_or(HAND_WINDOW)
}

fn tokens(conf: &ServerConf, findings: &mut Findings) {
    let Some(line) = conf.last("auth-gen-token") else {
        findings.at(&conf.place()).doubtful(
            "no auth-gen-token, so users are asked for a code at each renegotiation (every hour)",
            "auth-gen-token 43200",
        );
        return;
    };
    let number = |index: usize| line.words.get(index).and_then(|word| word.parse::<u64>().ok());
    let (lifetime, renewal) = (number(1).unwrap_or(0), number(2));
    if let Some(renewal) = renewal.filter(|&renewal| renewal > 0 && renewal < 2 * hand_window(conf)) {
        let least = 2 * hand_window(conf);
        findings.at(&line.place).bad(
            format!("tokens are renewed every {renewal} s, which is less than twice hand-window: OpenVPN does not start"),
            format!("auth-gen-token {lifetime} {least}"),
        );
    }
    if lifetime > 0 && lifetime <= renegotiation(conf) {
        findings.at(&line.place).doubtful(
            format!(
                "tokens are good for {lifetime} s, and keys are renegotiated after {} s: users are asked again each time",
                renegotiation(conf)
            ),
            "auth-gen-token 43200",
        );
    }
    secret(conf, findings);
}

fn secret(conf: &ServerConf, findings: &mut Findings) {
    let Some(token) = conf.last("auth-gen-token") else { return };
    let Some(line) = conf.last("auth-gen-token-secret") else {
        findings.at(&token.place).doubtful(
            "without a secret file, tokens do not outlive a restart of the server",
            "auth-gen-token-secret /etc/openvpn/server/auth-token.key\n(openvpn --genkey auth-token makes the file)",
        );
        return;
    };
    let make = |file: &std::path::Path| format!("openvpn --genkey auth-token {}", file.display());
    let good = "tokens take the place of codes at renegotiations";
    if line.value() == INLINE {
        return findings.at(&token.place).good(good);
    }
    let file = conf.resolve(line.value());
    match std::fs::metadata(&file) {
        Ok(state) if state.permissions().mode() & 0o077 != 0 => findings.at(&line.place).bad(
            format!("{} is open to others, who can make tokens that need no code", file.display()),
            format!(
                "chmod 0600 {0}\nand, if others were on this machine, a new one: {1}",
                file.display(),
                make(&file)
            ),
        ),
        Ok(_) => findings.at(&token.place).good(good),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => findings
            .at(&line.place)
            .bad(format!("there is no {}, and OpenVPN does not start", file.display()), make(&file)),
        Err(error) => findings.at(&line.place).bad(format!("{}: {error}", file.display()), make(&file)),
    }
}

/// How long a question lasts (`send_auth_pending_messages`) and a login that waits.
fn windows(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let (renegotiation, hand_window) = (renegotiation(conf), hand_window(conf));
    if let Some(line) = conf.last("reneg-sec").filter(|_| renegotiation == 0) {
        findings.at(&line.place).bad(
            format!(
                "with reneg-sec 0 a question lasts {hand_window} s, and OpenVPN does not start with auth-gen-token"
            ),
            "take reneg-sec out; auth-gen-token keeps users from being asked again",
        );
    }
    // A server takes up to a tenth off, or what it is told (`do_init_crypto_tls`).
    let least = conf.last("reneg-sec").and_then(|line| line.words.get(2)?.parse().ok());
    let soonest = least.unwrap_or(renegotiation - renegotiation / 10).min(renegotiation);
    let longest = hand_window.max(soonest / 2);
    let timeout = settings.totp.challenge_timeout.get();
    if timeout > longest {
        let place = conf.last("reneg-sec").map_or_else(|| conf.place(), |line| line.place.clone());
        findings.at(&place).doubtful(
            format!(
                "a question lasts {longest} s at most, whatever [totp] challenge_timeout says ({timeout})"
            ),
            format!("hand-window {timeout}, or [totp] challenge_timeout = {longest}"),
        );
    }
    if let Some(line) = conf.last("hand-window").filter(|_| hand_window < HAND_WINDOW) {
        let who = match settings.auth.factor {
            Factor::Duo => "a slow PAM module, a telephone that is answered",
            Factor::Totp => "a slow PAM module",
        };
        findings.at(&line.place).doubtful(
            format!("a login that waits ({who}) is given up after {hand_window} s"),
            format!("hand-window {HAND_WINDOW}, or take the line out"),
        );
    }
}
