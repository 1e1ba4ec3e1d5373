use engine::{Env, TaskOutcome};
use model::error::Failure;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn machine() -> asl::machine::Machine {
    let job = r#""Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": "j"}, "End": true"#;
    let text = format!(
        r#"{{"StartAt": "Both", "States": {{"Both": {{"Type": "Parallel", "End": true, "Branches": [
            {{"StartAt": "A", "States": {{"A": {{{job}}}}}}}, {{"StartAt": "B", "States": {{"B": {{{job}}}}}}}]}}}}}}"#
    );
    asl::parse(&text, &asl::Options::default()).machine.unwrap()
}

fn execution() -> Arc<Execution> {
    Arc::new(Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        state_machine_name: "m".into(),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: "us-east-1".into(),
        started_at: NOW,
        synchronous: false,
    })
}

fn give(state: &mut State, input: Input, now: Timestamp) -> Made {
    let snapshot = std::mem::replace(&mut state.snapshot, Snapshot::new(execution()));
    let transition = engine::step(&machine(), snapshot, input.clone(), &Env::new(now, 7));
    state.take(&input, now, None, transition)
}

/// Two jobs: the one of effect 1 has started, that of effect 2 `started`.
fn two(started: bool) -> State {
    let mut state = State::new(Snapshot::new(execution()));
    give(&mut state, Input::Start { input: Value::object() }, NOW);
    for effect in [EffectId(1), EffectId(2)] {
        state.claim(effect, Owner(1), NOW, false);
        if effect == EffectId(1) || started {
            let submitted = Input::TaskSubmitted { effect, output: Value::from(1_i64) };
            give(&mut state, submitted, NOW.plus_seconds(3));
        }
    }
    state
}

fn names(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.call.state.as_str()).collect()
}

#[test]
fn a_job_is_known_since_it_was_accepted_and_read_as_it_was_written() {
    let state = two(true);
    let job = state.job(EffectId(1)).unwrap();
    assert_eq!((job.since, &job.output), (NOW.plus_seconds(3), &Value::from(1_i64)));
    assert!(state.waits_for_jobs() && !two(false).waits_for_jobs());
    let read = State::decode(&state.encode(), execution(), Value::object()).unwrap();
    assert_eq!(read.open, state.open);
}

#[test]
fn a_call_that_is_accepted_twice_has_one_job() {
    let mut state = two(true);
    let again = Input::TaskSubmitted { effect: EffectId(1), output: Value::from(2_i64) };
    give(&mut state, again, NOW.plus_seconds(9));
    assert_eq!(state.job(EffectId(1)), two(true).job(EffectId(1)));
}

#[test]
fn a_job_whose_end_settles_its_task_is_not_cancelled_and_its_siblings_are() {
    let mut state = two(true);
    let outcome = TaskOutcome::failed(Failure::named("Broken"));
    let made = give(&mut state, Input::TaskSettled { effect: EffectId(1), outcome }, NOW.plus_seconds(9));
    assert_eq!((names(&made.jobs), state.open.len()), (vec!["B"], 0));
}

#[test]
fn a_callback_forgets_its_own_job_alone() {
    let mut state = two(true);
    let token = state.job(EffectId(1)).unwrap().call.token.clone().unwrap();
    let outcome = TaskOutcome::Succeeded(Value::from(1_i64));
    let made = give(&mut state, Input::Callback { token: token.clone(), outcome }, NOW.plus_seconds(9));
    assert_eq!((names(&made.jobs), state.job(EffectId(1)).is_none()), (vec![], true));
    assert!(state.job(EffectId(2)).is_some());
    let mut state = two(true);
    let outcome = TaskOutcome::failed(Failure::named("Broken"));
    let made = give(&mut state, Input::Callback { token, outcome }, NOW.plus_seconds(9));
    assert_eq!((names(&made.jobs), state.open.len()), (vec!["B"], 0));
}

#[test]
fn whoever_gives_up_cancels_the_jobs_that_have_started() {
    for (started, cancelled) in [(true, vec!["A", "B"]), (false, vec!["A"])] {
        let mut state = two(started);
        let snapshot = std::mem::replace(&mut state.snapshot, Snapshot::new(execution()));
        let transition = engine::give_up(snapshot, Failure::named("States.Runtime"), &Env::new(NOW, 7));
        let made = state.take(&Input::Continue, NOW, None, transition);
        assert_eq!((names(&made.jobs), made.cancelled.len(), state.open.len()), (cancelled, 2, 0));
    }
}
