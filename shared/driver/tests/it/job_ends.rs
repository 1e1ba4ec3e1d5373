//! How jobs end that do not end by themselves: when they are cancelled, and when they are not.

use std::time::Duration;

use driver::{Config, Delivered};
use engine::{Input, TaskOutcome};
use model::error::Failure;
use model::json::Value;
use model::status::ExecutionStatus;

use crate::scene::{Scene, job};

const NONE: [u64; 0] = [];

fn one(name: &str, more: &str) -> String {
    format!(r#"{{"StartAt": "{name}", "States": {{{}}}}}"#, job(name, &format!(r#"{more} "End": true"#)))
}

/// A Parallel of a job and of something else.
fn beside(start: &str, states: &str) -> String {
    let job = job("Job", r#""End": true"#);
    format!(
        r#"{{"StartAt": "Both", "States": {{"Both": {{"Type": "Parallel", "End": true, "Branches": [
            {{"StartAt": "Job", "States": {{{job}}}}}, {{"StartAt": "{start}", "States": {{{states}}}}}]}}}}}}"#
    )
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn stop(scene: &Scene) {
    let stop = Input::Stop { failure: Failure::new("Enough", "is enough") };
    let stopped = scene.door.deliver(&scene.execution("x"), stop).await.unwrap();
    assert!(matches!(stopped, Delivered::Accepted { .. }));
}

