//! The loop.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use asl::machine::Machine;
use engine::{
    Call, Effect, EffectId, Env, Execution, Input, Snapshot, Status, TaskToken, Transition, Verdict,
};
use integrations::{Job, Tasks};
use model::json::{Text, Value};
use model::limits::Limits;
use model::timestamp::Timestamp;
use tokio::sync::oneshot;

use crate::calls::{Calls, Came};
use crate::held::panic_message;
use crate::inbox::{Delivery, Inbox};
use crate::seeds::Seeds;
use ports::Clock;

/// One execution and what it runs with.
pub struct Drive<'m> {
    /// The definition.
    pub machine: &'m Machine,
    /// Who performs its tasks. They run concurrently, on the current Tokio runtime.
    pub tasks: Arc<dyn Tasks>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random numbers come from.
    pub seeds: Seeds,
    /// The limits in force.
    pub limits: Limits,
    /// Activities of the machine that do not exist.
    pub missing_activities: Arc<[Text]>,
    /// Where callbacks, heartbeats and a stop arrive; none when nobody will send any.
    pub inbox: Option<Inbox>,
}

/// An execution that could not be driven to an end. A failed execution is not one: it ended.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The engine panicked: a defect of this program, not of the workflow.
    #[error(
        "the interpreter failed after event {last_event_id} on {input}: {message}; this is a defect, please report it"
    )]
    Panicked {
        /// What the panic said.
        message: String,
        /// Which input it happened on.
        input: &'static str,
        /// Id of the newest history event.
        last_event_id: u64,
    },
    /// The execution waits for a worker or a callback, and nobody is left who could answer.
    #[error("the execution waits for {} which nobody can answer any more; stop it or give the state a timeout", states.join(", "))]
    Abandoned {
        /// The waiting states.
        states: Vec<String>,
    },
    /// The operating system has no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Random(#[from] getrandom::Error),
}

/// A call that has not ended.
struct Open {
    state: Text,
    token: Option<TaskToken>,
    /// Whether the call itself runs; not while a job, a worker or a callback is awaited.
    running: bool,
    /// The job that it has started, and when that is to be asked for.
    job: Option<(Box<Job>, Timestamp)>,
}

/// How long the end of an execution waits for the ends of its jobs.
const END_JOBS: Duration = Duration::from_secs(10);

/// What is to happen by itself.
struct Due {
    /// The execution's input, until it has started.
    start: Option<Value>,
    /// The engine was cut short.
    more: bool,
    /// The engine's next timer.
    wake_at: Option<Timestamp>,
}

/// What happened next.
enum Happened {
    Input(Input, Option<oneshot::Sender<Verdict>>),
    Came(Came),
    Nothing,
}

