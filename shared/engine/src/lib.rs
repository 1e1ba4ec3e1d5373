//! The interpreter: a function from a snapshot and an input to a transition.
//!
//! [`step`] runs an execution through as many states as it can before it needs the world. What it
//! needs of the world it says as [`Effect`]s; what the world answers is the next [`Input`].
//!
//! Reading order: [`Input`] and [`Env`] (what it is told), [`Transition`] and [`Effect`] (what it
//! answers), `interpreter` (frames, scheduling, events), `state/` (one file per state type), `scope`
//! (fields and templates), `failure` (Retry, Catch and the wording of errors).
//!
//! The crate has no clock, randomness, threads, storage or network, and knows nothing of AWS. Its
//! tests stand beside the code; the recorded corpus is replayed from `tests/`.

mod failure;
mod input;
mod interpreter;
mod random;
mod scope;
mod snapshot;
mod state;
mod token;
mod transition;

pub use input::{EffectId, Env, Input, Stage, TaskOutcome};
pub use interpreter::step;
pub use snapshot::{DecodeError, Execution, SNAPSHOT_VERSION, Snapshot, Status};
pub use token::TaskToken;
pub use transition::{Call, Effect, Iteration, Transition, Verdict};
