//! Logins whose second factor is Duo, against the look-alike of `tests/duo`.

mod factors;
mod keys;
mod network;
mod outages;
mod pacing;
mod parameters;
mod prompts;
mod telephones;
mod users;
mod variables;
mod words;

/// What a user is told when Duo gives no answer that can be used.
const UNAVAILABLE: &str = "The second factor cannot be checked now, try again later";
