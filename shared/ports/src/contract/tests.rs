//! The suites over what this crate offers.

mod broken;

use std::sync::Arc;

use super::*;
use crate::clock::Virtual;
use crate::faulty::{Faults, Rates};
use crate::metered::Meter;
use crate::{faulty, memory, metered};

/// What is put around the backends in memory.
#[derive(Clone, Copy)]
enum Around {
    Nothing,
    Meter,
    NoFaults,
    QuietFaults,
    Both,
}

struct Backends {
    clock: Arc<Virtual>,
    meter: Meter,
    faults: Faults,
    around: Around,
}

/// The wrapping of each port: the same four words.
macro_rules! around {
    ($name:ident, $port:ident, $memory:expr) => {
        fn $name(&self) -> Arc<dyn $port> {
            let make: fn(Arc<dyn Clock>) -> Arc<dyn $port> = $memory;
            let bare = make(self.clock.clone());
            let metered =
                |port| -> Arc<dyn $port> { Arc::new(metered::$port::new(port, self.meter.clone())) };
            let faulty = |port| -> Arc<dyn $port> { Arc::new(faulty::$port::new(port, self.faults.clone())) };
            match self.around {
                Around::Nothing => bare,
                Around::Meter => metered(bare),
                Around::NoFaults | Around::QuietFaults => faulty(bare),
                Around::Both => faulty(metered(bare)),
            }
        }
    };
}

impl Backends {
    fn new(around: Around) -> Backends {
        let clock = Arc::new(Virtual::default());
        let rates = if matches!(around, Around::QuietFaults) { Rates::even(1.0) } else { Rates::NONE };
        let faults = Faults::new(1, rates, clock.clone());
        if matches!(around, Around::QuietFaults) {
            faults.quiet();
        }
        Backends { clock, meter: Meter::new(), faults, around }
    }

    around!(table, Table, |clock| Arc::new(memory::Table::new(clock)));
    around!(queues, Queues, |clock| Arc::new(memory::Queues::new(clock)));
    around!(blobs, Blobs, |_| Arc::new(memory::Blobs::new()));
}

async fn check(around: Around) {
    let backends = Backends::new(around);
    table(async || backends.table()).await;
    queue(async || backends.queues(), backends.clock.clone(), Timing::VIRTUAL).await;
    blobs(async || backends.blobs()).await;

    let kept = Arc::new(memory::Bus::new());
    let out: Arc<dyn Bus> = match around {
        Around::Nothing => kept.clone(),
        Around::Meter => Arc::new(metered::Bus::new(kept.clone(), backends.meter.clone())),
        Around::NoFaults | Around::QuietFaults | Around::Both => {
            Arc::new(faulty::Bus::new(kept.clone(), backends.faults.clone()))
        }
    };
    bus(out, async || kept.events()).await;
}

#[tokio::test(start_paused = true)]
async fn memory_passes() {
    check(Around::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn metered_memory_passes() {
    check(Around::Meter).await;
}

#[tokio::test(start_paused = true)]
async fn memory_without_faults_passes() {
    check(Around::NoFaults).await;
}

#[tokio::test(start_paused = true)]
async fn memory_whose_faults_are_quiet_passes() {
    check(Around::QuietFaults).await;
}

#[tokio::test(start_paused = true)]
async fn memory_within_a_meter_within_no_faults_passes() {
    check(Around::Both).await;
}

#[tokio::test(start_paused = true)]
async fn one_backend_serves_all_checks() {
    let backends = Backends::new(Around::Nothing);
    let (shared_table, queues, shared_blobs) = (backends.table(), backends.queues(), backends.blobs());
    table(async || shared_table.clone()).await;
    queue(async || queues.clone(), backends.clock.clone(), Timing::VIRTUAL).await;
    blobs(async || shared_blobs.clone()).await;
}

/// Writers in threads of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_have_one_winner() {
    let clock: Arc<dyn Clock> = Arc::new(crate::SystemClock);
    table::conditions::races(Arc::new(memory::Table::new(clock))).await;
}

/// A table whose indexes lag passes as one that does, and does not as one that does not.
#[tokio::test(start_paused = true)]
async fn a_lagging_index_passes_with_patience_only() {
    let lagging = |clock: &Arc<Virtual>| {
        let rates = Rates { index_lag: 1.0, index_lag_max: Duration::from_secs(2), ..Rates::NONE };
        let faults = Faults::new(3, rates, clock.clone());
        let clock = clock.clone();
        async move || {
            let table = memory::Table::new(clock.clone());
            Arc::new(faulty::Table::new(Arc::new(table), faults.clone())) as Arc<dyn Table>
        }
    };
    let clock = Arc::new(Virtual::default());
    table_with_index_lag(lagging(&clock), &*clock, Duration::from_secs(3)).await;

    let (local, make) = (tokio::task::LocalSet::new(), lagging(&clock));
    let suite = local.spawn_local(async move { table(make).await });
    local.await;
    let panic = suite.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("an entry carries the summary of its row"), "{message}");
}
