//! A snapshot taken anywhere, stored, loaded and continued gives the same history; the same
//! arguments give the same transition.

use engine::{DecodeError, EffectId, Input, Snapshot, TaskOutcome};
use model::error::Failure;
use model::history::HistoryEvent;
use proptest::prelude::*;

use crate::world::{World, json};

const BUSY: &str = r#"{"StartAt": "Set", "States": {
    "Set": {"Type": "Pass", "Assign": {"big": 123456789012345678901234567890, "list": [1, 2.5, "x", null, true]}, "Next": "P"},
    "P": {"Type": "Parallel", "Next": "Done",
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 2, "JitterStrategy": "FULL"}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "Done"}],
        "Branches": [
            {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token", "id.$": "States.UUID()"}}, "HeartbeatSeconds": 5, "End": true}}},
            {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "End": true,
                "ItemProcessor": {"StartAt": "W", "States": {
                    "W": {"Type": "Wait", "Seconds": 1, "Next": "L"},
                    "L": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true}}}}}}]},
    "Done": {"Type": "Pass", "Parameters": {"all.$": "$", "big.$": "$big", "list.$": "$list"}, "End": true}}}"#;

#[derive(Clone, Debug)]
enum Act {
    Pass(i64),
    Succeed(usize),
    Fail(usize),
    Submit(usize),
    Answer(usize),
    Beat(usize, i64),
    Start(usize),
    Lose(usize),
    Stray,
    StartAgain,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0i64..8).prop_map(Act::Pass),
        (0usize..12).prop_map(Act::Succeed),
        (0usize..12).prop_map(Act::Fail),
        (0usize..12).prop_map(Act::Submit),
        (0usize..12).prop_map(Act::Answer),
        (0usize..12, -9i64..3).prop_map(|(n, seconds)| Act::Beat(n, seconds)),
        (0usize..12).prop_map(Act::Start),
        (0usize..12).prop_map(Act::Lose),
        Just(Act::Stray),
        Just(Act::StartAgain),
    ]
}

fn play(acts: &[Act], store: bool) -> (Vec<HistoryEvent>, Snapshot) {
    let mut world = World::new(BUSY);
    world.store = store;
    world.give(Input::Start { input: json(r#"{"items": [1, {"a": []}, "3"]}"#) });
    for act in acts {
        let call = |n: &usize| world.calls.get(*n).cloned();
        let input = match act {
            Act::Pass(seconds) => {
                world.pass_seconds(*seconds);
                continue;
            }
            Act::Succeed(n) => call(n).map(|call| Input::TaskSettled {
                effect: call.effect,
                outcome: TaskOutcome::Succeeded(json(r#"{"ok": 1.0}"#)),
            }),
            Act::Fail(n) => call(n).map(|call| Input::TaskSettled {
                effect: call.effect,
                outcome: TaskOutcome::failed(Failure::new("E", "because")),
            }),
            Act::Submit(n) => {
                call(n).map(|call| Input::TaskSubmitted { effect: call.effect, output: json("{}") })
            }
            Act::Answer(n) => call(n)
                .and_then(|call| call.token)
                .map(|token| Input::Callback { token, outcome: TaskOutcome::Succeeded(json("2")) }),
            Act::Beat(n, seconds) => call(n)
                .and_then(|call| call.token)
                .map(|token| Input::Heartbeat { token, at: world.now.plus_seconds(*seconds) }),
            Act::Start(n) => call(n).map(|call| Input::TaskStarted { effect: call.effect, worker: None }),
            Act::Lose(n) => call(n).map(|call| Input::TaskLost { effect: call.effect }),
            Act::Stray => Some(Input::TaskLost { effect: EffectId(1_000) }),
            Act::StartAgain => Some(Input::Start { input: json("{}") }),
        };
        if let Some(input) = input {
            world.give(input);
        }
    }
    world.check_history();
    (world.history, world.snapshot)
}

proptest! {
    #[test]
    fn stored_or_not_the_history_is_the_same(acts in prop::collection::vec(act(), 0..40)) {
        let (history, snapshot) = play(&acts, false);
        let (stored_history, stored_snapshot) = play(&acts, true);
        prop_assert_eq!(history, stored_history);
        prop_assert_eq!(snapshot, stored_snapshot);
    }

    #[test]
    fn bytes_that_are_no_snapshot_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_damaged_snapshot_is_refused_or_read(at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let (_, snapshot) = play(&[Act::Pass(2)], false);
        let mut bytes = snapshot.encode();
        let at = at.index(bytes.len());
        bytes[at] = with;
        let _ = read(&bytes);
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let (_, snapshot) = play(&[], false);
    let mut bytes = snapshot.encode();
    bytes[0] = 99;
    assert_eq!(read(&bytes), Err(DecodeError::Version { found: 99 }));
    assert!(matches!(read(&[]), Err(DecodeError::Damaged(_))));
}

fn read(bytes: &[u8]) -> Result<Snapshot, DecodeError> {
    let (_, snapshot) = play(&[], false);
    Snapshot::decode(bytes, snapshot.execution().clone(), snapshot.input().clone())
}
