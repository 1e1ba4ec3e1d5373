use model::json::{Map, Text, Value};

use super::java_text::push_java_text;
use super::segment::{Segment, text_of};
use super::{PathError, STEPS_MAX};

/// Evaluates segments on `root`. The leading names and indexes, which are the whole of nearly
/// every path, are walked without allocating.
pub(super) fn eval(segments: &[Segment], definite: bool, root: &Value) -> Result<Value, PathError> {
    let mut here = root;
    for (at, segment) in segments.iter().enumerate() {
        let next = match segment {
            Segment::Name(name) => here.get(name),
            Segment::Index(index) => item(here, *index),
            Segment::Names(names) => {
                refuse_inner_names(segments, at)?;
                return match pick(here, names) {
                    Some(picked) => Ok(picked),
                    None if definite => Err(missing(segments, at, here)),
                    None => Ok(Value::from(Vec::new())),
                };
            }
            _ => return search(segments, at, here, root),
        };
        here = match next {
            Some(next) => next,
            None if definite => return Err(missing(segments, at, here)),
            None => return Ok(Value::from(Vec::new())),
        };
    }
    Ok(here.clone())
}

/// The item at `index`; a negative index counts from the end.
pub(super) fn item(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let len = i64::try_from(items.len()).ok()?;
    let index = if index < 0 { index.checked_add(len)? } else { index };
    items.get(usize::try_from(index).ok()?)
}

/// Evaluates the segments from `first` on, keeping every hit, in document order. Node lists
/// instead of recursion: depth costs no stack, and the budget bounds time and memory alike.
fn search(segments: &[Segment], first: usize, start: &Value, root: &Value) -> Result<Value, PathError> {
    let mut budget = Budget { left: STEPS_MAX };
    let mut nodes = vec![start];
    let mut descended = false;
    for (at, segment) in segments.iter().enumerate().skip(first) {
        let mut hits = Vec::new();
        match segment {
            Segment::Descend => {
                for node in nodes {
                    push_containers(&mut hits, node, &mut budget)?;
                }
            }
            Segment::Names(names) => {
                refuse_inner_names(segments, at)?;
                let mut picked = Vec::new();
                for node in nodes {
                    budget.take(names.len())?;
                    // Below `..` most objects have none of the names.
                    let found = pick(node, names).filter(|found| !descended || !is_empty_object(found));
                    picked.extend(found);
                }
                return Ok(picked.into());
            }
            Segment::Filter(filter) => {
                for node in nodes {
                    // `..` has already brought every object to this place.
                    let candidates = match node {
                        Value::Array(items) if !descended => &items[..],
                        Value::Object(_) => std::slice::from_ref(node),
                        _ => &[],
                    };
                    for candidate in candidates {
                        budget.take(filter.terms())?;
                        if filter.accepts(candidate, root) {
                            hits.push(candidate);
                        }
                    }
                }
            }
            selector => {
                for node in nodes {
                    budget.take(1)?;
                    select(selector, node, &mut hits, &mut budget)?;
                }
            }
        }
        descended = matches!(segment, Segment::Descend);
        nodes = hits;
    }
    Ok(nodes.into_iter().cloned().collect())
}

/// Appends what one segment selects in `node`. What does not fit its kind selects nothing.
fn select<'v>(
    segment: &Segment,
    node: &'v Value,
    hits: &mut Vec<&'v Value>,
    budget: &mut Budget,
) -> Result<(), PathError> {
    match (segment, node) {
        (Segment::Name(name), Value::Object(members)) => hits.extend(members.get(name.as_str())),
        (Segment::Index(index), Value::Array(_)) => hits.extend(item(node, *index)),
        (Segment::Indexes(indexes), Value::Array(_)) => {
            budget.take(indexes.len())?;
            hits.extend(indexes.iter().filter_map(|index| item(node, *index)));
        }
        (Segment::Slice { from, to }, Value::Array(items)) => {
            let (from, to) = bounds(*from, *to, items.len());
            let slice = items.get(from..to).unwrap_or_default();
            budget.take(slice.len())?;
            hits.extend(slice);
        }
        (Segment::Wildcard, Value::Array(items)) => {
            budget.take(items.len())?;
            hits.extend(items.iter());
        }
        (Segment::Wildcard, Value::Object(members)) => {
            budget.take(members.len())?;
            hits.extend(members.values());
        }
        _ => {}
    }
    Ok(())
}

/// Appends `node` and everything in it that can have members or items, parents first.
fn push_containers<'v>(
    hits: &mut Vec<&'v Value>,
    node: &'v Value,
    budget: &mut Budget,
) -> Result<(), PathError> {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match node {
            Value::Array(items) => {
                budget.take(1 + items.len())?;
                open.extend(items.iter().rev());
            }
            Value::Object(members) => {
                budget.take(1 + members.len())?;
                open.extend(members.values().rev());
            }
            _ => continue,
        }
        hits.push(node);
    }
    Ok(())
}

/// The slice `[from:to]` of an array of `len` items, as positions with `from <= to <= len`.
fn bounds(from: Option<i64>, to: Option<i64>, len: usize) -> (usize, usize) {
    let place = |bound: i64| {
        let distance = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
        if bound < 0 { len.saturating_sub(distance) } else { distance.min(len) }
    };
    let to = to.map_or(len, place);
    (from.map_or(0, place).min(to), to)
}

/// An object of those named members that exist; `None` when there is no object.
fn pick(value: &Value, names: &[Text]) -> Option<Value> {
    let members = value.as_object()?;
    let named = names.iter().filter_map(|name| Some((name.clone(), members.get(name.as_str())?.clone())));
    Some(named.collect::<Map>().into())
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.is_empty())
}

/// A list of names gives a new object, which nothing can be looked up in.
fn refuse_inner_names(segments: &[Segment], at: usize) -> Result<(), PathError> {
    if at + 1 == segments.len() {
        return Ok(());
    }
    let path = text_of(segments.get(..=at).unwrap_or_default());
    Err(PathError::Invalid { detail: format!("Multi properties can only be used as path leafs: {path}") })
}

/// The sentence for segment `at`, which found nothing in `here`.
#[cold]
fn missing(segments: &[Segment], at: usize, here: &Value) -> PathError {
    let before = || text_of(segments.get(..at).unwrap_or_default());
    let mut step = String::new();
    if let Some(segment) = segments.get(at) {
        segment.push_text(&mut step);
    }
    let is_last = at + 1 == segments.len();
    let detail = match (segments.get(at), here) {
        (Some(Segment::Index(_)), Value::Array(_)) => format!("No results for path: {}", text_of(segments)),
        (Some(Segment::Index(_)), Value::Null) => format!("The path {} is null", before()),
        (Some(Segment::Index(_)), _) => {
            format!("Filter: {step} can only be applied to arrays. Current context is: {}", excerpt(here))
        }
        (_, Value::Object(_)) if is_last => format!("No results for path: {}", text_of(segments)),
        (_, Value::Object(_)) => format!("Missing property in path {}{step}", before()),
        (_, _) => format!("Property {step} not found in path {}", before()),
    };
    PathError::NotFound { detail }
}

/// A value inside a sentence; a cause holds no more than 32,768 characters.
fn excerpt(value: &Value) -> String {
    if value.json_len() > 32_768 {
        return format!("({} of {} bytes)", value.type_name(), value.json_len());
    }
    let mut text = String::new();
    push_java_text(&mut text, value);
    text
}

struct Budget {
    left: usize,
}

impl Budget {
    fn take(&mut self, steps: usize) -> Result<(), PathError> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(PathError::TooMuchWork { steps_max: STEPS_MAX }),
        }
    }
}
