//! Stored forms: what they look like, what they refuse, where their payloads are.

use engine::{
    Call, DecodeError, Effect, EffectId, Input, Iteration, SNAPSHOT_VERSION, Snapshot, TaskOutcome,
    TaskToken, Verdict,
};
use model::error::Failure;
use model::json::{DEPTH_MAX, Value};
use model::timestamp::Timestamp;
use proptest::prelude::*;

use crate::world::{World, decoded, json, stored_apart};

/// A Parallel with a task whose callback was kept, a Map in the middle of its items, a Wait and a
/// task to be retried.
const VARIED: &str = r#"{"StartAt": "Set", "TimeoutSeconds": 1000, "States": {
    "Set": {"Type": "Pass", "Assign": {"v": {"n": 123456789012345678901234567890, "f": 1.5}}, "Next": "P"},
    "P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "T", "States": {"T": {"Type": "Task", "End": true, "HeartbeatSeconds": 30, "TimeoutSeconds": 90,
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}}}}},
        {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 1, "End": true,
            "ItemProcessor": {"StartAt": "L", "States": {"L": {"Type": "Task", "End": true,
                "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f"}}}}}},
        {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 50, "End": true}}},
        {"StartAt": "R", "States": {"R": {"Type": "Task", "End": true,
            "Resource": "arn:aws:states:us-east-1:123456789012:activity:work",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 20}]}}}]}}}"#;

const VARIED_OUTPUT: &str = r#"["answer", [[1], {"b": 2}], {"items": ["x", {"y": null}]}, true]"#;

