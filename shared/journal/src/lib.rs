//! What is stored of executions, state machines and activities, and how it is found again; written
//! once, over the ports.
//!
//! Reading order: [`Store`] (a table, blobs and their configuration), [`execution`] (an execution
//! as a sequence of records: appended, loaded, listed, read as history, given up after its
//! retention), [`payload`] (large values, stored once beside the records), [`registry`] (state
//! machines with their revisions, activities, tags).
//!
//! The crate knows neither which backend it stands on nor who drives executions: it never steps
//! the engine. Its tests stand beside the code.

pub mod execution;
pub mod payload;
pub mod registry;
mod store;

pub use store::{Config, FORMAT, OpenError, Store, StoreError};
