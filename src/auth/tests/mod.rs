//! The decision against scripted services: every flow, every way it can go wrong.

mod details;
mod duo;
mod enrolment;
mod fakes;
mod flows;
mod identity;
mod properties;
mod word;