fn varied() -> World {
    let mut world = World::started(VARIED, r#"{"items": ["x", {"y": null}]}"#);
    let token = world.calls[0].token.clone().expect("it awaits a callback");
    world.give(Input::Callback { token, outcome: TaskOutcome::Succeeded("answer".into()) });
    let of = |world: &World, state: &str| {
        world.calls.iter().position(|call| call.state == state).expect("it was called")
    };
    world.fail(of(&world, "R"), "Later");
    world.succeed(of(&world, "L"), "[1]");
    world
}

/// Ends what [`varied`] began.
fn finish(mut world: World) -> Value {
    let open = |world: &World, resource: &str| {
        let open: Vec<EffectId> = world.snapshot.open_tasks().map(|task| task.effect).collect();
        let call =
            world.calls.iter().find(|call| open.contains(&call.effect) && call.resource.arn() == resource);
        call.expect("it is open").effect
    };
    let sqs = open(&world, "arn:aws:states:::sqs:sendMessage.waitForTaskToken");
    world.give(Input::TaskSubmitted { effect: sqs, output: Value::Null });
    let function = open(&world, "arn:aws:lambda:us-east-1:123456789012:function:f");
    world.give(Input::TaskSettled { effect: function, outcome: TaskOutcome::Succeeded(json(r#"{"b": 2}"#)) });
    world.wake_at = world.snapshot.wake_at();
    world.pass_seconds(60);
    let activity = open(&world, "arn:aws:states:us-east-1:123456789012:activity:work");
    world.give(Input::TaskSettled { effect: activity, outcome: TaskOutcome::Succeeded(Value::Bool(true)) });
    world.output()
}

fn hex(bytes: &[u8]) -> String {
    let lines = bytes.chunks(48).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect());
    lines.collect::<Vec<String>>().join("\n")
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits are a byte"))
        .collect()
}

/// The bytes were written by an engine of this version. When this fails, the shape of a snapshot
/// has changed: executions in stores would be lost. Raise `SNAPSHOT_VERSION`, or let the change
/// read what was written before it.
#[test]
fn what_this_version_wrote_is_read_and_continues() {
    let stored = from_hex(include_str!("../fixtures/snapshot-2.hex"));
    let mut world = varied();
    let snapshot =
        Snapshot::decode(&stored, world.snapshot.execution().clone(), world.snapshot.input().clone())
            .unwrap_or_else(|error| {
                panic!("{error}; now it is written as\n{}", hex(&world.snapshot.encode()))
            });
    assert_eq!(hex(&snapshot.encode()), hex(&stored));
    world.snapshot = snapshot;
    assert_eq!(finish(world), json(VARIED_OUTPUT));
}

#[test]
fn the_secret_alone_is_stored_of_a_token() {
    let world = varied();
    let token = world.calls[0].token.clone().expect("it has one");
    let bytes = world.snapshot.encode();
    let contains = |part: &[u8]| bytes.windows(part.len()).filter(|window| *window == part).count();
    assert_eq!(contains(token.as_str().as_bytes()), 0);
    assert_eq!(contains(token.execution_arn().as_bytes()), 0);
}

#[test]
fn hostile_bytes_neither_panic_nor_exhaust_the_stack() {
    let with_version = |rest: &[u8]| [&[SNAPSHOT_VERSION], rest].concat();
    let world = varied();
    let good = world.snapshot.encode();
    let input = good.windows(9).position(|w| w == br#"{"items":"#).expect("the input is stored as text");
    // In the place of the execution's input: MessagePack, or JSON text with its length in front.
    let nested = |levels: usize| [&good[..input - 1], vec![0x91; levels].as_slice(), b"\xc0"].concat();
    let text = |levels: u32| {
        let head = [&good[..input - 2], b"\xdb", &levels.to_be_bytes()].concat();
        [head, vec![b'['; levels as usize]].concat()
    };
    let table = [
        with_version(&[0x91; 1_000_000]),
        with_version(&[0x81; 1_000_000]),
        with_version(&[0xdd, 0xff, 0xff, 0xff, 0xff]),
        with_version(&[0xdb, 0xff, 0xff, 0xff, 0xff]),
        with_version(&[0xc9, 0xff, 0xff, 0xff, 0xff, 0]),
        nested(10),
        nested(1_000_000),
        text(10),
        text(1_000_000),
        good[..good.len() - 1].to_vec(),
        [good.as_slice(), &[0]].concat(),
    ];
    for bytes in table {
        let decoded = Snapshot::decode(&bytes, world.snapshot.execution().clone(), Value::Null);
        assert!(matches!(decoded, Err(DecodeError::Damaged(_))), "{:x?}", &bytes[..bytes.len().min(20)]);
    }
}

#[test]
fn payloads_as_deep_as_the_parser_allows_are_stored() {
    let text = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    let mut world = World::started(VARIED, &format!(r#"{{"items": [{}]}}"#, &text[2..text.len() - 2]));
    let token = world.calls[0].token.clone().expect("it awaits a callback");
    world.give(Input::Callback { token, outcome: TaskOutcome::Succeeded(json(&text)) });
    let function = world.calls.iter().position(|call| call.state == "L").expect("it was called");
    world.succeed(function, &text);
    assert_eq!(decoded(&world.snapshot).as_ref(), Ok(&world.snapshot));
}

#[test]
fn deeper_values_than_can_be_stored_are_not_made() {
    for fields in [r#""Parameters": {"a.$": "$"}"#, r#""Assign": {"v": {"a": {"b.$": "$"}}}"#] {
        let definition =
            format!(r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Pass", {fields}, "End": true}}}}}}"#);
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(World::started(&definition, &nested(900)).types().len(), 4);
        let cause = World::started(&definition, &nested(DEPTH_MAX)).failure().cause.unwrap();
        assert!(cause.contains("nested deeper than 1000 levels"), "{cause}");
    }
}

#[test]
fn a_map_whose_items_were_not_put_back_fails_plainly() {
    let mut world = varied();
    world.snapshot.visit_payloads(&mut |payload| {
        if *payload == json(r#"["x", {"y": null}]"#) {
            *payload = "elsewhere".into();
        }
    });
    // The second iteration runs already; a third would need the items.
    let mut fresh = World::started(VARIED, r#"{"items": [1, 2]}"#);
    fresh.snapshot.visit_payloads(&mut |payload| {
        if *payload == json("[1, 2]") {
            *payload = "elsewhere".into();
        }
    });
    let function = fresh.calls.iter().position(|call| call.state == "L").expect("it was called");
    fresh.succeed(function, "1");
    assert_eq!(fresh.failure().error.as_deref(), Some("States.Runtime"));
    assert_eq!(finish(world), json(VARIED_OUTPUT));
}

#[test]
fn every_payload_of_a_snapshot_is_shown_once() {
    let mut snapshot = varied().snapshot;
    let mut shown = Vec::new();
    snapshot.visit_payloads(&mut |payload| shown.push(payload.to_json()));
    let (input, items) = (r#"{"items":["x",{"y":null}]}"#, r#"["x",{"y":null}]"#);
    let count = |text: &str| shown.iter().filter(|payload| *payload == text).count();
    // The Parallel, its four branches; the execution's own input is not stored with a snapshot.
    assert_eq!(count(input), 5);
    assert_eq!(count(items), 1);
    assert_eq!(count(r#"{"n":123456789012345678901234567890,"f":1.5}"#), 1);
    assert_eq!(count("\"answer\""), 1);
    // The first iteration's result; the item of the second, which is also its input.
    assert_eq!(count("[1]"), 1);
    assert_eq!(count(r#"{"y":null}"#), 2);
    assert_eq!(stored_apart(&snapshot), snapshot);
}

fn call(resource: &str, parameters: Value) -> Call {
    Call {
        effect: EffectId(7),
        state: "S".into(),
        iteration: vec![Iteration { map: "M".into(), index: 3 }],
        resource: asl::state::Resource::from_arn(&resource.into()).expect("it is a resource"),
        parameters,
        role_arn: Some("arn:aws:iam::123456789012:role/r".into()),
        token: Some(TaskToken::new([9; 16], "arn:aws:states:us-east-1:123456789012:execution:m:e")),
        timeout_seconds: Some(60),
        heartbeat_seconds: None,
        retry_count: 2,
    }
}

const RESOURCES: [&str; 5] = [
    "arn:aws:lambda:us-east-1:123456789012:function:f:live",
    "arn:aws:states:us-east-1:123456789012:activity:work",
    "arn:aws:states:::states:startExecution.sync:2",
    "arn:aws:states:::aws-sdk:dynamodb:query",
    "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
];

/// Stored and read back: with members by place, and by name.
fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> [T; 2] {
    let by_place = rmp_serde::to_vec(value).expect("it can be stored");
    let by_name = rmp_serde::to_vec_named(value).expect("it can be stored");
    [by_place, by_name].map(|bytes| rmp_serde::from_slice(&bytes).expect("it reads back"))
}

#[test]
fn verdicts_are_stored() {
    for verdict in [Verdict::Accepted, Verdict::NoSuchTask, Verdict::AlreadyStarted, Verdict::Ended] {
        assert_eq!(round_trip(&verdict), [verdict; 2]);
    }
}

#[test]
fn a_resource_that_no_task_can_call_is_refused() {
    let mut bytes = rmp_serde::to_vec(&Effect::Call(Box::new(call(RESOURCES[0], Value::Null)))).unwrap();
    let at = bytes.windows(4).position(|window| window == b":lam").expect("the ARN is stored");
    bytes[at + 1] = b'x';
    assert!(rmp_serde::from_slice::<Effect>(&bytes).is_err());
}

fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,30}".prop_map(Value::from),
        Just(json("123456789012345678901234567890")),
        (-1e9..1e9).prop_map(|n: f64| json(&format!("{n:?}"))),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]{1,2}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn effects_and_inputs_are_stored_with_their_payloads_apart(payload in payload(), which in 0usize..5) {
        let call = call(RESOURCES[which], payload.clone());
        let token = call.token.clone().expect("it has one");
        let outcome = TaskOutcome::Succeeded(payload.clone());
        let effect = EffectId(7);
        let with_payload = [
            Input::Start { input: payload.clone() },
            Input::TaskSubmitted { effect, output: payload.clone() },
            Input::TaskSettled { effect, outcome: outcome.clone() },
            Input::Callback { token: token.clone(), outcome },
        ];
        for input in with_payload {
            let mut moved = input.clone();
            let mut kept = Vec::new();
            moved.visit_payloads(&mut |payload| kept.push(std::mem::take(payload)));
            prop_assert_eq!(&kept, std::slice::from_ref(&payload));
            for mut read in round_trip(&moved) {
                read.visit_payloads(&mut |place| *place = payload.clone());
                prop_assert_eq!(&read, &input);
            }
        }
        let mut whole = Effect::Call(Box::new(call));
        for mut read in round_trip(&whole) {
            prop_assert_eq!(&read, &whole);
            read.visit_payloads(&mut |place| *place = Value::Null);
            whole.visit_payloads(&mut |place| *place = Value::Null);
            prop_assert_eq!(&read, &whole);
            whole.visit_payloads(&mut |place| *place = payload.clone());
        }
        let without_payload = [
            Input::Continue,
            Input::Wake,
            Input::TaskStarted { effect, worker: Some("w".into()) },
            Input::TaskLost { effect },
            Input::Heartbeat { token, at: Timestamp::from_millis(1) },
            Input::Stop { failure: Failure::named("E") },
        ];
        for mut input in without_payload {
            prop_assert_eq!(round_trip(&input), [input.clone(), input.clone()]);
            input.visit_payloads(&mut |_| panic!("it has no payload"));
        }
    }
}
