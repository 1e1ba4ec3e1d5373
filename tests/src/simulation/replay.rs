//! Whether a history is one that a run without faults could have made: an execution is run again
//! from nothing, given what its own history says that happened outside, when it happened; the
//! engine has to make the same history of it, event by event.

use std::collections::BTreeMap;

use asl::machine::Machine;
use engine::{EffectId, Env, Execution, Input, Snapshot, Stage, TaskOutcome, TaskToken, Verdict, step};
use model::error::Failure;
use model::history::{Event, HistoryEvent};
use model::json::{Text, Value};
use model::timestamp::Timestamp;

/// What a history says of one task.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The Task state.
    pub state: Text,
    /// Its Scheduled event.
    pub scheduled: u64,
    /// Its Submitted event.
    pub submitted: Option<u64>,
    /// The event that ended it.
    pub ended: Option<u64>,
    /// How it ended, unless it timed out.
    pub outcome: Option<TaskOutcome>,
    /// It timed out.
    pub silent: bool,
    /// `HeartbeatSeconds`.
    pub heartbeat_seconds: Option<i64>,
    /// When `TimeoutSeconds` were over.
    pub timeout_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The worker that took it.
    pub worker: Option<Text>,
}

/// What a history says, once it is believed.
#[derive(Debug, Default)]
pub struct Replayed {
    /// The tasks: that of effect n at n - 1.
    pub tasks: Vec<Seen>,
    /// When timers were due, and when they were taken.
    pub timers: Vec<(Timestamp, Timestamp)>,
}

struct Replay<'a> {
    machine: &'a Machine,
    execution: Execution,
    history: &'a [HistoryEvent],
    snapshot: Snapshot,
    /// Events that were made again.
    done: usize,
    seen: Replayed,
    /// The task that an event is about.
    task_of: BTreeMap<u64, usize>,
}

/// Runs an execution again. The error says where the history is not what a run can make.
pub fn replay(
    machine: &Machine,
    execution: &Execution,
    history: &[HistoryEvent],
) -> Result<Replayed, String> {
    let Some(HistoryEvent { event: Event::ExecutionStarted(started), .. }) = history.first() else {
        return Err("the history does not begin with a start".to_owned());
    };
    let mut replay = Replay {
        machine,
        execution: execution.clone(),
        history,
        snapshot: Snapshot::new(execution.clone()),
        done: 0,
        seen: Replayed::default(),
        task_of: BTreeMap::new(),
    };
    replay.give(Input::Start { input: started.input.clone() })?;
    while replay.done < history.len() {
        let input = replay.next()?;
        replay.give(input)?;
    }
    Ok(replay.seen)
}

