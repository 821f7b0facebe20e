//! Texts that clients show: what some of them lose or cut.

use super::finding::Findings;
use crate::config::{Factor, Settings};

/// Characters at which some client ends a text, or begins another field.
const CUTTING: [char; 5] = ['\'', '"', ']', '\\', ':'];

pub(super) fn find(settings: &Settings, findings: &mut Findings) {
    let mut texts = vec![("[totp] challenge_text", settings.totp.challenge_text.as_str())];
    if settings.auth.factor == Factor::Duo || settings.duo.host.is_some() {
        texts.push(("[duo] prompt_text", settings.duo.prompt_text.as_str()));
    }
    for (key, text) in texts {
        look(key, text, findings);
    }
}

fn look(key: &str, text: &str, findings: &mut Findings) {
    let outside: String = text.chars().filter(|character| !matches!(character, ' '..='~')).collect();
    if !outside.is_empty() {
        // OpenVPN clients since 2.6.11 drop a message with one such byte.
        findings.bad(
            format!("{key} holds {outside}: most clients then show no question at all"),
            format!("{key} = \"{}\"", crate::printable::ascii(text, text.len())),
        );
    }
    let cutting: Vec<String> =
        CUTTING.iter().filter(|&&one| text.contains(one)).map(char::to_string).collect();
    if !cutting.is_empty() {
        let plain: String = text.chars().filter(|character| !CUTTING.contains(character)).collect();
        findings.doubtful(
            format!("{key} holds {}, where some clients cut the question off", cutting.join(" ")),
            format!("{key} = \"{plain}\""),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn texts_that_clients_lose_or_cut_are_found() {
        for (text, levels) in [
            ("Please enter your TOTP code", &[][..]),
            ("Code f\u{fc}r VPN", &[Level::Bad]),
            ("Code: ", &[Level::Doubtful]),
            ("the \"code\"", &[Level::Doubtful]),
            ("it's", &[Level::Doubtful]),
            ("a]b\\c", &[Level::Doubtful]),
            ("Code\u{2026}: ", &[Level::Bad, Level::Doubtful]),
        ] {
            let mut findings = Findings::default();
            look("key", text, &mut findings);
            let found: Vec<Level> = findings.all.iter().map(|finding| finding.level).collect();
            assert_eq!(found, levels, "{text}");
        }
    }
}
