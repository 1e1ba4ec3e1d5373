//! Each rule of the protocol, by the case that needs it.

use std::time::Duration;

use driver::{Config, Delivered, Started};
use engine::{Input, TaskOutcome};
use model::error::Failure;
use model::json::Value;
use model::status::ExecutionStatus;
use ports::{Condition, Queues as _, Row, Table as _};

use crate::scene::{Scene, chain};

async fn settle() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test(start_paused = true)]
async fn n_tasks_cost_the_start_and_n_plus_one_records() {
    let scene = Scene::new(&chain(&["A", "B", "C", "D", "E"]), Config::default()).await;
    let _driver = scene.driver().await;
    assert!(matches!(scene.start("x", Value::object()).await, Started::Started { .. }));
    let found = scene.ended("x", 10).await;
    assert_eq!(found.status, ExecutionStatus::Succeeded);
    assert_eq!(scene.rows("x", "r/").len(), 7, "{:?}", scene.types("x").await);
    for state in ["A", "B", "C", "D", "E"] {
        assert_eq!(scene.tasks.done(state), 1);
    }
    settle().await;
    assert_eq!(scene.queues.messages("driver").len(), 0, "every message is acknowledged");
    let ids: Vec<u64> = scene.history("x").await.iter().map(|event| event.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_ends_in_its_start_is_one_record_and_no_message() {
    let pass = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
    let scene = Scene::new(pass, Config::default()).await;
    scene.start("x", Value::object()).await;
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Succeeded);
    assert_eq!(scene.rows("x", "").len(), 1);
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_is_repeated_while_it_is_open_and_refused_after() {
    let scene = Scene::new(&chain(&["A"]), Config::default()).await;
    let input = Value::parse(r#"{"a": 1}"#).unwrap();
    let first = scene.start("x", input.clone()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(scene.start("x", input.clone()).await, first);
    assert_eq!(scene.start("x", Value::object()).await, Started::AlreadyExists);
    let _driver = scene.driver().await;
    scene.ended("x", 10).await;
    assert_eq!(scene.start("x", input).await, Started::AlreadyExists);
    assert_eq!(scene.tasks.done("A"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_during_a_call_makes_its_outcome_unknown_and_never_repeats_it() {
    let scene = Scene::new(&chain(&["Slow"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    settle().await;
    assert_eq!(scene.tasks.done("Slow"), 1);
    driver.crash().await;
    let _other = scene.driver().await;
    let found = scene.ended("x", 120).await;
    assert_eq!(found.status, ExecutionStatus::Failed);
    assert_eq!(found.failure.error.as_deref(), Some("States.TaskFailed"));
    assert_eq!(scene.tasks.done("Slow"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_only_reads_is_repeated_after_a_crash() {
    let scene = Scene::new(&chain(&["ReadGate"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    settle().await;
    driver.crash().await;
    let _other = scene.driver().await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(scene.tasks.done("ReadGate"), 2);
    scene.tasks.gate.notify_waiters();
    assert_eq!(scene.ended("x", 10).await.status, ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_a_long_call_is_left_alone() {
    let scene = Scene::new(&chain(&["Slow"]), Config::default()).await;
    let _driver = scene.driver().await;
    let _other = scene.driver().await;
    scene.start("x", Value::object()).await;
    let found = scene.ended("x", 700).await;
    assert_eq!(found.status, ExecutionStatus::Succeeded);
    assert_eq!(scene.tasks.done("Slow"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_callback_settles_its_task_and_is_refused_after() {
    let scene = Scene::new(&chain(&["Token"]), Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    settle().await;
    let token = scene.tasks.tokens.lock().unwrap()[0].clone();
    let outcome = TaskOutcome::Succeeded(Value::from(7_i64));
    assert!(matches!(scene.callback(&token, outcome.clone()).await, Delivered::Accepted { .. }));
    let found = scene.ended("x", 10).await;
    assert_eq!(found.output, Some(Value::from(7_i64)));
    assert!(matches!(scene.callback(&token, outcome).await, Delivered::Ended { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_overtakes_its_call_is_kept() {
    let scene = Scene::new(&chain(&["EarlyToken"]), Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    settle().await;
    let token = scene.tasks.tokens.lock().unwrap()[0].clone();
    let outcome = TaskOutcome::Succeeded(Value::from(7_i64));
    assert!(matches!(scene.callback(&token, outcome).await, Delivered::Accepted { .. }));
    settle().await;
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Running);
    scene.tasks.gate.notify_waiters();
    assert_eq!(scene.ended("x", 10).await.status, ExecutionStatus::Succeeded);
    let types = scene.types("x").await;
    let at = |name: &str| types.iter().position(|found| *found == name).unwrap();
    assert!(at("TaskSubmitted") < at("TaskSucceeded"), "{types:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_aborts_what_runs() {
    let scene = Scene::new(&chain(&["Slow"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    settle().await;
    let failure = Failure::new("Enough", "is enough");
    let stopped = scene.door.deliver(&scene.execution("x"), Input::Stop { failure }).await.unwrap();
    assert!(matches!(stopped, Delivered::Accepted { .. }));
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Aborted);
    settle().await;
    assert_eq!(driver.driver.sessions(), 0, "the call is not waited for");
    assert_eq!(scene.queues.messages("driver").len(), 0);
    assert_eq!(scene.bus.events().len(), 1);
}

fn wait(seconds: u32) -> String {
    format!(r#"{{"StartAt": "W", "States": {{"W": {{"Type": "Wait", "Seconds": {seconds}, "End": true}}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn seconds_minutes_and_days_are_waited_for_and_held_by_nobody() {
    for (seconds, messages) in [(1, 1), (600, 1), (86_400, 0)] {
        let scene = Scene::new(&wait(seconds), Config::default()).await;
        let driver = scene.driver().await;
        let sweeper = scene.sweeper();
        tokio::spawn(async move { sweeper.run().await });
        scene.start("x", Value::object()).await;
        settle().await;
        assert_eq!(scene.queues.messages("driver").len(), messages, "{seconds} s");
        assert_eq!(driver.driver.sessions(), 0);
        let found = scene.ended("x", i64::from(seconds) + 5).await;
        let took = found.stopped_at.unwrap().millis_since(found.execution.started_at);
        assert!(
            (i64::from(seconds) * 1_000..i64::from(seconds) * 1_000 + 1_500).contains(&took),
            "{took} ms"
        );
        settle().await;
        assert_eq!(scene.queues.messages("driver").len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_ends_in_good_order_loses_nothing() {
    let scene = Scene::new(&chain(&["Gate", "B"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    settle().await;
    let tasks = scene.tasks.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        tasks.gate.notify_waiters();
    });
    driver.stop().await;
    assert_eq!(
        (scene.tasks.done("Gate"), scene.tasks.done("B")),
        (1, 0),
        "what ran has ended, nothing began"
    );
    assert!(scene.types("x").await.contains(&"LambdaFunctionSucceeded"));
    let _other = scene.driver().await;
    assert_eq!(scene.ended("x", 5).await.status, ExecutionStatus::Succeeded);
    assert_eq!((scene.tasks.done("Gate"), scene.tasks.done("B")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn after_its_shift_a_session_hands_over() {
    let config = Config { shift_millis: Some(1_000), ..Config::default() };
    let scene = Scene::new(&chain(&["Gate", "B", "C"]), config).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = scene.rows("x", "r/").len();
    scene.tasks.gate.notify_waiters();
    assert_eq!(scene.ended("x", 5).await.status, ExecutionStatus::Succeeded);
    // The result and the claim of the next call do not share a record: that is what it costs.
    assert_eq!(scene.rows("x", "r/").len(), before + 4);
    settle().await;
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_three_times_is_failed_with_the_reason() {
    let scene = Scene::new(&chain(&["A"]), Config::default()).await;
    scene.start("x", Value::object()).await;
    let mut row = scene.rows("x", "r/").remove(0);
    row.body = row.body.slice(..row.body.len() - 3);
    ports::Table::put(&*scene.table, row, Condition::Always).await.unwrap();
    // A process that did not create it, as after a crash.
    let _driver = scene.driver().await;
    let found = scene.ended("x", 200).await;
    assert_eq!(found.status, ExecutionStatus::Failed);
    assert_eq!(found.failure.error.as_deref(), Some("States.Runtime"));
    assert!(found.failure.cause.unwrap().contains("record 0"));
    assert_eq!(scene.tasks.done("A"), 0);
    assert_eq!(scene.bus.events().len(), 1);
}

const HEARTBEAT: &str = r#"{"StartAt": "Token", "States": {"Token": {"Type": "Task", "HeartbeatSeconds": 20,
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
    "Parameters": {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}}}}}"#;

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_heard_in_time_is_not_timed_out_and_heartbeats_cost_few_writes() {
    let scene = Scene::new(HEARTBEAT, Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    settle().await;
    let token = scene.tasks.tokens.lock().unwrap()[0].clone();
    let records = scene.rows("x", "r/").len();
    let mut noted = 0;
    let mut last = None;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(matches!(scene.door.heartbeat(&token).await.unwrap(), Delivered::Accepted { .. }));
        let row = scene.rows("x", "h/").remove(0).body;
        noted += usize::from(last.as_ref() != Some(&row));
        last = Some(row);
    }
    assert!(noted <= 21, "{noted} notes in 100 s, one per quarter of 20 s is enough");
    assert!(
        scene.rows("x", "r/").len() <= records + 10,
        "only a heartbeat that was about to be missed is a record"
    );
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Running);
    let found = scene.ended("x", 40).await;
    assert_eq!(found.failure.error.as_deref(), Some("States.Timeout"));
    assert!(matches!(scene.door.heartbeat(&token).await.unwrap(), Delivered::Ended { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_as_old_as_what_is_known_of_the_worker() {
    let scene = Scene::new(HEARTBEAT, Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    settle().await;
    *scene.slow.heartbeat.lock().unwrap() = Duration::from_secs(5);
    scene.ended("x", 60).await;
    let time = |kind: &str| {
        let kind = kind.to_owned();
        let history = scene.history("x");
        async move {
            let history = history.await;
            history.iter().find(|event| event.event.type_name() == kind).unwrap().timestamp
        }
    };
    let silent = time("TaskTimedOut").await.millis_since(time("TaskSubmitted").await);
    assert!((20_000..21_000).contains(&silent), "timed out after {silent} ms");
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_is_done_or_has_to_come_again() {
    let config = Config { grace_millis: 10_000, ..Config::default() };
    let scene = Scene::new(&chain(&["A", "Gate", "B"]), config).await;
    let driver = scene.taker().await;
    scene.start("quick", Value::object()).await;
    scene.start("held", Value::object()).await;
    let received = scene.received(1).await;
    assert_eq!(received.len(), 2);
    let receipts: Vec<_> = received.iter().map(|received| received.receipt.clone()).collect();
    // One of the two gates opens, the other call runs into the end.
    let begun = scene.clock.now();
    scene.tasks.gate.notify_one();
    let again = driver.take(received, begun.plus_seconds(60)).await;
    assert_eq!(scene.clock.now().millis_since(begun), 60_000);
    let [again] = again.try_into().unwrap();
    let ended = [scene.describe("quick").await.status, scene.describe("held").await.status];
    let done: Vec<_> = ended.iter().filter(|status| **status == ExecutionStatus::Succeeded).collect();
    assert_eq!(done.len(), 1, "{ended:?}");
    assert_eq!(driver.sessions(), 0);
    // The caller deletes what is done; the rest comes again, here as of a process that has gone.
    let queue = scene.queues.open("driver").await.unwrap();
    let done: Vec<_> = receipts.into_iter().filter(|receipt| *receipt != again).collect();
    queue.delete(&done).await.unwrap();
    let other = scene.taker().await;
    while !scene.queues.messages("driver").is_empty() {
        let received = scene.received(20).await;
        let all: Vec<_> = received.iter().map(|received| received.receipt.clone()).collect();
        let again = other.take(received, scene.clock.now().plus_seconds(60)).await;
        let done: Vec<_> = all.into_iter().filter(|receipt| !again.contains(receipt)).collect();
        queue.delete(&done).await.unwrap();
    }
    let statuses = [scene.describe("quick").await, scene.describe("held").await];
    let lost = statuses.iter().find(|found| found.status == ExecutionStatus::Failed).unwrap();
    assert_eq!(lost.failure.error.as_deref(), Some("States.TaskFailed"), "{:?}", lost.failure);
    assert_eq!(scene.tasks.done("Gate"), 2, "no call is made twice");
}

#[tokio::test(start_paused = true)]
async fn before_the_end_of_an_invocation_no_call_begins_and_what_waits_is_handed_over() {
    let config = Config { grace_millis: 50_000, ..Config::default() };
    let scene = Scene::new(&chain(&["Gate", "B"]), config).await;
    let driver = scene.taker().await;
    scene.start("x", Value::object()).await;
    let received = scene.received(1).await;
    let begun = scene.clock.now();
    let gate = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        scene.tasks.gate.notify_one();
    };
    // Closing after 10 s; the call comes back after 30.
    let (again, ()) = tokio::join!(driver.take(received, begun.plus_seconds(60)), gate);
    assert!(again.is_empty());
    assert_eq!((scene.tasks.done("Gate"), scene.tasks.done("B")), (1, 0));
    assert!(scene.clock.now().millis_since(begun) < 31_000);
    // A message of its own, for whoever comes next: this driver again, in its next invocation.
    let received = scene.received(20).await;
    assert!(driver.take(received, scene.clock.now().plus_seconds(60)).await.is_empty());
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Succeeded);
    assert_eq!(scene.tasks.done("B"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_comes_again_soon() {
    let scene = Scene::new(&chain(&["A"]), Config::default()).await;
    let queue = scene.queues.open("driver").await.unwrap();
    queue.send("nonsense".into(), Duration::ZERO).await.unwrap();
    let received = scene.received(1).await;
    let receipt = received[0].receipt.clone();
    // As long as a queue in front of functions hides what it hands over.
    queue.extend(std::slice::from_ref(&receipt), Duration::from_secs(900)).await.unwrap();
    let driver = scene.taker().await;
    assert_eq!(driver.take(received, scene.clock.now().plus_seconds(60)).await, [receipt]);
    assert_eq!(scene.received(40).await.len(), 1);
}

/// Puts another body into the first record of `x`; gives back the row as it was.
async fn rewrite(scene: &Scene, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Row {
    let row = scene.rows("x", "r/").remove(0);
    let body = change(row.body.to_vec());
    scene.table.put(Row { body: body.into(), ..row.clone() }, Condition::Always).await.unwrap();
    row
}

#[tokio::test(start_paused = true)]
async fn what_another_version_wrote_is_left_to_it() {
    let scene = Scene::new(&chain(&["A"]), Config::default()).await;
    scene.start("x", Value::object()).await;
    let row = rewrite(&scene, |mut body| {
        body[0] = 99;
        body
    })
    .await;
    let _driver = scene.driver().await;
    // It comes often enough to be poison, if it were.
    tokio::time::sleep(Duration::from_secs(30 * 4)).await;
    assert_eq!(scene.rows("x", "p").len(), 0, "nothing is counted");
    assert_eq!((scene.rows("x", "r/").len(), scene.tasks.done("A")), (1, 0), "nothing was done");
    // The version that wrote it, or this one after the update.
    scene.table.put(row, Condition::Always).await.unwrap();
    let found = scene.ended("x", 120).await;
    assert_eq!((found.status, scene.tasks.done("A")), (ExecutionStatus::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_fails_with_the_reason() {
    let scene = Scene::new(&chain(&["A"]), Config::default()).await;
    scene.start("x", Value::object()).await;
    rewrite(&scene, |mut body| {
        body.truncate(body.len() - 20);
        body
    })
    .await;
    // The message of the start is lost, as it is long after.
    let receipts: Vec<_> = scene.received(1).await.into_iter().map(|message| message.receipt).collect();
    scene.queues.open("driver").await.unwrap().delete(&receipts).await.unwrap();
    let _driver = scene.driver().await;
    let stop = Input::Stop { failure: Failure::default() };
    assert!(scene.door.deliver(&scene.execution("x"), stop).await.is_err(), "who stops it is told");
    let found = scene.ended("x", 30 * 4).await;
    assert_eq!((found.status, scene.tasks.done("A")), (ExecutionStatus::Failed, 0));
    assert_eq!(found.failure.error.as_deref(), Some("States.Runtime"));
    let cause = found.failure.cause.unwrap();
    assert!(cause.starts_with("stored data cannot be read: "), "{cause}");
}
