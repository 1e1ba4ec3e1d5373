//! Findings for people.

use std::fmt::Write;

use asl::{Diagnostic, Severity};

use crate::excerpt::{self, Level, Note};
use crate::terminal::Style;

use super::{Checked, count};

/// Every finding with its excerpt, then a line that counts them.
pub fn render(checked: &[Checked], style: Style) -> String {
    let mut out = String::new();
    for file in checked {
        for found in &file.diagnostics {
            out.push_str(&finding(&file.source.name, &file.source.text, found, style));
            out.push('\n');
        }
    }
    let files = plural(checked.len(), "definition");
    let errors = count(checked, Severity::Error);
    let warnings = count(checked, Severity::Warning);
    // Writing to a string does not fail.
    let _ = match (errors, warnings) {
        (0, 0) if checked.is_empty() => Ok(()),
        (0, 0) => writeln!(out, "{}", style.success(&format!("{files} checked, nothing found"))),
        _ => {
            let found = format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"));
            let found = if errors > 0 { style.error(&found) } else { style.warning(&found) };
            writeln!(out, "{files} checked: {found}")
        }
    };
    out
}

/// One finding with its excerpt.
pub fn finding(name: &str, source: &str, found: &Diagnostic, style: Style) -> String {
    let footer: Vec<String> = found.location.iter().map(|location| format!("at {location}")).collect();
    let note = Note {
        level: match found.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        },
        code: Some(found.code.as_str()),
        message: &found.message,
        label: "",
        span: found.span,
        footer: &footer,
    };
    excerpt::render(name, source, &note, style)
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
