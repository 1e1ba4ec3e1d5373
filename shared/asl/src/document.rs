//! Texts that hold definitions among other things: CloudFormation templates, and definitions in
//! YAML that are handed on as JSON.

use model::json::{self, Spanned};

use crate::parse::{Format, NESTING_MAX, too_deep};
use crate::substitute::{self, Substitutions};
use crate::yaml;

/// A text that is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong with it.
    pub message: String,
    /// Byte offset in the text.
    pub offset: usize,
}

/// Reads a text as a tree, nested at most [`NESTING_MAX`] deep. In YAML, the short forms of
/// CloudFormation's functions become their long forms: `!Sub x` is `{"Fn::Sub": x}`, `!Ref x` is
/// `{"Ref": x}`, `!GetAtt a.b` is `{"Fn::GetAtt": ["a", "b"]}`; other tags are refused.
pub fn read(text: &str, format: Format) -> Result<Spanned, Unreadable> {
    let is_json = match format {
        Format::Json => true,
        Format::Yaml => false,
        Format::Auto => text.trim_start().starts_with(['{', '[', '"']),
    };
    if !is_json {
        return yaml::parse(text, yaml::Tags::Functions)
            .map_err(|error| Unreadable { message: error.message, offset: error.offset });
    }
    if let Some(offset) = too_deep(text) {
        let message = format!("it is nested more than {NESTING_MAX} levels deep");
        return Err(Unreadable { message, offset });
    }
    json::parse_spanned(text)
        .map_err(|error| Unreadable { message: error.message.to_string(), offset: error.offset })
}

/// `node` with every `${Name}` filled in. A name without a value stays as it is;
/// [`crate::parse_tree`] reports it.
pub fn substituted(node: Spanned, substitutions: &Substitutions) -> Spanned {
    substitute::apply(node, substitutions).0
}

#[cfg(test)]
mod tests {
    use model::json::Value;

    use super::*;

    fn check(yaml: &str, expected: &str) {
        let found = read(yaml, Format::Auto).map(|node| node.to_value().to_json());
        let found = found.unwrap_or_else(|error| format!("{} at {}", error.message, error.offset));
        let expected = Value::parse(expected).map_or(expected.to_owned(), |value| value.to_json());
        assert!(found == expected || found.contains(&expected), "{yaml}: {found}");
    }

    #[test]
    fn short_forms_become_functions() {
        check("a: !Ref X", r#"{"a": {"Ref": "X"}}"#);
        check("a: !Condition X", r#"{"a": {"Condition": "X"}}"#);
        check("a: !Sub 'x${Y}'", r#"{"a": {"Fn::Sub": "x${Y}"}}"#);
        check("a: !Sub\n  - x\n  - {y: !Ref Z}", r#"{"a": {"Fn::Sub": ["x", {"y": {"Ref": "Z"}}]}}"#);
        check("a: !GetAtt X.Arn", r#"{"a": {"Fn::GetAtt": ["X", "Arn"]}}"#);
        check("a: !GetAtt [X, Arn]", r#"{"a": {"Fn::GetAtt": ["X", "Arn"]}}"#);
        check("a: !GetAtt X.Outputs.Y", r#"{"a": {"Fn::GetAtt": ["X", "Outputs.Y"]}}"#);
        check("a: !Join ['-', [b, !Ref C]]", r#"{"a": {"Fn::Join": ["-", ["b", {"Ref": "C"}]]}}"#);
        check("a: !!str 1", r#"{"a": "1"}"#);
    }

    #[test]
    fn other_tags_are_refused() {
        check("a: !<tag:x> 1", "is not supported");
        check("!Ref a: 1", "is not supported");
    }

    #[test]
    fn functions_do_not_nest_without_end() {
        let flow = format!("a: {}1{}", "!Sub [".repeat(1_000), "]".repeat(1_000));
        check(&flow, "recursion limit");
        let block: String = (0..300).map(|level| format!("{}a: !Sub\n", " ".repeat(level))).collect();
        check(&format!("{block}{}b: 1\n", " ".repeat(300)), "levels deep");
        let json = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        check(&json, "levels deep");
    }

    #[test]
    fn json_is_read_as_it_is() {
        check(r#"{"a": {"Ref": "X"}}"#, r#"{"a": {"Ref": "X"}}"#);
        check(r#"{"a" 1}"#, "at 6");
    }
}