/// A world with a driver, in which `x` has run for so long.
async fn begun(definition: &str, after: u64) -> (Scene, crate::scene::Running) {
    let scene = Scene::new(definition, Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(after).await;
    (scene, driver)
}

/// Nobody asks, and nothing is left, long after the end.
async fn rests(scene: &Scene, polled: &[u64]) {
    seconds(400).await;
    assert_eq!(scene.tasks.polled("Job"), polled);
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_the_token_ends_the_task_and_its_job_is_forgotten() {
    for outcome in [TaskOutcome::Succeeded(Value::from(1_i64)), TaskOutcome::failed(Failure::named("Told"))] {
        let (scene, _driver) = begun(&one("Job", ""), 10).await;
        let token = scene.tasks.tokens.lock().unwrap()[0].clone();
        assert!(matches!(scene.callback(&token, outcome).await, Delivered::Accepted { .. }));
        scene.ended("x", 5).await;
        rests(&scene, &[2, 7]).await;
        assert_eq!(scene.tasks.cancelled("Job"), NONE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_overtakes_its_call_ends_the_task_and_nobody_asks_for_the_job() {
    let (scene, _driver) = begun(&one("GateJob", ""), 1).await;
    let token = scene.tasks.tokens.lock().unwrap()[0].clone();
    scene.callback(&token, TaskOutcome::Succeeded(Value::from(1_i64))).await;
    scene.tasks.gate.notify_waiters();
    assert_eq!(scene.ended("x", 5).await.status, ExecutionStatus::Succeeded);
    seconds(100).await;
    assert_eq!((scene.tasks.polled("GateJob"), scene.tasks.cancelled("GateJob")), (vec![], vec![]));
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_fails_another_branch_cancels_the_job() {
    let token = r#""Token": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
        "Parameters": {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}}}"#;
    let (scene, _driver) = begun(&beside("Token", token), 10).await;
    let state = |token: &engine::TaskToken| scene.tasks.known("Job")[0].call.token.as_ref() != Some(token);
    let token = scene.tasks.tokens.lock().unwrap().iter().find(|token| state(token)).unwrap().clone();
    scene.callback(&token, TaskOutcome::failed(Failure::named("Told"))).await;
    assert_eq!(scene.ended("x", 5).await.status, ExecutionStatus::Failed);
    rests(&scene, &[2, 7]).await;
    assert_eq!(scene.tasks.cancelled("Job"), [11]);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_task_cancels_its_job() {
    let (scene, _driver) = begun(&one("Job", r#""TimeoutSeconds": 50,"#), 0).await;
    let found = scene.ended("x", 60).await;
    assert_eq!(found.failure.error.as_deref(), Some("States.Timeout"));
    rests(&scene, &[2, 7, 17, 37]).await;
    assert_eq!(scene.tasks.cancelled("Job"), [51]);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_task_and_their_absence_cancels_its_job() {
    let (scene, _driver) = begun(&one("Job", r#""HeartbeatSeconds": 20,"#), 15).await;
    let token = scene.tasks.tokens.lock().unwrap()[0].clone();
    assert!(matches!(scene.door.heartbeat(&token).await.unwrap(), Delivered::Accepted { .. }));
    seconds(10).await;
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Running);
    let found = scene.ended("x", 30).await;
    assert_eq!(found.failure.error.as_deref(), Some("States.Timeout"));
    let after = found.stopped_at.unwrap().millis_since(found.execution.started_at);
    assert!((35_000..42_000).contains(&after), "{after}");
    seconds(400).await;
    assert_eq!(scene.tasks.cancelled("Job").len(), 1);
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_a_process_that_calls_nothing_cancels_the_job_once_a_driver_is_there() {
    let (scene, driver) = begun(&one("Job", ""), 10).await;
    driver.stop().await;
    stop(&scene).await;
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Aborted);
    seconds(10).await;
    assert_eq!(scene.tasks.cancelled("Job"), NONE);
    let _driver = scene.driver().await;
    seconds(1).await;
    assert_eq!(scene.tasks.cancelled("Job"), [20]);
    rests(&scene, &[2, 7]).await;
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_an_execution_cancels_its_jobs() {
    let definition = one("Job", "").replacen('{', r#"{"TimeoutSeconds": 30, "#, 1);
    let (scene, _driver) = begun(&definition, 0).await;
    assert_eq!(scene.ended("x", 40).await.status, ExecutionStatus::TimedOut);
    rests(&scene, &[2, 7, 17]).await;
    assert_eq!(scene.tasks.cancelled("Job"), [31]);
}

#[tokio::test(start_paused = true)]
async fn the_job_of_a_branch_that_loses_is_cancelled() {
    let states = r#""W": {"Type": "Wait", "Seconds": 12, "Next": "Fails"}, "Fails": {"Type": "Task", "End": true,
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f"}"#;
    let (scene, _driver) = begun(&beside("W", states), 0).await;
    assert_eq!(scene.ended("x", 20).await.status, ExecutionStatus::Failed);
    rests(&scene, &[2, 7]).await;
    assert_eq!(scene.tasks.cancelled("Job"), [13]);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_cancelled_once_the_record_stands_however_late_that_is() {
    let (scene, _driver) = begun(&one("Job", r#""TimeoutSeconds": 50,"#), 49).await;
    *scene.slow.records.lock().unwrap() = Duration::from_secs(5);
    seconds(5).await;
    assert_eq!(scene.describe("x").await.status, ExecutionStatus::Running);
    rests(&scene, &[2, 7, 17, 37]).await;
    assert_eq!(scene.tasks.cancelled("Job"), [55]);
}

#[tokio::test(start_paused = true)]
async fn what_a_driver_has_announced_that_is_gone_is_cancelled_by_whoever_writes_the_record() {
    let (scene, driver) = begun(&one("Job", r#""TimeoutSeconds": 50,"#), 49).await;
    *scene.slow.records.lock().unwrap() = Duration::from_secs(5);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    driver.crash().await;
    let _other = scene.driver().await;
    seconds(10).await;
    // It was looked for, and is again half a minute later: another stands there then.
    assert_eq!((scene.rows("x", "r/").len(), scene.tasks.cancelled("Job")), (3, vec![]));
    assert_eq!(scene.ended("x", 20).await.failure.error.as_deref(), Some("States.Timeout"));
    seconds(400).await;
    assert_eq!(scene.tasks.cancelled("Job").len(), 1);
    assert_eq!(scene.queues.messages("driver").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_cancelled_by_a_record_that_another_came_before() {
    let (scene, _driver) = begun(&one("Job", r#""TimeoutSeconds": 50,"#), 49).await;
    let token = scene.tasks.tokens.lock().unwrap()[0].clone();
    *scene.slow.records.lock().unwrap() = Duration::from_secs(5);
    seconds(3).await;
    // The timeout is announced, and its record on its way.
    let outcome = TaskOutcome::Succeeded(Value::from(1_i64));
    assert!(matches!(scene.callback(&token, outcome).await, Delivered::Accepted { .. }));
    assert_eq!(scene.ended("x", 10).await.status, ExecutionStatus::Succeeded);
    rests(&scene, &[2, 7, 17, 37]).await;
    assert_eq!(scene.tasks.cancelled("Job"), NONE);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_starts_a_job_has_an_unknown_outcome_when_its_driver_is_gone() {
    for (state, calls) in [("GateJob", 1), ("ReadGateJob", 2)] {
        let (scene, driver) = begun(&one(state, ""), 1).await;
        driver.crash().await;
        let _other = scene.driver().await;
        seconds(120).await;
        assert_eq!(scene.tasks.done(state), calls);
        if calls == 1 {
            let found = scene.describe("x").await;
            assert_eq!(found.failure.error.as_deref(), Some("States.TaskFailed"));
            assert!(found.failure.cause.unwrap().contains("unknown"));
        } else {
            scene.tasks.gate.notify_waiters();
            seconds(5).await;
            assert_eq!(scene.tasks.polled(state), [2]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_starts_when_nobody_waits_for_it_any_more_is_cancelled() {
    let (scene, driver) = begun(&one("GateJob", ""), 5).await;
    stop(&scene).await;
    seconds(5).await;
    assert_eq!(driver.driver.sessions(), 1, "the call goes on");
    scene.tasks.gate.notify_waiters();
    seconds(5).await;
    assert_eq!((scene.tasks.polled("GateJob"), scene.tasks.cancelled("GateJob")), (vec![], vec![0]));
    assert_eq!((driver.driver.sessions(), scene.queues.messages("driver").len()), (0, 0));
}
