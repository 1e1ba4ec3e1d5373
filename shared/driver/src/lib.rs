//! The only loop: effects become calls, and what comes of them becomes inputs.
//!
//! Reading order: [`Drive`] and [`Drive::run`] (the loop), [`inbox()`] (how the world tells a running
//! execution something: callbacks, heartbeats, a stop), [`ports::Clock`] (real time, or time that passes
//! at once), [`Seeds`] (where random numbers come from).
//!
//! Executions are held in memory and end with the process. The crate decides nothing about
//! states: that is the engine's. It performs nothing: that is done by [`integrations::Tasks`].
//! Its tests stand beside the code.

mod inbox;
mod run;
mod seeds;
#[cfg(test)]
mod tests;

pub use inbox::{Deliveries, Gone, Inbox, inbox};
pub use run::{Drive, DriveError};
pub use seeds::Seeds;
