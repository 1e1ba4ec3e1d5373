//! The engine alone, and `stepwright run`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::process::{Scratch, sibling};
use bench::report::{Figure, Report, median};
use bench::workload::{self, Workload};
use engine::Status;

/// Measurements behind each median.
const SAMPLES: usize = 5;
/// How long one measurement repeats its workload at least.
const SAMPLE_TIME: Duration = Duration::from_millis(400);

/// Speed and allocations of the interpreter; the start of the program.
pub fn engine(report: &mut Report) {
    let name = "engine_transitions_per_second";
    report.measure(&[name], || {
        let value = transitions_per_second(&workload::json_path_chain())?;
        Ok(vec![Figure::at_least(100_000.0, name, value, "1/s")])
    });
    let name = "engine_jsonata_transitions_per_second";
    report.measure(&[name], || {
        let value = transitions_per_second(&workload::jsonata_chain())?;
        Ok(vec![Figure::at_least(25_000.0, name, value, "1/s")])
    });
    let name = "inline_map_1000_ms";
    report.measure(&[name], || {
        let value = seconds_per_run(&workload::inline_map())? * 1e3;
        Ok(vec![Figure::at_most(20.0, name, value, "ms")])
    });
    let name = "engine_allocations_per_transition";
    report.measure(&[name], || {
        Ok(vec![Figure::at_most(40.0, name, allocations_per_transition()?, "allocations")])
    });
    let name = "run_startup_ms";
    report.measure(&[name], || Ok(vec![Figure::at_most(15.0, name, startup_ms()?, "ms")]));
}

fn transitions_per_second(workload: &Workload) -> Result<f64, String> {
    Ok(workload.transitions as f64 / seconds_per_run(workload)?)
}

/// Median seconds of one execution.
fn seconds_per_run(workload: &Workload) -> Result<f64, String> {
    let ran = workload::run(workload);
    if !matches!(ran.status, Status::Succeeded(_)) {
        return Err(format!("a workload did not succeed: {:?}", ran.status));
    }
    let sample = |_| {
        let start = Instant::now();
        let mut runs = 0.0;
        while start.elapsed() < SAMPLE_TIME {
            std::hint::black_box(workload::run(std::hint::black_box(workload)).events);
            runs += 1.0;
        }
        start.elapsed().as_secs_f64() / runs
    };
    Ok(median((0..SAMPLES).map(sample).collect()))
}

fn allocations_per_transition() -> Result<f64, String> {
    let binary = sibling("allocations")?;
    let output = Command::new(&binary)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", binary.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.trim().parse().map_err(|_| format!("{} printed no number: {printed}", binary.display()))
}

/// From exec to exit of `stepwright run` on a Pass machine.
fn startup_ms() -> Result<f64, String> {
    let binary = sibling("stepwright")?;
    let scratch = Scratch::new("run")?;
    let machine = scratch.path().join("only.asl.json");
    let definition = r#"{"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": true}}}"#;
    std::fs::write(&machine, definition)
        .map_err(|error| format!("{} cannot be written: {error}", machine.display()))?;
    let run = || -> Result<f64, String> {
        let start = Instant::now();
        let status = Command::new(&binary)
            .arg("run")
            .arg(&machine)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("{} cannot be run: {error}", binary.display()))?;
        let elapsed = start.elapsed().as_secs_f64() * 1e3;
        if status.success() { Ok(elapsed) } else { Err(format!("`stepwright run` ended with {status}")) }
    };
    run()?;
    let times = (0..25).map(|_| run()).collect::<Result<Vec<_>, _>>();
    Ok(median(times?))
}
