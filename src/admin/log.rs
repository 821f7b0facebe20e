//! `log USER`: the last decisions about a user, from the system's log.

mod sources;

use super::table::{Cell, Table, Tone};
use super::terminal;
use crate::cli::Log;
use crate::config::{Identity, Settings};
use crate::name::UserName;
use crate::printable;
use anyhow::bail;
use serde_json::{Map, Value};
use sources::{Line, Newest};
use std::io::{self, IsTerminal};

/// The events that are decisions about a user.
const DECISIONS: [&str; 2] = ["login", "answer"];

pub(super) fn run(arguments: &Log, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let user = super::user_name(&arguments.user)?;
    let user = settings.auth.canonical(user.as_str().as_bytes())?;
    let is_wanted = |line: &Line| is_about(line, &user, settings);
    let mut newest = Newest::new(arguments.lines.get(), &is_wanted);
    let looked_in = match &arguments.log_file {
        Some(file) => sources::file(file, &mut newest)?,
        None => sources::system(settings, &mut newest),
    };
    let lines = newest.into_lines();
    if json {
        super::print_json(&lines.iter().map(Line::json).collect())?;
    }
    if lines.is_empty() {
        bail!(
            "no decision about {user} was found in {looked_in}. Is it spelled as in openvpn-2fa list? Where there is no syslog, decisions are in OpenVPN's own log"
        );
    }
    if json {
        return Ok(());
    }
    let stdout = io::stdout();
    if stdout.is_terminal() {
        super::print(&table(&lines).text(terminal::columns(), terminal::colours(&stdout)))
    } else {
        super::print(&rows(&lines))
    }
}

/// Whether a line is a decision about `user`, whose name is in the form in which it logs in.
fn is_about(line: &Line, user: &UserName, settings: &Settings) -> bool {
    let is_user = |key: &str| {
        let name = line.value(key).unwrap_or_default();
        settings.auth.canonical(name.as_bytes()).is_ok_and(|name| name == *user)
    };
    let by_certificate = settings.auth.identity == Identity::CommonName && is_user("common_name");
    line.value("event").is_some_and(|event| DECISIONS.contains(&event)) && (is_user("user") || by_certificate)
}

/// What is shown of a line, besides its time.
const SHOWN: [&str; 6] = ["event", "outcome", "reason", "client", "ref", "detail"];

fn table(lines: &[Line]) -> Table {
    let mut table = Table::new(&["TIME", "EVENT", "OUTCOME", "REASON", "CLIENT", "REF", "DETAIL"], 6);
    for line in lines {
        let mut row = vec![Cell::from(&line.time)];
        row.extend(SHOWN.iter().map(|key| {
            let value = line.value(key).unwrap_or_default();
            let tone = match (*key, value) {
                ("outcome", "reject") => Tone::Bad,
                _ => Tone::Plain,
            };
            Cell::new(value, tone)
        }));
        table.row(row);
    }
    table
}

/// For programs: one line a decision, with tabs.
fn rows(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let values = SHOWN.iter().map(|key| line.value(key).unwrap_or_default());
        let cells: Vec<String> =
            std::iter::once(line.time.as_str()).chain(values).map(printable::text).collect();
        text.push_str(cells.join("\t").trim_end());
        text.push('\n');
    }
    text
}

impl Line {
    fn json(&self) -> Value {
        let mut object: Map<String, Value> =
            self.pairs.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        // Last, so that no pair of the line can take its place.
        object.insert("time".to_owned(), self.time.as_str().into());
        Value::Object(object)
    }
}
