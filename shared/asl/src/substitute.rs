//! `${Name}` in a definition, as CloudFormation's `DefinitionSubstitutions` fills it in.

use std::collections::BTreeMap;

use model::json::{Span, Spanned, SpannedKind, SpannedMember, Text, Value};

use crate::parse::NESTING_MAX;

/// Values by name. A string takes the place of `${Name}` anywhere inside of a string; another
/// value takes the place of a string that is nothing but `${Name}`, and is written as JSON inside
/// of a longer one.
pub type Substitutions = BTreeMap<String, Value>;

/// A `${Name}` that cannot be filled in.
pub(crate) struct Unresolved {
    pub(crate) message: String,
    pub(crate) location: String,
    pub(crate) span: Span,
}

/// A text may grow to this many bytes: a short definition must not become a huge one.
const SUBSTITUTED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// `node` with every `${Name}` filled in, in values and in names of members.
pub(crate) fn apply(node: Spanned, substitutions: &Substitutions) -> (Spanned, Vec<Unresolved>) {
    let mut walk = Walk { substitutions, unresolved: Vec::new(), path: Vec::new(), depth: 0, bytes: 0 };
    let node = walk.node(node);
    (node, walk.unresolved)
}

struct Walk<'s> {
    substitutions: &'s Substitutions,
    unresolved: Vec<Unresolved>,
    path: Vec<String>,
    depth: usize,
    bytes: usize,
}

impl Walk<'_> {
    fn node(&mut self, node: Spanned) -> Spanned {
        let span = node.span;
        self.depth += 1;
        let kind = match node.kind {
            SpannedKind::String(text) => self.string(text, span),
            SpannedKind::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (index, item) in items.into_iter().enumerate() {
                    self.path.push(format!("[{index}]"));
                    out.push(self.node(item));
                    self.path.pop();
                }
                SpannedKind::Array(out)
            }
            SpannedKind::Object(members) => {
                let mut out = Vec::with_capacity(members.len());
                for member in members {
                    self.path.push(format!("/{}", member.name));
                    let name = self.text(member.name, member.name_span);
                    let value = self.node(member.value);
                    self.path.pop();
                    out.push(SpannedMember { name, name_span: member.name_span, value });
                }
                SpannedKind::Object(out)
            }
            leaf => leaf,
        };
        self.depth -= 1;
        Spanned { span, kind }
    }

    fn string(&mut self, text: Text, span: Span) -> SpannedKind {
        let whole =
            text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).filter(|name| is_name(name));
        match whole.and_then(|name| self.substitutions.get(name)) {
            Some(value) if !matches!(value, Value::String(_)) => {
                if self.depth + depth_of(value) > NESTING_MAX || !self.fits(value.json_len()) {
                    self.refuse("is too large or too deeply nested here", &text, span);
                    return SpannedKind::String(text);
                }
                spanned(value, span).kind
            }
            _ => SpannedKind::String(self.text(text, span)),
        }
    }

    fn text(&mut self, text: Text, span: Span) -> Text {
        if !text.contains("${") {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let Some(end) = after.find('}') else {
                rest = &rest[start..];
                break;
            };
            let name = &after[..end];
            let written = &rest[start..start + 2 + end + 1];
            rest = &after[end + 1..];
            // `${!Name}` is CloudFormation's way to write `${Name}` itself.
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str("${");
                out.push_str(literal);
                out.push('}');
                continue;
            }
            if !is_name(name) {
                out.push_str(written);
                continue;
            }
            match self.substitutions.get(name) {
                None => {
                    self.refuse("is not among the substitutions", written, span);
                    out.push_str(written);
                }
                Some(value) if self.fits(value.json_len()) => match value {
                    Value::String(text) => out.push_str(text),
                    value => out.push_str(&value.to_json()),
                },
                Some(_) => {
                    self.refuse("makes the definition too large", written, span);
                    out.push_str(written);
                }
            }
        }
        out.push_str(rest);
        out.into()
    }

    fn fits(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.bytes <= SUBSTITUTED_BYTES_MAX
    }

    fn refuse(&mut self, why: &str, written: &str, span: Span) {
        if self.unresolved.len() < 100 {
            let mut location = self.path.concat();
            if location.is_empty() {
                location.push('/');
            }
            self.unresolved.push(Unresolved { message: format!("{written} {why}"), location, span });
        }
    }
}

