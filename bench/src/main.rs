//! Measures and reports. Release build only: `make bench`.

mod figures;

use std::path::Path;
use std::process::ExitCode;

use bench::report::{self, Report};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut report = Report::default();
    figures::engine(&mut report);
    figures::append(&mut report);
    figures::durable(&mut report);
    figures::http(&mut report);
    figures::waiting(&mut report);
    report::print(&report.figures);
    for failure in &report.failures {
        eprintln!("not measured: {failure}");
    }
    let path = Path::new("target/bench.json");
    if let Err(error) = report::write(&report.figures, path) {
        eprintln!("{} cannot be written: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