impl Replay<'_> {
    fn event(&self) -> &HistoryEvent {
        &self.history[self.done]
    }

    /// What led to the event that is to come next.
    fn next(&mut self) -> Result<Input, String> {
        let event = self.event().clone();
        Ok(match &event.event {
            Event::ActivityStarted(started) => {
                Input::TaskStarted { effect: self.effect(&event)?, worker: started.worker_name.clone() }
            }
            // Made when its task settles: what came of it comes next.
            Event::TaskStarted(_) | Event::LambdaFunctionStarted => {
                let next = self.history[self.done..].iter().find(|next| next.previous_event_id == event.id);
                let next = next.ok_or_else(|| format!("nothing follows event {}", event.id))?.clone();
                let effect = self.effect(&event)?;
                self.outside(&next, effect)?.unwrap_or_else(|| self.wake(event.timestamp))
            }
            Event::ExecutionAborted(failure) => Input::Stop { failure: failure.clone() },
            _ => match self.effect(&event) {
                Ok(effect) => self.outside(&event, effect)?.unwrap_or_else(|| self.go_on(event.timestamp)),
                Err(_) => self.go_on(event.timestamp),
            },
        })
    }

    /// What happened outside, when an event says so.
    fn outside(&self, event: &HistoryEvent, effect: EffectId) -> Result<Option<Input>, String> {
        if let Event::TaskSubmitted(submitted) = &event.event {
            return Ok(Some(Input::TaskSubmitted { effect, output: submitted.output.clone() }));
        }
        Ok(outcome(&event.event).map(|outcome| Input::TaskSettled { effect, outcome }))
    }

    fn go_on(&mut self, now: Timestamp) -> Input {
        if self.snapshot.more() { Input::Continue } else { self.wake(now) }
    }

    /// Time has passed. Tasks that did not time out although their heartbeat seems overdue were
    /// heard: the history does not tell of heartbeats.
    fn wake(&mut self, now: Timestamp) -> Input {
        if let Some(due) = self.snapshot.wake_at() {
            let beats = self.snapshot.open_tasks().any(|task| task.heartbeat_at.is_some());
            if !beats {
                self.seen.timers.push((due, now));
            }
        }
        Input::Wake
    }

    fn hear(&mut self, now: Timestamp) -> Result<(), String> {
        let silent: Vec<(EffectId, TaskToken)> = self
            .snapshot
            .open_tasks()
            .filter(|task| task.heartbeat_at.is_some_and(|at| at <= now))
            .filter_map(|task| Some((task.effect, task.token?)))
            .collect();
        for (effect, token) in silent {
            let ends =
                self.history[self.done..].iter().take_while(|event| event.timestamp == now).any(|event| {
                    matches!(event.event, Event::TaskTimedOut(_) | Event::ActivityTimedOut(_))
                        && self.effect_in(event) == Some(effect)
                });
            if !ends {
                self.apply(Input::Heartbeat { token, at: now }, now)?;
            }
        }
        Ok(())
    }

    /// The task of an event that may not have been made again yet.
    fn effect_in(&self, event: &HistoryEvent) -> Option<EffectId> {
        let mut id = event.previous_event_id;
        loop {
            if let Some(task) = self.task_of.get(&id) {
                return Some(EffectId(*task as u64 + 1));
            }
            id = self.history[self.done..].iter().find(|event| event.id == id)?.previous_event_id;
        }
    }

    fn effect(&self, event: &HistoryEvent) -> Result<EffectId, String> {
        let task = self.task_of.get(&event.previous_event_id);
        let task = task.ok_or_else(|| format!("event {} is about no task", event.id))?;
        Ok(EffectId(*task as u64 + 1))
    }

    fn apply(&mut self, input: Input, now: Timestamp) -> Result<Vec<HistoryEvent>, String> {
        let empty = Snapshot::new(self.execution.clone());
        let snapshot = std::mem::replace(&mut self.snapshot, empty);
        let shown = format!("{input:?}");
        let transition = step(self.machine, snapshot, input, &Env::new(now, 1));
        self.snapshot = transition.snapshot;
        match transition.verdict {
            Verdict::Accepted => Ok(transition.history),
            verdict => {
                let id = self.done + 1;
                Err(format!("event {id} cannot be: {verdict:?} is what comes of {shown:.200}"))
            }
        }
    }

    fn give(&mut self, input: Input) -> Result<(), String> {
        let now = self.event().timestamp;
        if matches!(input, Input::Wake) {
            self.hear(now)?;
        }
        let shown = format!("{input:?}");
        let made = self.apply(input, now)?;
        if made.is_empty() {
            let due = self.snapshot.wake_at();
            return Err(format!(
                "event {} is too early: timers are due at {due:?}: {:?}",
                self.done + 1,
                self.event()
            ));
        }
        for event in made {
            let Some(found) = self.history.get(self.done) else {
                return Err(format!("the history ends before event {event:?}"));
            };
            if *found != event {
                return Err(format!("{shown:.200} makes {event:?}, the history has {found:?}"));
            }
            self.done += 1;
            self.note(&event);
        }
        Ok(())
    }

    fn note(&mut self, event: &HistoryEvent) {
        let (id, before) = (event.id, event.previous_event_id);
        match &event.event {
            Event::TaskScheduled(_) | Event::LambdaFunctionScheduled(_) | Event::ActivityScheduled(_) => {
                let (heartbeat_seconds, timeout_seconds) = match &event.event {
                    Event::TaskScheduled(task) => (task.heartbeat_in_seconds, task.timeout_in_seconds),
                    Event::ActivityScheduled(task) => (task.heartbeat_in_seconds, task.timeout_in_seconds),
                    _ => (None, None),
                };
                self.task_of.insert(id, self.seen.tasks.len());
                self.seen.tasks.push(Seen {
                    state: self.state_before(before),
                    scheduled: id,
                    submitted: None,
                    ended: None,
                    outcome: None,
                    silent: false,
                    heartbeat_seconds,
                    timeout_at: timeout_seconds.map(|seconds| event.timestamp.plus_seconds(seconds)),
                    ended_at: None,
                    worker: None,
                });
            }
            ending => {
                let Some(task) = self.task_of.get(&before).copied() else { return };
                let seen = &mut self.seen.tasks[task];
                match ending {
                    Event::TaskStarted(_) | Event::LambdaFunctionStarted => {
                        self.task_of.insert(id, task);
                    }
                    Event::ActivityStarted(started) => {
                        seen.worker = started.worker_name.clone();
                        self.task_of.insert(id, task);
                    }
                    Event::TaskSubmitted(_) => {
                        seen.submitted = Some(id);
                        self.task_of.insert(id, task);
                    }
                    Event::TaskTimedOut(_) | Event::ActivityTimedOut(_) => {
                        seen.ended = Some(id);
                        seen.ended_at = Some(event.timestamp);
                        seen.silent = true;
                    }
                    ending => {
                        if let Some(outcome) = outcome(ending) {
                            seen.ended = Some(id);
                            seen.ended_at = Some(event.timestamp);
                            seen.outcome = Some(outcome);
                        }
                    }
                }
            }
        }
    }

    /// The Task state that an attempt belongs to.
    fn state_before(&self, mut id: u64) -> Text {
        loop {
            let Some(event) = usize::try_from(id).ok().and_then(|id| self.history.get(id.wrapping_sub(1)))
            else {
                return Text::default();
            };
            if let Event::TaskStateEntered(entered) = &event.event {
                return entered.name.clone();
            }
            id = event.previous_event_id;
        }
    }
}

