//! The Amazon States Language: from text to a typed definition, with every expression parsed.
//!
//! Reading order: [`machine`] (the definition as the engine walks it), [`state`] (the eight state
//! types), [`template`] (payload templates of both query languages), `parse` (the entry point:
//! text to [`machine::Machine`] and diagnostics), `diagnostic`.
//!
//! The crate knows nothing of executions. Past the parser nothing is validated again: names are
//! resolved to ids, numbers are in range, paths and expressions are compiled.

pub mod machine;
pub mod state;
pub mod template;
