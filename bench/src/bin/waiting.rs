//! Executions that wait, in a process of their own, so that its memory is theirs:
//!
//! * `waiting fill DIRECTORY COUNT` starts so many executions that wait for a year, and says what
//!   the process takes without and with them, and what the directory does, once that has settled.
//! * `waiting reopen DIRECTORY COUNT` opens that directory again and says so once it has described
//!   an execution and started another one.
//! * `waiting timers DIRECTORY COUNT` starts so many executions that wait for the same second and then
//!   for a year, and says how long after it the step behind every timer stood in its record.
//! * `waiting ends DIRECTORY COUNT` is the same with executions that end with that step, and says
//!   when the last has ended: a second write each, and a status event.
//!
//! It says `name number` in lines. After the last one it stays as it is until its input ends.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::durable::{Backend, Running, Setup};
use bench::fired::Fired;
use bench::load;
use bench::process::{disk_bytes, resident_bytes};
use model::json::Value;
use model::status::ExecutionStatus;
use ports::{Clock as _, SystemClock};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const A_YEAR: &str =
    r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 31536000, "End": true}}}"#;
const UNTIL_THEN_A_YEAR: &str = r#"{"StartAt": "W", "States": {
    "W": {"Type": "Wait", "TimestampPath": "$.at", "Next": "Y"},
    "Y": {"Type": "Wait", "Seconds": 31536000, "End": true}}}"#;
const UNTIL: &str =
    r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "TimestampPath": "$.at", "End": true}}}"#;

/// How long memory and disk may take to come to rest.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// They are at rest once neither has changed by more than a hundredth for so long.
const AT_REST: Duration = Duration::from_secs(4);
/// How long after they are due timers may take, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many executions are looked at after a load.
const SAMPLE: u64 = 100;

fn main() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let (Some(what), Some(directory), Some(count)) = (args.next(), args.next(), args.next()) else {
        return Err("say what to do: fill, reopen, timers or ends, a directory, and how many".to_owned());
    };
    let count: u64 = count.parse().map_err(|_| format!("`{count}` is no number of executions"))?;
    let directory = Path::new(&directory);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        match what.as_str() {
            "fill" => fill(directory, count).await,
            "reopen" => reopen(directory, count).await,
            "timers" => timers(directory, count).await,
            "ends" => ends(directory, count).await,
            _ => Err(format!("`{what}` is none of fill, reopen, timers and ends")),
        }
    })
}

async fn fill(directory: &Path, count: u64) -> Result<(), String> {
    let (backend, store) = Backend::embedded(directory)?;
    let running = Arc::new(Running::new(&backend, Setup::new(A_YEAR, 0)).await?);
    // Whatever is made with the first execution does not belong to the others.
    running.start(&Value::object()).await?;
    let (empty, _) = settled(directory, Duration::from_secs(2)).await?;
    let begin = Instant::now();
    let first = load::start_all(&running, count, &Value::object()).await?;
    println!("start_seconds {:.3}", begin.elapsed().as_secs_f64());
    for place in 0..SAMPLE.min(count) {
        is_waiting(&running, first + place * (count / SAMPLE.min(count))).await?;
    }
    running_only(&running)?;
    let (full, disk) = settled(directory, AT_REST).await?;
    if let Some(error) = store.stats().error {
        return Err(error);
    }
    running_only(&running)?;
    println!("empty_bytes {empty}\nfull_bytes {full}\ndisk_bytes {disk}");
    println!("stats {:?}", store.stats());
    stay();
    Ok(())
}

async fn reopen(directory: &Path, count: u64) -> Result<(), String> {
    let begin = Instant::now();
    let (backend, _store) = Backend::embedded(directory)?;
    let opened = begin.elapsed();
    let setup = Setup { first: count + 1, ..Setup::new(A_YEAR, 0) };
    let running = Running::new(&backend, setup).await?;
    is_waiting(&running, count / 2).await?;
    running.start(&Value::object()).await?;
    println!("answered {:.3}\nopened {:.3}", begin.elapsed().as_secs_f64(), opened.as_secs_f64());
    stay();
    Ok(())
}

