//! What an append costs, however long the history is.

use std::time::Instant;

use bench::durable::Backend;
use bench::endless::{self, Rounds};
use bench::report::{Figure, Report, median};

/// Calls of a long execution: its history comes to more than 100,000 events.
const LONG: usize = 21_000;
/// Calls of a short one.
const SHORT: usize = 60;
/// Short executions, one after the other: as many calls as a long one has, so that both find the
/// processor and the table alike.
const SHORTS: usize = LONG / SHORT;
/// How often both are measured.
const SAMPLES: usize = 5;
/// Appends on both sides of the one that is asked for whose times count, too.
const AROUND: (usize, usize) = (12, 480);

/// The median time of a round of one task around event 100,000, over that around event 100: the
/// engine's step, the record, its append in memory, the call.
pub fn append(report: &mut Report) {
    let name = "append_cost_ratio";
    report.measure(&[name], || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let mut ratios = Vec::new();
        for _ in 0..SAMPLES {
            let early = runtime.block_on(run(SHORTS, SHORT))?;
            let late = runtime.block_on(run(1, LONG))?;
            // The later ones: the first find everything cold.
            let early: Result<Vec<_>, _> = early
                .readings
                .iter()
                .skip(SHORTS / 2)
                .map(|times| around(&early, times, 100, AROUND.0))
                .collect();
            let late = around(&late, &late.readings[0], 100_000, AROUND.1)?;
            ratios.push(median(late) / median(early?.concat()));
        }
        Ok(vec![Figure::at_most(1.2, name, median(ratios), "")])
    });
}

async fn run(executions: usize, calls: usize) -> Result<Rounds<Instant>, String> {
    endless::run(&Backend::memory(), (executions, calls), Instant::now).await
}

/// Seconds of the appends around an event.
fn around(
    rounds: &Rounds<Instant>,
    times: &[Instant],
    event: u64,
    around: usize,
) -> Result<Vec<f64>, String> {
    let middle = rounds.at_event(event);
    let range = middle.checked_sub(around).and_then(|from| times.get(from..=middle + around));
    let times = range.ok_or_else(|| format!("the history has only {} events", rounds.events))?;
    Ok(times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect())
}
