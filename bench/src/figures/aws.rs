//! Two thousand starts per second on AWS, simulated.

use bench::load_on_aws::simulation::{
    Assumptions, IN_FLIGHT_MAX, NEW_TABLE_WRITE_UNITS, Outcome, PARTITION_READ_UNITS, PARTITION_WRITE_UNITS,
    TABLE_WRITE_UNITS, simulate,
};
use bench::load_on_aws::trace::trace;
use bench::report::{Figure, Report};

/// Executions whose requests are taken for those of all.
const TRACED: u64 = 1_000;

/// Hottest partitions, ages of messages, and how much runs at once.
pub fn aws(report: &mut Report) {
    let mut shown = None;
    report.measure(&["sim_2000"], || {
        let trace = trace(TRACED)?;
        let outcome = simulate(&trace, &Assumptions::PUBLISHED);
        let figures = figures(&outcome);
        shown = Some(outcome);
        Ok(figures)
    });
    if let Some(outcome) = shown {
        println!("{:#?}\n{outcome:#?}", Assumptions::PUBLISHED);
    }
}

fn figures(outcome: &Outcome) -> Vec<Figure> {
    let seconds = Assumptions::PUBLISHED.seconds;
    let started = outcome.executions as f64 / seconds as f64;
    // The whole table or index, whichever takes more of each start.
    let most = outcome.table_peak.max(outcome.index_peak) as f64;
    let limit = |limit: u64| limit as f64;
    vec![
        Figure::at_most(
            limit(PARTITION_WRITE_UNITS),
            "sim_2000_hottest_partition_wcu",
            limit(outcome.hottest_write.0),
            "units/s",
        ),
        Figure::at_most(
            limit(PARTITION_WRITE_UNITS),
            "sim_2000_hottest_index_key_wcu",
            limit(outcome.hottest_index.0),
            "units/s",
        ),
        Figure::at_most(
            limit(PARTITION_READ_UNITS),
            "sim_2000_hottest_partition_rcu",
            limit(outcome.hottest_read.0),
            "units/s",
        ),
        Figure::at_most(0.0, "sim_2000_throttled_partition_seconds", limit(outcome.throttled), "s"),
        Figure::at_most(limit(TABLE_WRITE_UNITS), "sim_2000_table_wcu", most, "units/s"),
        Figure::given(
            "sim_new_table_starts_per_second",
            limit(NEW_TABLE_WRITE_UNITS) / (most / started),
            "1/s",
        ),
        Figure::given("sim_2000_queue_age_p50_seconds", outcome.age_p50, "s"),
        Figure::at_most(60.0, "sim_2000_queue_age_p99_seconds", outcome.age_p99, "s"),
        Figure::at_most(1.0, "sim_2000_queue_age_at_the_end_seconds", outcome.age_at_the_end, "s"),
        Figure::at_most(limit(IN_FLIGHT_MAX), "sim_2000_in_flight", limit(outcome.in_flight_max), "messages"),
        Figure::given(
            "sim_2000_driver_concurrency",
            limit(outcome.driver_concurrency_at_the_end),
            "functions",
        ),
        Figure::given("sim_2000_task_concurrency", limit(outcome.task_concurrency), "functions"),
    ]
}
