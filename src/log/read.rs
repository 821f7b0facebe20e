//! Reading the lines that [`super::Entry`] writes.

/// The pairs of a line, in its order, with the values as they were before they were made safe. `None` for a line that is
/// not one of ours. Of a line that was cut, what is whole, and the beginning of the value that was cut.
#[must_use]
pub fn pairs(line: &str) -> Option<Vec<(&str, String)>> {
    if !line.starts_with("event=") {
        return None;
    }
    let mut pairs = Vec::new();
    let mut rest = line;
    while let Some((key, after)) = rest.split_once('=') {
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            break;
        }
        let value;
        (value, rest) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                after.split_once(' ').map_or((after.to_owned(), ""), |(word, rest)| (word.to_owned(), rest))
            }
        };
        pairs.push((key, value));
    }
    Some(pairs)
}

/// The value behind an opening quote, and what follows the blank behind the closing one.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => return (value, rest.strip_prefix(' ').unwrap_or(rest)),
            '\\' => {
                let Some((escaped, after)) = escape(rest) else { return (value, "") };
                value.push(escaped);
                rest = after;
            }
            plain => value.push(plain),
        }
    }
    (value, "")
}

/// The character that an escape sequence stands for, without its backslash, and what follows.
fn escape(text: &str) -> Option<(char, &str)> {
    if let Some(number) = text.strip_prefix("u{") {
        let (hex, after) = number.split_once('}')?;
        return Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, after));
    }
    let character = text.chars().next().filter(|character| ['"', '\\'].contains(character))?;
    Some((character, &text[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_others_are_not_taken_for_one() {
        let read = |line| {
            let pairs = pairs(line)?;
            Some(pairs.iter().fold(String::new(), |text, (key, value)| text + key + ":" + value + ";"))
        };
        for (line, expected) in [
            ("event=login user=alice offset=-1", Some("event:login;user:alice;offset:-1;")),
            (
                r#"event=login user="a outcome=accept" ref=X"#,
                Some("event:login;user:a outcome=accept;ref:X;"),
            ),
            (r#"event=login user="a\" \\\u{a}" ref=X"#, Some("event:login;user:a\" \\\n;ref:X;")),
            // Cut by the writer, or by a log daemon.
            (r#"event=login user=alice detail="abc..."#, Some("event:login;user:alice;detail:abc...;")),
            (r#"event=login user=alice detail="abc\u{2"#, Some("event:login;user:alice;detail:abc;")),
            (r#"event=login user=alice detail="abc\u"#, Some("event:login;user:alice;detail:abc;")),
            ("event=login user=alice deta", Some("event:login;user:alice;")),
            ("event=login User=alice", Some("event:login;")),
            ("event=", Some("event:;")),
            ("user=alice event=login", None),
            ("pam_unix(openvpn:auth): authentication failure; user=alice", None),
            ("", None),
        ] {
            assert_eq!(read(line).as_deref(), expected, "{line}");
        }
    }
}
