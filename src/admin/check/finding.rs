//! What a check found, and how it is shown.

use crate::admin::terminal::Colours;
use crate::printable;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Level {
    /// As it should be.
    #[serde(rename = "ok")]
    Good,
    /// It works, and somebody will wonder.
    #[serde(rename = "look")]
    Doubtful,
    /// It does not work, or is not safe.
    #[serde(rename = "fail")]
    Bad,
}

impl Level {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Doubtful => "look",
            Self::Bad => "fail",
        }
    }

    /// Green, yellow, red.
    fn colour(self) -> &'static str {
        match self {
            Self::Good => "\x1b[32m",
            Self::Doubtful => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// A file, or a line in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// Counted from 1.
    pub(super) line: Option<usize>,
}

impl Place {
    pub(super) fn file(file: &Path) -> Self {
        Self { file: file.to_owned(), line: None }
    }

    pub(super) fn line(file: &Path, line: usize) -> Self {
        Self { file: file.to_owned(), line: Some(line) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What it is about: one of a small set of fixed words, for programs.
    pub(super) subject: Cow<'static, str>,
    /// Where, if it is in a file.
    #[serde(flatten)]
    pub(super) place: Option<Place>,
    /// What is the case.
    #[serde(rename = "finding")]
    pub(super) text: String,
    /// What to do, where something is to be done.
    pub(super) remedy: Option<String>,
}

impl Finding {
    /// For people.
    pub(super) fn show(&self, colours: Colours) -> String {
        let (on, off) = match colours {
            Colours::Yes => (self.level.colour(), "\x1b[0m"),
            Colours::No => ("", ""),
        };
        let place = self.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
        let what = printable::text(&format!("{place}{}", self.text));
        let mut text = format!("{on}{:4}{off}  {what}\n", self.level.word());
        for line in self.remedy.iter().flat_map(|remedy| remedy.lines()) {
            let _ = writeln!(text, "      {}", printable::text(line));
        }
        text
    }
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
    subject: &'static str,
    place: Option<Place>,
}

impl Findings {
    /// What the following findings are about.
    pub(super) fn about(&mut self, subject: &'static str) {
        self.subject = subject;
    }

    /// Where the next finding is.
    pub(super) fn at(&mut self, place: &Place) -> &mut Self {
        self.place = Some(place.clone());
        self
    }

    pub(super) fn good(&mut self, text: impl Into<String>) {
        self.add(Level::Good, text.into(), None);
    }

    pub(super) fn doubtful(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.add(Level::Doubtful, text.into(), Some(remedy.into()));
    }

    pub(super) fn bad(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.add(Level::Bad, text.into(), Some(remedy.into()));
    }

    fn add(&mut self, level: Level, text: String, remedy: Option<String>) {
        let place = self.place.take();
        self.all.push(Finding { level, subject: self.subject.into(), place, text, remedy });
    }

    /// The worst.
    pub(super) fn level(&self) -> Level {
        self.all.iter().map(|finding| finding.level).max().unwrap_or(Level::Good)
    }

    pub(super) fn text(&self, colours: Colours) -> String {
        self.all.iter().map(|finding| finding.show(colours)).collect()
    }

    pub(super) fn json(&self) -> Value {
        json!({ "level": self.level(), "findings": self.all })
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_places_are_for_people_and_fields_for_programs() {
        let mut findings = Findings::default();
        findings.about("server");
        findings.at(&Place::line(Path::new("/x"), 3)).bad("wrong \x1b[2J", "one\ntwo");
        findings.good("fine");
        let shown =
            "\x1b[31mfail\x1b[0m  /x:3: wrong \\u{1b}[2J\n      one\n      two\n\x1b[32mok  \x1b[0m  fine\n";
        assert_eq!(findings.text(Colours::Yes), shown);
        assert!(!findings.text(Colours::No).contains('\x1b'));
        let json = findings.json();
        assert_eq!(json["level"], "fail");
        assert_eq!(
            json["findings"][0],
            json!({ "level": "fail", "subject": "server", "file": "/x", "line": 3, "finding": "wrong \x1b[2J", "remedy": "one\ntwo" })
        );
        assert_eq!(serde_json::from_value::<Vec<Finding>>(json["findings"].clone()).unwrap(), findings.all);
    }
}
