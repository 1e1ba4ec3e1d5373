//! What a record leaves behind for the next one: the snapshot, the calls that have not ended, and
//! the deliveries that were taken lately.

use std::sync::Arc;

use bytes::Bytes;
use engine::{Call, DecodeError, Effect, EffectId, Execution, Input, Snapshot, Transition, Verdict};
use integrations::Job;
use journal::execution::Owner;
use journal::payload::Payloads;
use model::json::{Text, Value};
use model::limits::Limits;
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// Names one delivery of an input, so that whoever announced it finds what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct DeliveryId(pub u64);

/// Deliveries that are remembered.
const RECENT_MAX: usize = 16;

/// The state of an execution after a record.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub snapshot: Snapshot,
    /// Calls that have not ended, by effect.
    pub open: Vec<Open>,
    /// The deliveries taken last, oldest first.
    pub recent: Vec<(DeliveryId, Verdict)>,
}

/// A call that has not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Open {
    pub effect: EffectId,
    pub holder: Holder,
}

/// Who has a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Holder {
    /// Nobody yet: a driver claims it with a record of its own.
    Nobody(Box<Call>),
    /// The driver that claimed it at this time; with the call where it is safe to repeat, or starts
    /// a job.
    Owner { owner: Owner, since: Timestamp, call: Option<Box<Call>> },
    /// No driver: the call was accepted, and its job runs.
    Job(Box<Job>),
}

impl Open {
    /// The job that its task waits for.
    pub fn job(&self) -> Option<&Job> {
        match &self.holder {
            Holder::Job(job) => Some(job),
            Holder::Nobody(_) | Holder::Owner { .. } => None,
        }
    }
}

/// One input as it was taken, with what a replay of it needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub input: Input,
    pub delivery: Option<DeliveryId>,
    pub now: Timestamp,
    pub seed: u64,
    pub limits: Limits,
    pub missing_activities: Vec<Text>,
}

/// Everything that a record without a state did to the state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Steps {
    pub steps: Vec<Step>,
    /// Calls that wait for somebody else now, without an input that says so.
    pub closed: Vec<EffectId>,
    /// Calls that the record's owner claimed, and whether each was kept as safe to repeat.
    pub claimed: Vec<(EffectId, bool)>,
}

/// What one step made beside the state.
pub(crate) struct Made {
    pub verdict: Verdict,
    pub history: Vec<model::history::HistoryEvent>,
    /// Calls that nobody waits for any more.
    pub cancelled: Vec<EffectId>,
    /// Those among them whose jobs run.
    pub jobs: Vec<Job>,
}

impl State {
    /// An execution that has not started.
    pub fn new(snapshot: Snapshot) -> State {
        State { snapshot, open: Vec::new(), recent: Vec::new() }
    }

    /// Takes the answer of the engine to `input`, which was given at `now`.
    pub fn take(
        &mut self,
        input: &Input,
        now: Timestamp,
        delivery: Option<DeliveryId>,
        transition: Transition,
    ) -> Made {
        let Transition { snapshot, history, effects, verdict, .. } = transition;
        self.snapshot = snapshot;
        let (mut cancelled, mut jobs) = (Vec::new(), Vec::new());
        if verdict == Verdict::Accepted {
            match input {
                Input::TaskSettled { effect, .. } | Input::TaskLost { effect } => {
                    self.close(*effect);
                }
                Input::TaskSubmitted { effect, output } => self.submitted(*effect, output, now),
                _ => {}
            }
            for effect in effects {
                match effect {
                    Effect::Call(call) => {
                        self.open.push(Open { effect: call.effect, holder: Holder::Nobody(call) })
                    }
                    Effect::Cancel { effect } => {
                        if let Some(Holder::Job(job)) = self.close(effect) {
                            jobs.push(*job);
                        }
                        cancelled.push(effect);
                    }
                }
            }
            if let Input::Callback { .. } = input {
                // Whoever has the token may answer before the job ends, which is forgotten then. Others
                // that have lost their tasks by that were cancelled above.
                let snapshot = &self.snapshot;
                self.open.retain(|open| open.job().is_none() || snapshot.task(open.effect).is_some());
            }
        }
        if let Some(delivery) = delivery {
            if self.recent.len() == RECENT_MAX {
                self.recent.remove(0);
            }
            self.recent.push((delivery, verdict));
        }
        Made { verdict, history, cancelled, jobs }
    }

    /// What became of a delivery, if it was taken lately.
    pub fn taken(&self, delivery: DeliveryId) -> Option<Verdict> {
        self.recent.iter().find(|(taken, _)| *taken == delivery).map(|(_, verdict)| *verdict)
    }

