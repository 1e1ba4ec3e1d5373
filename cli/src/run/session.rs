//! The execution itself: the driver's loop beside the display, Ctrl-C and the time limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use driver::{Drive, Seeds};
use engine::{Execution, Snapshot, Transition};
use model::error::Failure;
use model::history::HistoryEvent;
use model::limits::Limits;
use model::timestamp::Timestamp;
use ports::{Clock, FastForward, SystemClock};

use super::prepare::Prepared;
use super::progress::Progress;
use super::tree::Tree;
use crate::args::RunArgs;
use crate::exit::Exit;
use crate::terminal::Style;

/// Time between two pictures of the tree.
const TICK: Duration = Duration::from_millis(100);

/// What an execution leaves behind.
pub struct Outcome<'m> {
    /// Who it was.
    pub execution: Execution,
    /// Its last state.
    pub snapshot: Snapshot,
    /// When it ended.
    pub stopped_at: Timestamp,
    /// What it went through.
    pub tree: Tree<'m>,
    /// Its history, where it was asked for.
    pub history: Vec<HistoryEvent>,
}

/// What the driver's loop and the display share.
struct Seen<'m> {
    progress: Progress<'m>,
    history: Vec<HistoryEvent>,
    keep_history: bool,
    newest: Timestamp,
}

impl Seen<'_> {
    fn transition(&mut self, transition: &Transition) {
        for event in &transition.history {
            self.newest = event.timestamp;
            self.progress.event(event);
        }
        if self.keep_history {
            self.history.extend_from_slice(&transition.history);
        }
    }
}

/// Runs the execution to its end, on this thread.
pub fn run<'m>(
    prepared: &'m Prepared,
    args: &RunArgs,
    style: Style,
    keep_history: bool,
) -> Result<Outcome<'m>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(drive(prepared, args, style, keep_history))
}

async fn drive<'m>(
    prepared: &'m Prepared,
    args: &RunArgs,
    style: Style,
    keep_history: bool,
) -> Result<Outcome<'m>, String> {
    let clock: Arc<dyn Clock> =
        if args.fast_forward { Arc::new(FastForward::default()) } else { Arc::new(SystemClock) };
    let execution = Execution { started_at: clock.now(), ..prepared.execution.clone() };
    let progress = Progress::new(Tree::new(&prepared.machine), style, args.quiet);
    let is_live = progress.is_live();
    let seen = Mutex::new(Seen { progress, history: Vec::new(), keep_history, newest: clock.now() });
    let lock = || -> MutexGuard<'_, Seen<'m>> { seen.lock().unwrap_or_else(PoisonError::into_inner) };

    let (deliveries, inbox) = driver::inbox();
    let drive = Drive {
        machine: &prepared.machine,
        tasks: prepared.tasks.clone(),
        clock: clock.clone(),
        seeds: args.seed.map_or(Seeds::System, Seeds::From),
        limits: limits(args.definition.express),
        missing_activities: Arc::from([]),
        inbox: Some(inbox),
    };
    let mut observe = |transition: &Transition| lock().transition(transition);
    let mut running = Box::pin(drive.run(execution.clone(), prepared.input.clone(), &mut observe));
    let mut ticks = tokio::time::interval(TICK);
    let limit = args.time_limit.map(Duration::from_secs);
    let mut stopping = false;
    let started = tokio::time::Instant::now();

    let ended = loop {
        let stop = tokio::select! {
            biased;
            interrupted = tokio::signal::ctrl_c() => match interrupted {
                Ok(()) if stopping => {
                    lock().progress.finish();
                    std::process::exit(Exit::Aborted.code().into());
                }
                Ok(()) => Failure::new("Interrupted", "interrupted by Ctrl-C"),
                // Without signals, Ctrl-C ends the process the hard way.
                Err(_) => std::future::pending().await,
            },
            () = until(started, limit), if !stopping => {
                let seconds = args.time_limit.unwrap_or_default();
                Failure::new("TimeLimit", format!("it took longer than the --time-limit of {seconds} s"))
            }
            _ = ticks.tick(), if is_live => {
                lock().progress.tick(clock.now());
                continue;
            }
            ended = &mut running => break ended,
        };
        stopping = true;
        let deliveries = deliveries.clone();
        // The verdict does not matter: an execution that has just ended shows how it ended.
        tokio::spawn(async move { deliveries.stop(stop).await });
    };
    drop(running);
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    seen.progress.finish();
    let snapshot = ended.map_err(|error| error.to_string())?;
    let Seen { progress, history, newest, .. } = seen;
    Ok(Outcome { execution, snapshot, stopped_at: newest, tree: progress.into_tree(), history })
}

async fn until(started: tokio::time::Instant, limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(started + limit).await,
        None => std::future::pending().await,
    }
}

/// The service's limits; Express workflows have no history, and so no limit on it.
fn limits(express: bool) -> Limits {
    let history_events_max = Limits::SERVICE.history_events_max.filter(|_| !express);
    Limits { history_events_max, ..Limits::SERVICE }
}
