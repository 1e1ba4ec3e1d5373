use std::collections::HashSet;

use model::json::{Array, Number, Value, write_string};

use super::{EvalError, RANGE_ITEMS_MAX, math, refuse};

pub(super) fn contains(items: &Array, value: &Value) -> bool {
    items.contains(value)
}

/// Zero-based; a negative or fractional index, or one past the end, fails.
pub(super) fn get_item(items: &Array, index: &Number) -> Result<Value, EvalError> {
    let item =
        index.as_i64().and_then(|index| usize::try_from(index).ok()).and_then(|index| items.get(index));
    match item {
        Some(item) => Ok(item.clone()),
        None => refuse(format!("there is no item {index} in an array of {} items", items.len())),
    }
}

/// Chunks of `size` items, rounded to an integer; the last one may be shorter.
///
/// Source: conformance cases `intrinsic_functions/array.array_partition-…`.
pub(super) fn partition(items: &Array, size: &Number) -> Result<Value, EvalError> {
    match usize::try_from(math::rounded(size)) {
        Ok(size) if size > 0 => Ok(items.chunks(size).map(|chunk| Value::from(chunk.to_vec())).collect()),
        _ => refuse(format!("the chunk size must be greater than 0, not {size}")),
    }
}

/// `first`, `first + step`, … up to `last`, which belongs to it when it is hit. A negative step
/// counts down. All three are rounded to integers.
///
/// Source: conformance cases `intrinsic_functions/array.array_range-…`.
pub(super) fn range(first: &Number, last: &Number, step: &Number) -> Result<Value, EvalError> {
    let [first, last, step] = [first, last, step].map(|n| i128::from(math::rounded(n)));
    if step == 0 {
        return refuse("the step must not be 0");
    }
    let steps = (last - first) / step;
    let is_reached = (last - first).signum() * step.signum() >= 0;
    let count = if is_reached { steps + 1 } else { 0 };
    if count > RANGE_ITEMS_MAX as i128 {
        return refuse(format!("the range has {count} items, more than {RANGE_ITEMS_MAX}"));
    }
    let item = |i: i128| i64::try_from(first + i * step).ok().map(Value::from);
    Ok((0..count).filter_map(item).collect())
}

/// The distinct items, each where it stood first.
pub(super) fn unique(items: &Array) -> Value {
    let mut seen = HashSet::new();
    items.iter().filter(|item| seen.insert(canonical(item))).cloned().collect()
}

/// Text that is the same for equal values, and for no others: members sorted, numbers by value.
/// It makes finding duplicates linear, whatever the array holds.
fn canonical(value: &Value) -> String {
    let mut out = String::new();
    push_canonical(&mut out, value);
    out
}

fn push_canonical(out: &mut String, value: &Value) {
    match value {
        Value::Number(Number::Float(n)) => match Number::from_computed(*n) {
            Some(n) => out.push_str(&n.to_string()),
            None => out.push_str(&n.to_string()),
        },
        Value::Array(items) => {
            out.push('[');
            for item in items.iter() {
                push_canonical(out, item);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, member) in members {
                write_string(out, name);
                out.push(':');
                push_canonical(out, member);
                out.push(',');
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_json()),
    }
}
