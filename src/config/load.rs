//! Where settings come from, and whose word counts.

use super::{Appended, Factor, Primary, Settings, UsernameCase};
use crate::files::{self, TrustError};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The settings file, where nobody names another.
pub const DEFAULT_FILE: &str = "/etc/openvpn-2fa/config.toml";

/// The environment variable that names another settings file (`setenv openvpn2faConfig PATH`).
pub const FILE_VARIABLE: &str = "openvpn2faConfig";

/// The longest settings file, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Where to look for settings, besides the defaults.
#[derive(Debug, Default)]
pub struct Sources {
    /// `--config`
    pub file: Option<PathBuf>,
    /// `--db`
    pub database: Option<PathBuf>,
    /// The environment; what is not a setting is passed over.
    pub environment: Vec<(OsString, OsString)>,
}

/// Settings that cannot be used. The text says where, which key, and why; it holds no secret values.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// Others could have written the file.
    #[error("the settings file is not used: {0}")]
    Untrusted(TrustError),
    /// The file is not TOML in UTF-8.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Why.
        message: String,
    },
    /// A section, a key or a value is wrong.
    #[error("{origin}: {key}: {message}")]
    Value {
        /// `FILE:LINE` or `environment variable NAME`.
        origin: String,
        /// `[section] key`.
        key: String,
        /// Why.
        message: String,
    },
    /// Settings that exclude each other.
    #[error("settings that do not go together: {0}")]
    Combination(&'static str),
}

/// One value that somebody set.
struct Entry {
    origin: String,
    section: String,
    key: Option<String>,
    /// What the value may mean; the first that fits is taken. The environment has text only.
    readings: Vec<toml::Value>,
}

impl Entry {
    /// Whether the value is a secret.
    fn is_secret(&self) -> bool {
        self.key.as_ref().is_some_and(|key| SECRET_KEYS.contains(&key.as_str()))
    }

    /// The error that says that this value stands where others can read it.
    fn refuse(&self, error: &TrustError) -> ConfigError {
        let key = self.key.as_deref().unwrap_or_default();
        ConfigError::Value {
            origin: self.origin.clone(),
            key: crate::printable::text(&format!("[{}] {key}", self.section)),
            message: format!("a secret in a file that others can read: {error}, or move it to a skey_file"),
        }
    }
}

/// Reads and checks all settings. Precedence: command line, environment, file, default.
///
/// # Errors
/// When a source cannot be read or trusted, or holds an unknown section or key or a wrong value.
pub fn load(sources: &Sources) -> Result<Settings, ConfigError> {
    let named = sources.file.clone().or_else(|| variable(sources, FILE_VARIABLE).map(PathBuf::from));
    let mut merged = toml::Table::new();
    let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match files::read_trusted(&path, MAX_FILE_BYTES) {
        Ok(file) => {
            for entry in file_entries(&path, &file.bytes)? {
                if entry.is_secret() {
                    file.require_unreadable().map_err(|error| entry.refuse(&error))?;
                }
                merge(&mut merged, entry)?;
            }
        }
        Err(files::ReadError::Io { cause, .. })
            if named.is_none() && cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(files::ReadError::Io { path, cause }) => return Err(ConfigError::Read { path, cause }),
        Err(files::ReadError::Untrusted(error)) => return Err(ConfigError::Untrusted(error)),
    }
    for entry in sources.environment.iter().filter_map(environment_entry) {
        merge(&mut merged, entry)?;
    }
    let mut settings = Settings::deserialize(toml::Value::Table(merged)).map_err(|error| {
        // Each entry was read on its own before; together they can only be what they were.
        ConfigError::Value {
            origin: "settings".to_owned(),
            key: "all".to_owned(),
            message: error.message().to_owned(),
        }
    })?;
    if let Some(database) = &sources.database {
        settings.totp.token_db_path.clone_from(database);
    }
    if settings.auth.username_case == UsernameCase::Lower {
        for names in [&mut settings.auth.exempt, &mut settings.duo.exempt] {
            *names = names.to_lowercase();
        }
    }
    check_combinations(&settings)?;
    Ok(settings)
}

