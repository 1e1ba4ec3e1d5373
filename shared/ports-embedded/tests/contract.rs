//! The contract of the ports, on a directory.

#![expect(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::sync::Arc;

use ports::clock::Virtual;
use ports::contract::{self, Timing};
use ports::{Blobs, Clock, Queues, Table};
use ports_embedded::{Options, Store};
use tempfile::TempDir;

/// Stores of one test, each in a folder of its own, and small enough that everything they do is
/// flushed and merged all the time.
struct Stores {
    clock: Arc<dyn Clock>,
    options: Options,
    open: std::sync::Mutex<Vec<(Store, TempDir)>>,
}

impl Stores {
    fn new(clock: Arc<dyn Clock>, memtable_bytes: usize) -> Stores {
        let options = Options { memtable_bytes, ..Options::default() };
        Stores { clock, options, open: std::sync::Mutex::default() }
    }

    fn next<T>(&self, port: impl FnOnce(&Store) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), self.options.clone(), Arc::clone(&self.clock)).unwrap();
        let port = port(&store);
        self.open.lock().unwrap().push((store, folder));
        port
    }
}

const SIZES: [usize; 2] = [16 * 1024 * 1024, 2_000];

#[tokio::test(start_paused = true)]
async fn the_table_keeps_its_contract() {
    for memtable_bytes in SIZES {
        let stores = Stores::new(Arc::new(Virtual::default()), memtable_bytes);
        contract::table(async || -> Arc<dyn Table> { stores.next(Store::table) }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_queues_keep_their_contract() {
    for memtable_bytes in SIZES {
        let clock: Arc<dyn Clock> = Arc::new(Virtual::default());
        let stores = Stores::new(Arc::clone(&clock), memtable_bytes);
        let make = async || -> Arc<dyn Queues> { stores.next(Store::queues) };
        contract::queue(make, clock, Timing::VIRTUAL).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_blobs_keep_their_contract() {
    for memtable_bytes in SIZES {
        let stores = Stores::new(Arc::new(Virtual::default()), memtable_bytes);
        contract::blobs(async || -> Arc<dyn Blobs> { stores.next(Store::blobs) }).await;
    }
}
