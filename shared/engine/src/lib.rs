//! The interpreter: a function from a snapshot and an input to a transition.
//!
//! [`step`] runs an execution through as many states as it can before it needs the world. What it
//! needs of the world it says as [`Effect`]s; what the world answers is the next [`Input`].
//!
//! Reading order: [`Input`] and [`Env`] (what it is told), [`Transition`] and [`Effect`] (what it
//! answers), `interpreter` (frames, scheduling, events), `state/` (one file per state type), `scope`
//! (fields and templates), `failure` (Retry, Catch and the wording of errors).
//!
//! A [`Snapshot`] can be stored ([`Snapshot::encode`]) and read (`reading`); `payloads` shows what in
//! it, and around it, may be large.
//!
//! The crate has no clock, randomness, threads, storage or network, and knows nothing of AWS. Its
//! tests stand beside the code; the recorded corpus is replayed from `tests/`.

mod failure;
mod give_up;
mod input;
mod interpreter;
mod payloads;
mod random;
mod reading;
mod scope;
mod snapshot;
mod state;
mod stored;
mod token;
mod transition;

pub use give_up::give_up;
pub use input::{EffectId, Env, Input, Stage, TaskOutcome};
pub use interpreter::step;
pub use reading::OpenTask;
pub use snapshot::{DecodeError, Execution, SNAPSHOT_VERSION, Snapshot, Status};
pub use token::TaskToken;
pub use transition::{Call, Effect, Iteration, Transition, Verdict};