async fn timers(directory: &Path, count: u64) -> Result<(), String> {
    let (mut backend, _store) = Backend::embedded(directory)?;
    let fired = Arc::new(Fired::new(backend.table.clone()));
    backend.table = fired.clone();
    let running = Arc::new(Running::new(&backend, Setup::new(UNTIL_THEN_A_YEAR, 0)).await?);
    let Due { first, due_at } = all_due_at_once(&running, count).await?;
    let early = fired.count();
    if early > 0 {
        return Err(format!("{early} timers fired before they were due"));
    }
    let until = due_at + PATIENCE;
    while fired.count() < count {
        if Instant::now() >= until {
            return Err(format!("{} of {count} timers have fired", fired.count()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let Some((earliest, last)) = fired.first_and_last() else { return Err("no timer fired".to_owned()) };
    if earliest + CLOCKS_APART < due_at {
        return Err("a timer fired before it was due".to_owned());
    }
    for place in 0..SAMPLE.min(count) {
        is_waiting(&running, first + place * (count / SAMPLE.min(count))).await?;
    }
    running_only(&running)?;
    println!("seconds {:.3}", last.saturating_duration_since(due_at).as_secs_f64());
    stay();
    Ok(())
}

async fn ends(directory: &Path, count: u64) -> Result<(), String> {
    let (backend, _store) = Backend::embedded(directory)?;
    let running = Arc::new(Running::new(&backend, Setup::new(UNTIL, 0)).await?);
    running.ends.note();
    let Due { first, due_at } = all_due_at_once(&running, count).await?;
    running_only(&running)?;
    running.sleep_until_ended(count, due_at + PATIENCE).await?;
    let mut ends = running.ends.noted();
    let early = ends.iter().filter(|(_, ended)| *ended + CLOCKS_APART < due_at).count();
    if early > 0 {
        return Err(format!("{early} executions ended before their timers were due"));
    }
    let last = ends.iter().map(|(_, ended)| *ended).max().unwrap_or(due_at);
    ends.sort_unstable_by_key(|(number, _)| *number);
    ends.dedup_by_key(|(number, _)| *number);
    let ours = ends.iter().filter(|(number, _)| (first..first + count).contains(number)).count();
    if ours as u64 != count || ends.len() as u64 != count {
        return Err(format!("{} executions ended, {ours} of the {count} that were due", ends.len()));
    }
    println!("seconds {:.3}", last.saturating_duration_since(due_at).as_secs_f64());
    stay();
    Ok(())
}

/// Executions that wait for the same second.
struct Due {
    /// The number of the first; the others follow.
    first: u64,
    /// When their timers are due.
    due_at: Instant,
}

/// Starts them, and some that wait for hours.
async fn all_due_at_once(running: &Arc<Running>, count: u64) -> Result<Due, String> {
    // How fast starts are here says how far ahead the time has to be.
    let sample = count.div_ceil(20);
    let begin = Instant::now();
    load::start_all(running, sample, &at(SystemClock.now().plus_millis(6 * 3_600_000))?).await?;
    let needed = begin.elapsed().mul_f64(count as f64 / sample as f64 * 1.5) + Duration::from_secs(8);
    if needed > Duration::from_secs(600) {
        return Err(format!("{sample} executions took {:?} to start", begin.elapsed()));
    }
    let needed_millis = i64::try_from(needed.as_millis()).unwrap_or(i64::MAX);
    let due = SystemClock.now().plus_millis(needed_millis);
    let due = due.plus_millis(1_000 - due.millis().rem_euclid(1_000));
    let first = load::start_all(running, count, &at(due)?).await?;
    let spare_millis = due.millis_since(SystemClock.now());
    println!("spare_seconds {:.3}", spare_millis as f64 / 1e3);
    if spare_millis < 1_000 {
        return Err(format!("the starts took until {spare_millis} ms before the timers were due"));
    }
    let due_at = Instant::now() + Duration::from_millis(due.millis_since(SystemClock.now()).unsigned_abs());
    Ok(Due { first, due_at })
}

/// What reading two clocks one after the other may come to.
const CLOCKS_APART: Duration = Duration::from_millis(2);

fn at(time: model::timestamp::Timestamp) -> Result<Value, String> {
    Value::parse(&format!(r#"{{"at": "{time}"}}"#)).map_err(|error| error.to_string())
}

/// An execution has to be there and wait.
async fn is_waiting(running: &Running, number: u64) -> Result<(), String> {
    let arn = running.arn(number)?;
    let described = running.door.world().executions().describe(&arn).await;
    let described = described.map_err(|error| error.to_string())?;
    match described.as_ref().map(|described| described.status) {
        Some(ExecutionStatus::Running) => Ok(()),
        status => Err(format!("{arn} does not wait, it is {status:?}")),
    }
}

/// None may have ended yet.
fn running_only(running: &Running) -> Result<(), String> {
    match running.ends.count.load(std::sync::atomic::Ordering::Relaxed) {
        0 => Ok(()),
        ended => Err(format!("{ended} executions ended that should wait")),
    }
}

/// Memory of the process and bytes of the directory, once neither falls any more.
async fn settled(directory: &Path, at_rest: Duration) -> Result<(u64, u64), String> {
    let begin = Instant::now();
    let (mut memory, mut disk) = (resident_bytes()?, disk_bytes(directory));
    let mut since = Instant::now();
    while since.elapsed() < at_rest && begin.elapsed() < SETTLE_MAX {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let (memory_now, disk_now) = (resident_bytes()?, disk_bytes(directory));
        if memory_now.abs_diff(memory) > memory / 100 || disk_now.abs_diff(disk) > disk / 100 {
            (memory, disk, since) = (memory_now, disk_now, Instant::now());
        }
    }
    Ok((resident_bytes()?, disk_bytes(directory)))
}

/// Until whoever started this process has seen enough: it ends its input, or the process.
fn stay() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
