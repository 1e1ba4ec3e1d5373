//! Loads of durable executions, for profilers: `durable DIRECTORY|memory [seconds] [in flight]`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bench::durable::{self, Backend, Running, Setup};
use bench::load;
use bench::report::percentile;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let place = args.next().ok_or("name a directory, or `memory`")?;
    let seconds = args.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let in_flight = args.next().and_then(|text| text.parse().ok()).unwrap_or(1_024);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let (backend, store) = if place == "memory" {
            (Backend::memory(), None)
        } else {
            let directory = Path::new(&place);
            std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
            let syncs = load::syncs(directory, 300).map_err(|error| error.to_string())?;
            println!("sync p50 {:.3} ms, p99 {:.3} ms", percentile(&syncs, 50), percentile(&syncs, 99));
            let (backend, store) = Backend::embedded(&directory.join("store"))?;
            (backend, Some(store))
        };
        let running = Arc::new(Running::new(&backend, Setup::new(&durable::tasks(5), in_flight)).await?);
        let one = load::one_at_a_time(&running, 300).await?;
        println!("one at a time: p50 {:.3} ms, p99 {:.3} ms", percentile(&one, 50), percentile(&one, 99));
        let per_second = load::closed_loop(running.clone(), in_flight, Duration::from_secs(seconds)).await?;
        println!("{per_second:.0} executions per second, {in_flight} in flight");
        println!("{} in all", running.ends.count.load(Ordering::Relaxed));
        if let Some(store) = store {
            println!("{:?}", store.stats());
        }
        Ok(())
    })
}
