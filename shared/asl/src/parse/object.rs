//! Typed reading of the members of an object. A reader that returns `None` has either found no
//! such member or reported why it is wrong; a definition with an error never becomes a machine,
//! so callers need not tell the two apart.

use std::ops::RangeInclusive;

use model::json::{Span, Spanned, SpannedKind, SpannedMember, Text};

use super::Context;
use super::at::At;
use crate::diagnostic::Code;

/// An object of the definition with its place.
#[derive(Clone)]
pub(super) struct Object<'s, 'p> {
    pub(super) at: At<'p>,
    pub(super) span: Span,
    members: Vec<&'s SpannedMember>,
}

impl<'s, 'p> Object<'s, 'p> {
    /// The object `node`; of members with the same name the last counts.
    pub(super) fn of(node: &'s Spanned, at: At<'p>) -> Option<Object<'s, 'p>> {
        let SpannedKind::Object(members) = &node.kind else { return None };
        Some(Object { at, span: node.span, members: members.iter().collect() })
    }

    pub(super) fn members(&self) -> &[&'s SpannedMember] {
        &self.members
    }

    pub(super) fn get(&self, name: &str) -> Option<&'s Spanned> {
        self.members.iter().rev().find(|member| member.name == name).map(|member| &member.value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Drops the members that `keep` does not want, after which nobody reads them.
    pub(super) fn retain(&mut self, keep: impl FnMut(&&'s SpannedMember) -> bool) {
        self.members.retain(keep);
    }
}

/// The text of a string node.
pub(super) fn text_of(node: &Spanned) -> Option<&Text> {
    match &node.kind {
        SpannedKind::String(text) => Some(text),
        _ => None,
    }
}

/// What a field holds, as messages name it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Array,
    Boolean,
    Float,
    Integer,
    Object,
    String,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Array => "Array",
            Kind::Boolean => "Boolean",
            Kind::Float => "Float",
            Kind::Integer => "Integer",
            Kind::Object => "Object",
            Kind::String => "String",
        }
    }
}

