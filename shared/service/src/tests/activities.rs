//! Activities and their tasks.

use super::*;

fn machine(seconds: u32) -> String {
    format!(
        r#"{{"StartAt":"T","States":{{"T":{{"Type":"Task","Resource":"{HOME}:activity:a","TimeoutSeconds":{seconds},"End":true}}}}}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn created_described_listed_deleted() {
    let site = Site::new().await;
    let arn = format!("{HOME}:activity:a");
    let created = site.ok("CreateActivity", &object([("name", "a")])).await;
    assert_eq!(
        (names(&created), text(&created, "activityArn")),
        (vec!["activityArn", "creationDate"], arn.as_str())
    );
    site.clock.jump(1_500);
    assert_eq!(site.ok("CreateActivity", &object([("name", "a")])).await, created);
    let encrypted =
        json(r#"{"name":"a","encryptionConfiguration":{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"k"}}"#);
    let taken = (ErrorType::ActivityAlreadyExists, format!("Activity Already Exists: '{arn}'"));
    assert_eq!(site.refused("CreateActivity", &encrypted).await, taken);
    let about = object([("activityArn", &arn)]);
    let described = site.ok("DescribeActivity", &about).await;
    assert_eq!(names(&described), ["activityArn", "creationDate", "encryptionConfiguration", "name"]);
    assert_eq!(described.get("encryptionConfiguration"), Some(&json(r#"{"type":"AWS_OWNED_KEY"}"#)));
    site.ok("CreateActivity", &object([("name", "b")])).await;
    let listed = site.ok("ListActivities", &json(r#"{"maxResults":1}"#)).await;
    assert_eq!(
        names(&listed.get("activities").unwrap().as_array().unwrap()[0]),
        ["activityArn", "creationDate", "name"]
    );
    let rest = site.ok("ListActivities", &object([("nextToken", text(&listed, "nextToken"))])).await;
    assert_eq!(text(&rest.get("activities").unwrap().as_array().unwrap()[0], "name"), "b");
    let tag = json(&format!(r#"{{"resourceArn":"{arn}","tags":[{{"key":"k","value":"v"}}]}}"#));
    site.ok("TagResource", &tag).await;
    let tags = site.ok("ListTagsForResource", &object([("resourceArn", &arn)])).await;
    assert_eq!(tags, json(r#"{"tags":[{"key":"k","value":"v"}]}"#));
    for _ in 0..2 {
        assert_eq!(site.ok("DeleteActivity", &about).await, Value::object());
    }
    let gone = (ErrorType::ActivityDoesNotExist, format!("Activity Does Not Exist: '{arn}'"));
    for operation in ["DescribeActivity", "GetActivityTask"] {
        assert_eq!(site.refused(operation, &about).await, gone);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_a_task() {
    let site = Site::new().await;
    site.ok("CreateActivity", &object([("name", "a")])).await;
    let machine = site.machine("m", &machine(600)).await;
    let about = object([("activityArn", &format!("{HOME}:activity:a")), ("workerName", "w")]);
    let start = object([("stateMachineArn", &machine), ("name", "e"), ("input", r#"{"n":1}"#)]);
    // The worker waits first.
    let (task, started) = tokio::join!(site.ok("GetActivityTask", &about), async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        site.ok("StartExecution", &start).await
    });
    assert_eq!(text(&task, "input"), r#"{"n":1}"#);
    let arn = text(&started, "executionArn");
    let history = site.ok("GetExecutionHistory", &object([("executionArn", arn)])).await;
    let events = history.get("events").unwrap().as_array().unwrap();
    let taken = events.iter().find_map(|event| event.get("activityStartedEventDetails")).unwrap();
    assert_eq!(text(taken, "workerName"), "w");
    site.ok("SendTaskSuccess", &object([("taskToken", text(&task, "taskToken")), ("output", "2")])).await;
    assert_eq!(text(&site.describe(arn).await, "output"), "2");
    // It is handed out once.
    let none = json(r#"{"taskToken":null,"input":null}"#);
    let before = site.clock.now();
    assert_eq!(site.ok("GetActivityTask", &about).await, none);
    assert_eq!(site.clock.now().millis_since(before), 60_000);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_over_is_handed_to_nobody() {
    let site = Site::new().await;
    site.ok("CreateActivity", &object([("name", "a")])).await;
    let machine = site.machine("m", &machine(5)).await;
    let late = site.start(&machine, "late").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(text(&site.describe(&late).await, "status"), "FAILED");
    let fresh = site.start(&machine, "fresh").await;
    let task = site.ok("GetActivityTask", &object([("activityArn", &format!("{HOME}:activity:a"))])).await;
    let token = engine::TaskToken::parse(text(&task, "taskToken")).unwrap();
    assert_eq!(token.execution_arn(), &fresh);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_goes_away_loses_no_task() {
    let site = Site::new().await;
    site.ok("CreateActivity", &object([("name", "a")])).await;
    let machine = site.machine("m", &machine(600)).await;
    let about = object([("activityArn", &format!("{HOME}:activity:a"))]);
    // Gone while it waits.
    let gone = tokio::time::timeout(Duration::from_secs(3), site.ok("GetActivityTask", &about)).await;
    assert!(gone.is_err());
    site.start(&machine, "e").await;
    let task = site.ok("GetActivityTask", &about).await;
    assert!(task.get("taskToken").is_some_and(|token| token.as_str().is_some()));
}
