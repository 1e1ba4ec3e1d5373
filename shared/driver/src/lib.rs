//! The only loop: effects become calls, and what comes of them becomes inputs.
//!
//! Durable executions: [`Door`] (what the API says to executions: start, deliver, heartbeat),
//! [`Driver`] (receives messages and holds executions, one session each; `session` is the protocol,
//! `held` an execution in hand), [`Sweeper`] (what no message announces), all in a [`World`] (store,
//! queue, bus, clock, definitions) with a [`Config`].
//!
//! Executions in memory, which end with the process: [`Drive`] and [`inbox()`].
//!
//! The crate decides nothing about states: that is the engine's. It performs nothing: that is done
//! by [`integrations::Tasks`]. It knows neither which backend it stands on nor which shell runs it.
//! Its tests stand beside the code; the simulator in `tests/` crashes it everywhere.

mod calls;
mod config;
mod door;
mod driver;
mod end;
mod held;
mod inbox;
mod machines;
mod mailbox;
mod message;
mod run;
mod seeds;
mod session;
mod state;
mod sweep;
#[cfg(test)]
mod tests;
mod world;

pub use config::{Config, StatusEvents};
pub use door::{Delivered, Door, Start, Started};
pub use driver::Driver;
pub use end::is_failure;
pub use inbox::{Deliveries, Gone, Inbox, inbox};
pub use machines::{MachineError, Machines};
pub use run::{Drive, DriveError};
pub use seeds::Seeds;
pub use sweep::{Sweeper, Swept};
pub use world::{World, WorldError, WorldParts};
