//! Tests of the look-alike of Duo's cloud (`tests/duo`), with a client that shares nothing with the product.
//!
//! What the look-alike refuses is what makes the other tests worth something: each of its rules has a request here that
//! breaks it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that cannot be set up is to fail there"
)]

mod client;
#[path = "../duo/mod.rs"]
mod duo;
mod logins;
mod misbehaviour;
mod odd;
mod proxy;
mod strictness;
mod tls;
