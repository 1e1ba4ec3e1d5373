use model::json::{Text, Value};

use super::{EvalError, refuse};
use crate::jsonpath::push_java_text;

/// The first argument of `States.Format`: text with a hole at each `{}`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    /// The texts before, between and after the holes: one more than there are holes.
    pieces: Box<[Text]>,
}

impl Template {
    pub(super) fn new(pieces: Vec<String>) -> Template {
        Template { pieces: pieces.into_iter().map(Text::from).collect() }
    }

    /// A template that comes from data: it has no escapes, those belong to literals.
    pub(super) fn of_data(text: &str) -> Template {
        Template { pieces: text.split("{}").map(Text::from).collect() }
    }

    /// Fills the holes in order; there must be as many values.
    pub(super) fn fill(&self, values: &[Value]) -> Result<Value, EvalError> {
        let holes = self.pieces.len().saturating_sub(1);
        if holes != values.len() {
            return refuse(format!("the template has {holes} {{}}, but {} values follow it", values.len()));
        }
        let mut out = String::new();
        for (i, piece) in self.pieces.iter().enumerate() {
            out.push_str(piece);
            if let Some(value) = values.get(i) {
                push_java_text(&mut out, value);
            }
        }
        Ok(out.into())
    }
}

/// The pieces between delimiters. Every character of `delimiters` is one; empty pieces are dropped.
///
/// Source: conformance cases `intrinsic_functions/string_operations.string_split-…`.
pub(super) fn split(text: &str, delimiters: &str) -> Value {
    let delimiters: std::collections::HashSet<char> = delimiters.chars().collect();
    text.split(|c| delimiters.contains(&c)).filter(|piece| !piece.is_empty()).map(Value::from).collect()
}
