//! The ports on one data directory: an embedded store with group commit.
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
