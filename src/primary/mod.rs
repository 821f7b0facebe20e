//! Primary checks.
//!
//! PAM modules are other people's code: they may hang, crash, or leave things behind in the process. So PAM runs in a
//! process of its own ([`run_helper`]), which the worker starts, waits for no longer than its deadline, and kills then.
//! What decides and holds the database never shares an address space with a module.

mod groups;
mod isolated;
mod pam;

pub use isolated::{Isolated, run_helper};
