//! `stepwright check`: all findings of all files, in the form that was asked for.

mod json;
mod sarif;
mod text;

use std::io::{self, Write};

use asl::{Diagnostic, Severity};

use crate::args::{CheckArgs, CheckFormat, When};
use crate::exit::Exit;
use crate::source::{self, ReadError, Source};
use crate::terminal::Style;

pub use text::finding;

/// What became of one file.
pub struct Checked {
    /// The text that was parsed.
    pub source: Source,
    /// What was found in it, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Runs the command.
pub fn check(args: &CheckArgs, color: When) -> Exit {
    if args.files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        eprintln!("error: standard input (`-`) can be read only once");
        return Exit::Usage;
    }
    let mut checked = Vec::new();
    let mut unread: Vec<ReadError> = Vec::new();
    for file in &args.files {
        match source::read_definition(file) {
            Ok(source) => {
                let diagnostics = source::parse(&source, &args.definition).diagnostics;
                checked.push(Checked { source, diagnostics });
            }
            Err(error) => unread.push(error),
        }
    }

    let stdout = io::stdout();
    let style = Style::of_stdout(color, &stdout);
    let report = match args.format {
        CheckFormat::Text => text::render(&checked, style),
        CheckFormat::Json => json::render(&checked),
        CheckFormat::Sarif => sarif::render(&checked),
    };
    let written = stdout.lock().write_all(report.as_bytes()).and_then(|()| stdout.lock().flush());
    let err_style = Style::of_stderr(color, &io::stderr());
    for error in &unread {
        eprintln!("{}: {error}", err_style.error("error"));
    }
    let sources: Vec<&Source> = checked.iter().map(|file| &file.source).collect();
    for name in source::unused_substitutions(&args.definition, &sources) {
        eprintln!("{}: substitution `{name}` occurs in no definition", err_style.warning("warning"));
    }

    let count = |severity| count(&checked, severity);
    if !unread.is_empty() {
        Exit::Usage
    } else if count(Severity::Error) > 0 || (args.deny_warnings && count(Severity::Warning) > 0) {
        Exit::Failed
    } else if written.is_err() {
        Exit::Output
    } else {
        Exit::Success
    }
}

/// Findings of one severity in all files.
fn count(checked: &[Checked], severity: Severity) -> usize {
    checked.iter().flat_map(|file| &file.diagnostics).filter(|found| found.severity == severity).count()
}
