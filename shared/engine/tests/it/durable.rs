//! What an execution needs that outlives its driver: readings, lost calls, heartbeats kept
//! elsewhere, the end of one that cannot be interpreted.

use asl::machine::StateId;
use engine::{EffectId, Env, Input, Snapshot, Stage, Status, TaskOutcome, TaskToken, Verdict};
use model::error::Failure;
use model::json::Value;

use crate::world::{World, decoded, json};

const CALLBACK: &str = r#"{"StartAt": "Ask", "States": {"Ask": {
    "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}},
    "HeartbeatSeconds": 10, "TimeoutSeconds": 60, "End": true}}}"#;

const ACTIVITY: &str = r#"{"StartAt": "Do", "States": {"Do": {"Type": "Task",
    "Resource": "arn:aws:states:us-east-1:123456789012:activity:work", "HeartbeatSeconds": 5, "End": true}}}"#;

const FUNCTION: &str = r#"{"StartAt": "Call", "States": {"Call": {
    "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
    "Retry": [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1, "IntervalSeconds": 3}],
    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "End": true},
    "Caught": {"Type": "Pass", "End": true}}}"#;

fn token(world: &World) -> TaskToken {
    world.calls[0].token.clone().expect("the task has a token")
}

#[test]
fn an_open_task_is_read_by_effect_and_by_token() {
    let mut world = World::started(CALLBACK, r#"{"in": 1}"#);
    let (effect, token, start) = (world.calls[0].effect, token(&world), world.now);
    let task = world.snapshot.task(effect).expect("it is open");
    assert_eq!((task.effect, task.state, task.token.as_ref()), (effect, StateId(0), Some(&token)));
    assert_eq!((task.started, task.submitted, task.answered), (false, false, false));
    assert_eq!(task.heartbeat_seconds, Some(10));
    assert_eq!(task.heartbeat_at, Some(start.plus_seconds(10)));
    assert_eq!(task.timeout_at, Some(start.plus_seconds(60)));
    assert_eq!(world.snapshot.task_with_token(&token), Some(task.clone()));
    assert_eq!(world.snapshot.open_tasks().collect::<Vec<_>>(), [task]);
    assert_eq!(world.snapshot.wake_at(), Some(start.plus_seconds(10)));
    assert_eq!(*world.snapshot.input(), json(r#"{"in": 1}"#));
    assert_eq!((world.snapshot.redrive_count(), world.snapshot.more()), (0, false));

    world.give(Input::Callback { token: token.clone(), outcome: TaskOutcome::Succeeded(Value::Null) });
    assert!(world.snapshot.task(effect).is_some_and(|task| task.answered && !task.submitted));
    world.give(Input::TaskSubmitted { effect, output: Value::Null });
    assert_eq!(world.snapshot.task(effect), None);
    assert_eq!(world.snapshot.task_with_token(&token), None);
    assert_eq!(world.snapshot.open_tasks().count(), 0);
    assert_eq!(world.snapshot.wake_at(), None);
}

#[test]
fn a_token_of_another_execution_opens_nothing() {
    let world = World::started(CALLBACK, "{}");
    let token = token(&world);
    let same_text = TaskToken::parse(token.as_str()).expect("it is a token");
    assert!(world.snapshot.task_with_token(&same_text).is_some());
    let mut elsewhere = World::new(CALLBACK);
    let mut execution = elsewhere.snapshot.execution().as_ref().clone();
    execution.arn = format!("{}2", execution.arn).into();
    elsewhere.snapshot = Snapshot::new(execution);
    elsewhere.give(Input::Start { input: json("{}") });
    assert_eq!(elsewhere.snapshot.open_tasks().count(), 1);
    assert_eq!(elsewhere.snapshot.task_with_token(&token), None);
}

#[test]
fn a_heartbeat_counts_from_when_it_was_sent_and_never_backwards() {
    let mut world = World::started(CALLBACK, "{}");
    let (effect, token, start) = (world.calls[0].effect, token(&world), world.now);
    world.give(Input::TaskSubmitted { effect, output: Value::Null });
    // Sent and then due; given newest first.
    for (sent, due) in [(4, 14), (2, 14), (-100, 14), (7, 17)] {
        let at = start.plus_seconds(sent);
        assert_eq!(world.give(Input::Heartbeat { token: token.clone(), at }), Verdict::Accepted);
        let task = world.snapshot.task(effect).expect("it is open");
        assert_eq!(task.heartbeat_at, Some(start.plus_seconds(due)), "sent at {sent}");
    }
    world.pass_seconds(16);
    assert_eq!(*world.status(), Status::Running);
    world.pass_seconds(1);
    assert_eq!(world.failure(), Failure::named("States.Timeout"));
}

#[test]
fn a_task_without_heartbeats_takes_one_for_nothing() {
    let definition = CALLBACK.replace(r#""HeartbeatSeconds": 10, "#, "");
    let mut world = World::started(&definition, "{}");
    let before = world.snapshot.clone();
    let token = token(&world);
    assert_eq!(world.give(Input::Heartbeat { token, at: world.now }), Verdict::Accepted);
    assert_eq!(world.snapshot, before);
}

#[test]
fn a_lost_call_fails_its_task_as_retry_and_catch_see() {
    let mut world = World::started(FUNCTION, "{}");
    assert_eq!(world.give(Input::TaskLost { effect: world.calls[0].effect }), Verdict::Accepted);
    assert_eq!(world.types()[3..], ["LambdaFunctionStarted", "LambdaFunctionFailed"]);
    world.pass_seconds(3);
    assert_eq!(world.calls.len(), 2);
    assert_eq!(world.give(Input::TaskLost { effect: world.calls[0].effect }), Verdict::NoSuchTask);
    world.give(Input::TaskLost { effect: world.calls[1].effect });
    let caught = world.output();
    assert_eq!(caught.get("Error"), Some(&"States.TaskFailed".into()));
    let cause = caught.get("Cause").and_then(Value::as_str).expect("it has a cause");
    assert!(cause.contains("outcome of the call is unknown"), "{cause}");
    world.check_history();
}

#[test]
fn a_callback_that_came_before_settles_a_lost_task() {
    for (outcome, status) in [
        (TaskOutcome::Succeeded(json("7")), Status::Succeeded(json("7"))),
        (TaskOutcome::failed(Failure::new("No", "way")), Status::Failed(Failure::new("No", "way"))),
    ] {
        let mut world = World::started(CALLBACK, "{}");
        let token = token(&world);
        world.give(Input::Callback { token, outcome });
        assert_eq!(world.give(Input::TaskLost { effect: world.calls[0].effect }), Verdict::Accepted);
        assert_eq!(*world.status(), status);
    }
}

#[test]
fn what_waits_for_somebody_else_is_not_lost() {
    let mut world = World::started(CALLBACK, "{}");
    let effect = world.calls[0].effect;
    world.give(Input::TaskSubmitted { effect, output: Value::Null });
    assert_eq!(world.give(Input::TaskLost { effect }), Verdict::NoSuchTask);

    let mut world = World::started(ACTIVITY, "{}");
    let effect = world.calls[0].effect;
    assert_eq!(world.give(Input::TaskLost { effect }), Verdict::NoSuchTask);
    assert_eq!(world.give(Input::TaskLost { effect: EffectId(99) }), Verdict::NoSuchTask);
    assert_eq!(*world.status(), Status::Running);
}

#[test]
fn an_activity_task_goes_to_one_worker() {
    let mut world = World::started(ACTIVITY, "{}");
    let effect = world.calls[0].effect;
    let started = |worker: &str| Input::TaskStarted { effect, worker: Some(worker.into()) };
    world.pass_seconds(4);
    assert_eq!(world.give(started("a")), Verdict::Accepted);
    let heartbeat_at = world.snapshot.task(effect).and_then(|task| task.heartbeat_at);
    assert_eq!(heartbeat_at, Some(world.now.plus_seconds(5)));
    assert_eq!(world.give(started("b")), Verdict::AlreadyStarted);
    assert_eq!(world.types().iter().filter(|name| **name == "ActivityStarted").count(), 1);
    assert_eq!(world.succeed(0, "1"), Verdict::Accepted);
    assert_eq!(world.give(started("c")), Verdict::Ended);
}

#[test]
fn an_activity_that_nobody_took_is_settled_by_its_token() {
    let mut world = World::started(ACTIVITY, "{}");
    let token = token(&world);
    let outcome = TaskOutcome::Succeeded(json("1"));
    assert_eq!(world.give(Input::Callback { token, outcome }), Verdict::Accepted);
    assert_eq!(world.output(), json("1"));
}

#[test]
fn an_execution_starts_once() {
    let mut world = World::started(CALLBACK, "1");
    assert_eq!(world.give(Input::Start { input: json("2") }), Verdict::AlreadyStarted);
    assert_eq!(*world.snapshot.input(), json("1"));
}

#[test]
fn a_refused_input_does_not_continue_an_execution() {
    let definition = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "End"}], "Default": "A"},
        "End": {"Type": "Succeed"}}}"#;
    let world = World::new(definition);
    let env = Env::new(world.now, 1);
    let step = |snapshot: Snapshot, input: Input| engine::step(&world.machine, snapshot, input, &env);
    let cut_short = step(world.snapshot.clone(), Input::Start { input: json("{}") });
    assert!(cut_short.more);
    let outcome = TaskOutcome::Failed { stage: Stage::Run, failure: Failure::default() };
    let refused = step(cut_short.snapshot.clone(), Input::TaskSettled { effect: EffectId(1), outcome });
    assert_eq!((refused.verdict, refused.more), (Verdict::NoSuchTask, true));
    assert_eq!(refused.snapshot, cut_short.snapshot);
    assert!(refused.history.is_empty());
}

