//! Numeric fields that a constant, a path or an expression may give.

use asl::template::Field;
use model::json::{Number, Value};

use crate::failure::Raised;
use crate::scope::{StateScope, integer};

/// A whole number of at least `min`. `name` is the field's; its path form has the suffix `Path`.
pub(crate) fn whole(scope: &StateScope<'_>, field: &Field<i64>, name: &str, min: i64) -> Result<i64, Raised> {
    let n = match field {
        Field::Constant(n) => return Ok(*n),
        Field::Path(path) => {
            let value = scope.path(path)?;
            integer_text(&value).ok_or_else(|| not_valid(scope, name, &value, "integer", path.source()))?
        }
        Field::Intrinsic(expression) => {
            let value = scope.intrinsic(expression, || format!("{name}Path"))?;
            integer_text(&value)
                .ok_or_else(|| not_valid(scope, name, &value, "integer", expression.source()))?
        }
        Field::Query(expression) => {
            let value = scope.query(expression, || name.to_owned())?;
            integer(&value).ok_or_else(|| scope.unexpected_type(expression, name, "integer", &value))?
        }
    };
    if n >= min {
        return Ok(n);
    }
    let complaint = if min == 0 { "cannot be negative." } else { "must be positive." };
    Err(out_of_range(scope, field, name, format!("{name} {complaint}")))
}

/// A whole number as a path may give it: also as text, but not with a fraction of zero.
/// Source: conformance cases `…MAP_STATE_REFERENCE_IN_MAX_CONCURRENCY_PATH` (a text) and
/// `wait.base_wait_seconds_path` (its refusals speak of parsing).
pub(crate) fn integer_text(value: &Value) -> Option<i64> {
    match value {
        Value::Number(Number::Int(n)) => Some(*n),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn not_valid(scope: &StateScope<'_>, name: &str, value: &Value, kind: &str, path: &str) -> Raised {
    // The value is quoted whatever its type: text as JSON text, anything else in quotes of its own.
    let shown = match value {
        Value::String(_) => value.to_json(),
        other => format!("\"{other}\""),
    };
    scope.runtime(format!("The {name}Path field refers to value {shown} which is not a valid {kind}: {path}"))
}

/// Out of range is an evaluation error where the number came from JSONata, else a runtime error.
fn out_of_range<T>(scope: &StateScope<'_>, field: &Field<T>, name: &str, detail: String) -> Raised {
    match field {
        Field::Query(_) => scope.evaluation_failed(detail, Some(name.to_owned())),
        _ => scope.runtime(detail),
    }
}
