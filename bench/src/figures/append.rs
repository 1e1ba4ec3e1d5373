//! What an append costs, however long the history is.

use std::time::Instant;

use bench::durable::Backend;
use bench::endless::{self, Rounds};
use bench::report::{Figure, Report, median};

/// Calls of a long execution: its history comes to more than 100,000 events.
const LONG: usize = 21_000;
/// Calls of a short one.
const SHORT: usize = 60;
/// Short executions before each long one.
const SHORTS: usize = 40;
/// How often both are measured.
const SAMPLES: usize = 3;
/// Appends on both sides of the one that is asked for whose times count, too.
const AROUND_EARLY: usize = 12;
const AROUND_LATE: usize = 480;

/// The median time of a round of one task around event 100,000, over that around event 100: the
/// engine's step, the record, its append in memory, the call.
pub fn append(report: &mut Report) {
    let name = "append_cost_ratio";
    report.measure(&[name], || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let mut ratios = Vec::new();
        for _ in 0..SAMPLES {
            let mut early = Vec::new();
            let mut late = Vec::new();
            runtime.block_on(async {
                let rounds = run(LONG).await?;
                late.extend(around(&rounds, 100_000, AROUND_LATE)?);
                for _ in 0..SHORTS {
                    early.extend(around(&run(SHORT).await?, 100, AROUND_EARLY)?);
                }
                Ok::<(), String>(())
            })?;
            ratios.push(median(late) / median(early));
        }
        Ok(vec![Figure::at_most(1.2, name, median(ratios), "")])
    });
}

async fn run(calls: usize) -> Result<Rounds<Instant>, String> {
    endless::run(&Backend::memory(), calls, Instant::now).await
}

/// Seconds of the appends around an event.
fn around(rounds: &Rounds<Instant>, event: u64, around: usize) -> Result<Vec<f64>, String> {
    let middle = rounds.at_event(event);
    let range = middle.checked_sub(around).and_then(|from| rounds.readings.get(from..=middle + around));
    let readings = range.ok_or_else(|| format!("the history has only {} events", rounds.events))?;
    Ok(readings.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect())
}
