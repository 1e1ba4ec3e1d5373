//! Comparison of what was recorded with what was answered.

use std::fmt;

use model::json::{Map, Object, Text, Value};

use super::wildcard::{Bindings, Wildcards};

/// The first place where an answer differs from the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: `expected.history[3].type`.
    pub path: String,
    /// What was recorded.
    pub expected: String,
    /// What was answered.
    pub got: String,
}

impl Difference {
    /// A difference at `path`.
    pub fn new(path: impl Into<String>, expected: impl fmt::Display, got: impl fmt::Display) -> Difference {
        Difference { path: path.into(), expected: excerpt(expected), got: excerpt(got) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.path, self.expected, self.got)
    }
}

const EXCERPT_CHARS_MAX: usize = 400;

fn excerpt(value: impl fmt::Display) -> String {
    let text = value.to_string();
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

/// What the comparison of one case goes by.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The tokens of the case.
    pub wildcards: Wildcards,
    /// What the numbered ones stand for so far.
    pub bindings: Bindings,
}

impl Comparison {
    /// A recorded value as text, with what is known of its tokens in their place.
    pub fn filled(&self, recorded: &Value) -> String {
        self.wildcards.filled(&recorded.to_json(), &self.bindings)
    }

    /// Compares under the rules for objects, arrays, numbers and wildcards. What is learnt about
    /// tokens is kept only when all is equal.
    pub fn value(&mut self, path: &str, expected: &Value, got: &Value) -> Result<(), Difference> {
        let mut bindings = self.bindings.clone();
        compare(&self.wildcards, &mut bindings, path, expected, got)?;
        self.bindings = bindings;
        Ok(())
    }

    /// As [`Comparison::value`]; either may be absent.
    pub fn optional(
        &mut self,
        path: &str,
        expected: Option<&Value>,
        got: Option<&Value>,
    ) -> Result<(), Difference> {
        match (expected, got) {
            (Some(expected), Some(got)) => self.value(path, expected, got),
            (None, None) => Ok(()),
            (Some(expected), None) => Err(Difference::new(path, expected, "nothing")),
            (None, Some(got)) => Err(Difference::new(path, "nothing", got)),
        }
    }
}

fn compare(
    wildcards: &Wildcards,
    bindings: &mut Bindings,
    path: &str,
    expected: &Value,
    got: &Value,
) -> Result<(), Difference> {
    let different = || Err(Difference::new(path, expected, got));
    match (expected, got) {
        (Value::String(text), _) => {
            if wildcards.admits(text, got, bindings) {
                Ok(())
            } else {
                different()
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            let mut items = expected.iter().zip(got.iter()).enumerate();
            items.try_for_each(|(at, (expected, got))| {
                compare(wildcards, bindings, &format!("{path}[{at}]"), expected, got)
            })?;
            if expected.len() == got.len() { Ok(()) } else { different() }
        }
        (Value::Object(expected), Value::Object(got)) => members(wildcards, bindings, path, expected, got),
        _ if expected == got => Ok(()),
        _ => different(),
    }
}

fn members(
    wildcards: &Wildcards,
    bindings: &mut Bindings,
    path: &str,
    expected: &Object,
    got: &Object,
) -> Result<(), Difference> {
    let mut left: Vec<(&Text, &Value)> = got.iter().collect();
    let mut patterns = Vec::new();
    for (name, value) in expected.iter() {
        match left.iter().position(|(other, _)| *other == name) {
            Some(at) => {
                let (_, found) = left.swap_remove(at);
                compare(wildcards, bindings, &format!("{path}.{name}"), value, found)?;
            }
            None if wildcards.occur_in(name) => patterns.push((name, value)),
            None => return Err(Difference::new(format!("{path}.{name}"), value, "nothing")),
        }
    }
    named_by_tokens(wildcards, bindings, path, &patterns, &mut left)?;
    // Named in the order of the answer, which `swap_remove` has lost.
    match got.iter().find(|(name, _)| left.iter().any(|(other, _)| other == name)) {
        Some((name, value)) => Err(Difference::new(format!("{path}.{name}"), "nothing", value)),
        None => Ok(()),
    }
}

/// Finds a member for each name with a token in it, going back when a choice leaves none for a
/// later one.
fn named_by_tokens<'v>(
    wildcards: &Wildcards,
    bindings: &mut Bindings,
    path: &str,
    patterns: &[(&Text, &Value)],
    left: &mut Vec<(&'v Text, &'v Value)>,
) -> Result<(), Difference> {
    let Some(((name, value), rest)) = patterns.split_first() else { return Ok(()) };
    let mut first = None;
    for at in 0..left.len() {
        let (candidate, found) = left[at];
        let mut learnt = bindings.clone();
        if !wildcards.admits(name, &Value::from(candidate.clone()), &mut learnt) {
            continue;
        }
        let mut remaining = left.clone();
        remaining.remove(at);
        let result = compare(wildcards, &mut learnt, &format!("{path}.{candidate}"), value, found)
            .and_then(|()| named_by_tokens(wildcards, &mut learnt, path, rest, &mut remaining));
        match result {
            Ok(()) => {
                (*bindings, *left) = (learnt, remaining);
                return Ok(());
            }
            Err(difference) => first = first.or(Some(difference)),
        }
    }
    Err(first.unwrap_or_else(|| Difference::new(format!("{path}.{name}"), value, "nothing")))
}

