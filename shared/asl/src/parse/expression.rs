//! Paths, intrinsic functions and JSONata expressions: the one place that compiles them.

use std::ops::RangeInclusive;

use model::json::{Spanned, SpannedKind, Text};
use query::jsonpath::{Path, ReferencePath, Root};
use query::{intrinsic, jsonata};

use super::Context;
use super::at::At;
use super::object::{Kind, Object, text_of};
use crate::diagnostic::Code;
use crate::machine::QueryLanguage;
use crate::template::{Field, Placement, Selection};

const NOT_A_PATH: &str = "Value must be a valid JSONPath.";
const NOT_A_REFERENCE_PATH: &str = "Value is not a Reference Path";

/// Which members of `$states` an expression may read, besides `input` and `context`.
#[derive(Clone, Copy, Default)]
pub(super) struct Sees {
    pub(super) result: bool,
    pub(super) error_output: bool,
}

impl Sees {
    /// Only what every expression sees.
    pub(super) const INPUT: Sees = Sees { result: false, error_output: false };
    /// The result of a Task, Parallel or Map.
    pub(super) const RESULT: Sees = Sees { result: true, error_output: false };
    /// The Error Output of a Catch.
    pub(super) const ERROR_OUTPUT: Sees = Sees { result: false, error_output: true };
}

/// What a reference path may start at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Roots {
    /// The input or a variable.
    Data,
    /// Also the Context object.
    Any,
}

