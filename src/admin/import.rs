//! `import FILE…`

use super::confirm;
use super::terminal::{self, Purpose};
use crate::age;
use crate::cli::Import;
use crate::clock::{Clock, SystemClock, UnixTime};
use crate::config::{Factor, Settings};
use crate::files::{self, ReadError};
use crate::import::{self, Assumed, Contents, Format, Found, Part, Place};
use crate::name::UserName;
use crate::printable;
use crate::secret::{self, ExposeSecret, SecretString};
use crate::store::{Columns, Database, DatabaseError, NewToken, NewUser, Replace, Taken, UsedToken, rows_of};
use anyhow::{Context, bail};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What google-authenticator calls its file in a home directory.
const GOOGLE_FILE: &str = ".google_authenticator";

pub(super) fn run(arguments: &Import, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let named = arguments.user.as_deref().map(|name| super::new_user_name(name, settings)).transpose()?;
    let now = SystemClock.now();
    let mut input =
        Input { arguments, settings, now, passphrase: None, owner: named.as_ref(), all: All::default() };
    for file in &arguments.files {
        input.read(file);
    }
    let mut all = input.all;
    for reason in import::missing_parts(&all.parts) {
        all.unread.push(Complaint { file: None, place: Place::File, reason });
    }
    if named.is_some() && all.found.len() > 1 {
        bail!("--user names one user, and there are {} secrets: nothing was done", all.found.len());
    }
    let users = by_user(std::mem::take(&mut all.found));
    let replace = if arguments.force { Replace::Yes } else { Replace::No };
    let taken = store(&users, arguments, settings, replace, now)?;
    let outcome = Outcome { users: &users, taken: &taken, all: &all, dry_run: arguments.dry_run };
    if json {
        super::print_json(&outcome.json())?;
    } else {
        write!(io::stderr(), "{}", outcome.talk(settings)?)?;
        super::print(&outcome.names())?;
    }
    match all.unread.len() {
        0 => Ok(()),
        1 => bail!("1 thing was not read, as listed above"),
        number => bail!("{number} things were not read, as listed above"),
    }
}

/// Something that was not read, of a file, or of none in particular.
struct Complaint {
    file: Option<PathBuf>,
    place: Place,
    reason: String,
}

/// What all files hold.
#[derive(Default)]
struct All {
    found: Vec<(PathBuf, Found)>,
    unread: Vec<Complaint>,
    parts: Vec<Part>,
    /// Of other services than the one that is asked for.
    passed_over: usize,
    /// How the user of a file became known.
    owners: Vec<String>,
}

struct Input<'a> {
    arguments: &'a Import,
    settings: &'a Settings,
    now: UnixTime,
    /// Asked for once, however many files need one.
    passphrase: Option<SecretString>,
    owner: Option<&'a UserName>,
    all: All,
}

impl Input<'_> {
    fn read(&mut self, file: &Path) {
        let contents = match self.contents(file) {
            Ok(contents) => contents,
            Err(error) => return self.unread(file, Place::File, format!("{error:#}")),
        };
        self.all.parts.extend(contents.parts);
        for unread in contents.unread {
            self.unread(file, unread.place, unread.reason);
        }
        for mut found in contents.found {
            if self.arguments.issuer.as_ref().is_some_and(|issuer| *issuer != found.issuer) {
                self.all.passed_over += 1;
                continue;
            }
            match self.user_of(file, found.user.take()) {
                Ok(user) => {
                    found.user = Some(user);
                    self.all.found.push((file.to_owned(), found));
                }
                Err(error) => self.unread(file, found.place, format!("{error:#}")),
            }
        }
    }

    fn unread(&mut self, file: &Path, place: Place, reason: String) {
        self.all.unread.push(Complaint { file: Some(file.to_owned()), place, reason });
    }

    /// Who has the secret, in the form in which they log in.
    fn user_of(&mut self, file: &Path, user: Option<UserName>) -> anyhow::Result<UserName> {
        if let Some(owner) = self.owner {
            return Ok(owner.clone());
        }
        if let Some(user) = user {
            return super::new_user_name(user.as_str(), self.settings);
        }
        let (user, how) = owner_of(file)?;
        let user = super::new_user_name(user.as_str(), self.settings)?;
        self.all.owners.push(format!("{}: {user}, by {how}", file.display()));
        Ok(user)
    }

    fn contents(&mut self, file: &Path) -> anyhow::Result<Contents> {
        let mut bytes = bytes_of(file)?;
        if age::looks_like_it(&bytes) {
            bytes = age::open(&bytes, self.passphrase()?)?;
        }
        let Import { format, table, user_column, secret_column, digits, period, .. } = self.arguments;
        // Users write these files themselves: another content is not to speak for other users.
        let theirs = file.file_name().is_some_and(|name| name == GOOGLE_FILE);
        let guessed = if theirs { Some(Format::GoogleAuthenticator) } else { import::guess(&bytes) };
        let format = format.or(guessed).context("not a format that is known; --format names one")?;
        let assumed = Assumed { now: self.now, digits: *digits, period: *period };
        if format != Format::Sqlite {
            return Ok(import::read(format, &bytes, assumed));
        }
        for suffix in ["-wal", "-journal"] {
            let mut beside = file.as_os_str().to_owned();
            beside.push(suffix);
            if std::fs::symlink_metadata(&beside).is_ok_and(|beside| beside.len() > 0) {
                bail!(
                    "a part of it is still in {}: stop the program that uses it, then run sqlite3 {} 'PRAGMA journal_mode = DELETE'",
                    Path::new(&beside).display(),
                    file.display()
                );
            }
        }
        let columns =
            Columns { table: table.clone(), user: user_column.clone(), secret: secret_column.clone() };
        Ok(import::read_rows(rows_of(&bytes, &columns)?, assumed))
    }

    fn passphrase(&mut self) -> anyhow::Result<&SecretString> {
        let passphrase = match self.passphrase.take() {
            Some(passphrase) => passphrase,
            None => terminal::passphrase(self.arguments.passphrase_file.as_deref(), Purpose::Open)?,
        };
        Ok(self.passphrase.insert(passphrase))
    }
}

