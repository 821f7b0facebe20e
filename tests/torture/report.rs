//! What is printed, and what is remembered for the end.

use crate::tracer::GENERATIONS;
use std::io::Write;
use std::time::{Duration, Instant};

/// What a run has found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Whether less is looked at than there is, by request.
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) findings: usize,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Report {
    /// One more finding: where, how it can be had again, what.
    pub(crate) fn found(&mut self, place: &str, what: &str) {
        self.findings += 1;
        println!("FOUND {place}: {what}");
    }

    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        println!("skipped: {what}: {why}");
        self.skipped += 1;
    }

    /// Prints a line, which counts as one test.
    pub(crate) fn finish(&mut self, line: &Line) {
        line.print();
        if line.findings == 0 {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }

    /// The last lines, and whether all is well. `scripts/test` reads the one that looks like that of a test.
    pub(crate) fn conclude(&self, started: Instant) -> bool {
        let Self { rounds, findings, passed, failed, skipped, .. } = self;
        let took = started.elapsed().as_secs();
        let well = *findings == 0 && *rounds > 0;
        let word = if well { "ok" } else { "FAILED" };
        println!("\n{rounds} rounds in {took} s, {findings} findings");
        println!("test result: {word}. {passed} passed; {failed} failed; {skipped} ignored");
        well
    }
}

/// The rounds of one kind, summed up in a line.
#[derive(Debug)]
pub(crate) struct Line {
    name: String,
    pub(crate) rounds: usize,
    pub(crate) hits: usize,
    /// Hits at a call, by the generation of the process that made it.
    pub(crate) hits_of: [usize; GENERATIONS.len()],
    pub(crate) let_in: usize,
    pub(crate) findings: usize,
    slowest: (Duration, String),
}

impl Line {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            rounds: 0,
            hits: 0,
            hits_of: [0; GENERATIONS.len()],
            let_in: 0,
            findings: 0,
            slowest: (Duration::ZERO, String::new()),
        }
    }

    /// A round took so long.
    pub(crate) fn took(&mut self, time: Duration, name: impl FnOnce() -> String) {
        if time > self.slowest.0 {
            self.slowest = (time, name());
        }
    }

    fn print(&self) {
        let Self { name, rounds, hits, let_in, slowest, .. } = self;
        let (slowest, at) = (slowest.0.as_millis(), &slowest.1);
        println!("{name:<38} {rounds:>5} rounds {hits:>5} hit {let_in:>5} let in, slowest {slowest} ms {at}");
        let _ = std::io::stdout().flush();
    }
}
