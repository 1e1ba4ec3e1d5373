//! How jobs are followed: asked for on their schedule, by whoever is there, without anybody who waits.

use std::time::Duration;

use driver::Config;
use engine::TaskOutcome;
use journal::execution::Parent;
use model::json::Value;
use model::status::ExecutionStatus;
use ports::{Queues as _, Receipt};

use crate::scene::{Scene, job};

/// The seconds at which a job is asked for within the first four minutes.
const SCHEDULE: [u64; 10] = [2, 7, 17, 37, 67, 97, 127, 157, 187, 217];

fn done() -> TaskOutcome {
    TaskOutcome::Succeeded(Value::from(7_i64))
}

fn one(more: &str) -> String {
    format!(r#"{{"StartAt": "Job", "States": {{{}}}}}"#, job("Job", more))
}

fn both(branches: &[(&str, String)]) -> String {
    let branch =
        |(start, states): &(&str, String)| format!(r#"{{"StartAt": "{start}", "States": {{{states}}}}}"#);
    let branches: Vec<String> = branches.iter().map(branch).collect();
    format!(
        r#"{{"StartAt": "Both", "States": {{"Both": {{"Type": "Parallel", "End": true, "Branches": [{}]}}}}}}"#,
        branches.join(", ")
    )
}

const END: &str = r#""End": true"#;

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_is_asked_for_on_its_schedule_by_nobody_who_waits_and_costs_four_records() {
    let scene = Scene::new(&one(END), Config::default()).await;
    let before = scene.slow.writes();
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(1).await;
    let writes = scene.slow.writes();
    assert_eq!((scene.rows("x", "r/").len(), writes - before), (3, 3), "created, claimed, accepted");
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..225 {
        assert_eq!(driver.driver.sessions(), 0);
        assert_eq!(scene.queues.messages("driver").len(), 1, "one message after the other");
        seconds(1).await;
    }
    assert_eq!(scene.tasks.polled("Job"), SCHEDULE);
    assert_eq!(scene.slow.writes(), writes, "asking writes nothing");
    scene.tasks.end("Job", done());
    let found = scene.ended("x", 40).await;
    assert_eq!((found.status, found.output), (ExecutionStatus::Succeeded, Some(Value::from(7_i64))));
    assert_eq!(scene.slow.writes(), writes + 1);
    seconds(100).await;
    assert_eq!(scene.tasks.polled("Job").last(), Some(&247), "not after its end");
    assert_eq!(scene.tasks.cancelled("Job"), [0_u64; 0]);
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

/// A world in which a driver is about to write that the job of `x` has started, and has said so.
async fn about_to_start(definition: &str) -> (Scene, crate::scene::Running) {
    let scene = Scene::new(definition, Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((scene.rows("x", "r/").len(), scene.queues.messages("driver").len()), (2, 1));
    (scene, driver)
}

fn gated() -> String {
    format!(r#"{{"StartAt": "GateJob", "States": {{{}}}}}"#, job("GateJob", END))
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_lost_with_the_driver_that_has_just_written_that_it_started() {
    let (scene, driver) = about_to_start(&gated()).await;
    scene.slow.deaf.store(true, std::sync::atomic::Ordering::SeqCst);
    scene.tasks.gate.notify_waiters();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((scene.rows("x", "r/").len(), scene.queues.messages("driver").len()), (3, 2));
    // Its own message is gone, too, as when it was delivered twice.
    let queue = scene.queues.open("driver").await.unwrap();
    queue.delete(&[Receipt("0-1".into())]).await.unwrap();
    assert_eq!(scene.queues.messages("driver").len(), 1);
    driver.crash().await;
    scene.slow.deaf.store(false, std::sync::atomic::Ordering::SeqCst);
    let _other = scene.driver().await;
    seconds(20).await;
    assert_eq!(scene.tasks.polled("GateJob"), [2, 7, 17]);
    assert_eq!(scene.queues.messages("driver").len(), 1);
    scene.tasks.end("GateJob", done());
    assert_eq!(scene.ended("x", 40).await.status, ExecutionStatus::Succeeded);
    assert_eq!((scene.tasks.done("GateJob"), scene.tasks.polled("GateJob").len()), (1, 4));
}

/// Whoever has ended an execution may stop before anybody is told, and another may have deleted the message
/// that it had, which was delivered twice: the next message about a job sees to it.
#[tokio::test(start_paused = true)]
async fn an_end_that_nobody_was_told_of_is_told_after_another_question() {
    let scene = Scene::new(&one(END), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(1).await;
    let queue = scene.queues.open("driver").await.unwrap();
    let [question] = &scene.queues.messages("driver")[..] else { panic!("one message asks for the job") };
    queue.send(question.clone(), Duration::from_secs(20)).await.unwrap();
    scene.tasks.end("Job", TaskOutcome::failed(model::error::Failure::named("Broken")));
    scene.slow.deaf.store(true, std::sync::atomic::Ordering::SeqCst);
    seconds(3).await;
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Failed);
    driver.crash().await;
    scene.slow.deaf.store(false, std::sync::atomic::Ordering::SeqCst);
    for number in 0..9 {
        queue.delete(&[Receipt(format!("{number}-1").into())]).await.unwrap();
    }
    assert_eq!(scene.queues.messages("driver").len(), 1);
    let _other = scene.driver().await;
    seconds(30).await;
    assert_eq!(scene.bus.events().len(), 1);
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_record_is_late_is_asked_for_once_it_stands() {
    let (scene, driver) = about_to_start(&gated()).await;
    *scene.slow.records.lock().unwrap() = Duration::from_secs(10);
    scene.tasks.gate.notify_waiters();
    seconds(43).await;
    assert_eq!(scene.tasks.polled("GateJob"), [10, 17, 37]);
    assert_eq!((scene.queues.messages("driver").len(), driver.driver.sessions()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_record_never_comes_is_asked_for_by_nobody() {
    let (scene, driver) = about_to_start(&gated()).await;
    *scene.slow.records.lock().unwrap() = Duration::from_secs(10);
    scene.tasks.gate.notify_waiters();
    seconds(1).await;
    driver.crash().await;
    let _other = scene.driver().await;
    seconds(10).await;
    assert_eq!(scene.queues.messages("driver").len(), 2, "it may come, and is looked for");
    let found = scene.ended("x", 100).await;
    assert!(found.failure.cause.unwrap().contains("unknown"));
    seconds(60).await;
    assert_eq!((scene.tasks.polled("GateJob"), scene.tasks.done("GateJob")), (vec![], 1));
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_lost_between_two_questions_nor_within_one() {
    let scene = Scene::new(&one(END), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(10).await;
    driver.crash().await;
    let driver = scene.driver().await;
    *scene.tasks.poll.lock().unwrap() = Duration::from_secs(3);
    seconds(9).await;
    assert_eq!(scene.tasks.polled("Job"), [2, 7, 17]);
    driver.crash().await;
    let _other = scene.driver().await;
    seconds(100).await;
    // 30 seconds after it was received it comes again, and is late; then all is as it was.
    assert_eq!(scene.tasks.polled("Job"), [2, 7, 17, 47, 67, 97]);
    assert_eq!(scene.queues.messages("driver").len(), 1);
    scene.tasks.end("Job", done());
    assert_eq!(scene.ended("x", 40).await.status, ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_ends_in_good_order_leaves_the_question_to_others() {
    let scene = Scene::new(&one(END), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(1).await;
    driver.stop().await;
    let _other = scene.driver().await;
    seconds(20).await;
    assert_eq!(scene.tasks.polled("Job"), [2, 7, 17]);
}

#[tokio::test(start_paused = true)]
async fn two_who_ask_at_once_settle_once() {
    let scene = Scene::new(&one(END), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(10).await;
    driver.stop().await;
    let queue = scene.queues.open("driver").await.unwrap();
    let body = scene.queues.messages("driver").remove(0);
    queue.send(body, Duration::from_secs(7)).await.unwrap();
    *scene.tasks.poll.lock().unwrap() = Duration::from_secs(1);
    scene.tasks.end("Job", done());
    seconds(9).await;
    let (one, other) = (scene.taker().await, scene.taker().await);
    let first = queue.receive(1, Duration::ZERO).await.unwrap();
    let second = queue.receive(1, Duration::ZERO).await.unwrap();
    let receipts = [first[0].receipt.clone(), second[0].receipt.clone()];
    let until = scene.clock.now().plus_seconds(60);
    let again = tokio::join!(one.take(first, until), other.take(second, until));
    assert_eq!(again, (vec![], vec![]));
    queue.delete(&receipts).await.unwrap();
    assert_eq!(scene.tasks.polled("Job").len(), 4, "both have asked");
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Succeeded);
    let types = scene.types("x").await;
    assert_eq!(types.iter().filter(|name| **name == "TaskSucceeded").count(), 1, "{types:?}");
    assert_eq!((scene.rows("x", "r/").len(), scene.tasks.cancelled("Job").len()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_again_brings_no_others_for_jobs_that_are_older() {
    let names = ["JobA", "JobB", "JobC"];
    let branches: Vec<_> = names.iter().map(|name| (*name, job(name, END))).collect();
    let scene = Scene::new(&both(&branches), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(130).await;
    driver.stop().await;
    assert_eq!(scene.queues.messages("driver").len(), 3);
    for _ in 0..4 {
        // Received by somebody who is gone with it: they come again.
        assert_eq!(scene.received(40).await.len(), 3);
        seconds(31).await;
        let driver = scene.driver().await;
        seconds(1).await;
        driver.stop().await;
        assert_eq!(scene.queues.messages("driver").len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_asked_for_beside_a_call_that_outlasts_the_shift() {
    let slow = r#""Slow": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true}"#;
    let scene =
        Scene::new(&both(&[("Job", job("Job", END)), ("Slow", slow.to_owned())]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(230).await;
    assert_eq!(driver.driver.sessions(), 1, "the call is held to its end");
    assert_eq!(scene.tasks.polled("Job"), SCHEDULE);
    scene.tasks.end("Job", done());
    seconds(30).await;
    assert!(scene.types("x").await.contains(&"TaskSucceeded"));
    assert_eq!(scene.ended("x", 700).await.status, ExecutionStatus::Succeeded);
    seconds(2).await;
    assert_eq!((scene.queues.messages("driver").len(), driver.driver.sessions()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn beside_far_timers_an_execution_is_parked_with_the_record_that_its_job_has_started() {
    let scene = Scene::new(&one(r#""TimeoutSeconds": 3600, "End": true"#), Config::default()).await;
    let before = scene.slow.writes();
    let _driver = scene.driver().await;
    let sweeper = scene.sweeper();
    tokio::spawn(async move { sweeper.run().await });
    scene.start("x", Value::object()).await;
    seconds(700).await;
    let records = scene.rows("x", "r/");
    assert_eq!(records.len(), 3, "no record is written to park it");
    assert_eq!(records[2].indexes.len(), 1, "it is found by its timer");
    assert_eq!(scene.slow.writes() - before, 3);
    let found = scene.ended("x", 3_000).await;
    assert_eq!(found.failure.error.as_deref(), Some("States.Timeout"));
    let took = found.stopped_at.unwrap().millis_since(found.execution.started_at);
    assert!((3_600_000..3_602_000).contains(&took), "{took} ms");
    // Every minute, and never twice.
    let polled = scene.tasks.polled("Job");
    assert_eq!(polled.last(), Some(&3_547));
    assert!(polled.windows(2).all(|two| two[0] < two[1]), "{polled:?}");
    seconds(300).await;
    assert_eq!(scene.tasks.cancelled("Job"), [3_601]);
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn records_without_a_state_give_the_same_job() {
    let storing = |config: &mut journal::Config| config.state_bytes_always = 0;
    let scene = Scene::storing(&one(END), Config::default(), storing).await;
    let driver = scene.driver().await;
    let text: Vec<Value> = (0..1_000_i64).map(|n| Value::from(n * 7_919 % 1_009)).collect();
    scene.start("x", Value::from(text)).await;
    seconds(3).await;
    let bytes: Vec<usize> = scene.rows("x", "r/").iter().map(|row| row.body.len()).collect();
    assert!(bytes[1] < bytes[0] / 2 && bytes[2] < bytes[0] / 2, "{bytes:?}: the state is in the first alone");
    let before = scene.tasks.known("Job");
    driver.crash().await;
    let _other = scene.driver().await;
    seconds(30).await;
    // Whoever loads it knows the same of it, and when it is to be asked for.
    assert_eq!(scene.tasks.polled("Job"), [2, 7, 17]);
    let known = scene.tasks.known("Job");
    assert!(known.iter().all(|job| *job == before[0]), "{known:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_job_is_known_by_may_be_large() {
    let scene = Scene::new(&one(END), Config::default()).await;
    let output = Value::from("x".repeat(200_000));
    *scene.tasks.output.lock().unwrap() = output.clone();
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(10).await;
    driver.crash().await;
    let _other = scene.driver().await;
    seconds(10).await;
    let stop = engine::Input::Stop { failure: model::error::Failure::default() };
    scene.door.deliver(&scene.execution("x"), stop).await.unwrap();
    seconds(2).await;
    assert_eq!((scene.tasks.polled("Job"), scene.tasks.cancelled("Job").len()), (vec![2, 7, 17], 1));
    assert!(scene.tasks.known("Job").iter().all(|job| job.output == output));
    assert!(scene.rows("x", "r/").iter().all(|row| row.body.len() < 10_000), "it is stored apart");
}

/// `be` in the input says what an execution is.
fn family() -> String {
    format!(
        r#"{{"StartAt": "Be", "States": {{
            "Be": {{"Type": "Choice", "Choices": [
                {{"Variable": "$.be", "StringEquals": "parent", "Next": "Job"}},
                {{"Variable": "$.be", "StringEquals": "brief", "Next": "Brief"}}], "Default": "Pass"}},
            "Brief": {{"Type": "Wait", "Seconds": 5, "End": true}},
            "Pass": {{"Type": "Pass", "End": true}}, {}}}}}"#,
        job("Job", END)
    )
}

fn be(what: &str) -> Value {
    Value::parse(&format!(r#"{{"be": "{what}"}}"#)).unwrap()
}

/// A parent whose next question is at 67 seconds, at 40.
async fn parent(scene: &Scene) -> Option<Parent> {
    scene.start("parent", be("parent")).await;
    seconds(40).await;
    assert_eq!(scene.tasks.polled("Job"), SCHEDULE[..4]);
    scene.tasks.end("Job", done());
    let effect = scene.tasks.known("Job")[0].call.effect;
    Some(Parent { execution: scene.execution("parent"), effect })
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_execution_wakes_the_task_that_waits_for_it() {
    for (what, polled) in [("brief", 45), ("quick", 40)] {
        let scene = Scene::new(&family(), Config::default()).await;
        let _driver = scene.driver().await;
        let parent = parent(&scene).await;
        scene.start_of("child", be(what), parent).await;
        assert_eq!(scene.ended("parent", 10).await.status, ExecutionStatus::Succeeded, "{what}");
        assert_eq!(scene.tasks.polled("Job")[4..], [polled], "{what}");
        seconds(60).await;
        assert_eq!(scene.queues.messages("driver").len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_parent_is_told_of_an_end_whose_process_crashed_before_it_could() {
    let scene = Scene::new(&family(), Config::default()).await;
    let _driver = scene.driver().await;
    let parent = parent(&scene).await;
    scene.slow.deaf.store(true, std::sync::atomic::Ordering::SeqCst);
    let start = scene.start_of("child", be("quick"), parent);
    assert!(tokio::time::timeout(Duration::from_secs(1), start).await.is_err());
    scene.slow.deaf.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(scene.describe("child").await.status, ExecutionStatus::Succeeded);
    scene.ended("parent", 10).await;
    assert!((41..50).contains(&scene.tasks.polled("Job")[4]), "{:?}", scene.tasks.polled("Job"));
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_has_ended_is_left_alone() {
    let scene = Scene::new(&family(), Config::default()).await;
    let _driver = scene.driver().await;
    let parent = parent(&scene).await;
    let stop = engine::Input::Stop { failure: model::error::Failure::default() };
    scene.door.deliver(&scene.execution("parent"), stop).await.unwrap();
    seconds(2).await;
    let records = scene.rows("parent", "").len();
    scene.start_of("child", be("brief"), parent).await;
    assert_eq!(scene.ended("child", 10).await.status, ExecutionStatus::Succeeded);
    seconds(60).await;
    assert_eq!(scene.describe("parent").await.status, ExecutionStatus::Aborted);
    assert_eq!((scene.rows("parent", "").len(), scene.tasks.polled("Job").len()), (records, 4));
    assert_eq!(scene.queues.messages("driver").len(), 0);
}
