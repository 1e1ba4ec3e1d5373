//! Executions that wait: what a million of them take, how soon a store that holds them opens, and
//! timers that are due at once. All of it in processes of their own, see the binary `waiting`.

use std::path::Path;
use std::time::Duration;

use bench::process::{Scratch, Talking, sibling};
use bench::report::{Figure, Report};

/// Executions that wait for a year.
const WAITING: u32 = 1_000_000;
/// Timers that are due in the same second.
const TIMERS: u32 = 100_000;
/// How long the slowest step may take, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// Memory, disk, opening, timers.
pub fn waiting(report: &mut Report) {
    let scratch = Scratch::new("waiting");
    let directory = || scratch.as_ref().map(Scratch::path).map_err(Clone::clone);
    let names = ["waiting_execution_ram_bytes", "waiting_execution_disk_bytes"];
    let mut is_filled = false;
    report.measure(&names, || {
        let mut filled = start("fill", directory()?, WAITING)?;
        let empty = filled.number("empty_bytes", PATIENCE)?;
        let full = filled.number("full_bytes", PATIENCE)?;
        let disk = filled.number("disk_bytes", PATIENCE)?;
        is_filled = true;
        let [ram_name, disk_name] = names;
        Ok(vec![
            Figure::at_most(64.0, ram_name, (full - empty) / f64::from(WAITING), "bytes"),
            Figure::at_most(1_200.0, disk_name, disk / f64::from(WAITING), "bytes"),
        ])
    });
    let name = "restart_1m_seconds";
    report.measure(&[name], || {
        if !is_filled {
            return Err("there is no store with so many executions".to_owned());
        }
        // The process that made them was killed: what it had not flushed is read from the log.
        let mut opened = start("reopen", directory()?, WAITING)?;
        opened.number("answered", PATIENCE)?;
        // With the start of the process.
        Ok(vec![Figure::at_most(5.0, name, opened.age().as_secs_f64(), "s")])
    });
    drop(scratch);
    let seconds = |what| {
        let scratch = Scratch::new(what)?;
        start(what, scratch.path(), TIMERS)?.number("seconds", PATIENCE)
    };
    let name = "timers_100k_seconds";
    report.measure(&[name], || Ok(vec![Figure::at_most(5.0, name, seconds("timers")?, "s")]));
    let name = "timers_100k_ended_seconds";
    report.measure(&[name], || Ok(vec![Figure::given(name, seconds("ends")?, "s")]));
}

fn start(what: &str, directory: &Path, count: u32) -> Result<Talking, String> {
    let store = directory.join("store").to_string_lossy().into_owned();
    Talking::start(&sibling("waiting")?, &[what, &store, &count.to_string()], directory)
}
