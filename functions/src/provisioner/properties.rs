//! Properties of resources, as CloudFormation hands them on: numbers and booleans are texts.

use std::cell::RefCell;

use model::json::{Map, Text, Value};

use crate::call::kind;

/// What CloudFormation itself puts beside the properties.
const OF_CLOUDFORMATION: [&str; 2] = ["ServiceToken", "ServiceTimeout"];
/// A message lists at most so many findings.
const FINDINGS_MAX: usize = 20;

/// The properties of one object.
pub struct Members<'p> {
    members: Option<&'p Map>,
    /// Where the object stands: empty, or its path with a dot behind it.
    path: String,
    problems: &'p RefCell<Vec<String>>,
    /// Those that were asked for: what is left over is unknown.
    known: RefCell<Vec<&'static str>>,
}

/// Reads properties. Everything that is wrong with them is told at once.
pub fn read<T>(properties: &Value, shape: impl FnOnce(&Members<'_>) -> T) -> Result<T, String> {
    let problems = RefCell::default();
    let members = Members {
        members: properties.as_object().map(|object| &**object),
        path: String::new(),
        problems: &problems,
        known: RefCell::new(OF_CLOUDFORMATION.to_vec()),
    };
    let shaped = shape(&members);
    members.refuse_unknown();
    drop(members);
    let problems = problems.into_inner();
    if problems.is_empty() { Ok(shaped) } else { Err(problems.join("; ")) }
}

impl<'p> Members<'p> {
    /// A property as it is.
    pub fn value(&self, name: &'static str) -> Option<&'p Value> {
        self.known.borrow_mut().push(name);
        self.members?.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub fn text(&self, name: &'static str) -> Option<Text> {
        match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_json().into()),
            other => {
                self.wrong(name, other, "a text");
                None
            }
        }
    }

    /// A text that has to be there.
    pub fn required_text(&self, name: &'static str) -> Text {
        let is_there = self.value(name).is_some();
        let text = self.text(name);
        if !is_there {
            self.problem(format!("{}{name} is missing", self.path));
        }
        text.unwrap_or_default()
    }

    /// True or false.
    pub fn flag(&self, name: &'static str) -> Option<bool> {
        let value = self.value(name)?;
        let found = match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        if found.is_none() {
            self.wrong(name, value, "true or false");
        }
        found
    }

    /// A whole number.
    pub fn integer(&self, name: &'static str) -> Option<i64> {
        let value = self.value(name)?;
        let found = match value {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_i64(),
        };
        if found.is_none() {
            self.wrong(name, value, "a whole number");
        }
        found
    }

    /// An object of texts.
    pub fn texts(&self, name: &'static str) -> Vec<(Text, Text)> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let Value::Object(members) = value else {
            self.wrong(name, value, "an object");
            return Vec::new();
        };
        let read = |(key, value): (&Text, &Value)| match value {
            Value::String(text) => Some((key.clone(), text.clone())),
            value @ (Value::Number(_) | Value::Bool(_)) => Some((key.clone(), value.to_json().into())),
            other => {
                self.problem(format!("{}{name}.{key} is {}, not a text", self.path, kind(other)));
                None
            }
        };
        members.iter().filter_map(read).collect()
    }

    /// An object.
    pub fn structure<T>(&self, name: &'static str, shape: impl FnOnce(&Members<'p>) -> T) -> Option<T> {
        let value = self.value(name)?;
        Some(self.inside(value, format!("{}{name}", self.path), shape))
    }

    /// A list of objects.
    pub fn structures<T>(&self, name: &'static str, shape: impl Fn(&Members<'p>) -> T) -> Option<Vec<T>> {
        let value = self.value(name)?;
        let Value::Array(items) = value else {
            self.wrong(name, value, "a list");
            return None;
        };
        let item = |(at, item)| self.inside(item, format!("{}{name}[{at}]", self.path), &shape);
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Says that something is wrong with a property.
    pub fn refuse(&self, name: &str, why: impl std::fmt::Display) {
        self.problem(format!("{}{name} {why}", self.path));
    }

    fn inside<T>(&self, value: &'p Value, path: String, shape: impl FnOnce(&Members<'p>) -> T) -> T {
        if !matches!(value, Value::Object(_)) {
            self.problem(format!("{path} is {}, not an object", kind(value)));
        }
        let members = Members {
            members: value.as_object().map(|object| &**object),
            path: format!("{path}."),
            problems: self.problems,
            known: RefCell::default(),
        };
        let shaped = shape(&members);
        members.refuse_unknown();
        shaped
    }

    fn refuse_unknown(&self) {
        let known = self.known.borrow();
        let unknown = self.members.into_iter().flat_map(|members| members.keys());
        for name in unknown.filter(|name| !known.contains(&name.as_str())) {
            self.problem(format!("{}{name} is not a property that is known here", self.path));
        }
    }

    fn wrong(&self, name: &str, value: &Value, wanted: &str) {
        let found = match value {
            Value::String(text) => format!("`{}`", text.chars().take(100).collect::<String>()),
            other => kind(other).to_owned(),
        };
        self.problem(format!("{}{name} is {found}, not {wanted}", self.path));
    }

    fn problem(&self, problem: String) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < FINDINGS_MAX {
            problems.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(properties: &str, expected: Result<&str, &str>) {
        let found = read(&Value::parse(properties).unwrap(), |members| {
            let inner = members.structure("Inner", |inner| (inner.required_text("A"), inner.flag("B")));
            let list = members.structures("List", |item| item.integer("N"));
            format!(
                "{:?} {:?} {inner:?} {list:?} {:?}",
                members.text("T"),
                members.integer("N"),
                members.texts("M")
            )
        });
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{properties}");
    }

    #[test]
    fn scalars_are_what_their_texts_mean() {
        check(
            r#"{"ServiceToken": "t", "T": 5, "N": "7", "Inner": {"A": "a", "B": "true"}, "List": [{"N": 1}, {}], "M": {"x": 1, "y": "z"}}"#,
            Ok(r#"Some("5") Some(7) Some(("a", Some(true))) Some([Some(1), None]) [("x", "1"), ("y", "z")]"#),
        );
        check("{}", Ok("None None None None []"));
    }

    #[test]
    fn everything_wrong_is_named_with_its_place() {
        check(
            r#"{"T": [], "N": "x", "Inner": {"B": "maybe", "C": 1}, "List": [1, {"M": 2}], "M": {"x": {}}, "Other": 1}"#,
            Err(
                "Inner.A is missing; Inner.B is `maybe`, not true or false; Inner.C is not a property that is known here; \
                 List[0] is a number, not an object; List[1].M is not a property that is known here; \
                 T is a list, not a text; N is `x`, not a whole number; M.x is an object, not a text; \
                 Other is not a property that is known here",
            ),
        );
        check(r#"{"List": {}, "M": []}"#, Err("List is an object, not a list; M is a list, not an object"));
    }
}
