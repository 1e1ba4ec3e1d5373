//! An execution as a sequence of records.
//!
//! [`Executions`] appends ([`Executions::create`], [`Executions::append`]), loads what a driver
//! goes on from ([`Executions::load`]), ends ([`Executions::close`]) and answers questions
//! ([`Executions::describe`], [`Executions::history`], [`Executions::list`]). Record 0 also holds
//! [`Meta`]: who the execution is, and, once it has ended, how.

mod append;
mod beside;
mod code;
mod history;
mod key;
mod list;
mod load;
mod meta;
mod record;
mod retention;
mod running;
#[cfg(test)]
mod tests;
mod wake;

pub use append::{AppendError, Appended, Then};
pub use beside::Poison;
pub use history::{HistoryPage, HistoryQuery};
pub use key::Place;
pub use list::{ListPage, ListPosition, ListQuery, Listing};
pub use load::Loaded;
pub use meta::{Description, First, Meta, Parent};
pub use record::{Ending, Owner, Record, Writer};
pub use wake::{Due, DueKind, DuePage};

use crate::store::Store;

/// The executions of a store. Cheap to clone.
#[derive(Clone)]
pub struct Executions {
    pub(crate) store: Store,
}

impl Executions {
    /// The executions of `store`.
    pub fn new(store: Store) -> Executions {
        Executions { store }
    }

    /// The store they are in.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
