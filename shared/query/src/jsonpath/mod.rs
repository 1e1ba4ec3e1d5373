//! JSONPath in the service's dialect.
//!
//! [`Path`] reads: it is parsed once, when a definition is loaded, and evaluated many times. A
//! path of plain names and indexes costs a walk and one reference count. [`ReferencePath`] writes
//! (ResultPath): names and indexes only, and it creates what is missing.
//!
//! The dialect is that of an early Jayway JsonPath (the recorded causes are its sentences), which
//! differs from RFC 9535 in what users rely on:
//!
//! * a dot name takes any character but `.`, `[` and white space, so `$.delivery-partner` is one name;
//! * a dot may stand before a bracket: `$.[?(@.year < 1999)].name`;
//! * inside bracket quotes a backslash is itself, unless it stands before the quote in use;
//! * a list of names, `$['a','b']`, gives one object with those members;
//! * a filter looks at the items of an array, or at an object as a whole; its literals have no
//!   type, so `'201'` and `201` both equal the number 201 (see `filter`).
//!
//! A definite path gives the value or fails when it is missing. An indefinite path (wildcard,
//! slice, list of indexes, filter, `..`) gives an array, also for one hit, and `[]` for none
//! (conformance cases `base/base.json_path_array_wildcard_or_slice_with_no_input…`).

mod eval;
mod filter;
mod java_text;
mod parse;
mod reference;
mod segment;
#[cfg(test)]
mod tests;

use model::json::{Text, Value};

use crate::Scope;

pub(crate) use java_text::push_java_text;
pub use reference::{PlacementError, ReferencePath};
use segment::Segment;

/// Steps of evaluation that one indefinite path may take. A step is a node that is visited or a
/// term of a filter that is tested, so the count depends on the path and the data alone. A
/// payload of the size limit has fewer than 131,072 nodes.
pub const STEPS_MAX: usize = 1_000_000;

/// Segments that a path may have: more could match nothing, because no JSON text is nested deeper.
pub const SEGMENTS_MAX: usize = model::json::DEPTH_MAX;

/// A compiled path: `$…` into the input, `$$…` into the Context object, `$name…` into a variable.
///
/// Source: Amazon States Language, "Paths" and "Assigning variables".
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    source: Text,
    root: Root,
    segments: Box<[Segment]>,
    definite: bool,
}

/// What a path starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// `$`: the input that the field sees.
    Input,
    /// `$$`: the Context object.
    Context,
    /// `$name`: the variable of that name (without `$`).
    Variable(Text),
}

/// Why a text is no path, or no intrinsic call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at offset {offset})")]
pub struct SyntaxError {
    /// What is wrong and what would be right.
    pub message: String,
    /// Where, in bytes from the start of the text.
    pub offset: usize,
}

/// Why a path gave no value. The texts are only what varies: the state, the field and the
/// surrounding sentence belong to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A definite path found nothing. `detail` is what follows `Invalid path '…' : ` in a cause:
    /// `No results for path: $['a']['b']` for a missing last segment (also for an index that is
    /// out of range, anywhere), `Missing property in path $['a']` for a missing member before it,
    /// `Property ['b'] not found in path $['a']` for a member of something that is no object.
    ///
    /// Source: conformance cases `scenarios/base_scenarios.invalid_jsonpath…` and
    /// `scenarios/base_scenarios.catch_states_runtime`.
    #[error("{detail}")]
    NotFound {
        /// The sentence, complete.
        detail: String,
    },
    /// The path cannot be evaluated on any data: a list of names that is not the last segment.
    #[error("{detail}")]
    Invalid {
        /// The sentence, complete.
        detail: String,
    },
    /// No variable of this name is assigned.
    #[error("variable ${name} is not assigned")]
    VariableNotFound {
        /// The name, without `$`.
        name: Text,
    },
    /// More than [`STEPS_MAX`] steps were needed.
    #[error("the path needs more than {steps_max} steps on this data; narrow it, or the data it searches")]
    TooMuchWork {
        /// The limit that was reached.
        steps_max: usize,
    },
}

impl Path {
    /// Parses a path. White space around it is ignored.
    ///
    /// Accepts names (`.a`, `['a']`, `["a"]`), lists of names, indexes (negative ones count from
    /// the end), lists of indexes, slices without step, wildcards, `..` and filters. Refuses
    /// functions such as `.length()`, and in filters regular expressions and word operators
    /// (`in`, `subsetof`, …), which the service does not support.
    pub fn parse(text: &str) -> Result<Path, SyntaxError> {
        parse::path(text)
    }

    /// The text that was parsed, as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the path starts from.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Whether the path names one place: it then gives that value, otherwise an array.
    pub fn is_definite(&self) -> bool {
        self.definite
    }

    /// Whether the path is a Reference Path: only names and indexes from 0.
    ///
    /// Source: Amazon States Language, "Reference Paths".
    pub fn is_reference(&self) -> bool {
        self.segments.iter().all(Segment::is_reference)
    }

    /// The path as seen from its own root: `$.Execution.Input` for `$$.Execution.Input`, `$.a` for
    /// `$name.a`. Recorded causes show this form (`Reference path "$.Execution.Input" must point
    /// to array.`, conformance case `state_map_context_object-EXECUTION_INPUT`).
    pub fn source_from_root(&self) -> String {
        let source = self.source.trim();
        let sigil = match &self.root {
            Root::Input => 1,
            Root::Context => 2,
            Root::Variable(name) => 1 + name.len(),
        };
        format!("${}", source.get(sigil..).unwrap_or_default())
    }

    /// The value at this path, shared with the data it was found in.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, PathError> {
        match &self.root {
            Root::Input => self.eval_on(scope.input()),
            Root::Context => self.eval_on(&scope.context()),
            Root::Variable(name) => match scope.variable(name) {
                Some(value) => self.eval_on(&value),
                None => Err(PathError::VariableNotFound { name: name.clone() }),
            },
        }
    }

    /// The value at this path when `root` is what the path starts from.
    pub fn eval_on(&self, root: &Value) -> Result<Value, PathError> {
        eval::eval(&self.segments, self.definite, root)
    }
}
