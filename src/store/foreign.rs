//! Databases of other programs, read from memory: the file is not SQLite's to open, lock or change.

use super::sqlite::header_is_ours;
use crate::import::{Cell, MAX_ENTRIES, Row};
use crate::secret::secret;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, MAIN_DB};

/// Where users and secrets are; what is `None` is guessed.
#[derive(Debug, Default, Clone)]
pub struct Columns {
    /// The table.
    pub table: Option<String>,
    /// Its column of users.
    pub user: Option<String>,
    /// Its column of secrets.
    pub secret: Option<String>,
}

/// A database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// It is one of ours.
    #[error("a database of openvpn-2fa: openvpn-2fa restore takes it, and --db looks into it")]
    Ours,
    /// No table fits, or several do.
    #[error("{0}")]
    Columns(String),
    /// SQLite said no.
    #[error("not read by SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// Names of columns that hold users, and secrets, in lower case and without anything but letters; the likeliest first.
const USERS: &[&str] = &["username", "user", "login", "name", "account", "commonname", "userid", "uid"];
const SECRETS: &[&str] = &[
    "secret",
    "totpsecret",
    "otpsecret",
    "sharedsecret",
    "secretkey",
    "totpkey",
    "otpkey",
    "token",
    "totptoken",
    "totp",
    "otp",
    "seed",
    "key",
    "base",
    "b",
    "pyotp",
    "mfasecret",
];

/// Reads all users and secrets of a database file's bytes.
///
/// # Errors
/// When it is no database or one of ours, or the columns cannot be told.
pub fn rows_of(bytes: &[u8], columns: &Columns) -> Result<Vec<Row>, ForeignError> {
    if header_is_ours(bytes) {
        return Err(ForeignError::Ours);
    }
    let connection = in_memory(bytes)?;
    let (table, user, secret) = choose(&tables(&connection)?, columns)?;
    let query = format!(
        "SELECT {}, {} FROM {} LIMIT {}",
        quoted(&user),
        quoted(&secret),
        quoted(&table),
        MAX_ENTRIES + 1
    );
    let mut statement = connection.prepare(&query)?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(Row { user: cell(row.get_ref(0)?), secret: cell(row.get_ref(1)?) });
    }
    if rows.len() > MAX_ENTRIES {
        return Err(ForeignError::Columns(format!("more than {MAX_ENTRIES} rows")));
    }
    Ok(rows)
}

/// A copy of a database in memory, which trusts nothing in it.
pub(super) fn in_memory(bytes: &[u8]) -> Result<Connection, rusqlite::Error> {
    let mut connection = Connection::open_in_memory()?;
    let mut copy = crate::secret::buffer(bytes.len());
    copy.extend_from_slice(bytes);
    // "File format write version" and "read version": a database in memory has no write-ahead log. What the log of the
    // file holds is missing; the caller has seen that there is none.
    if let Some(versions @ [2, 2]) = copy.get_mut(18..20) {
        versions.fill(1);
    }
    connection.deserialize_read_exact(MAIN_DB, copy.as_slice(), copy.len(), false)?;
    connection
        .execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA query_only = ON;")?;
    Ok(connection)
}

/// The real tables with their columns.
fn tables(connection: &Connection) -> Result<Vec<(String, Vec<String>)>, rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden = 0
           AND upper(t.sql) NOT LIKE 'CREATE VIRTUAL%'
         ORDER BY t.rowid, c.cid LIMIT 10000",
    )?;
    let mut rows = statement.query([])?;
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
        match tables.last_mut() {
            Some((last, columns)) if *last == table => columns.push(column),
            _ => tables.push((table, vec![column])),
        }
    }
    Ok(tables)
}

/// The table and its two columns: those that are named, and for the rest the only choice.
fn choose(
    tables: &[(String, Vec<String>)],
    wanted: &Columns,
) -> Result<(String, String, String), ForeignError> {
    let is = |name: &str, wanted: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let fitting =
        tables.iter().filter(|(table, _)| is(table, &wanted.table)).filter_map(|(table, columns)| {
            let user = column(columns, wanted.user.as_deref(), USERS)?;
            let secret = column(columns, wanted.secret.as_deref(), SECRETS)?;
            (user != secret).then(|| (table.clone(), user, secret))
        });
    let mut fitting: Vec<_> = fitting.collect();
    if fitting.len() == 1
        && let Some(only) = fitting.pop()
    {
        return Ok(only);
    }
    let why = if fitting.is_empty() { "no table has" } else { "several tables have" };
    let listed: Vec<String> =
        tables.iter().take(20).map(|(table, columns)| format!("{table} ({})", columns.join(", "))).collect();
    let listed = if listed.is_empty() { "none".to_owned() } else { listed.join("; ") };
    Err(ForeignError::Columns(format!(
        "{why} a column of users and one of secrets: name them with --table, --user-column and --secret-column. \
         Tables and columns: {listed}"
    )))
}

fn column(columns: &[String], wanted: Option<&str>, likely: &[&str]) -> Option<String> {
    if let Some(wanted) = wanted {
        return columns.iter().find(|column| column.eq_ignore_ascii_case(wanted)).cloned();
    }
    let letters = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    likely.iter().find_map(|likely| columns.iter().find(|column| letters(column) == *likely)).cloned()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Text(bytes) => Cell::Text(secret(bytes)),
        ValueRef::Blob(bytes) => Cell::Blob(secret(bytes)),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Cell::Other,
    }
}

#[cfg(test)]
mod tests;
