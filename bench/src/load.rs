//! Loads of durable executions, and what the disk below them does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::json::Value;
use tokio::task::JoinSet;

use crate::durable::Running;

/// How long executions may take to end after the last was started.
const DRAIN: Duration = Duration::from_secs(60);
/// Starts that are under way at a time. Starts wait for the same sync: fewer would leave it
/// waiting for them.
const STARTERS: u64 = 256;

/// The input of the loads.
pub fn input() -> Value {
    Value::parse(r#"{"order": "o-4711", "customer": {"id": 42, "tier": "gold"}, "items": [{"sku": "a-1", "count": 2}, {"sku": "b-7", "count": 1}]}"#)
        .expect("it is JSON")
}

/// Executions per second with so many in flight, over the last four fifths of `time`. All of them
/// have to succeed.
pub async fn closed_loop(running: Arc<Running>, in_flight: usize, time: Duration) -> Result<f64, String> {
    let input = input();
    let begin = Instant::now();
    let starters = STARTERS.min(in_flight as u64);
    let mut tasks = JoinSet::new();
    for _ in 0..starters {
        let (running, input) = (running.clone(), input.clone());
        tasks.spawn(async move {
            while begin.elapsed() < time {
                let permit = running.ends.room.acquire().await.map_err(|error| error.to_string())?;
                permit.forget();
                running.start(&input).await?;
            }
            Ok::<(), String>(())
        });
    }
    // The first fifth warms caches and fills the flight.
    tokio::time::sleep(time / 5).await;
    let (from, began) = (running.ends.count.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(time - time / 5).await;
    let (to, ended) = (running.ends.count.load(Ordering::Relaxed), Instant::now());
    all(tasks).await?;
    running.drain(DRAIN).await?;
    Ok((to - from) as f64 / (ended - began).as_secs_f64())
}

/// Milliseconds of single executions, one after the other: from before the start to its end.
pub async fn one_at_a_time(running: &Running, count: usize) -> Result<Vec<f64>, String> {
    let input = input();
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let begin = Instant::now();
        running.start_and_wait(&input, DRAIN).await?;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    running.drain(DRAIN).await?;
    Ok(took)
}

/// Milliseconds of executions that are to start at fixed times, `per_second` of them, whether
/// earlier ones have ended or not. Each is counted from the time at which it was to start, so that
/// whoever is slow to start it does not hide that. What is to start within `warm_up` is left out.
pub async fn open_loop(
    running: Arc<Running>,
    per_second: u64,
    warm_up: Duration,
    time: Duration,
) -> Result<Vec<f64>, String> {
    let input = input();
    let count = u64::try_from((warm_up + time).as_millis()).unwrap_or(u64::MAX) * per_second / 1_000;
    let first = running.reserve(count);
    running.ends.note();
    let begin = Instant::now() + Duration::from_millis(10);
    let at = |place: u64| begin + Duration::from_secs(1).mul_f64(place as f64 / per_second as f64);
    let mut starts = JoinSet::new();
    for place in 0..count {
        tokio::time::sleep_until(at(place).into()).await;
        let (running, input) = (running.clone(), input.clone());
        starts.spawn(async move { running.start_numbered(first + place, &input).await });
    }
    all(starts).await?;
    running.drain(DRAIN).await?;
    let ends = running.ends.noted();
    let mut took = Vec::with_capacity(ends.len());
    for (number, ended) in ends {
        let place = number.checked_sub(first).filter(|place| *place < count);
        let due = at(place.ok_or("an execution ended that this load did not start")?);
        if due >= begin + warm_up {
            took.push(ended.saturating_duration_since(due).as_secs_f64() * 1e3);
        }
    }
    let counted = (0..count).filter(|place| at(*place) >= begin + warm_up).count();
    match took.len() == counted {
        true => Ok(took),
        false => Err(format!("{} ends were heard of, {counted} executions were to start", took.len())),
    }
}

/// Starts so many executions as fast as that goes; gives the number of the first.
pub async fn start_all(running: &Arc<Running>, count: u64, input: &Value) -> Result<u64, String> {
    let first = running.reserve(count);
    let next = Arc::new(AtomicU64::new(first));
    let mut tasks = JoinSet::new();
    for _ in 0..STARTERS.min(count) {
        let (running, input, next) = (running.clone(), input.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= first + count {
                    return Ok(());
                }
                running.start_numbered(number, &input).await?;
            }
        });
    }
    all(tasks).await?;
    Ok(first)
}

async fn all(mut tasks: JoinSet<Result<(), String>>) -> Result<(), String> {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    Ok(())
}

/// Milliseconds of single syncs of 4 KB appended to a file in `directory`.
///
/// # Errors
/// When the file cannot be written.
pub fn syncs(directory: &Path, count: usize) -> std::io::Result<Vec<f64>> {
    use std::io::Write as _;
    let path = directory.join("sync");
    let mut file = std::fs::File::create(&path)?;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        file.write_all(&[7; 4_096])?;
        let begin = Instant::now();
        file.sync_data()?;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    std::fs::remove_file(&path)?;
    Ok(took)
}