/// What is in a file, or comes from standard input.
pub(super) fn bytes_of(file: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    if file == Path::new("-") {
        let mut bytes = secret::buffer(64 * 1024);
        io::stdin().lock().take(import::MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > import::MAX_FILE_BYTES {
            bail!("longer than {} bytes", import::MAX_FILE_BYTES);
        }
        return Ok(bytes);
    }
    files::read_handed_over(file, import::MAX_FILE_BYTES).map_err(|error| match error {
        ReadError::Io { cause, .. } => cause.into(),
        // The name stands before it already.
        ReadError::Untrusted(error) => {
            let (error, name) = (error.to_string(), format!("{} ", file.display()));
            anyhow::anyhow!("{}", error.strip_prefix(&name).unwrap_or(&error))
        }
    })
}

/// Whose a google-authenticator file is, and how that is known: of the user in whose home directory it is, or of the
/// user after whom it is named.
fn owner_of(file: &Path) -> anyhow::Result<(UserName, &'static str)> {
    let unknown = "it does not say whose it is: --user NAME";
    let file = std::path::absolute(file).context(unknown)?;
    let name = file.file_name().filter(|name| *name != "-").context(unknown)?;
    if name != GOOGLE_FILE {
        let name = name.to_str().context(unknown)?;
        return Ok((super::user_name(name).context(unknown)?, "the name of the file"));
    }
    let directory = file.parent().context(unknown)?;
    let owner = std::fs::symlink_metadata(&file).context(unknown)?.uid();
    let account = nix::unistd::User::from_uid(owner.into()).context(unknown)?;
    if let Some(account) = &account
        && account.dir == directory
    {
        return Ok((super::user_name(&account.name)?, "the owner of the home directory that it is in"));
    }
    let name = directory.file_name().and_then(|name| name.to_str()).context(unknown)?;
    match account {
        Some(account) if owner != 0 && account.name != name => {
            bail!("it belongs to {}, and lies in the directory {name}: --user NAME", account.name)
        }
        _ => Ok((super::user_name(name).context(unknown)?, "the name of the directory that it is in")),
    }
}

/// A user with what was found about them.
struct User {
    name: UserName,
    tokens: Vec<Found>,
    files: Vec<PathBuf>,
}

/// Puts together what belongs to one user, in the order in which they were found. The same secret twice is one token.
fn by_user(found: Vec<(PathBuf, Found)>) -> Vec<User> {
    let mut users: Vec<User> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (file, found) in found {
        let Some(name) = found.user.clone() else { continue };
        let index = *known.entry(name.clone()).or_insert_with(|| {
            users.push(User { name, tokens: Vec::new(), files: Vec::new() });
            users.len() - 1
        });
        let user = &mut users[index];
        if !user.files.contains(&file) {
            user.files.push(file);
        }
        let same = |token: &&mut Found| {
            token.secret.expose_secret() == found.secret.expose_secret()
                && (token.algorithm, token.digits, token.period)
                    == (found.algorithm, found.digits, found.period)
        };
        match user.tokens.iter_mut().find(same) {
            Some(token) => token.last_step = token.last_step.max(found.last_step),
            None => user.tokens.push(found),
        }
    }
    users
}

fn store(
    users: &[User],
    arguments: &Import,
    settings: &Settings,
    replace: Replace,
    now: UnixTime,
) -> anyhow::Result<Vec<Taken>> {
    let would = foreseen(users, settings, replace)?;
    if arguments.dry_run || users.is_empty() {
        return Ok(would);
    }
    let replaced = would.iter().filter(|taken| **taken == Taken::Replaced).count();
    if replaced > 0 {
        confirm::ask(&format!("Replace {replaced} enrolments?"), &arguments.consent)?;
    }
    let new: Vec<NewUser<'_>> = users
        .iter()
        .map(|user| NewUser { name: &user.name, tokens: tokens(user), backup_codes: Vec::new() })
        .collect();
    Ok(Database::open_or_create(settings)?.import(&new, replace, now)?)
}

/// What would become of the users now.
fn foreseen(users: &[User], settings: &Settings, replace: Replace) -> anyhow::Result<Vec<Taken>> {
    let mut database = match Database::open(settings) {
        Ok(database) => database,
        Err(DatabaseError::Missing(_)) => return Ok(vec![Taken::New; users.len()]),
        Err(error) => return Err(error.into()),
    };
    let would = users.iter().map(|user| {
        let enrolled = database.enrolled(user.name.as_str())?.is_some_and(|user| !user.tokens.is_empty());
        Ok(match (enrolled, replace) {
            (false, _) => Taken::New,
            (true, Replace::Yes) => Taken::Replaced,
            (true, Replace::No) => Taken::LeftAlone,
        })
    });
    would.collect()
}

fn tokens(user: &User) -> Vec<UsedToken<'_>> {
    fn used(found: &Found) -> UsedToken<'_> {
        let token = NewToken {
            secret: &found.secret,
            algorithm: found.algorithm,
            digits: found.digits,
            period: found.period,
            label: "",
        };
        UsedToken { token, last_step: found.last_step }
    }
    user.tokens.iter().map(used).collect()
}

