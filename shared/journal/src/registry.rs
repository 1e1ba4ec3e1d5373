//! What is registered: state machines with their revisions, activities, and the tags of both.
//!
//! | partition | sort | row |
//! | --- | --- | --- |
//! | `m/<name>` | `machine` | a state machine: identity, tags, its current revision without the definition |
//! | `m/<name>` | `r/<revision id>` | a revision, never changed |
//! | `a/<name>` | `activity` | an activity |
//!
//! Index `First` lists both: `machines/<shard>` and `activities/<shard>`, sorted by name.
//!
//! A change is one conditional put of the first row, or the third; the revision that it leads to,
//! and the blob with a large definition, are written before. What a lost race leaves behind is a
//! revision that nothing names. Revisions stay when their state machine is deleted: executions
//! that run, and those that are described, need them. Their ids are unique for all time, so a
//! state machine created anew under the same name never meets them. Versions and aliases will be
//! rows of their own beside them, each naming a revision.

mod activity;
mod list;
mod machine;
mod revision;
mod row;
mod tags;
#[cfg(test)]
mod tests;

pub use activity::{Activity, ActivityListing, NewActivity};
pub use list::Listed;
pub use machine::{Change, NewStateMachine, Outcome, StateMachine, StateMachineListing, Updated};
pub use revision::{Encryption, Logging, Revision, RevisionSummary};
pub use tags::{TagChange, Tags};

use crate::store::Store;

/// The state machines and activities of a store. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    store: Store,
}

impl Registry {
    /// The registry of `store`.
    pub fn new(store: Store) -> Registry {
        Registry { store }
    }

    /// The store it is in.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
