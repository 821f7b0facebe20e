//! What a check found, and how it is shown.

use crate::admin::terminal::Colours;
use crate::printable;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// It works, and somebody will wonder.
    Doubtful,
    /// It does not work, or is not safe.
    Bad,
}

impl Level {
    fn word(self) -> &'static str {
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

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What was looked at and what is the case.
    pub(super) text: String,
    /// What to do, where something is to be done.
    pub(super) remedy: Option<String>,
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, text: impl Into<String>) {
        self.0.push(Finding { level: Level::Good, text: text.into(), remedy: None });
    }

    pub(super) fn doubtful(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { level: Level::Doubtful, text: text.into(), remedy: Some(remedy.into()) });
    }

    pub(super) fn bad(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { level: Level::Bad, text: text.into(), remedy: Some(remedy.into()) });
    }

    /// The worst.
    pub(super) fn level(&self) -> Level {
        self.0.iter().map(|finding| finding.level).max().unwrap_or(Level::Good)
    }

    pub(super) fn text(&self, colours: Colours) -> String {
        let mut text = String::new();
        for Finding { level, text: what, remedy } in &self.0 {
            let (on, off) = match colours {
                Colours::Yes => (level.colour(), "\x1b[0m"),
                Colours::No => ("", ""),
            };
            let _ = writeln!(text, "{on}{:4}{off}  {}", level.word(), printable::text(what));
            for line in remedy.iter().flat_map(|remedy| remedy.lines()) {
                let _ = writeln!(text, "      {}", printable::text(line));
            }
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let one = |finding: &Finding| json!({ "level": finding.level.word(), "finding": finding.text, "remedy": finding.remedy });
        json!({ "level": self.level().word(), "findings": self.0.iter().map(one).collect::<Vec<_>>() })
    }
}
