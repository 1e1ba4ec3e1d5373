//! What executions cost on AWS: counts are exact, so that whatever makes one more expensive fails here.

use bench::costs::accesses::parts;
use bench::costs::bill::Terms;
use bench::costs::idle::idle;
use bench::costs::waiting::parking;
use bench::costs::workload::{Arrival, Counted, Run, Workload, count, noted};

const CALLS: Workload = Workload::Calls { count: 5, millis: 100 };

/// Full batches of ten.
const EXECUTIONS: u64 = 20;

fn run(workload: Workload, payload_bytes: usize, arrival: Arrival) -> Run {
    Run { executions: EXECUTIONS, ..Run::new(workload, payload_bytes, arrival) }
}

fn counted(workload: Workload, payload_bytes: usize, arrival: Arrival) -> Counted {
    count(run(workload, payload_bytes, arrival)).expect("the run succeeds")
}

/// At most so many write units, requests to queues, and blobs written, per execution.
fn check(counted: &Counted, write_units: f64, queue_requests: f64, blob_puts: f64) {
    let found = (
        counted.each(|spent| spent.usage.write_units),
        counted.each(|spent| spent.usage.queue_requests),
        counted.each(|spent| spent.usage.blob_puts),
    );
    assert!(
        found.0 <= write_units && found.1 <= queue_requests && found.2 <= blob_puts,
        "{found:?} instead of {:?} for {:?}",
        (write_units, queue_requests, blob_puts),
        counted.run
    );
    // No figure is met by doing nothing.
    assert!(found.0 >= 1.0, "{found:?}");
}

#[test]
fn a_chain_without_tasks_is_one_write_and_no_message() {
    let chain = counted(Workload::Chain, 200, Arrival::Steady);
    check(&chain, 2.0, 0.0, 0.0);
    // The row of the execution, and the state machine's.
    assert_eq!(chain.each(|spent| spent.usage.table_requests), 2.0);
    assert_eq!((chain.spent.api.requests, chain.spent.driver.requests), (EXECUTIONS, 0));
}

#[test]
fn calls_cost_a_write_each() {
    let steady = counted(CALLS, 1_024, Arrival::Steady);
    check(&steady, 10.0, 1.2, 0.0);
    assert_eq!(steady.spent.driver.requests, EXECUTIONS / 10, "every batch is full");
    let six = counted(Workload::Calls { count: 6, millis: 100 }, 1_024, Arrival::Steady);
    let requests = |counted: &Counted| counted.each(|spent| spent.usage.table_requests);
    assert_eq!(requests(&six) - requests(&steady), 1.0, "one write per task");
    // The message, its receive and its deletion.
    let trickle = counted(CALLS, 1_024, Arrival::Trickle);
    check(&trickle, 10.0, 3.0, 0.0);
    assert_eq!(trickle.spent.driver.requests, EXECUTIONS);
}

#[test]
fn large_payloads_are_written_once() {
    // In the table, and those that are larger as blobs.
    check(&counted(CALLS, 10 * 1_024, Arrival::Steady), 24.0, 1.3, 0.0);
    let largest = Run { executions: 10, ..run(CALLS, 256 * 1_024, Arrival::Steady) };
    check(&count(largest).unwrap(), 10.0, 1.3, 8.0);
}

#[test]
fn a_day_and_a_callback_cost_what_they_write() {
    check(&counted(Workload::Callback, 1_024, Arrival::Steady), 10.0, 3.0, 0.0);
}

#[test]
fn slow_calls_cost_a_lease_and_extensions_more() {
    check(&counted(Workload::Calls { count: 5, millis: 10_000 }, 1_024, Arrival::Steady), 10.5, 1.7, 0.0);
}

#[test]
fn messages_that_come_twice_and_out_of_order_cost_little() {
    let calm = run(CALLS, 1_024, Arrival::Steady);
    let terms = Terms::of_template().unwrap();
    let dollars = |run| bench::costs::bill::Bill::of(&count(run).unwrap(), &terms).total();
    let calm = Run { executions: 200, ..calm };
    let (disturbed, calm) = (dollars(Run { disturbed: true, ..calm }), dollars(calm));
    assert!(disturbed > calm && disturbed <= calm * 1.05, "{disturbed} instead of {calm}");
}

#[test]
fn counts_are_the_same_every_time_and_add_up() {
    let once = noted(run(CALLS, 1_024, Arrival::Steady)).unwrap();
    assert_eq!(once.counted.spent, counted(CALLS, 1_024, Arrival::Steady).spent);
    let all: Vec<_> = once.starts.into_iter().chain(once.drives).collect();
    let units: f64 = parts(&all, EXECUTIONS).values().map(|part| part.write_units).sum();
    assert!((units - once.counted.each(|spent| spent.usage.write_units)).abs() < 1e-9, "{units}");
}

#[test]
fn an_idle_month_costs_less_than_a_dollar() {
    let idle = idle(&Terms::of_template().unwrap()).unwrap();
    assert!(idle.total(2) <= 1.0, "{idle:?}");
}

#[test]
fn parking_pays_after_some_seconds() {
    let terms = Terms::of_template().unwrap();
    for (arrival, seconds) in [(Arrival::Steady, 0.5..60.0), (Arrival::Trickle, 0.1..10.0)] {
        let parking = parking(&terms, arrival).unwrap();
        assert!(seconds.contains(&parking.pays_from_seconds()), "{arrival:?}: {parking:?}");
    }
}