struct Outcome<'a> {
    users: &'a [User],
    taken: &'a [Taken],
    all: &'a All,
    dry_run: bool,
}

impl Outcome<'_> {
    fn those(&self, which: impl Fn(Taken) -> bool) -> impl Iterator<Item = (&User, Taken)> {
        let all = self.users.iter().zip(self.taken.iter().copied());
        all.filter(move |(_, taken)| which(*taken))
    }

    fn imported(&self) -> impl Iterator<Item = (&User, Taken)> {
        self.those(|taken| taken != Taken::LeftAlone)
    }

    fn left_alone(&self) -> impl Iterator<Item = &User> {
        self.those(|taken| taken == Taken::LeftAlone).map(|(user, _)| user)
    }

    fn names(&self) -> String {
        self.imported().fold(String::new(), |text, (user, _)| text + &user.name.to_string() + "\n")
    }

    fn talk(&self, settings: &Settings) -> anyhow::Result<String> {
        let mut text = String::new();
        for complaint in &self.all.unread {
            let reason = printable::text(&complaint.reason);
            match &complaint.file {
                Some(file) => {
                    let file = printable::text(&file.display().to_string());
                    writeln!(text, "{file}{}: {reason}", complaint.place)?;
                }
                None => writeln!(text, "{reason}")?,
            }
        }
        for owner in &self.all.owners {
            writeln!(text, "{}", printable::text(owner))?;
        }
        for user in self.left_alone() {
            writeln!(text, "{} is enrolled already, left alone (--force replaces it)", user.name)?;
        }
        for (user, _) in self.imported() {
            let scratch_codes = user.scratch_codes();
            if scratch_codes > 0 {
                writeln!(
                    text,
                    "{name} had {scratch_codes} scratch codes, which are not taken over: openvpn-2fa backup-codes {name} makes new ones",
                    name = user.name
                )?;
            }
        }
        let imported = self.imported().count();
        let would =
            if self.dry_run { "would be imported (--dry-run: nothing was changed)" } else { "imported" };
        write!(text, "{imported} {} {would}", if imported == 1 { "user" } else { "users" })?;
        let parts = [
            (self.those(|taken| taken == Taken::Replaced).count(), "replaced"),
            (self.left_alone().count(), "left alone"),
            (self.all.passed_over, "of other services passed over"),
            (self.all.unread.len(), "not read"),
        ];
        for (number, what) in parts {
            if number > 0 {
                write!(text, ", {number} {what}")?;
            }
        }
        writeln!(text)?;
        if settings.auth.factor != Factor::Totp && imported > 0 {
            writeln!(
                text,
                "The second factor is {}: codes count for users with openvpn-2fa set USER --factor totp",
                settings.auth.factor.word()
            )?;
        }
        Ok(text)
    }

    fn json(&self) -> serde_json::Value {
        let imported = self.imported().map(|(user, taken)| {
            json!({
                "user": user.name.as_str(),
                "tokens": user.tokens.len(),
                "replaced": taken == Taken::Replaced,
                "scratch_codes_left_behind": user.scratch_codes(),
                "files": user.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
            })
        });
        let unread = self.all.unread.iter().map(|complaint| {
            json!({
                "file": complaint.file.as_ref().map(|file| file.display().to_string()),
                "line": match complaint.place { Place::Line(line) => Some(line), _ => None },
                "entry": match complaint.place { Place::Entry(entry) => Some(entry), _ => None },
                "reason": complaint.reason,
            })
        });
        json!({
            "dry_run": self.dry_run,
            "imported": imported.collect::<Vec<_>>(),
            "left_alone": self.left_alone().map(|user| user.name.as_str()).collect::<Vec<_>>(),
            "passed_over": self.all.passed_over,
            "unread": unread.collect::<Vec<_>>(),
        })
    }
}

impl User {
    fn scratch_codes(&self) -> usize {
        self.tokens.iter().map(|token| token.scratch_codes).sum()
    }
}