impl Drive<'_> {
    /// Runs `execution` to its end. `observe` sees every transition as it happens.
    ///
    /// To stop early, deliver [`Input::Stop`]; dropping the future abandons the execution and
    /// cancels its calls.
    pub async fn run(
        mut self,
        execution: Execution,
        input: Value,
        observe: &mut (dyn FnMut(&Transition) + Send),
    ) -> Result<Snapshot, DriveError> {
        let execution = Arc::new(execution);
        let mut calls = OpenCalls {
            open: BTreeMap::new(),
            running: Calls::default(),
            tasks: self.tasks.clone(),
            execution: execution.clone(),
            clock: self.clock.clone(),
        };
        let mut snapshot = Snapshot::new((*execution).clone());
        let mut due = Due { start: Some(input), more: false, wake_at: None };
        loop {
            let (input, reply) = match self.next(&mut calls, &mut due).await? {
                Happened::Input(input, reply) => (input, reply),
                Happened::Came(came) => match calls.came(came) {
                    Some(input) => (input, None),
                    None => continue,
                },
                Happened::Nothing => continue,
            };
            let settles = calls.settled_by(&input);
            let submitted = match &input {
                Input::TaskSubmitted { effect, .. } => Some(*effect),
                _ => None,
            };
            let transition = self.step(snapshot, input)?;
            if let (Some(effect), Verdict::Accepted) = (settles, transition.verdict) {
                calls.close(effect);
            }
            if let Some(effect) = submitted
                && transition.snapshot.task(effect).is_none()
            {
                // Its callback had come before.
                calls.close(effect);
            }
            observe(&transition);
            let Transition { snapshot: after, effects, wake_at, more, verdict, .. } = transition;
            snapshot = after;
            due = Due { start: None, more, wake_at };
            if let Some(reply) = reply {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(verdict);
            }
            for effect in effects {
                match effect {
                    Effect::Call(call) => calls.start(*call),
                    Effect::Cancel { effect } => calls.cancel(effect),
                }
            }
            if !more && !matches!(snapshot.status(), Status::Running) {
                // Whoever ends a job has so much time for it.
                let _ = tokio::time::timeout(END_JOBS, calls.end_jobs()).await;
                return Ok(snapshot);
            }
        }
    }

    fn step(&mut self, snapshot: Snapshot, input: Input) -> Result<Transition, DriveError> {
        let mut env = Env::new(self.clock.now(), self.seeds.next_seed()?);
        env.limits = self.limits;
        env.missing_activities = self.missing_activities.clone();
        let (name, last_event_id) = (input_name(&input), snapshot.last_event_id());
        // Nothing of the snapshot is used after a panic, so that half a step is never seen.
        catch_unwind(AssertUnwindSafe(|| engine::step(self.machine, snapshot, input, &env))).map_err(
            |panic| DriveError::Panicked {
                message: panic_message(panic.as_ref()),
                input: name,
                last_event_id,
            },
        )
    }

    async fn next(&mut self, calls: &mut OpenCalls, due: &mut Due) -> Result<Happened, DriveError> {
        if let Some(input) = due.start.take() {
            return Ok(Happened::Input(Input::Start { input }, None));
        }
        // An execution that never waits must not keep its thread from those who would stop it.
        tokio::task::yield_now().await;
        // Until something answers a call, time passes as it does; unless nothing can any more.
        calls.poll_due();
        let unanswerable = self.inbox.is_none() && !calls.is_answerable();
        if let Some(at) = due.wake_at
            && !due.more
            && (calls.open.is_empty() || unanswerable)
        {
            self.clock.skip_to(at);
        }
        let overdue = due.wake_at.is_some_and(|at| at <= self.clock.now());
        if unanswerable && !due.more && due.wake_at.is_none() {
            return Err(DriveError::Abandoned { states: calls.waiting() });
        }
        let next_at = due.wake_at.into_iter().chain(calls.poll_at()).min();
        tokio::select! {
            biased;
            delivery = receive(&mut self.inbox) => match delivery {
                Some(delivery) => Ok(Happened::Input(delivery.input, Some(delivery.verdict))),
                None => {
                    self.inbox = None;
                    Ok(Happened::Nothing)
                }
            },
            () = std::future::ready(()), if due.more => Ok(Happened::Input(Input::Continue, None)),
            () = std::future::ready(()), if overdue => Ok(Happened::Input(Input::Wake, None)),
            came = calls.running.next() => Ok(came.map_or(Happened::Nothing, Happened::Came)),
            () = sleep(self.clock.as_ref(), next_at) => Ok(Happened::Nothing),
        }
    }
}

