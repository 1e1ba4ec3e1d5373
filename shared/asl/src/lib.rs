//! The Amazon States Language: from text to a typed definition, with every expression parsed.
//!
//! Reading order: [`machine`] (the definition as the engine walks it), [`state`] (the eight state
//! types), [`template`] (payload templates of both query languages), [`parse()`] (the entry point:
//! text to [`machine::Machine`] and diagnostics), [`diagnostic`].
//!
//! The crate knows nothing of executions. Past the parser nothing is validated again: names are
//! resolved to ids, numbers are in range, paths and expressions are compiled.
//!
//! Tests stand beside the code; the recorded definitions are run from the `tests` package.

pub mod diagnostic;
pub mod document;
pub mod machine;
mod parse;
mod resource;
pub mod state;
mod substitute;
pub mod template;
mod yaml;

pub use diagnostic::{Code, Diagnostic, Severity, refusal};
pub use parse::{
    DIAGNOSTICS_MAX, Format, NESTING_MAX, Options, Parsed, SINGLE_STATE_NAME, parse, parse_state, parse_tree,
};
pub use resource::SdkAction;
pub use substitute::Substitutions;