fn variable(sources: &Sources, name: &str) -> Option<OsString> {
    sources.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

/// Checks `entry` alone, so that an error can name its origin, and adds it to what is known.
fn merge(merged: &mut toml::Table, entry: Entry) -> Result<(), ConfigError> {
    let mut first_error = None;
    for reading in entry.readings {
        let section = match &entry.key {
            Some(key) => toml::Value::Table(std::iter::once((key.clone(), reading)).collect()),
            None => reading,
        };
        let alone: toml::Table = std::iter::once((entry.section.clone(), section.clone())).collect();
        match Settings::deserialize(toml::Value::Table(alone)) {
            Ok(_) => {
                let known =
                    merged.entry(entry.section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
                if let (toml::Value::Table(known), toml::Value::Table(new)) = (known, section) {
                    known.extend(new);
                }
                return Ok(());
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    let message = match &entry.key {
        // The error may quote the value.
        Some(key) if SECRET_KEYS.contains(&key.as_str()) => "a text in quotes is wanted".to_owned(),
        _ => first_error.map_or_else(|| "not UTF-8".to_owned(), |error| with_suggestion(error.message())),
    };
    let key = match entry.key {
        Some(key) => format!("[{}] {key}", entry.section),
        None => format!("[{}]", entry.section),
    };
    let (key, message) = (crate::printable::text(&key), crate::printable::text(&message));
    Err(ConfigError::Value { origin: entry.origin, key, message })
}

/// A complaint of serde's about a name that it does not know, with the one that was probably meant.
fn with_suggestion(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let known = ["unknown field", "unknown variant"].iter().any(|beginning| message.starts_with(beginning));
    let Some(unknown) = names.next().filter(|_| known) else { return message.to_owned() };
    let distance = |name: &str| strsim::osa_distance(&unknown.to_lowercase(), name);
    // One slip in three letters.
    let near =
        names.map(|name| (distance(name), name)).filter(|(distance, name)| *distance <= name.len() / 3);
    match near.min() {
        Some((_, name)) => format!("{message}; did you mean `{name}`?"),
        None => message.to_owned(),
    }
}

fn file_entries(path: &Path, bytes: &[u8]) -> Result<Vec<Entry>, ConfigError> {
    let line_of = |offset: usize| bytes[..offset.min(bytes.len())].split(|&b| b == b'\n').count();
    let syntax =
        |offset, message| ConfigError::Syntax { path: path.to_owned(), line: line_of(offset), message };
    let text = std::str::from_utf8(bytes).map_err(|e| syntax(e.valid_up_to(), "not UTF-8".to_owned()))?;
    let failed = |error: &toml::de::Error| {
        syntax(error.span().map_or(0, |span| span.start), crate::printable::text(error.message()))
    };
    let spans = toml::de::DeTable::parse(text).map_err(|error| failed(&error))?;
    let values: toml::Table = toml::from_str(text).map_err(|error| failed(&error))?;

    let mut entries = Vec::new();
    for (section, body) in spans.get_ref() {
        let name = section.get_ref().to_string();
        let Some(value) = values.get(&name) else { continue };
        let origin = format!("{}:{}", path.display(), line_of(section.span().start));
        if !SECTIONS.contains(&name.as_str()) && !value.is_table() {
            entries.push(Entry { origin, section: name, key: None, readings: vec![value.clone()] });
            continue;
        }
        let (Some(keys), toml::Value::Table(table)) = (body.get_ref().as_table(), value) else {
            return Err(ConfigError::Value {
                origin,
                key: format!("[{}]", crate::printable::text(&name)),
                message: "this is the name of a section, and sections hold keys: write it in brackets"
                    .to_owned(),
            });
        };
        if keys.is_empty() {
            entries.push(Entry { origin, section: name.clone(), key: None, readings: vec![value.clone()] });
        }
        for key in keys.keys() {
            let key_name = key.get_ref().to_string();
            let Some(value) = table.get(&key_name) else { continue };
            entries.push(Entry {
                origin: format!("{}:{}", path.display(), line_of(key.span().start)),
                section: name.clone(),
                key: Some(key_name),
                readings: vec![value.clone()],
            });
        }
    }
    Ok(entries)
}

/// Keys whose values are secrets, whatever section they stand in by mistake.
const SECRET_KEYS: [&str; 1] = ["skey"];

/// The sections of the file, which are also the beginnings of the names in the environment.
const SECTIONS: [&str; 7] = ["auth", "pam", "totp", "store", "worker", "lockout", "duo"];

/// The setting that an environment variable is, if it is one: `totpIssuerName` is `[totp] issuer_name`.
fn environment_entry((name, value): &(OsString, OsString)) -> Option<Entry> {
    let name = name.to_str()?;
    let (section, rest) = SECTIONS.iter().find_map(|section| Some((section, name.strip_prefix(section)?)))?;
    if !rest.starts_with(|c: char| c.is_ascii_uppercase()) || !rest.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return None;
    }
    let mut key = String::with_capacity(rest.len() + 4);
    for (index, character) in rest.char_indices() {
        if character.is_ascii_uppercase() && index > 0 {
            key.push('_');
        }
        key.push(character.to_ascii_lowercase());
    }
    let origin = format!("environment variable {name}");
    let Some(text) = value.to_str().map(str::to_owned) else {
        // Nothing that it could mean.
        return Some(Entry { origin, section: (*section).to_owned(), key: Some(key), readings: vec![] });
    };
    let mut readings = vec![];
    if let Ok(number) = text.parse() {
        readings.push(toml::Value::Integer(number));
    }
    if let Ok(truth) = text.parse() {
        readings.push(toml::Value::Boolean(truth));
    }
    readings.push(toml::Value::String(text));
    Some(Entry { origin, section: (*section).to_owned(), key: Some(key), readings })
}

fn check_combinations(settings: &Settings) -> Result<(), ConfigError> {
    if settings.auth.factor == Factor::Duo
        && let Some(missing) = settings.duo.missing()
    {
        return Err(ConfigError::Combination(missing));
    }
    if settings.duo.verified_push && settings.duo.autopush {
        return Err(ConfigError::Combination(
            "[duo] verified_push and autopush: a code must be shown to the user, who is not asked anything with autopush",
        ));
    }
    if settings.duo.skey.is_some() && settings.duo.skey_file.is_some() {
        return Err(ConfigError::Combination("[duo] skey and skey_file: only one of them can hold the key"));
    }
    if settings.store.key_file().as_ref() == Some(&settings.totp.token_db_path) {
        return Err(ConfigError::Combination(
            "[store] key_file and [totp] token_db_path: the key has a file of its own, outside the database",
        ));
    }
    if settings.auth.primary == Primary::None && !settings.exempt_groups().is_empty() {
        return Err(ConfigError::Combination(
            "[auth] primary = \"none\" and exempt_groups: groups are those of an account, and without PAM nobody has shown to have one; name the users in exempt",
        ));
    }
    if settings.auth.primary == Primary::None && settings.totp.self_enroll {
        return Err(ConfigError::Combination(
            "[auth] primary = \"none\" and [totp] self_enroll: whoever has a certificate alone would choose its second factor; enrol the users yourself",
        ));
    }
    if settings.auth.primary == Primary::None && settings.auth.appended != Appended::Off {
        return Err(ConfigError::Combination(
            "[auth] primary = \"none\" and appended: without a password there is nothing to append to",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
