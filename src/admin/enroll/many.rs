//! `enroll --from FILE --out DIR`: many users, each with a picture and a text to hand over.
//!
//! The files are written first and stored then, in one transaction: what fails before leaves neither, and what is stored
//! has its files. A machine that stops in between leaves files that count for nothing.

use super::folder::Folder;
use super::token::{is_unusual, to_store, token};
use super::{names, qr};
use crate::admin::{backup_codes, confirm, import, terminal};
use crate::auth::{Token, UserState};
use crate::cli::{Enroll, Label};
use crate::clock::{Clock, SystemClock};
use crate::config::{Factor, Settings};
use crate::factor::backup_code::SaltedHash;
use crate::factor::totp::{self, Enrolment};
use crate::name::UserName;
use crate::secret::{ExposeSecret, SecretString};
use crate::store::{Database, DatabaseError, NewUser, Replace, Taken, UsedToken};
use anyhow::{Context, bail};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use zeroize::Zeroizing;

pub(super) fn run(
    arguments: &Enroll,
    (from, out): (&Path, &Path),
    settings: &Settings,
    json: bool,
) -> anyhow::Result<()> {
    let list = import::bytes_of(from).with_context(|| format!("--from {}", from.display()))?;
    let names = match names::names(&list, settings) {
        Ok(names) => names,
        Err(wrong) => {
            for reason in &wrong {
                writeln!(io::stderr(), "{}: {reason}", from.display())?;
            }
            bail!("nobody was enrolled: {} cannot be used as it is", from.display());
        }
    };
    let (wanted, mut left_alone) = divided(names, arguments, settings)?;
    if wanted.is_empty() {
        bail!(
            "all {} users are enrolled already, nothing was changed (--force replaces them)",
            left_alone.len()
        );
    }
    // Before the directory is made, which a refusal must not leave behind.
    let mut database = Database::open_or_create(settings)?;
    let mut folder = Folder::create(out)?;
    let people = written(&mut folder, wanted, arguments, settings)?;
    folder.sync()?;

    let label = arguments.label.as_ref().map_or("", Label::as_str);
    let new: Vec<NewUser<'_>> = people.iter().map(|person| person.to_store(label)).collect();
    let replace = if arguments.force { Replace::Yes } else { Replace::No };
    let taken = database.import(&new, replace, SystemClock.now())?;
    folder.keep();

    let (mut enrolled, mut notes) = (Vec::new(), Vec::new());
    for (person, taken) in people.iter().zip(taken) {
        if taken == Taken::LeftAlone {
            // Enrolled by somebody else meanwhile: these secrets count for nothing.
            folder.remove(&person.picture)?;
            folder.remove(&person.text)?;
            left_alone.push(person.name.clone());
            continue;
        }
        let stored = database.enrolled(person.name.as_str())?;
        if stored.as_ref().is_some_and(|stored| stored.state == UserState::Disabled) {
            notes.push(format!("{} is disabled, as before", person.name));
        }
        let factor = stored.and_then(|stored| stored.factor).unwrap_or(settings.auth.factor);
        if factor != Factor::Totp {
            let (name, word) = (&person.name, factor.word());
            notes.push(format!(
                "{name} has {word} as second factor: codes count after openvpn-2fa set {name} --factor totp"
            ));
        }
        enrolled.push(person);
    }
    if is_unusual(arguments.shape) {
        notes.push(super::UNUSUAL.to_owned());
    }
    let outcome = Outcome { out, enrolled: &enrolled, left_alone: &left_alone, notes: &notes };
    if json {
        return crate::admin::print_json(&outcome.json());
    }
    write!(io::stderr(), "{}", outcome.talk())?;
    crate::admin::print(&outcome.lines())
}

