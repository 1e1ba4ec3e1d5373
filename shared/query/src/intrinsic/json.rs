use model::json::{Object, Text, Value};

use super::{EvalError, refuse};

/// Blank text gives null.
///
/// Source: conformance cases `intrinsic_functions/json_manipulation.string_to_json-0` and `-1`.
pub(super) fn parse(text: &Text) -> Result<Value, EvalError> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    match Value::parse(text) {
        Ok(value) => Ok(value),
        Err(error) => refuse(format!("the text is not JSON: {}", error.message)),
    }
}

/// Shallow: a member of `second` replaces the member of `first`. Deep merging is reserved.
pub(super) fn merge(first: &Object, second: &Object, deep: &Value) -> Result<Value, EvalError> {
    if deep.as_bool() != Some(false) {
        return refuse("argument 3 must be false; only shallow merging is supported");
    }
    let mut members = first.clone().into_map();
    members.extend(second.iter().map(|(name, member)| (name.clone(), member.clone())));
    Ok(members.into())
}
