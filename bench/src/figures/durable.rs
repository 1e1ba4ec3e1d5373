//! Durable executions: the driver in this process, over the embedded store and a real disk.

use std::sync::Arc;
use std::time::Duration;

use bench::durable::{self, Backend, Running, Setup};
use bench::load;
use bench::process::Scratch;
use bench::report::{Figure, Report, percentile};

/// Executions of the closed loop.
const IN_FLIGHT: usize = 1_024;
/// The closed loop, of which the last four fifths count: 30 s and a little.
const CLOSED: Duration = Duration::from_secs(38);
/// The open loop: before it counts, and while it does.
const OPEN: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(20));
/// Syncs before the executions that are measured one by one, and as many after them.
const SYNCS: usize = 200;
/// Executions that are measured one by one.
const SINGLE: usize = 400;

/// Five tasks, each of them a call that is recorded before it is made: throughput with many in
/// flight, time of one alone, and time under a load that does not wait.
pub fn durable(report: &mut Report) {
    let names = ["fsync_p50_ms", "fsync_p99_ms", "durable_latency_p50_ms"];
    report.measure(&names, || {
        let (mut syncs, single) = with_store("latency", |running, scratch| async move {
            let mut syncs = disk(scratch.path())?;
            // They warm up what is measured.
            load::one_at_a_time(&running, SINGLE / 10).await?;
            let single = load::one_at_a_time(&running, SINGLE).await?;
            // Disks change their mind: before and after say what it was like meanwhile.
            syncs.extend(disk(scratch.path())?);
            Ok((syncs, single))
        })?;
        syncs.sort_by(f64::total_cmp);
        let sync = percentile(&syncs, 50);
        let [p50, p99, latency] = names;
        Ok(vec![
            Figure::given(p50, sync, "ms"),
            Figure::given(p99, percentile(&syncs, 99), "ms"),
            // The start, five calls and the end: six records that have to be durable one after
            // the other, and everything else.
            Figure::at_most(6.0 * sync + 2.0, latency, percentile(&single, 50), "ms"),
        ])
    });
    let name = "open_loop_500_p99_ms";
    report.measure(&[name], || {
        let took =
            with_store(
                "open",
                |running, _| async move { load::open_loop(running, 500, OPEN.0, OPEN.1).await },
            )?;
        Ok(vec![Figure::at_most(150.0, name, percentile(&took, 99), "ms")])
    });
    let name = "durable_executions_per_second";
    report.measure(&[name], || {
        let per_second =
            with_store(
                "closed",
                |running, _| async move { load::closed_loop(running, IN_FLIGHT, CLOSED).await },
            )?;
        Ok(vec![Figure::at_least(5_000.0, name, per_second, "1/s")])
    });
}

/// Runs a load on a driver over an empty store.
fn with_store<T, F: Future<Output = Result<T, String>>>(
    name: &str,
    load: impl FnOnce(Arc<Running>, Arc<Scratch>) -> F,
) -> Result<T, String> {
    let scratch = Arc::new(Scratch::new(name)?);
    super::runtime()?.block_on(async {
        let (backend, store) = Backend::embedded(&scratch.path().join("store"))?;
        let running = Running::new(&backend, Setup::new(&durable::tasks(5), IN_FLIGHT)).await?;
        let loaded = load(Arc::new(running), scratch.clone()).await?;
        match store.stats().error {
            None => Ok(loaded),
            Some(error) => Err(error),
        }
    })
}

fn disk(directory: &std::path::Path) -> Result<Vec<f64>, String> {
    load::syncs(directory, SYNCS).map_err(|error| format!("{} cannot be used: {error}", directory.display()))
}