/// Who is to be enrolled, and who is left alone. Asks before enrolments are replaced.
fn divided(
    names: Vec<UserName>,
    arguments: &Enroll,
    settings: &Settings,
) -> anyhow::Result<(Vec<UserName>, Vec<UserName>)> {
    let mut database = match Database::open(settings) {
        Ok(database) => database,
        Err(DatabaseError::Missing(_)) => return Ok((names, Vec::new())),
        Err(error) => return Err(error.into()),
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let all = names.clone();
    for name in names {
        let enrolled = database.enrolled(name.as_str())?.is_some_and(|user| !user.tokens.is_empty());
        if enrolled { known.push(name) } else { unknown.push(name) }
    }
    if !arguments.force {
        return Ok((unknown, known));
    }
    if !known.is_empty() {
        let question = format!("Replace {} enrolments? Their codes stop working.", known.len());
        confirm::ask(&question, &arguments.consent)?;
    }
    Ok((all, Vec::new()))
}

/// A user with what they are given.
struct Person {
    name: UserName,
    token: Token,
    hashes: Vec<SaltedHash>,
    picture: String,
    text: String,
}

impl Person {
    fn to_store<'a>(&'a self, label: &'a str) -> NewUser<'a> {
        let token = UsedToken { token: to_store(&self.token, label), last_step: None };
        NewUser { name: &self.name, tokens: vec![token], backup_codes: self.hashes.clone() }
    }
}

/// Makes the secrets of the users, and writes their files.
fn written(
    folder: &mut Folder,
    names: Vec<UserName>,
    arguments: &Enroll,
    settings: &Settings,
) -> anyhow::Result<Vec<Person>> {
    let issuer = settings.totp.issuer_name.as_str();
    let mut progress = terminal::Progress::begin("Writing", names.len());
    let mut people = Vec::with_capacity(names.len());
    for name in names {
        let token = token(None, arguments.shape)?;
        let (codes, hashes) = match arguments.backup_codes {
            Some(count) => backup_codes::make(count)?,
            None => (Vec::new(), Vec::new()),
        };
        let uri = Enrolment { issuer, account: name.as_str(), token: &token }.uri();
        let file = names::file_name(&name);
        let (picture, text) = (format!("{file}.png"), format!("{file}.txt"));
        folder.write(picture.clone(), &qr::png(&uri)?)?;
        let letter = letter(&name, issuer, (&token, &uri), &codes, &picture);
        folder.write(text.clone(), letter.as_bytes())?;
        people.push(Person { name, token, hashes, picture, text });
        progress.step();
    }
    Ok(people)
}

/// What a user is given to read.
fn letter(
    user: &UserName,
    issuer: &str,
    (token, uri): (&Token, &SecretString),
    codes: &[SecretString],
    picture: &str,
) -> Zeroizing<String> {
    let base32 = totp::base32(&token.secret);
    let (base32, uri) = (base32.expose_secret(), uri.expose_secret());
    // As long as it gets, so that no copy of it is left behind.
    let length = 1_000 + issuer.len() + user.as_str().len() + base32.len() + uri.len() + picture.len();
    let mut text = Zeroizing::new(String::with_capacity(length + codes.len() * 32));
    for part in [
        "The second factor of ",
        user.as_str(),
        " for ",
        issuer,
        ".\n\nScan the picture ",
        picture,
        " with an authenticator app, or type this secret into one:\n\n",
        base32,
        "\n\nThe same as a link:\n\n",
        uri,
        "\n",
    ] {
        text.push_str(part);
    }
    if !codes.is_empty() {
        text.push_str("\nFor the day on which the telephone is lost: each of these codes is good once.\n\n");
        text.push_str(&backup_codes::lines(codes));
    }
    text.push_str("\nKeep this to yourself, and delete it when the app shows codes.\n");
    text
}

struct Outcome<'a> {
    out: &'a Path,
    enrolled: &'a [&'a Person],
    left_alone: &'a [UserName],
    notes: &'a [String],
}

impl Outcome<'_> {
    /// The names of those who are enrolled now, one a line.
    fn lines(&self) -> String {
        self.enrolled.iter().fold(String::new(), |text, person| text + person.name.as_str() + "\n")
    }

    fn talk(&self) -> String {
        let mut text = String::new();
        for user in self.left_alone {
            let _ = writeln!(text, "{user} is enrolled already, left alone (--force replaces it)");
        }
        for note in self.notes {
            let _ = writeln!(text, "{note}");
        }
        let number = self.enrolled.len();
        let _ = write!(text, "{number} {} enrolled", if number == 1 { "user" } else { "users" });
        if !self.left_alone.is_empty() {
            let _ = write!(text, ", {} left alone", self.left_alone.len());
        }
        let _ = writeln!(
            text,
            "; pictures and texts are in {}: they are secrets, delete them when they are handed over",
            self.out.display()
        );
        text
    }

    fn json(&self) -> serde_json::Value {
        let path = |file: &str| self.out.join(file).display().to_string();
        let enrolled = self.enrolled.iter().map(|person| {
            json!({ "user": person.name.as_str(), "picture": path(&person.picture), "text": path(&person.text) })
        });
        json!({
            "directory": self.out.display().to_string(),
            "enrolled": enrolled.collect::<Vec<_>>(),
            "left_alone": self.left_alone.iter().map(UserName::as_str).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}
