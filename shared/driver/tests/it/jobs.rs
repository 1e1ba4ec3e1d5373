//! `.sync` tasks: their jobs are asked for by nobody in particular, and end with their tasks.

use std::time::Duration;

use driver::{Config, Delivered};
use engine::{EffectId, Input, TaskOutcome};
use journal::execution::Parent;
use model::error::Failure;
use model::json::Value;
use model::status::ExecutionStatus;

use crate::scene::{Scene, chain, task};

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn done() -> TaskOutcome {
    TaskOutcome::Succeeded(Value::from("done"))
}

async fn stop(scene: &Scene, name: &str) {
    let failure = Failure::new("Enough", "is enough");
    let stopped = scene.door.deliver(&scene.execution(name), Input::Stop { failure }).await.unwrap();
    assert!(matches!(stopped, Delivered::Accepted { .. }));
}

/// Nothing is left to be done about anything.
async fn rests(scene: &Scene) {
    let polls = scene.tasks.polls.lock().unwrap().len();
    seconds(400).await;
    assert_eq!(scene.queues.messages("driver").len(), 0);
    assert_eq!(scene.tasks.polls.lock().unwrap().len(), polls, "nothing is asked for any more");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_asked_for_on_its_schedule_and_held_by_nobody() {
    let scene = Scene::new(&chain(&["Job", "B"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(5).await;
    let writes = scene.slow.writes();
    assert_eq!(scene.tasks.polls("Job"), [2]);
    for _ in 0..95 {
        seconds(1).await;
        assert!(scene.queues.messages("driver").len() <= 1, "one message at a time");
    }
    seconds(1).await;
    assert_eq!(driver.driver.sessions(), 0);
    assert_eq!(scene.tasks.polls("Job"), [2, 7, 17, 37, 67, 97]);
    seconds(800).await;
    let polls = scene.tasks.polls("Job");
    assert_eq!(polls[polls.len() - 4..], [667, 727, 787, 847]);
    assert_eq!(scene.slow.writes(), writes, "asking writes nothing");
    scene.tasks.end("Job", done());
    let found = scene.ended("x", 70).await;
    assert_eq!((found.status, scene.tasks.done("B")), (ExecutionStatus::Succeeded, 1));
    let types = scene.types("x").await;
    let of_task = ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"];
    assert_eq!(types[2..6], of_task, "{types:?}");
    rests(&scene).await;
    assert_eq!(scene.tasks.done("Job"), 1);
    assert!(scene.tasks.cancelled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_costs_a_message_for_each_question_and_no_more_records_than_a_callback() {
    let scene = Scene::new(&chain(&["Job"]), Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    scene.tasks.end("Job", done());
    scene.ended("x", 10).await;
    // The start, the claim, its job, its end.
    assert_eq!(scene.rows("x", "r/").len(), 4);
    assert_eq!(scene.tasks.polls("Job"), [2]);
    rests(&scene).await;
}

/// Whoever has started a job may stop right behind the record that says so, when another delivery of what
/// brought the execution to it is deleted already.
#[tokio::test(start_paused = true)]
async fn a_job_has_a_message_of_its_own_when_its_record_stands() {
    let scene = Scene::new(&chain(&["Job"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(1).await;
    assert_eq!(scene.types("x").await.last(), Some(&"TaskSubmitted"));
    assert_eq!((scene.queues.messages("driver").len(), driver.driver.sessions()), (1, 0));
    driver.crash().await;
    let _driver = scene.driver().await;
    seconds(20).await;
    assert_eq!(scene.tasks.polls("Job"), [2, 7, 17]);
    stop(&scene, "x").await;
    rests(&scene).await;
}

#[tokio::test(start_paused = true)]
async fn jobs_survive_their_drivers() {
    let scene = Scene::new(&chain(&["Job"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(1).await;
    assert_eq!(scene.types("x").await.last(), Some(&"TaskSubmitted"));
    // Before the first question: the message of the start comes again.
    driver.crash().await;
    let driver = scene.driver().await;
    seconds(79).await;
    let polls = scene.tasks.polls("Job");
    assert!(polls.last() == Some(&67) && polls.len() >= 2, "{polls:?}");
    // Between two: somebody else gets the message.
    driver.crash().await;
    let driver = scene.driver().await;
    seconds(30).await;
    assert_eq!(scene.tasks.polls("Job").last(), Some(&97));
    // In good order, while one is waited for.
    driver.stop().await;
    seconds(100).await;
    let _driver = scene.driver().await;
    scene.tasks.end("Job", TaskOutcome::failed(Failure::new("Broken", "as asked")));
    let found = scene.ended("x", 10).await;
    assert_eq!(found.failure, Failure::new("Broken", "as asked"));
    assert_eq!(scene.tasks.done("Job"), 1);
    rests(&scene).await;
}

#[tokio::test(start_paused = true)]
async fn records_without_a_state_tell_of_jobs() {
    let text = "long ".repeat(5_000);
    let scene = Scene::new(&chain(&["Token", "Job"]), Config::default()).await;
    let driver = scene.driver().await;
    // A state so large that not each record has it.
    scene.start("x", Value::parse(&format!(r#"{{"a": "{text}"}}"#)).unwrap()).await;
    seconds(1).await;
    let token = scene.tasks.tokens.lock().unwrap()[0].clone();
    scene.callback(&token, TaskOutcome::Succeeded(Value::from(text.as_str()))).await;
    seconds(4).await;
    driver.crash().await;
    let _driver = scene.driver().await;
    seconds(60).await;
    let polls = scene.tasks.polls("Job");
    assert_eq!((polls[0], polls[1]), (2, 7), "{polls:?}");
    scene.tasks.end("Job", done());
    assert_eq!(scene.ended("x", 31).await.output, Some(Value::from("done")));
}

#[tokio::test(start_paused = true)]
async fn a_callback_ends_the_task_and_forgets_the_job() {
    let scene = Scene::new(&chain(&["Job", "B"]), Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(10).await;
    let token = scene.tasks.tokens.lock().unwrap()[0].clone();
    assert!(matches!(scene.callback(&token, done()).await, Delivered::Accepted { .. }));
    assert_eq!(scene.ended("x", 5).await.status, ExecutionStatus::Succeeded);
    rests(&scene).await;
    assert_eq!(scene.tasks.polls("Job"), [2, 7]);
    assert!(scene.tasks.cancelled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stop_cancels_jobs_once_and_after_it() {
    let scene = Scene::new(&chain(&["Job"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(10).await;
    stop(&scene, "x").await;
    assert!(scene.tasks.cancelled().is_empty());
    seconds(2).await;
    assert_eq!(scene.tasks.cancelled(), ["Job of x"]);
    // The door alone, while nobody drives.
    scene.start("y", Value::object()).await;
    seconds(10).await;
    driver.crash().await;
    stop(&scene, "y").await;
    seconds(60).await;
    let _driver = scene.driver().await;
    seconds(5).await;
    assert_eq!(scene.tasks.cancelled(), ["Job of x", "Job of y"]);
    rests(&scene).await;
    assert_eq!(scene.tasks.cancelled().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_starts_while_its_execution_is_stopped_is_cancelled() {
    let scene = Scene::new(&chain(&["LateJob"]), Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(5).await;
    stop(&scene, "x").await;
    seconds(5).await;
    assert_eq!(driver.driver.sessions(), 1, "what the call has started is to be ended");
    scene.tasks.gate.notify_waiters();
    seconds(1).await;
    assert_eq!(scene.tasks.cancelled(), ["LateJob of x"]);
    assert_eq!(driver.driver.sessions(), 0);
    rests(&scene).await;
}

#[tokio::test(start_paused = true)]
async fn jobs_end_with_the_times_of_their_tasks_and_executions() {
    let job = task("Job");
    let caught = format!(
        r#"{{"StartAt": "Job", "States": {{"Job": {{{job}, "TimeoutSeconds": 20, "End": true,
            "Catch": [{{"ErrorEquals": ["States.Timeout"], "Next": "W"}}]}},
            "W": {{"Type": "Wait", "Seconds": 100, "End": true}}}}}}"#
    );
    let whole =
        format!(r#"{{"StartAt": "Job", "TimeoutSeconds": 20, "States": {{"Job": {{{job}, "End": true}}}}}}"#);
    for (definition, status) in [(caught, ExecutionStatus::Running), (whole, ExecutionStatus::TimedOut)] {
        let scene = Scene::new(&definition, Config::default()).await;
        let _driver = scene.driver().await;
        scene.start("x", Value::object()).await;
        seconds(19).await;
        assert!(scene.tasks.cancelled().is_empty());
        seconds(4).await;
        assert_eq!(scene.describe("x").await.status, status);
        assert_eq!(scene.tasks.cancelled(), ["Job of x"]);
        scene.ended("x", 105).await;
        rests(&scene).await;
        assert_eq!((scene.tasks.cancelled().len(), scene.tasks.polls("Job")), (1, vec![2, 7, 17]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_beside_a_job_is_announced_once() {
    let definition = format!(
        r#"{{"StartAt": "Job", "States": {{"Job": {{{}, "TimeoutSeconds": 600, "End": true}}}}}}"#,
        task("Job")
    );
    let scene = Scene::new(&definition, Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    for _ in 0..590 {
        seconds(1).await;
        assert!(scene.queues.messages("driver").len() <= 2, "the timer's and the job's");
    }
    let found = scene.ended("x", 20).await;
    assert_eq!(found.failure.error.as_deref(), Some("States.Timeout"));
    rests(&scene).await;
    // One so far away that the sweeper wakes it is no more records.
    let scene = Scene::new(&definition.replace("600", "90000"), Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(2_000).await;
    assert_eq!(scene.rows("x", "r/").len(), 3);
    assert_eq!(scene.queues.messages("driver").len(), 1);
    let indexed = |row: &ports::Row| row.indexes.iter().any(|index| index.partition.starts_with("wake/"));
    assert!(scene.rows("x", "r/").last().is_some_and(indexed), "the record with the job is parked");
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_fails_ends_the_jobs_of_the_others() {
    let (job, other, gate, fails) = (task("Job"), task("OtherJob"), task("Gate"), task("Fails"));
    let definition = format!(
        r#"{{"StartAt": "Both", "States": {{"Both": {{"Type": "Parallel", "End": true,
            "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "Slow"}}], "Branches": [
            {{"StartAt": "Job", "States": {{"Job": {{{job}, "End": true}}}}}},
            {{"StartAt": "OtherJob", "States": {{"OtherJob": {{{other}, "End": true}}}}}},
            {{"StartAt": "Gate", "States": {{"Gate": {{{gate}, "Next": "Fails"}}, "Fails": {{{fails}, "End": true}}}}}}
            ]}}, "Slow": {{{}, "End": true}}}}}}"#,
        task("Slow")
    );
    let scene = Scene::new(&definition, Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(20).await;
    // While another branch keeps the execution in hand, jobs are asked for beside it.
    assert_eq!(driver.driver.sessions(), 1);
    assert_eq!((scene.tasks.polls("Job"), scene.tasks.polls("OtherJob")), (vec![2, 7, 17], vec![2, 7, 17]));
    scene.tasks.end("OtherJob", done());
    seconds(20).await;
    scene.tasks.gate.notify_waiters();
    seconds(5).await;
    assert_eq!(scene.tasks.done("Slow"), 1);
    assert_eq!(scene.tasks.cancelled(), ["Job of x"], "also while the next call runs");
    assert_eq!(scene.ended("x", 620).await.status, ExecutionStatus::Succeeded);
    rests(&scene).await;
    assert_eq!(scene.tasks.cancelled().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_fails_inside_this_program_is_asked_again() {
    let scene = Scene::new(&chain(&["JobPanics"]), Config::default()).await;
    let _driver = scene.driver().await;
    scene.start("x", Value::object()).await;
    seconds(20).await;
    assert_eq!(scene.tasks.polls("JobPanics"), [2, 7, 17]);
    scene.tasks.end("JobPanics", done());
    assert_eq!(scene.ended("x", 30).await.status, ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn several_jobs_are_asked_for_at_once_and_copies_of_a_message_merge() {
    let definition = format!(
        r#"{{"StartAt": "Items", "States": {{"Items": {{"Type": "Map", "End": true, "ItemsPath": "$.items",
            "ItemProcessor": {{"StartAt": "Job", "States": {{"Job": {{{}, "End": true}}}}}}}}}}}}"#,
        task("Job")
    );
    let scene = Scene::new(&definition, Config::default()).await;
    let driver = scene.driver().await;
    scene.start("x", Value::parse(r#"{"items": [1, 2, 3]}"#).unwrap()).await;
    seconds(1).await;
    driver.crash().await;
    let _driver = scene.driver().await;
    // The message came again; and those that were left to be sent are sent.
    seconds(130).await;
    let late = |polls: Vec<u64>| polls.into_iter().filter(|after| *after > 60).collect::<Vec<_>>();
    assert_eq!(late(scene.tasks.polls("Job")), [67, 67, 67, 97, 97, 97, 127, 127, 127]);
    assert_eq!(scene.queues.messages("driver").len(), 3);
    scene.tasks.end("Job", done());
    assert_eq!(scene.ended("x", 31).await.status, ExecutionStatus::Succeeded);
    rests(&scene).await;
}

fn family() -> String {
    format!(
        r#"{{"StartAt": "Which", "States": {{
            "Which": {{"Type": "Choice", "Default": "Job", "Choices": [
                {{"Variable": "$.seconds", "IsPresent": true, "Next": "Long"}},
                {{"Variable": "$.child", "IsPresent": true, "Next": "Short"}}]}},
            "Job": {{{}, "End": true}},
            "Long": {{"Type": "Wait", "SecondsPath": "$.seconds", "End": true}},
            "Short": {{"Type": "Pass", "End": true}}}}}}"#,
        task("Job")
    )
}

async fn child(scene: &Scene, name: &str, input: &str, parent: &str) {
    let parent = Parent { execution: scene.execution(parent), effect: EffectId(1) };
    scene.start_for(name, Value::parse(input).unwrap(), Some(parent)).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_child_wakes_its_parent_at_once() {
    let scene = Scene::new(&family(), Config::default()).await;
    let _driver = scene.driver().await;
    for (name, input) in
        [("long", r#"{"seconds": 20}"#), ("short", r#"{"child": true}"#), ("stopped", r#"{"seconds": 900}"#)]
    {
        let polled = scene.tasks.polls("Job").len();
        let parent = format!("parent-of-{name}");
        scene.start(&parent, Value::object()).await;
        seconds(5).await;
        child(&scene, name, input, &parent).await;
        scene.tasks.end("Job", done());
        if name == "stopped" {
            stop(&scene, name).await;
        }
        let wait = if name == "long" { 20 } else { 0 };
        if wait == 0 {
            seconds(1).await;
        } else {
            scene.tasks.ended.lock().unwrap().clear();
            seconds(wait).await;
            scene.tasks.end("Job", done());
            seconds(1).await;
        }
        let found = scene.describe(&parent).await;
        assert_eq!(found.status, ExecutionStatus::Succeeded, "{name}");
        let expected: &[u64] = if wait == 0 { &[2, 5] } else { &[2, 7, 17, 25] };
        assert_eq!(scene.tasks.polls("Job")[polled..], *expected, "{name}");
        scene.tasks.ended.lock().unwrap().clear();
        assert!(scene.describe(name).await.status.is_terminal());
    }
    rests(&scene).await;
}

#[tokio::test(start_paused = true)]
async fn a_parent_is_told_also_when_whoever_ends_the_child_stops_right_behind_it() {
    let scene = Scene::new(&family(), Config::default()).await;
    scene.start("parent", Value::object()).await;
    let driver = scene.driver().await;
    // Between two questions that are a minute apart.
    seconds(680).await;
    let polled = scene.tasks.polls("Job").len();
    *scene.slow.stuck_behind.lock().unwrap() = Some("m:child/r/0000000001".to_owned());
    child(&scene, "child", r#"{"seconds": 3}"#, "parent").await;
    seconds(5).await;
    assert!(scene.slow.stuck_behind.lock().unwrap().is_none());
    assert_eq!(scene.describe("child").await.status, ExecutionStatus::Succeeded);
    assert_eq!(scene.tasks.polls("Job").len(), polled);
    driver.crash().await;
    let _driver = scene.driver().await;
    scene.tasks.end("Job", done());
    let found = scene.ended("parent", 36).await;
    let took = found.stopped_at.unwrap().millis_since(found.execution.started_at);
    assert!(took < 727_000, "{took} ms: it was asked for the end, not at its time");
    rests(&scene).await;
}
