//! Whose name counts: the one that is typed, or the certificate's.

use super::super::finding::Findings;
use super::super::server_conf::{Directive, ServerConf};
use crate::config::{Identity, Primary, Settings, UsernameCase};

pub(super) fn look(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    nameless(conf, settings, findings);
    without_certificate(conf, settings, findings);
    if let Some(line) = conf.last("username-as-common-name") {
        typed_for_common(line, settings, findings);
    }
}

/// `auth-user-pass-optional`
fn nameless(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let Some(line) = conf.last("auth-user-pass-optional") else { return };
    match (settings.auth.primary, settings.auth.identity) {
        (Primary::None, Identity::CommonName) => findings
            .at(&line.place)
            .good("clients may come without name and password; the certificate says who they are"),
        (Primary::None, Identity::Username) => findings.at(&line.place).doubtful(
            "clients may come without name and password, and are refused: [auth] identity is the name that is typed",
            "take the line out: auth-user-pass-optional\nor [auth] identity = \"common-name\"",
        ),
        (Primary::Pam, _) => findings.at(&line.place).doubtful(
            "clients may come without name and password, and are refused: [auth] primary is PAM",
            "take the line out: auth-user-pass-optional",
        ),
    }
}

/// `verify-client-cert none`, where the certificate is needed.
fn without_certificate(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let line = conf
        .last("verify-client-cert")
        .filter(|line| ["none", "optional"].contains(&line.value()))
        .or_else(|| conf.last("client-cert-not-required"));
    let Some(line) = line else { return };
    let needs = [
        (
            settings.auth.primary == Primary::None,
            "[auth] primary = \"none\" takes the certificate for the first proof",
        ),
        (settings.auth.identity == Identity::CommonName, "[auth] identity is the certificate's common name"),
        (settings.auth.match_common_name, "[auth] match_common_name compares with the certificate's"),
    ];
    if let Some((_, need)) = needs.iter().find(|(holds, _)| *holds) {
        findings.at(&line.place).bad(
            format!("clients may come without a certificate, and {need}: they are refused"),
            format!("take the line out: {}", line.words.join(" ")),
        );
    }
}

/// `username-as-common-name`: addresses and `client-config-dir` go by the name that is typed.
fn typed_for_common(line: &Directive, settings: &Settings, findings: &mut Findings) {
    let auth = &settings.auth;
    if auth.identity == Identity::CommonName && !auth.match_common_name {
        findings.at(&line.place).bad(
            "clients get the address and the client-config-dir of any name that they type, and the second factor is that of the certificate",
            "[auth] match_common_name = true, or take the line out: username-as-common-name",
        );
    }
    if auth.username_case == UsernameCase::Lower {
        findings.at(&line.place).doubtful(
            "here Alice and alice are one user ([auth] username_case), for client-config-dir and duplicate-cn they are two",
            "take the line out: username-as-common-name",
        );
    }
}
