use super::*;
use crate::secret::ExposeSecret;

/// The bytes of a database that these statements make.
fn database(statements: &str) -> Vec<u8> {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(statements).unwrap();
    connection.serialize(MAIN_DB).unwrap().to_vec()
}

/// Users and secrets as text, or why not.
fn read(bytes: &[u8], columns: &Columns) -> Result<Vec<String>, String> {
    let text = |cell: &Cell| match cell {
        Cell::Text(bytes) => String::from_utf8_lossy(bytes.expose_secret()).into_owned(),
        Cell::Blob(bytes) => format!("blob of {}", bytes.expose_secret().len()),
        Cell::Other => "other".to_owned(),
    };
    let rows = rows_of(bytes, columns).map_err(|error| error.to_string())?;
    Ok(rows.iter().map(|row| format!("{} {}", text(&row.user), text(&row.secret))).collect())
}

fn named(table: &str, user: &str, secret: &str) -> Columns {
    let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Columns { table: name(table), user: name(user), secret: name(secret) }
}

#[test]
fn the_only_choice_is_taken() {
    for (schema, insert) in [
        ("CREATE TABLE tokens (username TEXT, secret TEXT)", "INSERT INTO tokens VALUES ('a', 'S')"),
        (
            "CREATE TABLE t (id INTEGER, created TEXT, user TEXT, totp_secret TEXT)",
            "INSERT INTO t VALUES (1, '', 'a', 'S')",
        ),
        (
            "CREATE TABLE \"odd \"\"name\" (\"User Name\", \"Secret\")",
            "INSERT INTO \"odd \"\"name\" VALUES ('a', 'S')",
        ),
        (
            "CREATE TABLE k (user PRIMARY KEY, token) WITHOUT ROWID; CREATE TABLE log (user, line)",
            "INSERT INTO k VALUES ('a', 'S')",
        ),
        ("CREATE TABLE users (name, secret, token)", "INSERT INTO users VALUES ('a', 'S', 'no')"),
    ] {
        let bytes = database(&format!("{schema}; {insert}"));
        assert_eq!(read(&bytes, &Columns::default()).unwrap(), ["a S"], "{schema}");
    }
}

#[test]
fn several_choices_or_none_are_listed_and_can_be_named() {
    let bytes = database(
        "CREATE TABLE one (user, secret); CREATE TABLE two (user, secret); CREATE TABLE three (who, what);
         INSERT INTO two VALUES ('a', 'S'), ('b', x'0102'), (NULL, 7); INSERT INTO three VALUES ('c', 'T');",
    );
    let error = read(&bytes, &Columns::default()).unwrap_err();
    assert!(error.contains("several tables") && error.contains("three (who, what)"), "{error}");
    assert_eq!(read(&bytes, &named("TWO", "", "")).unwrap(), ["a S", "b blob of 2", "other other"]);
    assert_eq!(read(&bytes, &named("", "who", "what")).unwrap(), ["c T"]);
    for columns in [named("four", "", ""), named("three", "", ""), named("one", "user", "user")] {
        let error = read(&bytes, &columns).unwrap_err();
        assert!(error.contains("no table") && error.contains("--user-column"), "{error}");
    }
}

#[test]
fn a_database_with_a_log_that_was_written_back_is_read_from_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.sqlite3");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (user, secret); INSERT INTO t VALUES ('a', 'S')",
        )
        .unwrap();
    connection.close().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes[18..20], [2, 2]);
    assert_eq!(read(&bytes, &Columns::default()).unwrap(), ["a S"]);
}

#[test]
fn what_is_no_database_or_ours_is_refused() {
    let bytes = database("PRAGMA application_id = 0x4f324641; CREATE TABLE t (user, secret)");
    assert!(read(&bytes, &Columns::default()).unwrap_err().contains("openvpn-2fa restore"));
    let whole = database("CREATE TABLE t (user, secret); INSERT INTO t VALUES ('a', 'S')");
    for bytes in [&b""[..], b"SQLite format 3\0", &whole[..600], &[0; 4096]] {
        assert!(read(bytes, &Columns::default()).is_err());
    }
    // A view is a program, too.
    let view = database("CREATE TABLE x (y); CREATE VIEW t AS SELECT 'a' AS user, 'S' AS secret");
    assert!(read(&view, &Columns::default()).unwrap_err().contains("no table"));
}
