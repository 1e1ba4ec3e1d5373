//! Measures and reports. Release build only: `make bench`. With names of groups (`engine`, `append`,
//! `aws`, `costs`, `driver`, `durable`, `http`, `sdk`, `waiting`) it measures these alone and writes no file.

mod figures;

use std::path::Path;
use std::process::ExitCode;

use bench::report::{self, Report};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures some figures.
type Group = fn(&mut Report);

/// The groups in the order in which they are measured.
const GROUPS: [(&str, Group); 9] = [
    ("engine", figures::engine),
    ("append", figures::append),
    ("aws", figures::aws),
    ("costs", figures::costs),
    ("driver", figures::driver),
    ("durable", figures::durable),
    ("http", figures::http),
    ("sdk", figures::sdk),
    ("waiting", figures::waiting),
];

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = asked.iter().find(|asked| !GROUPS.iter().any(|(name, _)| name == asked)) {
        let names = GROUPS.map(|(name, _)| name).join(", ");
        eprintln!("`{unknown}` is none of the groups of figures: {names}");
        return ExitCode::from(2);
    }
    let mut report = Report::default();
    for (name, group) in GROUPS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            group(&mut report);
        }
    }
    report::print(&report.figures);
    for failure in &report.failures {
        eprintln!("not measured: {failure}");
    }
    let path = Path::new("target/bench.json");
    if asked.is_empty()
        && let Err(error) = report::write(&report.figures, path)
    {
        eprintln!("{} cannot be written: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
