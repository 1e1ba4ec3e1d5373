//! Findings for programs: the members of ValidateStateMachineDefinition's answer, with places.

use asl::{Diagnostic, Severity};
use model::json::{Location, Text, Value};

use crate::pretty::to_pretty;

use super::Checked;

/// `{"files": [{"file", "result": "OK"|"FAIL", "diagnostics": [{severity, code, message, location, start, end}]}]}`;
/// lines and columns count from 1, columns in characters, `end` is one past the last.
pub fn render(checked: &[Checked]) -> String {
    let files: Value = checked.iter().map(file).collect();
    let report: Value = [("files", files)].into_iter().collect();
    to_pretty(&report) + "\n"
}

fn file(file: &Checked) -> Value {
    let failed = file.diagnostics.iter().any(|found| found.severity == Severity::Error);
    let diagnostics: Value =
        file.diagnostics.iter().map(|found| diagnostic(&file.source.text, found)).collect();
    [
        ("file", Value::from(file.source.name.as_str())),
        ("result", Value::from(if failed { "FAIL" } else { "OK" })),
        ("diagnostics", diagnostics),
    ]
    .into_iter()
    .collect()
}

fn diagnostic(source: &str, found: &Diagnostic) -> Value {
    let place = |offset: usize| position(Location::of(source, offset));
    let head = [
        ("severity", Value::from(found.severity.as_str())),
        ("code", Value::from(found.code.as_str())),
        ("message", Value::from(found.message.as_str())),
    ];
    let location = found.location.iter().map(|location| ("location", Value::from(location.clone())));
    let span = found.span.iter().flat_map(|span| [("start", place(span.start)), ("end", place(span.end))]);
    head.into_iter()
        .chain(location)
        .chain(span)
        .map(|(name, value)| (Text::new_static(name), value))
        .collect()
}

fn position(at: Location) -> Value {
    [("line", Value::from(at.line)), ("column", Value::from(at.column))].into_iter().collect()
}