fn outcome(event: &Event) -> Option<TaskOutcome> {
    let failed = |stage, failure: &Failure| TaskOutcome::Failed { stage, failure: failure.clone() };
    let task_failed = |stage, error: &Option<Text>, cause: &Option<Text>| TaskOutcome::Failed {
        stage,
        failure: Failure { error: error.clone(), cause: cause.clone() },
    };
    let succeeded = |output: &Value| TaskOutcome::Succeeded(output.clone());
    Some(match event {
        Event::TaskSucceeded(ended) => succeeded(&ended.output),
        Event::LambdaFunctionSucceeded(ended) | Event::ActivitySucceeded(ended) => succeeded(&ended.output),
        Event::TaskFailed(ended) => task_failed(Stage::Run, &ended.error, &ended.cause),
        Event::TaskSubmitFailed(ended) => task_failed(Stage::Submit, &ended.error, &ended.cause),
        Event::TaskStartFailed(ended) => task_failed(Stage::Start, &ended.error, &ended.cause),
        Event::LambdaFunctionFailed(failure) | Event::ActivityFailed(failure) => failed(Stage::Run, failure),
        Event::LambdaFunctionStartFailed(failure) => failed(Stage::Start, failure),
        Event::LambdaFunctionScheduleFailed(failure) | Event::ActivityScheduleFailed(failure) => {
            failed(Stage::Schedule, failure)
        }
        _ => return None,
    })
}
