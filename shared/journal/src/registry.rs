//! What is registered: state machines with their revisions, versions and aliases, activities, and the
//! tags of both.
//!
//! | partition | sort | row |
//! | --- | --- | --- |
//! | `m/<name>` | `machine` | a state machine: identity, tags, aliases, which versions there are, the newest version and the current revision without their definitions |
//! | `m/<name>` | `r/<revision id>` | a revision, never changed |
//! | `m/<name>` | `v/<incarnation>/<number>` | a version that is not the newest, never changed |
//! | `a/<name>` | `activity` | an activity |
//!
//! Index `First` lists both: `machines/<shard>` and `activities/<shard>`, sorted by name.
//!
//! A change is one conditional put of the first row, or the last; the revision that it leads to,
//! the blob with a large definition, and the row of a version that is the newest no more are written
//! before. What a lost race leaves behind is a row that nothing names. Revisions stay when their
//! state machine is deleted: executions that run, and those that are described, need them. Their ids
//! are unique for all time, so a state machine created anew under the same name never meets them.
//! Nor does it meet the versions, which stay as well: an incarnation is the id of its first revision.

mod activity;
mod alias;
mod list;
mod machine;
mod revision;
mod row;
mod tags;
#[cfg(test)]
mod tests;
mod version;

pub use activity::{Activity, ActivityListing, NewActivity};
pub use alias::{Alias, AliasChange, AliasOutcome, Route};
pub use list::Listed;
pub use machine::{Change, NewStateMachine, Outcome, StateMachine, StateMachineListing, Updated};
pub use revision::{Encryption, Logging, Revision, RevisionSummary};
pub use tags::{TagChange, Tags};
pub use version::{Publish, Published, Version, VersionDeleted, Versions};

use model::json::Text;

use crate::store::Store;

/// What an ARN of a state machine may have behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// The number of a version.
    Version(u64),
    /// The name of an alias.
    Alias(Text),
}

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
