//! A world of one execution: a clock that is moved by hand, and every event kept.

use asl::machine::Machine;
use engine::{
    Call, DecodeError, Effect, EffectId, Env, Execution, Input, Snapshot, Status, TaskOutcome, Transition,
    Verdict,
};
use model::error::Failure;
use model::history::HistoryEvent;
use model::json::Value;
use model::limits::Limits;
use model::timestamp::Timestamp;

pub struct World {
    pub machine: Machine,
    pub snapshot: Snapshot,
    pub now: Timestamp,
    pub limits: Limits,
    pub history: Vec<HistoryEvent>,
    pub calls: Vec<Call>,
    pub cancelled: Vec<EffectId>,
    pub wake_at: Option<Timestamp>,
    /// Whether every snapshot is stored and read back before it is used.
    pub store: bool,
    seed: u64,
}

pub fn machine(definition: &str) -> Machine {
    let parsed = asl::parse(definition, &asl::Options::default());
    parsed.machine.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

pub fn json(text: &str) -> Value {
    Value::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The snapshot, stored and read back with its payloads kept elsewhere meanwhile.
pub fn stored_apart(snapshot: &Snapshot) -> Snapshot {
    let mut small = snapshot.clone();
    let mut payloads = Vec::new();
    small.visit_payloads(&mut |payload| {
        let moved = Value::from(format!("payload {}", payloads.len()));
        payloads.push(std::mem::replace(payload, moved));
    });
    let mut read = decoded(&small).expect("a snapshot reads back");
    assert_eq!(read, small);
    let mut payloads = payloads.into_iter();
    read.visit_payloads(&mut |payload| *payload = payloads.next().expect("as many as before"));
    assert_eq!(payloads.next(), None);
    assert_eq!(read, *snapshot);
    decoded(&read).expect("a snapshot reads back")
}

/// The snapshot as it is read from its stored form.
pub fn decoded(snapshot: &Snapshot) -> Result<Snapshot, DecodeError> {
    Snapshot::decode(&snapshot.encode(), snapshot.execution().clone(), snapshot.input().clone())
}

impl World {
    pub fn new(definition: &str) -> World {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let execution = Execution {
            arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
            name: "e".into(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
            state_machine_name: "m".into(),
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            region: "us-east-1".into(),
            started_at: now,
            synchronous: false,
        };
        World {
            machine: machine(definition),
            snapshot: Snapshot::new(execution),
            now,
            limits: Limits::SERVICE,
            history: Vec::new(),
            calls: Vec::new(),
            cancelled: Vec::new(),
            wake_at: None,
            store: false,
            seed: 0,
        }
    }

    /// A world whose execution has started with `input`.
    pub fn started(definition: &str, input: &str) -> World {
        let mut world = World::new(definition);
        world.give(Input::Start { input: json(input) });
        world
    }

    pub fn give(&mut self, input: Input) -> Verdict {
        let transition = self.step(input);
        let verdict = transition.verdict;
        self.take(transition).then(|| while self.continue_() {});
        verdict
    }

    /// One step of an execution that was cut short. Returns whether there is more.
    fn continue_(&mut self) -> bool {
        let transition = self.step(Input::Continue);
        self.take(transition)
    }

    fn step(&mut self, input: Input) -> Transition {
        self.seed += 1;
        let mut env = Env::new(self.now, self.seed);
        env.limits = self.limits;
        let snapshot = if self.store { stored_apart(&self.snapshot) } else { self.snapshot.clone() };
        assert_eq!(snapshot, self.snapshot);
        let transition = engine::step(&self.machine, snapshot, input, &env);
        if transition.verdict != Verdict::Accepted {
            assert_eq!(transition.snapshot, self.snapshot, "what is refused changes nothing");
            assert!(transition.history.is_empty() && transition.effects.is_empty());
        }
        assert_eq!(transition.wake_at, transition.snapshot.wake_at());
        assert_eq!(transition.more, transition.snapshot.more());
        transition
    }

    fn take(&mut self, transition: Transition) -> bool {
        self.snapshot = transition.snapshot;
        self.history.extend(transition.history);
        self.wake_at = transition.wake_at;
        for effect in transition.effects {
            match effect {
                Effect::Call(call) => self.calls.push(*call),
                Effect::Cancel { effect } => self.cancelled.push(effect),
            }
        }
        transition.more
    }

    /// Lets time pass, waking the engine whenever it asked to be.
    pub fn pass_seconds(&mut self, seconds: i64) {
        let end = self.now.plus_seconds(seconds);
        while let Some(at) = self.wake_at.filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.give(Input::Wake);
        }
        self.now = end;
    }

    pub fn succeed(&mut self, call: usize, output: &str) -> Verdict {
        let effect = self.calls[call].effect;
        self.give(Input::TaskSettled { effect, outcome: TaskOutcome::Succeeded(json(output)) })
    }

    pub fn fail(&mut self, call: usize, error: &str) -> Verdict {
        let effect = self.calls[call].effect;
        self.give(Input::TaskSettled { effect, outcome: TaskOutcome::failed(Failure::named(error)) })
    }

    pub fn status(&self) -> &Status {
        self.snapshot.status()
    }

    pub fn output(&self) -> Value {
        match self.status() {
            Status::Succeeded(output) => output.clone(),
            other => panic!("not succeeded: {other:?}"),
        }
    }

    pub fn failure(&self) -> Failure {
        match self.status() {
            Status::Failed(failure) => failure.clone(),
            other => panic!("not failed: {other:?}"),
        }
    }

    pub fn types(&self) -> Vec<&'static str> {
        self.history.iter().map(|event| event.event.type_name()).collect()
    }

    /// Ids count from 1 and predecessors come before.
    pub fn check_history(&self) {
        for (at, event) in (1u64..).zip(&self.history) {
            assert_eq!(event.id, at);
            assert!(event.previous_event_id < event.id);
        }
    }
}
