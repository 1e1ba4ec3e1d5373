//! The Step Functions API: operations, wire shapes, exact errors.
//!
//! Reading order: [`Service`] and [`Service::call`] (a request in, a [`Response`] out), `error`
//! (every exception with its status and wording; the one place that has AWS's names for them),
//! `wire` (how members are read and constraints are checked), `operation` (a file for each
//! operation or small family), `token` (page tokens).
//!
//! The crate knows neither HTTP servers nor Lambda, and moves no execution itself: what an
//! operation asks of one goes through [`driver::Door`]. Its tests stand beside the code; recorded
//! sequences of calls are replayed in `tests/`.

mod activity_poll;
mod configuration;
mod error;
mod identifier;
mod name;
mod operation;
mod service;
#[cfg(test)]
mod tests;
mod token;
mod wire;

pub use error::ErrorType;
pub use service::{LONG_POLL, Response, Service, ServiceParts, TARGET};