/// The payloads of an event's details, which the API carries as JSON text, as JSON values.
pub fn with_payloads_parsed(details: &Value) -> Value {
    let Value::Object(members) = details else { return details.clone() };
    let members = members.iter().map(|(name, value)| {
        let value = match name.as_str() {
            "input" | "output" | "parameters" => parsed(value),
            "assignedVariables" => match value {
                Value::Object(variables) => {
                    variables.iter().map(|(name, value)| (name.clone(), parsed(value))).collect()
                }
                other => other.clone(),
            },
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    Value::from(members.collect::<Map>())
}

fn parsed(value: &Value) -> Value {
    value.as_str().and_then(|text| Value::parse(text).ok()).unwrap_or_else(|| value.clone())
}

/// `got` with its `cause` parsed where the recording has a JSON object in that place.
pub fn with_cause_like(expected: &Value, got: &Value) -> Value {
    match (expected.get("cause"), got.get("cause"), got) {
        (Some(Value::Object(_)), Some(cause), Value::Object(members)) => {
            let mut members = Map::clone(members);
            members.insert(Text::new_static("cause"), parsed(cause));
            members.into()
        }
        _ => got.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison() -> Comparison {
        let placeholders =
            Value::parse(r#"{"<t>":{"match":"any"},"<n:1>":{"match":"any"},"<d>":{"match":"[0-9]+"}}"#)
                .unwrap();
        let wildcards = Wildcards::parse(placeholders.as_object()).unwrap();
        Comparison { wildcards, ..Comparison::default() }
    }

    fn check(expected: &str, got: &str, path_of_difference: Option<&str>) {
        let (expected, got) = (Value::parse(expected).unwrap(), Value::parse(got).unwrap());
        let path = comparison().value("$", &expected, &got).err().map(|difference| difference.path);
        assert_eq!(path.as_deref(), path_of_difference, "{expected} against {got}");
    }

    #[test]
    fn values() {
        check("1", "1.0", None);
        check("[1,2]", "[2,1]", Some("$[0]"));
        check("[1,2]", "[1]", Some("$"));
        check("[1]", "[1,2]", Some("$"));
        check(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, None);
        check(r#"{"a":1}"#, r#"{"a":1,"b":null}"#, Some("$.b"));
        check(r#"{"a":1,"b":null}"#, r#"{"a":1}"#, Some("$.b"));
        check(r#"{"a":{"b":[{"c":"x"}]}}"#, r#"{"a":{"b":[{"c":"y"}]}}"#, Some("$.a.b[0].c"));
        check("null", "false", Some("$"));
        check("\"1\"", "1", Some("$"));
    }

    #[test]
    fn wildcards_in_values_and_names() {
        check(r#"{"a":"<t>"}"#, r#"{"a":{"any":"thing"}}"#, None);
        check(r#"{"a":"<t>"}"#, "{}", Some("$.a"));
        check(r#"{"id-<d>":1}"#, r#"{"id-77":1}"#, None);
        check(r#"{"id-<d>":1}"#, r#"{"id-77":2}"#, Some("$.id-77"));
        check(r#"{"id-<d>":1}"#, r#"{"id-x":1}"#, Some("$.id-<d>"));
        check(r#"{"<d>":1,"<d>a":2}"#, r#"{"1a":2,"1":1}"#, None);
        check(r#"{"<t>":1,"<d>":2}"#, r#"{"5":1,"6":2}"#, None);
        check(r#"{"<t>":2,"<d>":1}"#, r#"{"5":1,"6":2}"#, None);
        check(r#"{"<n:1>":"<n:1>"}"#, r#"{"a":"a"}"#, None);
        check(r#"{"<n:1>":"<n:1>"}"#, r#"{"a":"b"}"#, Some("$.a"));
        check(r#"["<n:1>","<n:1>"]"#, r#"[1,2]"#, Some("$[1]"));
    }

    #[test]
    fn nothing_is_learnt_from_a_difference() {
        let mut comparison = comparison();
        let pair = Value::parse(r#"["<n:1>",1]"#).unwrap();
        assert!(comparison.value("$", &pair, &Value::parse(r#"["a",2]"#).unwrap()).is_err());
        assert!(comparison.value("$", &pair, &Value::parse(r#"["b",1]"#).unwrap()).is_ok());
        assert!(comparison.value("$", &pair, &Value::parse(r#"["a",1]"#).unwrap()).is_err());
    }

    #[test]
    fn payloads_and_causes_are_parsed() {
        let details = Value::parse(
            r#"{"input":"{\"a\":1}","output":"\"x\"","cause":"{\"b\":2}","error":"{}","assignedVariables":{"v":"[1]"}}"#,
        );
        let details = with_payloads_parsed(&details.unwrap());
        assert_eq!(
            details.to_json(),
            r#"{"input":{"a":1},"output":"x","cause":"{\"b\":2}","error":"{}","assignedVariables":{"v":[1]}}"#
        );
        let object = Value::parse(r#"{"cause":{"b":2.0}}"#).unwrap();
        assert_eq!(with_cause_like(&object, &details).get("cause"), object.get("cause"));
        let text = Value::parse(r#"{"cause":"x"}"#).unwrap();
        assert_eq!(with_cause_like(&text, &details), details);
    }
}