async fn receive(inbox: &mut Option<Inbox>) -> Option<Delivery> {
    match inbox {
        Some(inbox) => inbox.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep(clock: &dyn Clock, wake_at: Option<Timestamp>) {
    match wake_at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The calls of an execution that have not ended.
struct OpenCalls {
    open: BTreeMap<EffectId, Open>,
    /// Aborts what still runs when it is dropped.
    running: Calls,
    tasks: Arc<dyn Tasks>,
    execution: Arc<Execution>,
    clock: Arc<dyn Clock>,
}

impl OpenCalls {
    fn start(&mut self, call: Call) {
        let (effect, state, token) = (call.effect, call.state.clone(), call.token.clone());
        self.open.insert(effect, Open { state, token, running: true, job: None });
        self.running.start(call, &self.tasks, &self.execution);
    }

    /// The call has ended, and its job with it or not: nobody asks for it any more.
    fn close(&mut self, effect: EffectId) {
        self.open.remove(&effect);
        self.running.abort(effect);
    }

    /// Nobody waits for the call any more.
    fn cancel(&mut self, effect: EffectId) {
        self.running.abandon(effect);
        if let Some((job, _)) = self.open.remove(&effect).and_then(|open| open.job) {
            self.running.cancel(*job, &self.tasks, &self.execution);
        }
    }

    /// What the engine is told of what came; nothing when nobody waits for it, or when a worker is
    /// awaited.
    fn came(&mut self, came: Came) -> Option<Input> {
        match came {
            Came::Input(input) => {
                let (Input::TaskSettled { effect, .. } | Input::TaskSubmitted { effect, .. }) = &input else {
                    return None;
                };
                self.open.get_mut(effect)?.running = false;
                Some(input)
            }
            Came::Started(call, output) => {
                let (effect, since) = (call.effect, self.clock.now());
                let job = Box::new(Job { call: *call, output: output.clone(), since });
                let Some(open) = self.open.get_mut(&effect) else {
                    self.running.cancel(*job, &self.tasks, &self.execution);
                    return None;
                };
                let at = self.tasks.next_poll(&job, since);
                (open.running, open.job) = (false, Some((job, at)));
                Some(Input::TaskSubmitted { effect, output })
            }
            Came::Running(effect) => {
                let (job, at) = self.open.get_mut(&effect)?.job.as_mut()?;
                *at = self.tasks.next_poll(job, self.clock.now());
                None
            }
            Came::Orphan(call, output) => {
                let job = Job { call: *call, output, since: self.clock.now() };
                self.running.cancel(job, &self.tasks, &self.execution);
                None
            }
            Came::Queued(effect) => {
                self.open.get_mut(&effect)?.running = false;
                None
            }
        }
    }

    /// Jobs that nobody asks for now.
    fn waiting_jobs(&self) -> impl Iterator<Item = (&Job, Timestamp)> {
        let waiting = self.open.iter().filter(|(effect, _)| !self.running.contains(**effect));
        waiting.filter_map(|(_, open)| open.job.as_ref().map(|(job, at)| (&**job, *at)))
    }

    /// When a job is to be asked for.
    fn poll_at(&self) -> Option<Timestamp> {
        self.waiting_jobs().map(|(_, at)| at).min()
    }

    /// Asks for every job that it is time for.
    fn poll_due(&mut self) {
        let now = self.clock.now();
        let due: Vec<Job> =
            self.waiting_jobs().filter(|(_, at)| *at <= now).map(|(job, _)| job.clone()).collect();
        for job in due {
            self.running.poll(job, &self.tasks, &self.execution);
        }
    }

    /// Whether anybody may answer.
    fn is_answerable(&self) -> bool {
        !self.running.is_empty() || self.open.values().any(|open| open.job.is_some())
    }

    /// The call that ends if the engine accepts `input`.
    fn settled_by(&self, input: &Input) -> Option<EffectId> {
        match input {
            Input::TaskSettled { effect, .. } | Input::TaskLost { effect } => Some(*effect),
            // A callback that overtakes its call is kept by the engine; the call goes on.
            Input::Callback { token, .. } => {
                let answers = |open: &&Open| open.token.as_ref() == Some(token) && !open.running;
                self.open.iter().find(|(_, open)| answers(open)).map(|(effect, _)| *effect)
            }
            Input::Start { .. }
            | Input::Continue
            | Input::Wake
            | Input::TaskStarted { .. }
            | Input::TaskSubmitted { .. }
            | Input::Heartbeat { .. }
            | Input::Stop { .. } => None,
        }
    }

    fn waiting(&self) -> Vec<String> {
        self.open.values().map(|open| format!("state `{}`", open.state)).collect()
    }

    /// Waits for the ends of jobs that nobody waits for, and for calls that may start such.
    async fn end_jobs(&mut self) {
        while !self.running.is_empty() {
            if let Some(came) = self.running.next().await {
                self.came(came);
            }
        }
    }
}

pub(crate) fn input_name(input: &Input) -> &'static str {
    match input {
        Input::Start { .. } => "Start",
        Input::Continue => "Continue",
        Input::Wake => "Wake",
        Input::TaskStarted { .. } => "TaskStarted",
        Input::TaskSubmitted { .. } => "TaskSubmitted",
        Input::TaskSettled { .. } => "TaskSettled",
        Input::TaskLost { .. } => "TaskLost",
        Input::Callback { .. } => "Callback",
        Input::Heartbeat { .. } => "Heartbeat",
        Input::Stop { .. } => "Stop",
    }
}
