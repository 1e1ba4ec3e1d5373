use model::json::{Text, Value};

use super::segment::{Segment, text_of};
use super::{Path, Root, SyntaxError};

/// A Reference Path into the input: only names and indexes, so that it names exactly one place,
/// which may be written to.
///
/// Source: Amazon States Language, "Reference Paths"; `ResultPath` may name neither a variable nor
/// the Context object.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferencePath {
    path: Path,
}

/// A value cannot be placed: `States.ResultPathMatchFailure`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reference path {path} cannot be applied: {at} is {found}, not {wanted}")]
pub struct PlacementError {
    /// The path, as it was written.
    pub path: Text,
    /// The place that stands in the way: `$['a'][0]`.
    pub at: String,
    /// The JSON type that is there, or what an array lacks.
    pub found: String,
    /// What would have to be there.
    pub wanted: &'static str,
}

impl ReferencePath {
    /// Parses a Reference Path. White space around it is ignored.
    pub fn parse(text: &str) -> Result<ReferencePath, SyntaxError> {
        let path = Path::parse(text)?;
        let refuse = |message: String| Err(SyntaxError { message, offset: 0 });
        match path.root() {
            Root::Input => {}
            Root::Context => {
                return refuse(format!("reference path {text} must not name the Context object"));
            }
            Root::Variable(name) => {
                return refuse(format!("reference path {text} must not name a variable (${name})"));
            }
        }
        if !path.is_reference() {
            return refuse(format!(
                "reference path {text} must be made of names and indexes only, such as $.a['b'][0]"
            ));
        }
        Ok(ReferencePath { path })
    }

    /// The text that was parsed, as it was written.
    pub fn source(&self) -> &str {
        self.path.source()
    }

    /// Whether the path is `$`: the value replaces everything.
    pub fn is_root(&self) -> bool {
        self.path.segments.is_empty()
    }

    /// `target` with `value` at this place. Members that are missing are created, also objects on
    /// the way; an index must exist already. Only the containers on the way are copied, one level
    /// each; everything else stays shared.
    ///
    /// # Errors
    /// When something other than an object stands where a name is looked up, or no such item where
    /// an index is.
    pub fn set(&self, target: &Value, value: Value) -> Result<Value, PlacementError> {
        let segments = &self.path.segments;
        let mut way = Vec::with_capacity(segments.len());
        let mut here = Some(target);
        for (at, segment) in segments.iter().enumerate() {
            way.push(here);
            here = match (segment, here) {
                (Segment::Name(name), Some(Value::Object(members))) => members.get(name.as_str()),
                (Segment::Name(_), None) => None,
                (Segment::Index(index), Some(Value::Array(items))) => match slot(items.len(), *index) {
                    Some(slot) => items.get(slot),
                    None => return Err(self.refuse(at, here)),
                },
                _ => return Err(self.refuse(at, here)),
            };
        }
        let mut made = value;
        for (segment, container) in segments.iter().zip(way).rev() {
            made = match (segment, container) {
                (Segment::Name(name), Some(Value::Object(members))) => {
                    let mut members = members.clone().into_map();
                    members.insert(name.clone(), made);
                    members.into()
                }
                (Segment::Index(index), Some(Value::Array(items))) => {
                    let mut items = items.clone().into_vec();
                    if let Some(place) = slot(items.len(), *index).and_then(|slot| items.get_mut(slot)) {
                        *place = made;
                    }
                    items.into()
                }
                (Segment::Name(name), _) => [(name.clone(), made)].into_iter().collect(),
                // The walk above let no other segment pass.
                (_, _) => made,
            };
        }
        Ok(made)
    }

    fn refuse(&self, at: usize, here: Option<&Value>) -> PlacementError {
        let segments = &self.path.segments;
        let found = match (segments.get(at), here) {
            (Some(Segment::Index(index)), Some(Value::Array(items))) => {
                format!("an array of {} items, without item {index}", items.len())
            }
            (_, Some(value)) => value.type_name().to_owned(),
            (_, None) => "missing".to_owned(),
        };
        let wanted = match segments.get(at) {
            Some(Segment::Name(_)) => "an object",
            _ => "an array with that item",
        };
        let at = text_of(segments.get(..at).unwrap_or_default());
        PlacementError { path: self.path.source.clone(), at, found, wanted }
    }
}

fn slot(len: usize, index: i64) -> Option<usize> {
    usize::try_from(index).ok().filter(|slot| *slot < len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(json: &str) -> Value {
        Value::parse(json).unwrap()
    }

    fn check(path: &str, target: &str, expected: &str) {
        let got = ReferencePath::parse(path).unwrap().set(&v(target), v("9"));
        match got {
            Ok(got) => assert_eq!(got.to_json(), v(expected).to_json(), "{path} on {target}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{path} on {target}"),
        }
    }

    #[test]
    fn sets_and_creates() {
        check("$", r#"{"a":1}"#, "9");
        check("$.a", "{}", r#"{"a":9}"#);
        check("$.a", r#"{"a":1,"b":2}"#, r#"{"a":9,"b":2}"#);
        check("$.a.b.c", "{}", r#"{"a":{"b":{"c":9}}}"#);
        check("$.a.b", r#"{"a":{"c":1}}"#, r#"{"a":{"c":1,"b":9}}"#);
        check("$['a b'][1].c", r#"{"a b":[0,{}]}"#, r#"{"a b":[0,{"c":9}]}"#);
        check("$[0]", "[1,2]", "[9,2]");
    }

    #[test]
    fn refuses_impossible_places() {
        check("$.a", "1", "reference path $.a cannot be applied: $ is number, not an object");
        check(
            "$.a.b",
            r#"{"a":"x"}"#,
            "reference path $.a.b cannot be applied: $['a'] is string, not an object",
        );
        check("$.a", "[1]", "reference path $.a cannot be applied: $ is array, not an object");
        check(
            "$.a[2]",
            r#"{"a":[1]}"#,
            "reference path $.a[2] cannot be applied: $['a'] is an array of 1 items, without item 2, not an array with that item",
        );
        check(
            "$.a[0]",
            "{}",
            "reference path $.a[0] cannot be applied: $['a'] is missing, not an array with that item",
        );
    }

    #[test]
    fn only_the_way_is_copied() {
        let target = v(r#"{"a":{"b":1},"big":[1,2,3]}"#);
        let made = ReferencePath::parse("$.a.b").unwrap().set(&target, v("2")).unwrap();
        let big = |value: &Value| value.get("big").and_then(Value::as_array).unwrap().clone();
        assert!(big(&target).ptr_eq(&big(&made)));
        assert_eq!(target.to_json(), r#"{"a":{"b":1},"big":[1,2,3]}"#);
    }

    #[test]
    fn refuses_what_is_no_reference_path() {
        for text in ["$$.a", "$name", "$.a[*]", "$..a", "$.a[-1]", "$.a[0:1]", "$['a','b']", "$[?(@.a)]", "a"]
        {
            assert!(ReferencePath::parse(text).is_err(), "{text}");
        }
    }
}