impl Context<'_> {
    /// Reports a wrong type at `at`.
    pub(super) fn wrong_type(&mut self, node: &Spanned, at: &At<'_>, expected: Kind) {
        self.schema(format!("Expected value of type {}", expected.as_str()), at, node.span);
    }

    /// `node` as an object, or a report.
    pub(super) fn object<'s, 'p>(&mut self, node: &'s Spanned, at: At<'p>) -> Option<Object<'s, 'p>> {
        let object = Object::of(node, at);
        if object.is_none() {
            self.wrong_type(node, &at, Kind::Object);
        }
        object
    }

    /// `node` as an array, or a report.
    pub(super) fn array<'s>(&mut self, node: &'s Spanned, at: &At<'_>) -> Option<&'s [Spanned]> {
        match &node.kind {
            SpannedKind::Array(items) => Some(items),
            _ => {
                self.wrong_type(node, at, Kind::Array);
                None
            }
        }
    }

    /// An array that must have elements.
    pub(super) fn filled_array<'s>(&mut self, node: &'s Spanned, at: &At<'_>) -> Option<&'s [Spanned]> {
        let items = self.array(node, at)?;
        if items.is_empty() {
            self.empty(node, at);
            return None;
        }
        Some(items)
    }

    /// Reports that something must not be empty.
    pub(super) fn empty(&mut self, node: &Spanned, at: &At<'_>) {
        self.schema("Value cannot be empty", at, node.span);
    }

    /// The string member `name`.
    pub(super) fn text(&mut self, object: &Object<'_, '_>, name: &str) -> Option<Text> {
        let node = object.get(name)?;
        let text = text_of(node).cloned();
        if text.is_none() {
            self.wrong_type(node, &object.at.member(name), Kind::String);
        }
        text
    }

    /// The boolean member `name`.
    pub(super) fn boolean(&mut self, object: &Object<'_, '_>, name: &str) -> Option<bool> {
        let node = object.get(name)?;
        match node.kind {
            SpannedKind::Bool(b) => Some(b),
            _ => {
                self.wrong_type(node, &object.at.member(name), Kind::Boolean);
                None
            }
        }
    }

    /// The integer member `name`, in `range`.
    pub(super) fn integer(
        &mut self,
        object: &Object<'_, '_>,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let node = object.get(name)?;
        self.integer_of(node, &object.at.member(name), range)
    }

    /// `node` as an integer in `range`.
    pub(super) fn integer_of(
        &mut self,
        node: &Spanned,
        at: &At<'_>,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = match &node.kind {
            SpannedKind::Number(number) => number.as_i64(),
            _ => None,
        };
        let Some(value) = value else {
            self.wrong_type(node, at, Kind::Integer);
            self.warn_of_path(node, at);
            return None;
        };
        if value < *range.start() {
            self.schema(format!("Minimum value is {}", range.start()), at, node.span);
            return None;
        }
        if value > *range.end() {
            self.schema(format!("Maximum value is {}", range.end()), at, node.span);
            return None;
        }
        Some(value)
    }

    /// `node` as a number in `range`.
    pub(super) fn float_of(
        &mut self,
        node: &Spanned,
        at: &At<'_>,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let SpannedKind::Number(number) = &node.kind else {
            self.wrong_type(node, at, Kind::Float);
            self.warn_of_path(node, at);
            return None;
        };
        let value = number.as_f64();
        if value < *range.start() {
            self.schema(format!("Minimum value is {:?}", range.start()), at, node.span);
            return None;
        }
        if value > *range.end() {
            self.schema(format!("Maximum value is {:?}", range.end()), at, node.span);
            return None;
        }
        Some(value)
    }

    /// The string member `name`, one of `values`.
    pub(super) fn one_of(&mut self, object: &Object<'_, '_>, name: &str, values: &[&str]) -> Option<Text> {
        let text = self.text(object, name)?;
        if values.contains(&text.as_str()) {
            return Some(text);
        }
        let node = object.get(name)?;
        self.not_one_of(node, &object.at.member(name), values);
        None
    }

    /// Reports a value outside of an enumeration.
    pub(super) fn not_one_of(&mut self, node: &Spanned, at: &At<'_>, values: &[&str]) {
        self.schema(format!("Value should be one of the following: [{}]", values.join(", ")), at, node.span);
    }

    /// Reports which of `names` are missing, in their order. True when none is.
    pub(super) fn required(&mut self, object: &Object<'_, '_>, names: &[&str]) -> bool {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !object.has(name)).collect();
        if !missing.is_empty() {
            let message = format!("These fields are required: [{}]", missing.join(", "));
            self.schema(message, &object.at, object.span);
        }
        missing.is_empty()
    }

    /// Reports when more than one of `names` is there. True when not.
    pub(super) fn at_most_one(&mut self, object: &Object<'_, '_>, names: &[&str]) -> bool {
        let count = names.iter().filter(|name| object.has(name)).count();
        if count > 1 {
            let message = format!("There should only be one of the following fields: [{}]", names.join(", "));
            self.schema(message, &object.at, object.span);
        }
        count <= 1
    }

    /// Reports when not exactly one of `names` is there. True when it is.
    pub(super) fn exactly_one(&mut self, object: &Object<'_, '_>, names: &[&str]) -> bool {
        if !names.iter().any(|name| object.has(name)) {
            let message =
                format!("This object should have only one of the following fields: [{}]", names.join(", "));
            self.schema(message, &object.at, object.span);
            return false;
        }
        self.at_most_one(object, names)
    }

    /// Reports the members that are not among `names` and drops them.
    pub(super) fn only(&mut self, object: &mut Object<'_, '_>, names: &[&str]) {
        for member in object.members() {
            if !names.contains(&member.name.as_str()) {
                self.unsupported(&member.name, &object.at, member.name_span);
            }
        }
        object.retain(|member| names.contains(&member.name.as_str()));
    }

    /// Reports a field that does not belong to the object at `at`.
    pub(super) fn unsupported(&mut self, name: &str, at: &At<'_>, span: Span) {
        self.schema(format!("Field '{name}' is not supported"), at, span);
    }

    /// Warns of a path in a field that takes constants.
    pub(super) fn warn_of_path(&mut self, node: &Spanned, at: &At<'_>) {
        if text_of(node).is_some_and(|text| looks_like_path(text)) {
            let message = "Field value looks like a path, but field name does not end with 'Path'.";
            self.report(Code::NoPath, message, Some(at), Some(node.span));
        }
    }
}

/// Whether `text` is probably meant as a JSONPath.
pub(super) fn looks_like_path(text: &str) -> bool {
    let rest = text.strip_prefix("$$").or_else(|| text.strip_prefix('$'));
    matches!(rest, Some(rest) if rest.starts_with('.') || rest.starts_with("['"))
}

/// Whether `text` is probably meant as an intrinsic function.
pub(super) fn looks_like_intrinsic(text: &str) -> bool {
    text.strip_prefix("States.").is_some_and(|rest| {
        let name = rest.split('(').next().unwrap_or_default();
        rest.contains('(') && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
    })
}
