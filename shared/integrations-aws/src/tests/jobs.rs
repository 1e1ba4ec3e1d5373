use integrations::{Job, Polled};

use super::*;

fn job(rest: &str, parameters: &str, output: &str) -> Job {
    Job { call: call(integration(rest), parameters), output: v(output), since: Timestamp::EPOCH }
}

/// What a job comes to that is answered for so, and what was asked.
async fn polled(job: &Job, status: u16, answered: &str) -> (Polled, String) {
    let answered = answer(status, "", answered);
    let (url, received) = served(move |_| answered.clone()).await;
    let polled = services(&url, Rights::Own).poll(job, &execution()).await;
    let request = received.lock().unwrap().first().cloned().unwrap_or_default();
    (polled, request)
}

fn succeeded(polled: Polled) -> String {
    match polled {
        Polled::Ended(TaskOutcome::Succeeded(output)) => output.to_json(),
        other => panic!("{other:?}"),
    }
}

fn failure(polled: Polled) -> Failure {
    match polled {
        Polled::Ended(TaskOutcome::Failed { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_job_runs_until_it_has_ended() {
    let glue = job("glue:startJobRun.sync", r#"{"JobName":"j"}"#, r#"{"JobName":"j","JobRunId":"1"}"#);
    let run = |state: &str| format!(r#"{{"JobRun":{{"Id":"1","JobName":"j","JobRunState":"{state}"}}}}"#);
    for state in ["STARTING", "RUNNING", "STOPPING", "SOMETHING_NEW"] {
        let (polled, request) = polled(&glue, 200, &run(state)).await;
        assert_eq!(polled, Polled::Running, "{state}");
        assert_eq!(body(&request), r#"{"JobName":"j","RunId":"1"}"#);
    }
    let (ended, _) = polled(&glue, 200, &run("SUCCEEDED")).await;
    assert_eq!(succeeded(ended), r#"{"Id":"1","JobName":"j","JobRunState":"SUCCEEDED"}"#);
    for state in ["FAILED", "TIMEOUT", "ERROR", "STOPPED"] {
        let (ended, _) = polled(&glue, 200, &run(state)).await;
        let cause = format!(r#"{{"Id":"1","JobName":"j","JobRunState":"{state}"}}"#);
        assert_eq!(failure(ended), Failure::new("States.TaskFailed", cause));
    }
}

#[tokio::test]
async fn a_container_task_has_to_end_with_zero() {
    let ecs = job(
        "ecs:runTask.sync",
        r#"{"Cluster":"c","TaskDefinition":"t"}"#,
        r#"{"Failures":[],"Tasks":[{"TaskArn":"a"}]}"#,
    );
    let task = |status: &str, codes: &str| {
        format!(
            r#"{{"tasks":[{{"taskArn":"a","lastStatus":"{status}","containers":[{codes}]}}],"failures":[]}}"#
        )
    };
    let (running, request) = polled(&ecs, 200, &task("RUNNING", "")).await;
    assert_eq!(running, Polled::Running);
    assert_eq!(body(&request), r#"{"cluster":"c","tasks":["a"]}"#);
    let (ended, _) = polled(&ecs, 200, &task("STOPPED", r#"{"exitCode":0}"#)).await;
    assert_eq!(succeeded(ended), r#"{"Containers":[{"ExitCode":0}],"LastStatus":"STOPPED","TaskArn":"a"}"#);
    for codes in [r#"{"exitCode":0},{"exitCode":1}"#, r#"{"reason":"no image"}"#, ""] {
        let (ended, _) = polled(&ecs, 200, &task("STOPPED", codes)).await;
        assert_eq!(failure(ended).error.as_deref(), Some("States.TaskFailed"), "{codes}");
    }
}

#[tokio::test]
async fn a_task_that_was_not_placed_has_failed() {
    let none = r#"{"tasks":[],"failures":[{"arn":"a","reason":"RESOURCE:MEMORY"}]}"#;
    let (result, requests) =
        asked("ecs:runTask.sync", r#"{"TaskDefinition":"t"}"#, answer(200, "", none)).await;
    let failure = result.unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("ECS.AmazonECSException"));
    assert_eq!(failure.cause.unwrap(), r#"{"Failures":[{"Arn":"a","Reason":"RESOURCE:MEMORY"}],"Tasks":[]}"#);
    assert!(body(&requests[0]).contains(r#""startedBy":"AWS Step Functions""#), "{}", requests[0]);
}

#[tokio::test]
async fn executions_give_texts_or_json() {
    let described = r#"{"executionArn":"e","status":"SUCCEEDED","input":"{\"a\": 1}","output":"[2]"}"#;
    for (suffix, expected) in [
        ("sync", r#"{"ExecutionArn":"e","Input":"{\"a\": 1}","Output":"[2]","Status":"SUCCEEDED"}"#),
        ("sync:2", r#"{"ExecutionArn":"e","Input":{"a":1},"Output":[2],"Status":"SUCCEEDED"}"#),
    ] {
        let child = job(&format!("states:startExecution.{suffix}"), "{}", r#"{"ExecutionArn":"e"}"#);
        assert_eq!(succeeded(polled(&child, 200, described).await.0), expected);
    }
}

#[tokio::test]
async fn what_is_deleted_ends_absent() {
    let gone =
        job("eks:deleteCluster.sync", r#"{"Name":"c"}"#, r#"{"Cluster":{"Name":"c"},"SdkHttpMetadata":{}}"#);
    let absent = r#"{"__type":"ResourceNotFoundException","message":"No cluster found"}"#;
    assert_eq!(succeeded(polled(&gone, 404, absent).await.0), r#"{"Cluster":{"Name":"c"}}"#);
    let there = r#"{"cluster":{"name":"c","status":"DELETING"}}"#;
    assert_eq!(polled(&gone, 200, there).await.0, Polled::Running);
    let other = job("eks:createCluster.sync", r#"{"Name":"c"}"#, "{}");
    assert_eq!(polled(&other, 404, absent).await.0, Polled::Running, "it may appear yet");
}

#[tokio::test]
async fn refusals_fail_a_task_only_after_a_while() {
    let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    let mut glue = job("glue:startJobRun.sync", r#"{"JobName":"j"}"#, r#"{"JobRunId":"1"}"#);
    assert_eq!(
        failure(polled(&glue, 400, denied).await.0).error.as_deref(),
        Some("Glue.AccessDeniedException")
    );
    glue.since = crate::wall_clock();
    assert_eq!(polled(&glue, 400, denied).await.0, Polled::Running);
    glue.since = Timestamp::EPOCH;
    for (status, answered) in
        [(500, "{}"), (200, "<html>"), (200, "{}"), (400, r#"{"__type":"ThrottlingException"}"#)]
    {
        assert_eq!(polled(&glue, status, answered).await.0, Polled::Running, "{answered}");
    }
}

#[tokio::test]
async fn jobs_are_ended() {
    for (rest, parameters, output, target, sent) in [
        (
            "glue:startJobRun.sync",
            r#"{"JobName":"j"}"#,
            r#"{"JobRunId":"1"}"#,
            "AWSGlue.BatchStopJobRun",
            r#"{"JobName":"j","JobRunIds":["1"]}"#,
        ),
        (
            "athena:startQueryExecution.sync",
            "{}",
            r#"{"QueryExecutionId":"q"}"#,
            "AmazonAthena.StopQueryExecution",
            r#"{"QueryExecutionId":"q"}"#,
        ),
        (
            "states:startExecution.sync",
            "{}",
            r#"{"ExecutionArn":"e"}"#,
            "AWSStepFunctions.StopExecution",
            r#"{"executionArn":"e"}"#,
        ),
        (
            "codebuild:startBuild.sync",
            "{}",
            r#"{"Build":{"Id":"b"}}"#,
            "CodeBuild_20161006.StopBuild",
            r#"{"id":"b"}"#,
        ),
    ] {
        let (url, received) = served(|_| answer(200, "", "{}")).await;
        services(&url, Rights::Own).cancel(&job(rest, parameters, output), &execution()).await;
        let requests = received.lock().unwrap().clone();
        assert_eq!(requests.len(), 1, "{rest}");
        assert!(requests[0].contains(target), "{}", requests[0]);
        assert_eq!(body(&requests[0]), sent, "{rest}");
    }
}

#[test]
fn long_jobs_are_asked_for_seldom() {
    let services = Services::new(Endpoints::default(), Rights::Own, somebody);
    let times = |job: &Job| {
        let mut at = job.since;
        let mut times = Vec::new();
        for _ in 0..12 {
            at = services.next_poll(job, at);
            times.push(at.millis_since(job.since) / 1_000);
        }
        times
    };
    let cluster = job("elasticmapreduce:createCluster.sync", "{}", "{}");
    assert_eq!(times(&cluster), [60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 900, 1_200]);
    let glue = job("glue:startJobRun.sync", "{}", "{}");
    assert_eq!(times(&glue)[..6], [2, 7, 17, 37, 67, 97]);
}
