//! What the driver and the journal need of the world, as narrow traits.
//!
//! Reading order: [`Table`] (rows, conditional puts, two secondary indexes), [`Queue`] (messages
//! at least once), [`Blobs`] (bytes by key), [`Bus`] (status events), [`Clock`].
//!
//! **Order and durability.** A `put` or `delete` of a table or of blobs that returned is durable.
//! A message that was sent, or deleted, is ordered before every later write to the table of the
//! same backend: no crash keeps the later write and loses the earlier message. A backend with one
//! log need not wait for the disk on `send`; one that answers over a network is durable anyway.
//!
//! What stands on the traits: [`memory`] (for tests and simulations), [`faulty`] (a world in which
//! things go wrong, by a seed), [`metered`] (what AWS would charge), [`contract`] (what every
//! backend must pass; also where the tests of these are).
//!
//! The crate knows nothing of workflows and nothing of any backend.

pub mod blobs;
pub mod bus;
pub mod clock;
pub mod contract;
pub mod faulty;
pub mod memory;
pub mod metered;
pub mod queue;
pub mod table;

pub use blobs::{BlobError, Blobs};
pub use bus::{Bus, BusError, Event};
pub use clock::{Clock, FastForward, ScaleError, Scaled, Skewed, Sleep, SystemClock, Virtual};
pub use queue::{Queue, QueueError, QueueSettings, Queues, Receipt, Received};
pub use table::{
    Condition, Index, IndexKey, IndexPage, IndexPosition, IndexQuery, IndexRow, Key, Order, Page, Query, Row,
    Table, TableError,
};
