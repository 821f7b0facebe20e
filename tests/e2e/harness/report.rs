//! What a failing test prints: its own message, then the last lines of the logs that belong to it.

use std::cell::RefCell;
use std::fmt::Write;
use std::panic::AssertUnwindSafe;

use libtest_mimic::{Completion, Failed, Trial};

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    static ATTACHED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A named test.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) body: fn(),
}

/// A list of [`Case`]s, named after the functions.
#[macro_export]
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        vec![$($crate::harness::report::Case { name: stringify!($function), body: $function }),*]
    };
}

/// Why a test cannot run on this machine.
struct Skipped(String);

/// Ends the test as ignored, which is not passed.
pub(crate) fn skip(reason: &str) -> ! {
    std::panic::resume_unwind(Box::new(Skipped(reason.into())))
}

/// Keeps panic messages for the report instead of printing them amid those of other tests.
pub(crate) fn keep_panic_messages() {
    std::panic::set_hook(Box::new(|info| {
        let message = payload_of(info.payload());
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let line = format!("{message}\n  at {place}\n");
        PANIC.with_borrow_mut(|kept| kept.push_str(&line));
    }));
}

fn payload_of(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic without a message")
}

/// Adds the end of `text` to the report of the test that this thread runs. OpenVPN's list of all its options,
/// which it logs at its start, is left out.
pub(crate) fn attach(title: &str, text: &str, lines: usize) {
    let all: Vec<&str> = text.lines().filter(|line| !line.contains("4   ")).collect();
    let from = all.len().saturating_sub(lines);
    ATTACHED.with_borrow_mut(|attached| {
        let _infallible =
            writeln!(attached, "--- {title} (last {} of {} lines)", all.len() - from, all.len());
        for line in &all[from..] {
            let _infallible = writeln!(attached, "{line}");
        }
    });
}

impl Case {
    pub(crate) fn into_trial(self, group: &str) -> Trial {
        trial(format!("{group}::{}", self.name), self.body)
    }
}

/// A test that fails when `body` panics.
pub(crate) fn trial(name: String, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || {
        PANIC.with_borrow_mut(String::clear);
        ATTACHED.with_borrow_mut(String::clear);
        let Err(payload) = std::panic::catch_unwind(AssertUnwindSafe(body)) else {
            return Ok(Completion::Completed);
        };
        if let Some(Skipped(reason)) = payload.downcast_ref() {
            return Ok(Completion::ignored_with(reason));
        }
        let message = PANIC.with_borrow(Clone::clone);
        let attached = ATTACHED.with_borrow(Clone::clone);
        Err(Failed::from(format!("{message}{attached}")))
    })
}
