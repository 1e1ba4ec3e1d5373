//! The ports on one data directory: an embedded store with group commit.
//!
//! Reading order: [`Store`] and [`Options`], then inside: `committer` (what happens to a write),
//! `log` (how it becomes durable), `memtable` and `storage` (where it is read), `window` (what of a
//! queue is in memory), `maintenance` (flushes and merges), `directory` (the files).
//!
//! ```text
//! put, send, delete -> inbox -> committer: conditions, one batch -> log -> sync -> memtable -> answers
//!                                                          flush: memtable -> sorted files; log segment goes
//!                                                          merge: sorted files -> fewer sorted files
//! ```
//!
//! **One log for all.** Rows, messages and the places of blobs go through one log in the order in
//! which they were asked for, so no crash keeps a later write and loses an earlier one. A write of
//! a row waits for the sync that it shares with all that wait; a message is ordered when `send`
//! returns. What a crash may tear is the last batch only, which nobody was told of; everything else
//! that does not match its checksum is reported, see the module `log`.
//!
//! **Failures.** A full disk refuses requests with its reason; messages that were promised are kept
//! and written first when there is room. After a sync that failed nothing is known of what it was
//! to write: the store refuses everything until it is opened again. When sorted files cannot be
//! written the log keeps what they lack, and writes are refused before memory runs out.
//!
//! **Why not a whole database.** Measured on the writes of a workflow engine (records of 600 to
//! 1,000 bytes under random keys, index entries, messages that live for milliseconds), with 1,024
//! executions in flight and the same harness over each. Instructions, because they do not depend on
//! what else a machine does; bytes with 200,000 executions parked (1,000,000 for this crate).
//!
//! | | instructions per put | bytes per parked execution | notes |
//! | --- | --- | --- | --- |
//! | SQLite 3, WAL | 111,000 | not measured to the end | checkpoints in the way of commits |
//! | redb 4.6 | 86,000 | 2,160 | no compression; commits write whole pages |
//! | fjall 3.1 | 53,000 | 1,050 | may cut its journal off at a damaged byte in its middle; no way on after a full disk |
//! | `lsm-tree` 3.1 (fjall's files), plain log | 52,000 | 1,470 | its memtable takes the most |
//! | this crate | 42,000 | 460 | messages that are deleted soon never reach a file |
//!
//! With the settings of today a parked execution takes 740 bytes: blocks are small and what has been
//! written lately is not compressed, because 100,000 timers that fire read 100,000 rows.
//!
//! So the sorted files are `lsm-tree`'s, with its checksums, filters, compression and merges; log,
//! memtable, queues and group commit are ours, for what a workflow engine needs of them.
//!
//! Three threads belong to a store: commits, flushes, merges. It knows nothing of workflows. Its
//! tests: beside the code, the contract of the ports (`tests/contract.rs`), kills and limits of the
//! kernel (`tests/crash.rs`), changed files (`tests/damage.rs`), openings and a model of the table
//! (`tests/restart.rs`), disks that fail (`src/tests.rs`).

mod blobs;
mod codec;
mod committer;
mod directory;
mod error;
mod inbox;
mod key;
mod log;
mod maintenance;
mod memtable;
mod queue;
mod shared;
mod storage;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod window;

pub use error::OpenError;
pub use store::{CloseError, Options, Stats, Store};
