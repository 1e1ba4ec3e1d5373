//! Findings as a SARIF 2.1.0 log, which code hosts and editors read.
//!
//! Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.

use asl::{Diagnostic, Severity};
use model::json::{Location, Span, Value};

use crate::pretty::to_pretty;

use super::Checked;

/// The log: one run, a rule for every code that occurs, a result for every finding.
pub fn render(checked: &[Checked]) -> String {
    let mut rules: Vec<&'static str> = Vec::new();
    for found in checked.iter().flat_map(|file| &file.diagnostics) {
        let code = found.code.as_str();
        if !rules.contains(&code) {
            rules.push(code);
        }
    }
    let results: Value = checked
        .iter()
        .flat_map(|file| file.diagnostics.iter().map(|found| result(file, found, &rules)))
        .collect();
    let driver = object([
        ("name", "stepwright".into()),
        ("semanticVersion", env!("CARGO_PKG_VERSION").into()),
        ("rules", rules.iter().map(|code| object([("id", Value::from(*code))])).collect()),
    ]);
    let run = object([
        ("tool", object([("driver", driver)])),
        ("columnKind", "unicodeCodePoints".into()),
        ("results", results),
    ]);
    let log = object([
        ("$schema", "https://json.schemastore.org/sarif-2.1.0.json".into()),
        ("version", "2.1.0".into()),
        ("runs", vec![run].into()),
    ]);
    to_pretty(&log) + "\n"
}

fn result(file: &Checked, found: &Diagnostic, rules: &[&str]) -> Value {
    let level = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let code = found.code.as_str();
    let rule_index = rules.iter().position(|rule| *rule == code);
    let artifact = object([("uri", uri(&file.source.name).into())]);
    let mut physical = vec![("artifactLocation", artifact)];
    physical.extend(found.span.map(|span| ("region", region(&file.source.text, span))));
    let mut location = vec![("physicalLocation", object(physical))];
    location.extend(found.location.as_ref().map(|name| {
        let logical = object([("fullyQualifiedName", Value::from(name.clone()))]);
        ("logicalLocations", Value::from(vec![logical]))
    }));
    let mut members = vec![("ruleId", Value::from(code))];
    members.extend(rule_index.map(|at| ("ruleIndex", Value::from(at))));
    members.extend([
        ("level", level.into()),
        ("message", object([("text", Value::from(found.message.as_str()))])),
        ("locations", vec![object(location)].into()),
    ]);
    object(members)
}

/// Lines and columns from 1; `endColumn` is one past the last character.
fn region(source: &str, span: Span) -> Value {
    let (start, end) = (Location::of(source, span.start), Location::of(source, span.end));
    object([
        ("startLine", Value::from(start.line)),
        ("startColumn", Value::from(start.column)),
        ("endLine", Value::from(end.line)),
        ("endColumn", Value::from(end.column)),
    ])
}

/// A relative URI reference, or a `file` URI for an absolute path (RFC 3986).
fn uri(name: &str) -> String {
    let path = name.replace('\\', "/");
    let mut out = if path.starts_with('/') { String::from("file://") } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into())
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    members.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        for (name, expected) in [
            ("a/b.json", "a/b.json"),
            ("/tmp/a b.json", "file:///tmp/a%20b.json"),
            ("<stdin>", "%3Cstdin%3E"),
            ("é#?", "%C3%A9%23%3F"),
        ] {
            assert_eq!(uri(name), expected);
        }
    }
}
