//! The nouns of Step Functions, and nothing that acts.
//!
//! Reading order: [`json`] (the value that every payload is), [`arn`] and [`name`] (identities),
//! [`timestamp`], [`status`], [`history`] (the 62 event types), [`error`] (predefined names),
//! [`limits`].
//!
//! The crate knows nothing of expressions, definitions or executions, and has no clock,
//! randomness or I/O. Its tests stand beside the code.

pub mod arn;
pub mod error;
pub mod history;
pub mod json;
pub mod limits;
pub mod name;
pub mod status;
pub mod timestamp;
