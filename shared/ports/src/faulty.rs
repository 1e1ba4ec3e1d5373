//! The ports in a world where things go wrong, by a seed.
//!
//! Wrap a backend and share one [`Faults`] between the wrappers. With everything on one thread and
//! a virtual clock, a seed is a schedule: the same seed goes wrong in the same places again. Every
//! fault is one that a real backend shows, and nothing is promised beyond what the traits say.
//!
//! | where | what can go wrong |
//! | --- | --- |
//! | everywhere | throttled; unavailable; late, before or after it is applied |
//! | writes | the outcome unknown: not applied, or applied |
//! | index reads | entries show what the row was some time ago |
//! | queues | messages twice, late, out of order, back before their time; a delete without effect |
//! | bus | events twice |
//! | a process | never comes back from an operation, before or after it is applied |

mod blobs;
mod bus;
mod failure;
mod faults;
mod lag;
mod queue;
mod table;

pub use blobs::Blobs;
pub use bus::Bus;
pub use faults::{CrashPoint, Fault, Faults, Rates};
pub use queue::{Queue, Queues};
pub use table::Table;

#[cfg(test)]
mod tests;