#[test]
fn giving_up_ends_what_runs() {
    let mut world = World::started(FUNCTION, "{}");
    let failure = Failure::new("States.Runtime", "the interpreter failed");
    let env = Env::new(world.now.plus_seconds(1), 0);
    let last = world.history.last().expect("it has started").id;
    let transition = engine::give_up(world.snapshot.clone(), failure.clone(), &env);
    assert_eq!(*transition.snapshot.status(), Status::Failed(failure.clone()));
    assert_eq!(transition.effects, [engine::Effect::Cancel { effect: world.calls[0].effect }]);
    assert_eq!((transition.verdict, transition.more, transition.wake_at), (Verdict::Accepted, false, None));
    let [event] = transition.history.as_slice() else { panic!("{:?}", transition.history) };
    assert_eq!((event.id, event.previous_event_id, event.timestamp), (last + 1, last, env.now));
    assert_eq!(event.event, model::history::Event::ExecutionFailed(failure.clone()));
    assert_eq!(decoded(&transition.snapshot), Ok(transition.snapshot.clone()));

    let again = engine::give_up(transition.snapshot.clone(), Failure::default(), &env);
    assert_eq!((again.verdict, again.history.len()), (Verdict::Ended, 0));
    assert_eq!(again.snapshot, transition.snapshot);
    world.snapshot = transition.snapshot;
    assert_eq!(world.succeed(0, "1"), Verdict::Ended);
}

#[test]
fn giving_up_names_the_newest_event_of_the_top_scope() {
    let definition = r#"{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 9, "End": true}}}]}}}"#;
    let world = World::started(definition, "{}");
    let started = world.history.iter().find(|e| e.event.type_name() == "ParallelStateStarted");
    let env = Env::new(world.now, 0);
    let transition = engine::give_up(world.snapshot.clone(), Failure::default(), &env);
    assert_eq!(transition.history[0].previous_event_id, started.expect("it started").id);
    assert!(transition.effects.is_empty());

    let transition = engine::give_up(World::new(definition).snapshot, Failure::default(), &env);
    assert_eq!((transition.history[0].id, transition.history[0].previous_event_id), (1, 0));
}
