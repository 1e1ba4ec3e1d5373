//! Measures and reports. Release build only: `make bench`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bench::report::{self, Better, Figure, median};
use bench::workload::{self, Workload};
use engine::Status;

/// Measurements behind each median.
const SAMPLES: usize = 5;
/// How long one measurement repeats its workload at least.
const SAMPLE_TIME: Duration = Duration::from_millis(400);

fn main() -> ExitCode {
    match figures() {
        Ok(figures) => {
            report::print(&figures);
            let path = Path::new("target/bench.json");
            if let Err(error) = report::write(&figures, path) {
                eprintln!("{} cannot be written: {error}", path.display());
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn figures() -> Result<Vec<Figure>, String> {
    Ok(vec![
        Figure {
            name: "engine_transitions_per_second",
            value: transitions_per_second(&workload::json_path_chain())?,
            unit: "1/s",
            goal: 100_000.0,
            better: Better::Higher,
        },
        Figure {
            name: "engine_jsonata_transitions_per_second",
            value: transitions_per_second(&workload::jsonata_chain())?,
            unit: "1/s",
            goal: 25_000.0,
            better: Better::Higher,
        },
        Figure {
            name: "inline_map_1000_ms",
            value: seconds_per_run(&workload::inline_map())? * 1e3,
            unit: "ms",
            goal: 20.0,
            better: Better::Lower,
        },
        Figure {
            name: "engine_allocations_per_transition",
            value: allocations_per_transition()?,
            unit: "allocations",
            goal: 40.0,
            better: Better::Lower,
        },
        Figure {
            name: "run_startup_ms",
            value: startup_ms()?,
            unit: "ms",
            goal: 15.0,
            better: Better::Lower,
        },
    ])
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
    let machine = std::env::temp_dir().join(format!("stepwright-bench-{}.asl.json", std::process::id()));
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
    let _ = std::fs::remove_file(&machine);
    Ok(median(times?))
}

/// A binary built beside this one.
fn sibling(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("own path is unknown: {error}"))?;
    let path = own.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built; run `make bench`", path.display())) }
}
