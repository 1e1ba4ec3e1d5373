//! Reading the members of a request.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use model::json::{Map, Number, Text, Value};

use super::rule::Rule;
use crate::error::ApiError;

/// A message quotes at most so many characters of a value.
const QUOTED_CHARS_MAX: usize = 1_024;
/// A message lists at most so many findings.
const FINDINGS_MAX: usize = 20;

/// What was found wrong so far.
#[derive(Default)]
struct Problems {
    /// The first member of a wrong type.
    serialization: Option<String>,
    /// Broken constraints.
    constraints: Vec<String>,
    /// How many there are, also beyond those that are kept.
    count: usize,
}

/// The members of an object in a request.
pub(crate) struct Members<'v> {
    members: Option<&'v Map>,
    /// Where the object stands: empty, or its path with a dot behind it.
    path: String,
    problems: &'v RefCell<Problems>,
}

/// Reads a request. What `shape` makes of it counts only when nothing was found wrong.
pub(crate) fn read<T>(body: &Value, shape: impl FnOnce(&Members<'_>) -> T) -> Result<T, ApiError> {
    let problems = RefCell::default();
    let members = match body {
        Value::Object(members) => &**members,
        other => {
            return Err(ApiError::serialization(format!("the request is {}, not a structure", kind(other))));
        }
    };
    let shaped = shape(&Members { members: Some(members), path: String::new(), problems: &problems });
    let Problems { serialization, constraints, count } = problems.into_inner();
    if let Some(message) = serialization {
        return Err(ApiError::serialization(message));
    }
    match count {
        0 => Ok(shaped),
        1 => Err(ApiError::validation(format!("1 validation error detected: {}", constraints.join("; ")))),
        _ => Err(ApiError::validation(format!(
            "{count} validation errors detected: {}",
            constraints.join("; ")
        ))),
    }
}

impl<'v> Members<'v> {
    /// A text, when it is there.
    pub fn text(&self, name: &str, rule: &Rule) -> Option<Text> {
        self.text_of(self.get(name)?, &self.at(name), rule)
    }

    /// A text that must be there.
    pub fn required_text(&self, name: &str, rule: &Rule) -> Text {
        match self.get(name) {
            Some(value) => self.text_of(value, &self.at(name), rule).unwrap_or_default(),
            None => {
                self.missing(name, rule.sensitive);
                Text::default()
            }
        }
    }

    /// A word of a list, when it is there.
    pub fn word<W: std::str::FromStr>(&self, name: &str, rule: &Rule) -> Option<W> {
        self.text(name, rule)?.parse().ok()
    }

    /// An integer in a range, when it is there.
    pub fn integer(&self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(name)?;
        let at = self.at(name);
        let number = match value {
            Value::Number(Number::Int(number)) => *number,
            Value::Number(Number::Float(number)) if number.fract() == 0.0 => value.as_i64().unwrap_or({
                // Beyond 64 bits: out of every range, on the same side.
                if *number < 0.0 { i64::MIN } else { i64::MAX }
            }),
            Value::Number(Number::Big(digits)) => {
                if digits.starts_with('-') {
                    i64::MIN
                } else {
                    i64::MAX
                }
            }
            other => {
                self.wrong_type(other, "an Integer", &at);
                return None;
            }
        };
        let constraint = if number < *range.start() {
            format!("Member must have value greater than or equal to {}", range.start())
        } else if number > *range.end() {
            format!("Member must have value less than or equal to {}", range.end())
        } else {
            return Some(number);
        };
        self.broken(&format!("Value '{}'", value.to_json()), &at, &constraint);
        None
    }

    /// An integer in a range that must be there.
    pub fn required_integer(&self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        if !self.has(name) {
            self.missing(name, false);
        }
        self.integer(name, range)
    }

    /// A boolean, when it is there.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(*value),
            other => {
                self.wrong_type(other, "a Boolean", &self.at(name));
                None
            }
        }
    }

    /// A structure, when it is there.
    pub fn structure<T>(&self, name: &str, shape: impl FnOnce(&Members<'v>) -> T) -> Option<T> {
        Some(shape(&self.inside(self.get(name)?, self.at(name))))
    }

    /// A list of structures, when it is there.
    pub fn structures<T>(&self, name: &str, shape: impl Fn(&Members<'v>) -> T) -> Option<Vec<T>> {
        let items = self.items(name)?;
        Some(
            items
                .iter()
                .zip(1..)
                .map(|(item, place)| {
                    let at = format!("{}.{place}.member", self.at(name));
                    if item.is_null() {
                        self.broken("Value null", &at, "Member must not be null");
                    }
                    shape(&self.inside(item, at))
                })
                .collect(),
        )
    }

    /// Says that a list has too few or too many items. `shown`: the list as messages quote it.
    pub fn check_length(&self, name: &str, count: usize, range: RangeInclusive<usize>, shown: &str) {
        let constraint = if count < *range.start() {
            format!("Member must have length greater than or equal to {}", range.start())
        } else if count > *range.end() {
            format!("Member must have length less than or equal to {}", range.end())
        } else {
            return;
        };
        self.broken(&format!("Value '{}'", quoted(shown)), &self.at(name), &constraint);
    }

    /// A list of texts that must be there.
    pub fn required_texts(&self, name: &str, rule: &Rule) -> Vec<Text> {
        if self.get(name).is_none() {
            self.missing(name, false);
        }
        let Some(items) = self.items(name) else { return Vec::new() };
        let read = |(item, place): (&Value, usize)| {
            let at = format!("{}.{place}.member", self.at(name));
            if item.is_null() {
                self.broken("Value null", &at, "Member must not be null");
                return None;
            }
            self.text_of(item, &at, rule)
        };
        items.iter().zip(1..).filter_map(read).collect()
    }

    /// Says that a member that must be there is not.
    pub fn missing(&self, name: &str, sensitive: bool) {
        let value = if sensitive { "Value" } else { "Value null" };
        self.broken(value, &self.at(name), "Member must not be null");
    }

    /// Whether a member is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&'v Value> {
        self.members?.get(name).filter(|value| !value.is_null())
    }

    fn at(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    fn items(&self, name: &str) -> Option<&'v [Value]> {
        match self.get(name)? {
            Value::Array(items) => Some(items),
            other => {
                self.serialization(format!("Expected list or null: {} at '{}'", kind(other), self.at(name)));
                None
            }
        }
    }

    fn inside(&self, value: &'v Value, at: String) -> Members<'v> {
        let members = match value {
            Value::Object(members) => Some(&**members),
            Value::Null => None,
            other => {
                self.serialization(format!("Expected structure or null: {} at '{at}'", kind(other)));
                None
            }
        };
        Members { members, path: format!("{at}."), problems: self.problems }
    }

    fn text_of(&self, value: &Value, at: &str, rule: &Rule) -> Option<Text> {
        let Value::String(text) = value else {
            self.wrong_type(value, "a String", at);
            return None;
        };
        match rule.broken(text) {
            None => Some(text.clone()),
            Some(constraint) if rule.sensitive => {
                self.broken("Value", at, &constraint);
                None
            }
            Some(constraint) => {
                self.broken(&format!("Value '{}'", quoted(text)), at, &constraint);
                None
            }
        }
    }

    fn wrong_type(&self, value: &Value, wanted: &str, at: &str) {
        let token = match value {
            Value::Object(_) => {
                return self
                    .serialization(format!("Start of structure or map found where not expected at '{at}'"));
            }
            Value::Array(_) => {
                return self.serialization(format!("Start of list found where not expected at '{at}'"));
            }
            Value::Number(_) => "NUMBER_VALUE",
            Value::Bool(true) => "TRUE_VALUE",
            Value::Bool(false) => "FALSE_VALUE",
            Value::String(_) => "STRING_VALUE",
            Value::Null => "NULL_VALUE",
        };
        self.serialization(format!("{token} can not be converted to {wanted} at '{at}'"));
    }

    fn serialization(&self, message: String) {
        self.problems.borrow_mut().serialization.get_or_insert(message);
    }

    fn broken(&self, value: &str, at: &str, constraint: &str) {
        let mut problems = self.problems.borrow_mut();
        problems.count += 1;
        if problems.constraints.len() < FINDINGS_MAX {
            problems
                .constraints
                .push(format!("{value} at '{at}' failed to satisfy constraint: {constraint}"));
        }
    }
}

/// A long value is cut: the answer would be as long as the request.
fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a structure",
    }
}
