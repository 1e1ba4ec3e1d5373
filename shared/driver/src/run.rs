//! The loop.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use asl::machine::Machine;
use engine::{
    Call, Effect, EffectId, Env, Execution, Input, Snapshot, Status, TaskOutcome, TaskToken, Transition,
    Verdict,
};
use integrations::{Answer, Tasks};
use model::error::{Failure, TASK_FAILED};
use model::json::{Text, Value};
use model::limits::Limits;
use model::timestamp::Timestamp;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

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
    /// Set while the call itself runs; not while a worker or a callback is awaited.
    running: Option<AbortHandle>,
}

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
    Answered(EffectId, Result<Answer, JoinError>),
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
        let mut calls = Calls::default();
        let mut snapshot = Snapshot::new((*execution).clone());
        let mut due = Due { start: Some(input), more: false, wake_at: None };
        loop {
            let (input, reply) = match self.next(&mut calls, &mut due).await? {
                Happened::Input(input, reply) => (input, reply),
                Happened::Answered(effect, answer) => match calls.answered(effect, answer) {
                    Some(input) => (input, None),
                    None => continue,
                },
                Happened::Nothing => continue,
            };
            let settles = calls.settled_by(&input);
            let transition = self.step(snapshot, input)?;
            if let (Some(effect), Verdict::Accepted) = (settles, transition.verdict) {
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
                    Effect::Call(call) => calls.start(*call, &self.tasks, &execution),
                    Effect::Cancel { effect } => calls.close(effect),
                }
            }
            if !more && !matches!(snapshot.status(), Status::Running) {
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

    async fn next(&mut self, calls: &mut Calls, due: &mut Due) -> Result<Happened, DriveError> {
        if let Some(input) = due.start.take() {
            return Ok(Happened::Input(Input::Start { input }, None));
        }
        // An execution that never waits must not keep its thread from those who would stop it.
        tokio::task::yield_now().await;
        // Until something answers a call, time passes as it does; unless nothing can any more.
        let unanswerable = self.inbox.is_none() && calls.running.is_empty();
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
            Some(joined) = calls.running.join_next_with_id() => Ok(calls.joined(joined)),
            () = sleep(self.clock.as_ref(), due.wake_at) => Ok(Happened::Nothing),
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
#[derive(Default)]
struct Calls {
    open: BTreeMap<EffectId, Open>,
    /// Aborts what still runs when it is dropped.
    running: JoinSet<Answer>,
    effects: BTreeMap<Id, EffectId>,
}

impl Calls {
    fn start(&mut self, call: Call, tasks: &Arc<dyn Tasks>, execution: &Arc<Execution>) {
        let (effect, state, token) = (call.effect, call.state.clone(), call.token.clone());
        let (tasks, execution) = (tasks.clone(), execution.clone());
        let handle = self.running.spawn(async move { tasks.call(&call, &execution).await });
        self.effects.insert(handle.id(), effect);
        self.open.insert(effect, Open { state, token, running: Some(handle) });
    }

    /// The call has ended, or nobody waits for it any more.
    fn close(&mut self, effect: EffectId) {
        if let Some(handle) = self.open.remove(&effect).and_then(|open| open.running) {
            handle.abort();
        }
    }

    fn joined(&mut self, joined: Result<(Id, Answer), JoinError>) -> Happened {
        let (id, answer) = match joined {
            Ok((id, answer)) => (id, Ok(answer)),
            Err(error) => (error.id(), Err(error)),
        };
        match self.effects.remove(&id) {
            Some(effect) => Happened::Answered(effect, answer),
            None => Happened::Nothing,
        }
    }

    /// What the engine is told of an answer; nothing when nobody waits for it, or when a worker
    /// is awaited.
    fn answered(&mut self, effect: EffectId, answer: Result<Answer, JoinError>) -> Option<Input> {
        let open = self.open.get_mut(&effect)?;
        open.running = None;
        match answer {
            Ok(Answer::Settled(outcome)) => Some(Input::TaskSettled { effect, outcome }),
            Ok(Answer::Submitted(output)) => Some(Input::TaskSubmitted { effect, output }),
            Ok(Answer::Queued) => None,
            Err(error) if error.is_cancelled() => None,
            Err(error) => {
                let message = panic_message(error.into_panic().as_ref());
                let cause =
                    format!("the call of state `{}` failed inside this program: {message}", open.state);
                let outcome = TaskOutcome::failed(Failure::new(TASK_FAILED, cause));
                Some(Input::TaskSettled { effect, outcome })
            }
        }
    }

    /// The call that ends if the engine accepts `input`.
    fn settled_by(&self, input: &Input) -> Option<EffectId> {
        match input {
            Input::TaskSettled { effect, .. } | Input::TaskLost { effect } => Some(*effect),
            // A callback that overtakes its call is kept by the engine; the call goes on.
            Input::Callback { token, .. } => {
                let answers = |open: &&Open| open.token.as_ref() == Some(token) && open.running.is_none();
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

fn panic_message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "no message".to_owned(),
    }
}