    /// The call has ended, or waits for somebody else. Who had it.
    pub fn close(&mut self, effect: EffectId) -> Option<Holder> {
        let at = self.open.iter().position(|open| open.effect == effect)?;
        Some(self.open.remove(at).holder)
    }

    /// The call was accepted.
    fn submitted(&mut self, effect: EffectId, output: &Value, since: Timestamp) {
        // A callback may have come before, which has settled the task now.
        let waits = self.snapshot.task(effect).is_some();
        let Some(at) = self.open.iter().position(|open| open.effect == effect) else { return };
        match &self.open[at].holder {
            Holder::Nobody(call) | Holder::Owner { call: Some(call), .. }
                if waits && call.resource.starts_job() =>
            {
                let job = Job { call: (**call).clone(), output: output.clone(), since };
                self.open[at].holder = Holder::Job(Box::new(job));
            }
            // It was accepted before: a call that is safe to repeat has started one job.
            Holder::Job(_) if waits => {}
            _ => {
                self.open.remove(at);
            }
        }
    }

    /// Gives a call to `owner`, and gives it back to be started.
    pub fn claim(&mut self, effect: EffectId, owner: Owner, at: Timestamp, repeatable: bool) -> Option<Call> {
        let open = self.open.iter_mut().find(|open| open.effect == effect)?;
        let Holder::Nobody(call) = &open.holder else { return None };
        let kept = (repeatable || call.resource.starts_job()).then(|| call.clone());
        let call = (**call).clone();
        open.holder = Holder::Owner { owner, since: at, call: kept };
        Some(call)
    }

    /// Calls that nobody has.
    pub fn unclaimed(&self) -> impl Iterator<Item = &Call> {
        self.open.iter().filter_map(|open| match &open.holder {
            Holder::Nobody(call) => Some(&**call),
            Holder::Owner { .. } | Holder::Job(_) => None,
        })
    }

    /// The job that the task of this effect waits for.
    pub fn job(&self, effect: EffectId) -> Option<&Job> {
        self.open.iter().find(|open| open.effect == effect)?.job()
    }

    /// Whether every open task waits for a job alone: nothing that a driver has to do.
    pub fn waits_for_jobs(&self) -> bool {
        self.open.iter().all(|open| open.job().is_some())
    }

    /// The stored form: the length of the snapshot, the snapshot, calls and deliveries.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(1_024);
        out.extend_from_slice(&[0; 4]);
        self.snapshot.encode_to(&mut out);
        let length = u32::try_from(out.len() - 4).expect("payloads of this size are blobs");
        out[..4].copy_from_slice(&length.to_le_bytes());
        rmp_serde::encode::write(&mut out, &(&self.open, &self.recent))
            .expect("calls and deliveries are what MessagePack can write");
        out.into()
    }

    /// Reads the stored form of the state of `execution`, which was started with `input`.
    pub fn decode(bytes: &[u8], execution: Arc<Execution>, input: Value) -> Result<State, DecodeError> {
        let cut = || DecodeError::Damaged("the state is cut short".to_owned());
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| cut())?;
        let (snapshot, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let snapshot = Snapshot::decode(snapshot, execution, input)?;
        let (open, recent) =
            rmp_serde::from_slice(rest).map_err(|error| DecodeError::Damaged(error.to_string()))?;
        Ok(State { snapshot, open, recent })
    }
}

impl Payloads for State {
    fn visit(&mut self, visitor: &mut dyn FnMut(&mut Value)) {
        self.snapshot.visit_payloads(visitor);
        for open in &mut self.open {
            match &mut open.holder {
                Holder::Nobody(call) | Holder::Owner { call: Some(call), .. } => call.visit_payloads(visitor),
                Holder::Owner { call: None, .. } => {}
                Holder::Job(job) => visit_job(job, visitor),
            }
        }
    }
}

/// Visits the payloads of a job.
pub(crate) fn visit_job(job: &mut Job, visitor: &mut dyn FnMut(&mut Value)) {
    job.call.visit_payloads(visitor);
    visitor(&mut job.output);
}

impl Steps {
    /// The stored form.
    pub fn encode(&self) -> Bytes {
        rmp_serde::to_vec(self).expect("steps are what MessagePack can write").into()
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Steps, DecodeError> {
        rmp_serde::from_slice(bytes).map_err(|error| DecodeError::Damaged(error.to_string()))
    }
}

impl Payloads for Steps {
    fn visit(&mut self, visitor: &mut dyn FnMut(&mut Value)) {
        for step in &mut self.steps {
            step.input.visit_payloads(visitor);
        }
    }
}

#[cfg(test)]
mod tests;
