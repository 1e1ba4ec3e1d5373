//! What every HTTP server of the project stands behind, whatever it serves.
//!
//! Reading order: [`listen`] (addresses, connections, how they end), [`guard`] (who is answered at
//! all), [`signature`] (who proved to know the [`Credential`]), [`body`] (sizes and times),
//! [`answer`] (what is answered), [`signals`] (who says that it ends).
//!
//! The crate knows no operations and makes no requests. Its tests stand beside the code; those over
//! real connections are in its users.

pub mod answer;
pub mod body;
pub mod credential;
pub mod guard;
pub mod listen;
pub mod signals;
pub mod signature;

pub use answer::Answer;
pub use credential::{Credential, Secret};
