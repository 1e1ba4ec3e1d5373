//! `stepwright run`: one execution, in memory, to its end.
//!
//! Reading order: [`run`] (the command), `prepare` (everything that can be wrong before the
//! execution starts), `session` (the execution), `tree` and `progress` (what is seen of it),
//! `report` (what is said about it).

mod duration;
mod prepare;
pub mod progress;
mod report;
mod session;
pub mod tree;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use engine::Status;
use model::history::HistoryEvent;
use model::json::Value;

use crate::args::{RunArgs, RunFormat, When};
use crate::exit::Exit;
use crate::pretty::to_pretty;
use crate::terminal::Style;

use report::Ended;

/// Runs the command.
pub fn run(args: &RunArgs, color: When) -> Exit {
    let style = Style::of_stderr(color, &io::stderr());
    let prepared = match prepare::prepare(args, style) {
        Ok(prepared) => prepared,
        Err(refused) => {
            eprint!("{}", refused.message);
            return refused.exit;
        }
    };
    if !args.quiet {
        eprint!("{}", prepared.warnings);
    }
    let history = match args.history.as_deref().map(create).transpose() {
        Ok(history) => history,
        Err(message) => {
            eprintln!("{}: {message}", style.error("error"));
            return Exit::Usage;
        }
    };
    let outcome = match session::run(&prepared, args, style, history.is_some()) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("{}: {error}", style.error("error"));
            return Exit::Failed;
        }
    };

    let ended = Ended {
        execution: &outcome.execution,
        input: &prepared.input,
        status: outcome.snapshot.status(),
        stopped_at: outcome.stopped_at,
        tree: &outcome.tree,
        source: &prepared.source,
    };
    if let Some(explanation) = ended.explanation(style) {
        eprint!("{explanation}");
    }
    if !args.quiet {
        eprintln!("{}", ended.summary(style));
    }
    let exit = match ended.status {
        Status::Succeeded(_) => Exit::Success,
        Status::Failed(_) | Status::Running => Exit::Failed,
        Status::TimedOut => Exit::TimedOut,
        Status::Aborted(_) => Exit::Aborted,
    };
    let written = print(&ended, args.format).map_err(|error| format!("cannot write the output: {error}"));
    let written = written.and_then(|()| match (history, &args.history) {
        (Some(file), Some(path)) => write_history(file, &outcome.history)
            .map_err(|error| format!("cannot write the history to `{}`: {error}", path.display())),
        _ => Ok(()),
    });
    match written {
        Ok(()) => exit,
        Err(message) => {
            eprintln!("{}: {message}", style.error("error"));
            if exit == Exit::Success { Exit::Output } else { exit }
        }
    }
}

fn print(ended: &Ended, format: RunFormat) -> io::Result<()> {
    let text = match (format, ended.status) {
        (RunFormat::Text, Status::Succeeded(output)) => to_pretty(output),
        (RunFormat::Text, _) => return Ok(()),
        (RunFormat::Json, _) => to_pretty(&ended.to_json()),
    };
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

fn create(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("cannot write the history to `{}`: {error}", path.display()))
}

/// `{"events": […]}`, as GetExecutionHistory answers.
fn write_history(file: File, events: &[HistoryEvent]) -> io::Result<()> {
    let events: Value = events.iter().map(|event| event.to_api(true)).collect();
    let answer: Value = [("events", events)].into_iter().collect();
    let mut out = BufWriter::new(file);
    writeln!(out, "{}", to_pretty(&answer))?;
    out.flush()
}
