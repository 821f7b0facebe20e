//! A line of OpenVPN's, split into words as OpenVPN does. Pure.

/// The most words of a line (`MAX_PARMS`); what follows is not looked at.
const MAX_WORDS: usize = 16;

/// The longest word, in bytes (`OPTION_PARM_SIZE`).
const MAX_WORD_BYTES: usize = 256;

/// Splits a line, by the rules of `parse_line` (`options_parse.c`): a quote counts at the beginning of a word only and ends
/// with its word, a backslash stands before a blank, a double quote or another backslash, and a comment begins where a word
/// would.
///
/// # Errors
/// Why OpenVPN does not take the line.
pub(in crate::admin::check) fn words(line: &str) -> Result<Vec<String>, String> {
    enum State {
        Between,
        Bare,
        Quoted(char),
    }
    let mut words = Vec::new();
    let mut word = String::new();
    let mut state = State::Between;
    let mut escaped = false;
    // OpenVPN takes the end of the line for a blank.
    for character in line.chars().chain(std::iter::once('\0')) {
        let blank = character == '\0' || is_blank(character);
        if character == '\\' && !escaped && !matches!(state, State::Quoted('\'')) {
            escaped = true;
            continue;
        }
        let mut is_part = false;
        let mut is_over = false;
        match state {
            State::Between if blank => {}
            State::Between if matches!(character, ';' | '#') => return Ok(words),
            State::Between if !escaped && matches!(character, '"' | '\'') => state = State::Quoted(character),
            State::Between => {
                state = State::Bare;
                is_part = true;
            }
            State::Bare if blank && !escaped => is_over = true,
            State::Quoted(quote) if character == quote && !escaped => is_over = true,
            State::Bare | State::Quoted(_) => is_part = character != '\0',
        }
        if is_over {
            words.push(std::mem::take(&mut word));
            state = State::Between;
            if words.len() == MAX_WORDS {
                return Ok(words);
            }
        }
        if is_part {
            if escaped && !(blank || matches!(character, '\\' | '"')) {
                return Err(format!("a backslash before {character:?}; to have one, write two"));
            }
            word.push(character);
            if word.len() > MAX_WORD_BYTES {
                return Err(format!("a word of more than {MAX_WORD_BYTES} bytes"));
            }
        }
        escaped = false;
    }
    match state {
        State::Between => Ok(words),
        State::Bare => Err("a backslash at the end of the line".to_owned()),
        State::Quoted(quote) => Err(format!("the quote {quote} is not closed")),
    }
}

/// C's `isspace`.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_openvpn_splits_them() {
        for (line, expected) in [
            ("dev tun # comment", &["dev", "tun"][..]),
            ("; comment", &[]),
            ("", &[]),
            (
                "auth-user-pass-verify \"/usr/bin/x --config /a b.toml\" via-file",
                &["auth-user-pass-verify", "/usr/bin/x --config /a b.toml", "via-file"],
            ),
            ("setenv totpIssuerName 'a \"b\" \\c'", &["setenv", "totpIssuerName", "a \"b\" \\c"]),
            ("setenv x a\\ b", &["setenv", "x", "a b"]),
            ("setenv x \"a\\\"b\\\\c\"", &["setenv", "x", "a\"b\\c"]),
            ("setenv x \"\"", &["setenv", "x", ""]),
            ("setenv x a#b", &["setenv", "x", "a#b"]),
            ("setenv x a\"b c\"", &["setenv", "x", "a\"b", "c\""]),
            ("setenv x \"a\"b", &["setenv", "x", "a", "b"]),
            ("setenv x ''#y", &["setenv", "x", ""]),
            ("\tsetenv\x0bx\r", &["setenv", "x"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_openvpn_does_not_take_is_an_error() {
        let long = "x".repeat(257);
        for (line, why) in [
            ("setenv x c:\\dir", "a backslash before 'd'"),
            ("setenv x \"open", "the quote \" is not closed"),
            ("setenv x 'open", "the quote ' is not closed"),
            ("setenv x end\\", "a backslash at the end"),
            (long.as_str(), "more than 256 bytes"),
        ] {
            let error = words(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
