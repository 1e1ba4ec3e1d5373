//! Appending to an execution costs the same however long its history is.

use std::sync::Arc;

use bench::durable::Backend;
use bench::endless;
use ports::metered::{self, Meter, Usage};

/// Calls that make more than 100,000 events.
const CALLS: usize = 21_000;

#[test]
fn an_append_at_event_100_000_costs_as_much_as_at_event_100() {
    let meter = Meter::new();
    let memory = Backend::memory();
    let backend = Backend {
        table: Arc::new(metered::Table::new(memory.table, meter.clone())),
        blobs: Arc::new(metered::Blobs::new(memory.blobs, meter.clone())),
        queues: memory.queues,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rounds =
        runtime.block_on(endless::run(&backend, (1, CALLS), move || meter.usage())).expect("it runs");
    assert!(rounds.events > 100_000, "{} events", rounds.events);

    // The one before it and the one behind it, too: nothing is saved up for every other append.
    let appends = |event: u64| -> Vec<Usage> {
        let at = rounds.at_event(event);
        rounds.readings[0][at - 2..=at + 2].windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    let (early, later, late) = (appends(100), appends(70_000), appends(100_000));
    for append in early.iter().chain(&later).chain(&late) {
        assert_eq!((append.table_requests, append.write_units), (1, 1), "{append:?}");
        assert_eq!((append.read_half_units, append.blob_puts, append.blob_gets), (0, 0, 0), "{append:?}");
    }
    // What grows are numbers: about twenty ids and positions, from one byte each to five. From
    // 65,536 on they are as long as they get here, and so are the records.
    assert_eq!(later, late);
    let grown = late[0].table_bytes_written - early[0].table_bytes_written;
    assert!(grown <= 100, "{grown} bytes: {early:?} {late:?}");
}