/// Names of substitutions. Source: CloudFormation, `AWS::StepFunctions::StateMachine`.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ',' | '.' | ':'))
}

fn depth_of(value: &Value) -> usize {
    // Bounded by hand: the value comes from outside and may be nested without end.
    let mut deepest = 0;
    let mut waiting = vec![(value, 1)];
    while let Some((value, depth)) = waiting.pop() {
        deepest = deepest.max(depth);
        match value {
            Value::Array(items) => waiting.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => waiting.extend(members.values().map(|value| (value, depth + 1))),
            _ => {}
        }
    }
    deepest
}

/// `value` with one place for all its nodes.
fn spanned(value: &Value, span: Span) -> Spanned {
    let kind = match value {
        Value::Null => SpannedKind::Null,
        Value::Bool(b) => SpannedKind::Bool(*b),
        Value::Number(number) => SpannedKind::Number(number.clone()),
        Value::String(text) => SpannedKind::String(text.clone()),
        Value::Array(items) => SpannedKind::Array(items.iter().map(|item| spanned(item, span)).collect()),
        Value::Object(members) => SpannedKind::Object(
            members
                .iter()
                .map(|(name, value)| SpannedMember {
                    name: name.clone(),
                    name_span: span,
                    value: spanned(value, span),
                })
                .collect(),
        ),
    };
    Spanned { span, kind }
}

#[cfg(test)]
mod tests {
    use model::json::{parse, parse_spanned};

    use super::*;

    fn check(text: &str, expected: &str, refusals: &[&str]) {
        let substitutions: Substitutions = [
            ("Arn", "\"arn:aws:lambda:us-east-1:123456789012:function:f\""),
            ("Count", "3"),
            ("Flag", "true"),
            ("Item", "{\"a\": [1]}"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), parse(value).unwrap()))
        .collect();
        let (node, unresolved) = apply(parse_spanned(text).unwrap(), &substitutions);
        assert_eq!(node.to_value(), parse(expected).unwrap(), "{text}");
        let found: Vec<String> =
            unresolved.iter().map(|u| format!("{} at {}", u.message, u.location)).collect();
        assert_eq!(found, refusals, "{text}");
    }

    #[test]
    fn values_take_the_place_of_their_names() {
        let table = [
            ("{\"R\": \"${Arn}:1\"}", "{\"R\": \"arn:aws:lambda:us-east-1:123456789012:function:f:1\"}"),
            ("[\"${Count}\", \"n=${Count}\"]", "[3, \"n=3\"]"),
            ("[\"${Flag}\", \"${Item}\", \"<${Item}>\"]", "[true, {\"a\": [1]}, \"<{\\\"a\\\":[1]}>\"]"),
            ("{\"${Count}x\": 1}", "{\"3x\": 1}"),
            (
                "[\"${!Count}\", \"$${Count\", \"{% $x ${} %}\"]",
                "[\"${Count}\", \"$${Count\", \"{% $x ${} %}\"]",
            ),
        ];
        for (text, expected) in table {
            check(text, expected, &[]);
        }
    }

    #[test]
    fn unknown_names_are_told_with_their_place() {
        check(
            "{\"a\": [\"${Nope}\", \"${Count}${Other}\"]}",
            "{\"a\": [\"${Nope}\", \"3${Other}\"]}",
            &[
                "${Nope} is not among the substitutions at /a[0]",
                "${Other} is not among the substitutions at /a[1]",
            ],
        );
    }
}
