//! Replays the recorded corpus: `conformance [FOLDER]`, or the folder in `CORPUS`. Prints a row
//! per area, every failing case with its first difference, and one line with all scores.

use std::path::PathBuf;
use std::process::ExitCode;

use tests::conformance::{default_corpus, run};

fn main() -> ExitCode {
    let named = std::env::args_os().nth(1).or_else(|| std::env::var_os("CORPUS")).map(PathBuf::from);
    let Some(corpus) = named.or_else(default_corpus) else {
        eprintln!("no corpus: give its folder, or put it at ../shared/conformance beside the repository");
        return ExitCode::FAILURE;
    };
    // A panic is the reason of a failed case; its trace would drown the report.
    std::panic::set_hook(Box::new(|_| {}));
    match run(&corpus) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("corpus {} cannot be read: {error}", corpus.display());
            ExitCode::FAILURE
        }
    }
}
