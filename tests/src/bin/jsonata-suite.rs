//! Runs the JSONata suite: `jsonata-suite [FOLDER]`. Prints the failing cases, then one line
//! `jsonata: PASSED/TOTAL`.

use std::path::PathBuf;
use std::process::ExitCode;

use tests::jsonata_suite::{default_suite, run};

fn main() -> ExitCode {
    let Some(suite) = std::env::args_os().nth(1).map(PathBuf::from).or_else(default_suite) else {
        eprintln!("no suite: give its folder, or put it at ../shared/jsonata-suite beside the repository");
        return ExitCode::FAILURE;
    };
    let report = run(&suite);
    for (id, reason) in &report.failures {
        println!("{id}: {reason}");
    }
    println!("jsonata: {}/{}", report.passed, report.total);
    ExitCode::SUCCESS
}
