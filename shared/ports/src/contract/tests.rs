//! The suites over what this crate offers.

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
    assert!(message.contains("an entry carries revision and summary of its row"), "{message}");
}

/// The suites do find broken backends: each of these breaks one rule.
mod broken {
    use async_trait::async_trait;
    use bytes::Bytes;
    use model::json::Text;

    use super::*;
    use crate::blobs::BlobError;
    use crate::table::{Condition, IndexPage, IndexQuery, Key, Order, Page, Query, Row, Table, TableError};

    /// How a table is broken.
    #[derive(Clone, Copy, Debug)]
    enum Breaks {
        Absent,
        Revision,
        DeleteAbsent,
        Descending,
        More,
        StaleIndex,
        Limits,
    }

    struct Broken(memory::Table, Breaks);

    #[async_trait]
    impl Table for Broken {
        async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
            self.0.get(key).await
        }

        async fn put(&self, mut row: Row, condition: Condition) -> Result<(), TableError> {
            match (self.1, condition) {
                (Breaks::Absent, Condition::Absent) | (Breaks::Revision, Condition::Revision(_)) => {
                    self.0.put(row, Condition::Always).await
                }
                (Breaks::StaleIndex, _) if self.0.get(&row.key).await?.is_some() => {
                    row.indexes = self.0.get(&row.key).await?.map(|row| row.indexes).unwrap_or_default();
                    self.0.put(row, condition).await
                }
                (Breaks::Limits, _) if row.check().is_err() => Ok(()),
                _ => self.0.put(row, condition).await,
            }
        }

        async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
            match (self.1, condition) {
                (Breaks::DeleteAbsent, Condition::Revision(_)) if self.0.get(key).await?.is_none() => Ok(()),
                _ => self.0.delete(key, condition).await,
            }
        }

        async fn query(&self, query: &Query) -> Result<Page, TableError> {
            match self.1 {
                Breaks::Descending => self.0.query(&Query { order: Order::Ascending, ..query.clone() }).await,
                Breaks::More => self.0.query(query).await.map(|page| Page { more: false, ..page }),
                _ => self.0.query(query).await,
            }
        }

        async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
            self.0.query_index(query).await
        }
    }

    async fn finds(breaks: Breaks, rule: &str) {
        let local = tokio::task::LocalSet::new();
        let suite = local.spawn_local(async move {
            let clock: Arc<dyn Clock> = Arc::new(Virtual::default());
            let make = || Broken(memory::Table::new(clock.clone()), breaks);
            table(async || Arc::new(make()) as Arc<dyn Table>).await;
        });
        local.await;
        let panic = suite.await.unwrap_err().into_panic();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(rule), "{breaks:?}: {message}");
    }

    /// A store that lists in the order of the keys' lengths.
    #[derive(Default)]
    struct Unordered(memory::Blobs);

    #[async_trait]
    impl Blobs for Unordered {
        async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
            self.0.put(key, bytes).await
        }

        async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
            self.0.get(key).await
        }

        async fn delete(&self, key: &str) -> Result<(), BlobError> {
            self.0.delete(key).await
        }

        async fn list(
            &self,
            prefix: &str,
            after: Option<&str>,
            limit: usize,
        ) -> Result<Vec<Text>, BlobError> {
            let mut keys = self.0.list(prefix, after, limit).await?;
            keys.sort_by_key(|key| key.len());
            Ok(keys)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tables_are_found() {
        finds(Breaks::Absent, "a put if absent does not replace a row").await;
        finds(Breaks::Revision, "a put at a revision needs a row").await;
        finds(Breaks::DeleteAbsent, "deleting at a revision needs a row").await;
        finds(Breaks::Descending, "a descending range is the same, the other way round").await;
        finds(Breaks::More, "pages of 1 have every row once, in order").await;
        finds(Breaks::StaleIndex, "a new sort key moves the entry").await;
        finds(Breaks::Limits, "a row that breaks a limit is refused").await;
    }

    #[tokio::test]
    #[should_panic(expected = "a listing has the keys of the prefix `l/`")]
    async fn blobs_are_found() {
        blobs(async || Arc::new(Unordered::default()) as Arc<dyn Blobs>).await;
    }
}