impl Context<'_> {
    /// Any path.
    pub(super) fn path(&mut self, node: &Spanned, at: &At<'_>) -> Option<Path> {
        let Some(text) = text_of(node) else {
            self.wrong_type(node, at, Kind::String);
            return None;
        };
        let path = Path::parse(text).ok();
        if path.is_none() {
            self.schema(NOT_A_PATH, at, node.span);
        }
        path
    }

    /// A path that names one node.
    pub(super) fn reference(&mut self, node: &Spanned, at: &At<'_>, roots: Roots) -> Option<Path> {
        let path = self.path(node, at)?;
        let allowed = path.is_definite() && (roots == Roots::Any || !matches!(path.root(), Root::Context));
        if !allowed {
            self.schema(NOT_A_REFERENCE_PATH, at, node.span);
        }
        allowed.then_some(path)
    }

    /// `Variable` and the `…Path` operands of a Choice rule.
    pub(super) fn choice_path(&mut self, node: &Spanned, at: &At<'_>) -> Option<Path> {
        if text_of(node).is_some_and(|text| !text.starts_with('$')) {
            let message = format!("{NOT_A_REFERENCE_PATH}: Reference path didn't start with '$'");
            self.schema(message, at, node.span);
            return None;
        }
        self.reference(node, at, Roots::Any)
    }

    /// `InputPath`, `OutputPath`.
    pub(super) fn selection(&mut self, object: &Object<'_, '_>, name: &str) -> Selection {
        let Some(node) = object.get(name) else { return Selection::All };
        match &node.kind {
            SpannedKind::Null => Selection::Nothing,
            SpannedKind::String(text) if text == "$" => Selection::All,
            _ => self.path(node, &object.at.member(name)).map_or(Selection::All, Selection::Path),
        }
    }

    /// `ResultPath`.
    pub(super) fn placement(&mut self, object: &Object<'_, '_>, name: &str) -> Placement {
        let Some(node) = object.get(name) else { return Placement::Replace };
        let at = object.at.member(name);
        match &node.kind {
            SpannedKind::Null => Placement::Discard,
            SpannedKind::String(text) if text == "$" => Placement::Replace,
            SpannedKind::String(text) => match ReferencePath::parse(text) {
                Ok(path) => Placement::At(path),
                Err(_) => {
                    let message = if Path::parse(text).is_ok() { NOT_A_REFERENCE_PATH } else { NOT_A_PATH };
                    self.schema(message, &at, node.span);
                    Placement::Replace
                }
            },
            _ => {
                self.wrong_type(node, &at, Kind::String);
                Placement::Replace
            }
        }
    }

    /// The expression in `text`, which [`is_jsonata`].
    pub(super) fn jsonata(
        &mut self,
        node: &Spanned,
        text: &str,
        at: &At<'_>,
        sees: Sees,
    ) -> Option<jsonata::Expression> {
        // The service quotes the expression without the white space beside the delimiters.
        let source = text.get(2..text.len() - 2)?.trim();
        match jsonata::Expression::compile(source) {
            Ok(expression) => {
                let misplaced = [
                    (expression.reads_result() && !sees.result, "result"),
                    (expression.reads_error_output() && !sees.error_output, "errorOutput"),
                ];
                for (_, name) in misplaced.iter().filter(|(misplaced, _)| *misplaced) {
                    let message = format!("Field '$states.{name}' does not exist.");
                    self.report(Code::UnsupportedJsonataExpression, message, Some(at), Some(node.span));
                }
                Some(expression)
            }
            Err(error) => {
                // What has no JSONata code parses, but is beyond what Step Functions supports.
                let code = match error.code {
                    Some(_) => Code::InvalidJsonataExpression,
                    None => Code::UnsupportedJsonataExpression,
                };
                self.report(code, error.message, Some(at), Some(node.span));
                None
            }
        }
    }

    /// `text` of a JSONata state when it is an expression; `Err` when it has one delimiter only.
    pub(super) fn delimited(&mut self, node: &Spanned, text: &str, at: &At<'_>) -> Result<bool, ()> {
        if is_jsonata(text) {
            return Ok(true);
        }
        if text.starts_with("{%") || text.ends_with("%}") {
            self.schema("JSONata string must start with {% and end with %}", at, node.span);
            return Err(());
        }
        Ok(false)
    }

    /// An integer, its `…Path` sibling, or a JSONata expression. `roots` is for the sibling.
    pub(super) fn integer_field(
        &mut self,
        object: &Object<'_, '_>,
        language: QueryLanguage,
        name: &str,
        range: RangeInclusive<i64>,
        roots: Roots,
    ) -> Option<Field<i64>> {
        self.number_field(object, language, name, roots, |context, node, at| {
            context.integer_of(node, at, range)
        })
    }

    /// The same with any way of reading the constant.
    pub(super) fn number_field<T>(
        &mut self,
        object: &Object<'_, '_>,
        language: QueryLanguage,
        name: &str,
        roots: Roots,
        constant: impl FnOnce(&mut Self, &Spanned, &At<'_>) -> Option<T>,
    ) -> Option<Field<T>> {
        let path_name = format!("{name}Path");
        self.at_most_one(object, &[name, &path_name]);
        if let Some(node) = object.get(&path_name) {
            return self.reference(node, &object.at.member(&path_name), roots).map(Field::Path);
        }
        let node = object.get(name)?;
        let at = object.at.member(name);
        match text_of(node) {
            Some(text) if language == QueryLanguage::Jsonata && self.delimited(node, text, &at).ok()? => {
                self.jsonata(node, text, &at, Sees::INPUT).map(Field::Query)
            }
            _ => constant(self, node, &at).map(Field::Constant),
        }
    }

    /// A string, or a JSONata expression where the language is JSONata.
    pub(super) fn text_field(
        &mut self,
        object: &Object<'_, '_>,
        language: QueryLanguage,
        name: &str,
    ) -> Option<Field<Text>> {
        let text = self.text(object, name)?;
        let node = object.get(name)?;
        let at = object.at.member(name);
        if language == QueryLanguage::Jsonata && self.delimited(node, &text, &at).ok()? {
            return self.jsonata(node, &text, &at, Sees::INPUT).map(Field::Query);
        }
        if language == QueryLanguage::JsonPath {
            self.warn_of_path(node, &at);
        }
        Some(Field::Constant(text))
    }

    /// A path or an intrinsic function: `ErrorPath`, `CausePath`.
    pub(super) fn path_or_intrinsic(&mut self, object: &Object<'_, '_>, name: &str) -> Option<Field<Text>> {
        let node = object.get(name)?;
        let at = object.at.member(name);
        match text_of(node) {
            Some(text) if text.starts_with("States.") => match intrinsic::Expression::parse(text) {
                Ok(expression) => Some(Field::Intrinsic(expression)),
                Err(_) => {
                    let message = "Value must be a valid JSONPath or a valid intrinsic function call";
                    self.schema(message, &at, node.span);
                    None
                }
            },
            _ => self.reference(node, &at, Roots::Any).map(Field::Path),
        }
    }
}

/// Whether `text` is a JSONata expression with its delimiters.
pub(super) fn is_jsonata(text: &str) -> bool {
    text.len() >= 4 && text.starts_with("{%") && text.ends_with("%}")
}
