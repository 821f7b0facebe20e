//! A list of users, one a line.

use crate::config::Settings;
use crate::name::UserName;
use std::collections::HashMap;
use std::collections::hash_map;
use std::fmt::Write as _;

/// The most users of one list.
const MAX_USERS: usize = 10_000;

/// The users of a list, in its order, in the form in which they log in; or everything that is wrong with it, each with
/// its line. Empty lines and those that begin with `#` say nothing.
pub(super) fn names(list: &[u8], settings: &Settings) -> Result<Vec<UserName>, Vec<String>> {
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    let mut lines: HashMap<UserName, usize> = HashMap::new();
    let list = list.strip_prefix(b"\xef\xbb\xbf").unwrap_or(list);
    for (line, text) in (1..).zip(list.split(|&byte| byte == b'\n')) {
        let text = text.trim_ascii();
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let name = std::str::from_utf8(text).map_err(|_| "not UTF-8".to_owned()).and_then(|text| {
            crate::admin::new_user_name(text, settings).map_err(|error| format!("{error:#}"))
        });
        match name {
            Err(reason) => wrong.push(format!("line {line}: {reason}")),
            Ok(name) => match lines.entry(name) {
                hash_map::Entry::Occupied(known) => {
                    wrong.push(format!("line {line}: {} is on line {} already", known.key(), known.get()));
                }
                hash_map::Entry::Vacant(new) => {
                    names.push(new.key().clone());
                    new.insert(line);
                }
            },
        }
    }
    if names.is_empty() && wrong.is_empty() {
        wrong.push("no name is in it: one a line is wanted".to_owned());
    }
    if names.len() > MAX_USERS {
        wrong.push(format!("{} names; {MAX_USERS} at a time are possible", names.len()));
    }
    if wrong.is_empty() { Ok(names) } else { Err(wrong) }
}

/// What the files of a user are called: the name where it can be one, with `%2F` and the like for the rest.
pub(super) fn file_name(user: &UserName) -> String {
    /// Leaves room for what else belongs to the name of a file, which has at most 255 bytes.
    const MAX_BYTES: usize = 200;
    let mut name = String::new();
    for (index, character) in user.as_str().char_indices() {
        let harmless = character.is_alphanumeric() || "@_+".contains(character);
        if harmless || (index > 0 && ".-".contains(character)) {
            name.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                let _ = write!(name, "%{byte:02X}");
            }
        }
    }
    if name.len() > MAX_BYTES {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(user.as_str());
        let cut = (0..=MAX_BYTES - 17).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
        name.truncate(cut);
        name.push('%');
        name.push_str(&data_encoding::HEXLOWER.encode(&digest[..8]));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &[u8]) -> Result<Vec<String>, Vec<String>> {
        let names = names(list, &Settings::default())?;
        Ok(names.iter().map(|name| name.as_str().to_owned()).collect())
    }

    #[test]
    fn names_stand_on_lines_beside_comments_and_empty_lines() {
        let list = b"\xef\xbb\xbf# the team\r\nalice\r\n\n  bob \n#carol\na b";
        assert_eq!(read(list).unwrap(), ["alice", "bob", "a b"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_line() {
        let wrong = read(b"alice\n-x\nbob\n\xff\nalice\na/b\n").unwrap_err();
        let lines: Vec<&str> = wrong.iter().filter_map(|reason| reason.split(':').next()).collect();
        assert_eq!(lines, ["line 2", "line 4", "line 5", "line 6"]);
        assert!(wrong[2].ends_with("alice is on line 1 already"), "{wrong:?}");
        assert!(read(b"\n# nobody\n").unwrap_err()[0].contains("no name"));
    }

    #[test]
    fn files_stay_in_their_directory_and_no_two_users_share_one() {
        let file = |user: &str| file_name(&user.parse().unwrap());
        for (user, name) in [
            ("alice", "alice"),
            ("alice@example.org", "alice@example.org"),
            ("j\u{f6}rg", "j\u{f6}rg"),
            ("../x", "%2E.%2Fx"),
            ("-x", "%2Dx"),
            (".hidden", "%2Ehidden"),
            ("a%2Fb", "a%252Fb"),
            ("a b", "a%20b"),
            ("DOM\\bob", "DOM%5Cbob"),
        ] {
            assert_eq!(file(user), name);
        }
        let (long, longer) = ("\u{674e}".repeat(80), "\u{674e}".repeat(81));
        assert!(file(&long).len() <= 200 && file(&longer).len() <= 200 && file(&long) != file(&longer));
    }
}
