//! Expressions: what turns one JSON value into another.
//!
//! Reading order: [`Scope`] (what an expression may see), [`jsonpath`] (paths in the service's
//! dialect), [`intrinsic`] (the `States.*` functions), [`jsonata`] (one wrapper around the JSONata
//! evaluator). Everything is compiled once, when a definition is loaded, and evaluated many times.
//!
//! The crate knows nothing of states or executions. Time and randomness come from the scope, so
//! that the same evaluation gives the same value again. Its tests stand beside the code; the
//! JSONata suite is run from `tests/`.

pub mod intrinsic;
pub mod jsonata;
pub mod jsonpath;

use model::json::Value;

/// What an expression may see. The engine implements it for the state that is being interpreted.
pub trait Scope {
    /// `$` of a JSONPath, `$states.input` of JSONata.
    fn input(&self) -> &Value;

    /// The Context object: `$$` of a JSONPath, `$states.context` of JSONata. Built when it is asked for.
    fn context(&self) -> Value;

    /// The variable `name` (without `$`), when it is assigned in this scope or an outer one.
    fn variable(&self, name: &str) -> Option<Value>;

    /// `$states.result`: the result of a Task, Parallel or Map.
    fn result(&self) -> Option<&Value> {
        None
    }

    /// `$states.errorOutput`: the Error Output in a Catch.
    fn error_output(&self) -> Option<&Value> {
        None
    }

    /// The time of this step, in milliseconds since the epoch: `$now()`, `$millis()`.
    fn now_millis(&self) -> i64;

    /// The next random number of this step: `States.UUID`, `States.MathRandom`, `$random`, `$uuid`.
    fn next_random(&self) -> u64;
}
