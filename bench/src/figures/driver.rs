//! The step-driver as it is deployed: the binary of the functions, started as Lambda starts it.

use std::path::Path;

use bench::process::of_lambda;
use bench::report::{Figure, Report, median};
use bench::step_driver::{self, Batch};

/// The binary of the functions.
const BINARY: &str = "bootstrap";
/// What the binary embeds beside its code.
const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/aws-wire/catalog/sdk-catalog.bin");
/// Starts whose median is taken.
const STARTS: usize = 31;
/// As much as SQS hands over at once and as an execution may carry.
const FULL: Batch = Batch { executions: 10, tasks: 4, payload_bytes: model::limits::PAYLOAD_BYTES_MAX };

/// Size of the binary without the catalog, time to start, memory at rest and under the largest batch.
pub fn driver(report: &mut Report) {
    let name = "driver_binary_mb";
    report.measure(&[name], || {
        let path = of_lambda(BINARY)?;
        let size = |path: &Path| {
            path.metadata().map(|file| file.len()).map_err(|error| format!("{}: {error}", path.display()))
        };
        // The catalog of AWS is in it as it is, and is read where it is used.
        let code = size(&path)?.saturating_sub(size(Path::new(CATALOG))?);
        Ok(vec![Figure::at_most(15.0, name, megabytes(code), "MB")])
    });
    let names = ["driver_ready_ms", "driver_idle_mb"];
    report.measure(&names, || {
        let started = super::runtime()?.block_on(step_driver::starts(&of_lambda(BINARY)?, STARTS))?;
        let median = |value: fn(&step_driver::Started) -> f64| median(started.iter().map(value).collect());
        let [ready, idle] = names;
        Ok(vec![
            Figure::at_most(15.0, ready, median(|started| started.ready_millis), "ms"),
            Figure::at_most(30.0, idle, median(|started| megabytes(started.memory.resident_bytes)), "MB"),
        ])
    });
    let name = "driver_loaded_mb";
    report.measure(&[name], || {
        let binary = of_lambda(BINARY)?;
        let memory = super::runtime()?.block_on(step_driver::loaded(&binary, FULL, FULL.work()))?;
        Ok(vec![Figure::at_most(128.0, name, megabytes(memory.peak_bytes), "MB")])
    });
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
