//! What becomes of a session whose worker hangs or breaks: a reject, while there is a session.

use crate::auth::Told;
use crate::clock::pause;
use crate::log::{Entry, Level};
use crate::openvpn::ControlFiles;
use std::io;
use std::panic;
use std::time::Duration;

/// The stack of the thread that waits for the deadline, in bytes; it calls a few system calls.
const STACK_BYTES: usize = 64 * 1024;

/// Ends this process `lifetime` from now, with a reject where the session still lives.
///
/// # Errors
/// When there is no thread to be had.
pub(super) fn reject_at(lifetime: Duration, control: Option<ControlFiles>) -> io::Result<()> {
    std::thread::Builder::new().name("deadline".to_owned()).stack_size(STACK_BYTES).spawn(move || {
        pause(lifetime);
        Entry::new(Level::Error, "worker")
            .pair("reason", "deadline")
            .pair("seconds", lifetime.as_secs())
            .write();
        end(control.as_ref())
    })?;
    Ok(())
}

/// Makes a panic a reject. Its message is not written anywhere: nobody knows what is in it.
pub(super) fn reject_on_panic(control: Option<ControlFiles>) {
    panic::set_hook(Box::new(move |panicked| {
        let place = panicked.location().map(ToString::to_string);
        Entry::new(Level::Error, "worker").pair("reason", "panic").maybe("place", place).write();
        end(control.as_ref())
    }));
}

fn end(control: Option<&ControlFiles>) -> ! {
    if let Some(control) = control {
        // Gone or decided already: then there is nothing to reject.
        let _ = control.reject(Told::AuthenticationFailed.text());
    }
    std::process::exit(1)
}
