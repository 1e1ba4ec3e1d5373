//! Intrinsic functions: `States.Format('{}', $.a)` and the like, in states that use JSONPath.
//!
//! [`Expression`] is the value of a field whose name ends in `.$`: a path or a [`Call`]. It is
//! parsed once, when a definition is loaded; an unknown function, a wrong number of arguments and
//! a literal of a wrong type are found then. The functions stand in `array`, `encoding`, `json`,
//! `math` and `string`; `function` lists them with their parameters.
//!
//! Source: Amazon States Language, "Intrinsic Functions" (appendix B); the service's documentation
//! of intrinsic functions, for the functions beyond the specification and the limits; conformance
//! cases `intrinsic_functions/…`, for what was measured.

mod array;
mod call;
mod encoding;
mod function;
mod json;
mod math;
mod parse;
mod string;
#[cfg(test)]
mod tests;

use model::json::Value;

use crate::Scope;
use crate::jsonpath::{Path, PathError, SyntaxError};

pub use call::Call;
pub use function::Function;

/// How deep calls may stand in one another.
///
/// Source: the service's documentation, "You can nest up to 10 intrinsic functions".
pub const NESTING_MAX: usize = 10;

/// Characters that `States.Base64Encode`, `States.Base64Decode` and `States.Hash` take, in UTF-16
/// units. Source: the service's documentation.
pub const ENCODED_CHARACTERS_MAX: usize = 10_000;

/// Items that `States.ArrayRange` makes. Source: the service's documentation.
pub const RANGE_ITEMS_MAX: usize = 1_000;

/// Bytes of JSON that the arguments of one call may have together. Far above any payload: it
/// stops calls that name the same large value thousands of times.
pub const ARGUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The value of a field whose name ends in `.$`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A path into the input, the Context object or a variable.
    Path(Path),
    /// A call of an intrinsic function.
    Call(Call),
}

/// Why an expression gave no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A path gave no value: the expression itself, or an argument of a call.
    #[error("{path}: {error}")]
    Path {
        /// The path, as it was written.
        path: String,
        /// What happened.
        error: PathError,
    },
    /// A function refused its arguments: `States.IntrinsicFailure`.
    #[error("{message}")]
    Intrinsic {
        /// The function, the argument, what is wrong with it.
        message: String,
    },
    /// The call itself is malformed in a way that shows when it is evaluated: `States.Runtime`.
    #[error("{message}")]
    Runtime {
        /// What is malformed.
        message: String,
    },
}

impl Expression {
    /// Parses a path or a call. White space around it is ignored.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        parse::expression(text)
    }

    /// The text that was parsed, as it was written.
    pub fn source(&self) -> &str {
        match self {
            Expression::Path(path) => path.source(),
            Expression::Call(call) => call.source(),
        }
    }

    /// The value in `scope`. The same scope gives the same value: only `States.UUID` and
    /// `States.MathRandom` without seed draw from it.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        match self {
            Expression::Path(path) => eval_path(path, scope),
            Expression::Call(call) => call.eval(scope),
        }
    }

    /// Calls `visit` with each path in the expression, in the order they are written.
    pub fn walk_paths(&self, mut visit: impl FnMut(&Path)) {
        match self {
            Expression::Path(path) => visit(path),
            Expression::Call(call) => call.walk_paths(&mut visit),
        }
    }
}

fn eval_path(path: &Path, scope: &dyn Scope) -> Result<Value, EvalError> {
    path.eval(scope).map_err(|error| EvalError::Path { path: path.source().to_owned(), error })
}

/// A function's own refusal; the call puts its name in front.
fn refuse<T>(message: impl Into<String>) -> Result<T, EvalError> {
    Err(EvalError::Intrinsic { message: message.into() })
}
