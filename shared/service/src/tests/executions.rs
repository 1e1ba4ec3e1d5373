//! Executions.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

async fn refused(site: &Site, operation: &str, arn: &str) -> (ErrorType, String) {
    site.refused(operation, &object([("executionArn", arn)])).await
}

#[tokio::test(start_paused = true)]
async fn one_that_succeeds() {
    let site = Site::new().await;
    let machine = site.machine("m", PASS).await;
    let request = object([
        ("stateMachineArn", &machine),
        ("name", "e"),
        ("input", r#"{ "a" : "é" }"#),
        ("traceHeader", "Root=1"),
    ]);
    let started = site.ok("StartExecution", &request).await;
    assert_eq!(names(&started), ["executionArn", "startDate"]);
    let arn = text(&started, "executionArn").to_owned();
    assert_eq!(arn, format!("{HOME}:execution:m:e"));
    tokio::time::sleep(SECOND).await;
    let described = site.describe(&arn).await;
    assert_eq!(
        names(&described),
        [
            "executionArn",
            "input",
            "inputDetails",
            "name",
            "output",
            "outputDetails",
            "redriveCount",
            "redriveStatus",
            "redriveStatusReason",
            "startDate",
            "stateMachineArn",
            "status",
            "stopDate",
            "traceHeader"
        ]
    );
    assert_eq!(text(&described, "output"), r#"{"a":"é"}"#);
    assert_eq!(text(&described, "redriveStatusReason"), "Execution is SUCCEEDED and cannot be redriven");
    let metadata = object([("executionArn", &arn), ("includedData", "METADATA_ONLY")]);
    let metadata = site.ok("DescribeExecution", &metadata).await;
    assert_eq!((metadata.get("input"), metadata.get("output")), (None, None));
    // The name is taken now, whatever the input.
    let taken = (ErrorType::ExecutionAlreadyExists, format!("Execution Already Exists: '{arn}'"));
    assert_eq!(site.refused("StartExecution", &request).await, taken);
    // Stopping it changes nothing.
    let stopped = site.ok("StopExecution", &object([("executionArn", &arn)])).await;
    assert_eq!(stopped.get("stopDate"), described.get("stopDate"));
    assert_eq!(text(&site.describe(&arn).await, "status"), "SUCCEEDED");
}

#[tokio::test(start_paused = true)]
async fn one_that_runs_and_is_stopped() {
    let site = Site::new().await;
    let machine = site.machine("m", WAIT).await;
    let arn = site.start(&machine, "e").await;
    let running = site.describe(&arn).await;
    assert_eq!((running.get("output"), running.get("stopDate")), (None, None));
    assert_eq!(text(&running, "redriveStatusReason"), "Execution is RUNNING and cannot be redriven");
    site.clock.jump(5);
    // The same start again is the same execution; with another input it is refused.
    let again = site.ok("StartExecution", &object([("stateMachineArn", &machine), ("name", "e")])).await;
    assert_eq!(again.get("startDate"), running.get("startDate"));
    let other = object([("stateMachineArn", &machine), ("name", "e"), ("input", "1")]);
    assert_eq!(site.refused("StartExecution", &other).await.0, ErrorType::ExecutionAlreadyExists);

    let stop = object([("executionArn", &arn), ("error", "Enough"), ("cause", "of it")]);
    assert_eq!(names(&site.ok("StopExecution", &stop).await), ["stopDate"]);
    let stopped = site.describe(&arn).await;
    assert_eq!(
        (text(&stopped, "status"), text(&stopped, "error"), text(&stopped, "cause")),
        ("ABORTED", "Enough", "of it")
    );
    assert_eq!((text(&stopped, "redriveStatus"), stopped.get("redriveStatusReason")), ("REDRIVABLE", None));
    site.clock.jump(14 * 24 * 60 * 60 * 1_000 + 1);
    let stopped = site.describe(&arn).await;
    assert_eq!(text(&stopped, "redriveStatusReason"), "Execution redrivable period exceeded");
}

#[tokio::test(start_paused = true)]
async fn an_update_is_for_the_next_start() {
    let site = Site::new().await;
    let machine = site.machine("m", WAIT).await;
    let before = site.start(&machine, "before").await;
    let update =
        object([("stateMachineArn", &machine), ("definition", PASS), ("roleArn", &format!("{ROLE}2"))]);
    let updated = site.ok("UpdateStateMachine", &update).await;
    let after = site.start(&machine, "after").await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(text(&site.describe(&before).await, "status"), "RUNNING");
    assert_eq!(text(&site.describe(&after).await, "status"), "SUCCEEDED");
    // What ran stays known, also without its state machine.
    site.ok("DeleteStateMachine", &object([("stateMachineArn", &machine)])).await;
    let of =
        async |arn: &str| site.ok("DescribeStateMachineForExecution", &object([("executionArn", arn)])).await;
    let (first, second) = (of(&before).await, of(&after).await);
    assert_eq!(
        (text(&first, "definition"), text(&first, "roleArn"), first.get("revisionId")),
        (WAIT, ROLE, None)
    );
    assert_eq!((text(&second, "definition"), second.get("revisionId")), (PASS, updated.get("revisionId")));
    assert_eq!(
        names(&first),
        [
            "definition",
            "loggingConfiguration",
            "name",
            "roleArn",
            "stateMachineArn",
            "tracingConfiguration",
            "updateDate"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn starts_that_are_refused() {
    let site = Site::new().await;
    let machine = site.machine("m", PASS).await;
    let check = async |name: &str, input: &str, error_type: ErrorType, message: &str| {
        let request = object([("stateMachineArn", &machine), ("name", name), ("input", input)]);
        assert_eq!(
            site.refused("StartExecution", &request).await,
            (error_type, message.to_owned()),
            "{input:.40}"
        );
    };
    let input = |reason: &str| format!("Invalid State Machine Execution Input: '{reason}'");
    check("a:b", "{}", ErrorType::InvalidName, "Invalid Name: 'a:b'").await;
    check("e", "", ErrorType::InvalidExecutionInput, &input("Invalid execution input.")).await;
    let token = "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    check("e", "not json", ErrorType::InvalidExecutionInput, &input(token)).await;
    // Bytes count, not characters.
    let long = format!("\"{}\"", "é".repeat(131_072));
    let size = "The input exceeds the maximum number of bytes service limit.";
    check("e", &long, ErrorType::InvalidExecutionInput, &input(size)).await;
    let fits = format!("\"{}\"", "é".repeat(131_071));
    let request = object([("stateMachineArn", &machine), ("name", "e"), ("input", &fits)]);
    site.ok("StartExecution", &request).await;
    let unlimited = Site::with(Limits::NONE).await;
    let machine = unlimited.machine("m", PASS).await;
    unlimited.ok("StartExecution", &object([("stateMachineArn", &machine), ("input", &long)])).await;
}

#[tokio::test(start_paused = true)]
async fn express_state_machines() {
    let site = Site::new().await;
    let request = object([("name", "x"), ("definition", PASS), ("roleArn", ROLE), ("type", "EXPRESS")]);
    let machine = site.ok("CreateStateMachine", &request).await;
    let about = object([("stateMachineArn", text(&machine, "stateMachineArn"))]);
    assert_eq!(site.refused("StartExecution", &about).await.0, ErrorType::NotImplemented);
    assert_eq!(site.refused("StartSyncExecution", &about).await.0, ErrorType::NotImplemented);
    let unsupported = (
        ErrorType::StateMachineTypeNotSupported,
        "This operation is not supported by this type of state machine".to_owned(),
    );
    assert_eq!(site.refused("ListExecutions", &about).await, unsupported);
    let standard = site.machine("m", PASS).await;
    let about = object([("stateMachineArn", &standard)]);
    assert_eq!(site.refused("StartSyncExecution", &about).await, unsupported);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist() {
    let site = Site::new().await;
    site.machine("m", PASS).await;
    let elsewhere = "arn:aws:states:us-east-1:222222222222:execution:m:e".to_owned();
    for arn in [format!("{HOME}:execution:m:e"), format!("{HOME}:execution:n:e"), elsewhere] {
        let missing = (ErrorType::ExecutionDoesNotExist, format!("Execution Does Not Exist: '{arn}'"));
        for operation in
            ["DescribeExecution", "DescribeStateMachineForExecution", "GetExecutionHistory", "StopExecution"]
        {
            assert_eq!(refused(&site, operation, &arn).await, missing, "{operation}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn listed_newest_first() {
    let site = Site::new().await;
    let machine = site.machine("m", PASS).await;
    let waiting = object([("stateMachineArn", machine.as_str()), ("definition", WAIT)]);
    for n in 0..5 {
        if n == 3 {
            site.ok("UpdateStateMachine", &waiting).await;
        }
        site.start(&machine, &format!("e{n}")).await;
        tokio::time::sleep(SECOND).await;
    }
    let list = async |rest: &str| {
        site.ok("ListExecutions", &json(&format!(r#"{{"stateMachineArn":"{machine}"{rest}}}"#))).await
    };
    let names_of = |page: &Value| -> Vec<String> {
        page.get("executions")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|item| text(item, "name").to_owned())
            .collect()
    };
    assert_eq!(names_of(&list("").await), ["e4", "e3", "e2", "e1", "e0"]);
    assert_eq!(names_of(&list(r#","statusFilter":"RUNNING""#).await), ["e4", "e3"]);
    assert_eq!(names_of(&list(r#","statusFilter":"FAILED""#).await), [""; 0]);
    let first = list(r#","maxResults":2"#).await;
    assert_eq!(names_of(&first), ["e4", "e3"]);
    let token = text(&first, "nextToken");
    // The number of results may change from page to page; nothing else may.
    let second = list(&format!(r#","maxResults":3,"nextToken":"{token}""#)).await;
    assert_eq!(
        (names_of(&second), second.get("nextToken")),
        (["e2", "e1", "e0"].map(str::to_owned).to_vec(), None)
    );
    let other =
        json(&format!(r#"{{"stateMachineArn":"{machine}","statusFilter":"RUNNING","nextToken":"{token}"}}"#));
    assert_eq!(site.refused("ListExecutions", &other).await.0, ErrorType::InvalidToken);
    assert_eq!(
        names(&second.get("executions").unwrap().as_array().unwrap()[0]),
        ["executionArn", "name", "redriveCount", "startDate", "stateMachineArn", "status", "stopDate"]
    );
    let refusals = [
        ("{}", ErrorType::ValidationException),
        (r#"{"stateMachineArn":"@","mapRunArn":"@"}"#, ErrorType::ValidationException),
        (r#"{"stateMachineArn":"@","redriveFilter":"REDRIVEN"}"#, ErrorType::ValidationException),
        (r#"{"stateMachineArn":"@","statusFilter":"PENDING_REDRIVE"}"#, ErrorType::ValidationException),
        (
            r#"{"mapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:m/l:1"}"#,
            ErrorType::ResourceNotFound,
        ),
    ];
    for (request, error_type) in refusals {
        assert_eq!(
            site.refused("ListExecutions", &json(&request.replace('@', &machine))).await.0,
            error_type,
            "{request}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn histories() {
    let site = Site::new().await;
    let machine = site.machine("m", PASS).await;
    let arn = site.start(&machine, "e").await;
    tokio::time::sleep(SECOND).await;
    let history = async |rest: &str| {
        site.ok("GetExecutionHistory", &json(&format!(r#"{{"executionArn":"{arn}"{rest}}}"#))).await
    };
    let ids = |page: &Value| -> Vec<i64> {
        let events = page.get("events").unwrap().as_array().unwrap();
        events.iter().map(|event| event.get("id").and_then(Value::as_i64).unwrap()).collect()
    };
    let all = history("").await;
    assert_eq!((ids(&all), all.get("nextToken")), (vec![1, 2, 3, 4], None));
    assert_eq!(ids(&history(r#","reverseOrder":true"#).await), [4, 3, 2, 1]);
    for (order, expected) in [("false", [1, 2, 3, 4]), ("true", [4, 3, 2, 1])] {
        let mut found = Vec::new();
        let mut token = String::new();
        loop {
            let page = history(&format!(r#","maxResults":3,"reverseOrder":{order}{token}"#)).await;
            found.extend(ids(&page));
            let Some(next) = page.get("nextToken").and_then(Value::as_str) else { break };
            token = format!(r#","nextToken":"{next}""#);
        }
        assert_eq!(found, expected);
        if order == "false" {
            let turned = format!(r#"{{"executionArn":"{arn}","reverseOrder":true{token}}}"#);
            assert_eq!(site.refused("GetExecutionHistory", &json(&turned)).await.0, ErrorType::InvalidToken);
        }
    }
    let started = |page: &Value| {
        page.get("events").unwrap().as_array().unwrap()[0]
            .get("executionStartedEventDetails")
            .unwrap()
            .clone()
    };
    assert_eq!(text(&started(&all), "input"), "{}");
    assert_eq!(started(&history(r#","includeExecutionData":false"#).await).get("input"), None);
}

#[tokio::test(start_paused = true)]
async fn callbacks() {
    let site = Site::new().await;
    let machine = site.machine("m", CALLBACK).await;
    let token = async |execution: &str| {
        tokio::time::sleep(SECOND).await;
        let history = site.ok("GetExecutionHistory", &object([("executionArn", execution)])).await;
        let events = history.get("events").unwrap().as_array().unwrap();
        let scheduled = events.iter().find_map(|event| event.get("taskScheduledEventDetails")).unwrap();
        let parameters = json(text(scheduled, "parameters"));
        text(parameters.get("MessageBody").unwrap(), "t").to_owned()
    };
    let good = site.start(&machine, "good").await;
    let first = token(&good).await;
    site.ok("SendTaskHeartbeat", &object([("taskToken", &first)])).await;
    let wrong = site.refused("SendTaskSuccess", &object([("taskToken", &first), ("output", "{")])).await;
    assert_eq!(wrong.0, ErrorType::InvalidOutput);
    let success = object([("taskToken", &first), ("output", r#"{"a":1}"#)]);
    assert_eq!(site.ok("SendTaskSuccess", &success).await, Value::object());
    assert_eq!(text(&site.describe(&good).await, "output"), r#"{"a":1}"#);

    let bad = site.start(&machine, "bad").await;
    let second = token(&bad).await;
    site.ok("SendTaskFailure", &object([("taskToken", &second), ("error", "E"), ("cause", "C")])).await;
    let failed = site.describe(&bad).await;
    assert_eq!(
        (text(&failed, "status"), text(&failed, "error"), text(&failed, "cause")),
        ("FAILED", "E", "C")
    );

    let over = (ErrorType::TaskTimedOut, "Task Timed Out: 'Provided task does not exist anymore'".to_owned());
    let invalid = (ErrorType::InvalidToken, "Invalid Token: 'Invalid token'".to_owned());
    let nobody = engine::TaskToken::new([0; 16], &format!("{HOME}:execution:m:nobody"));
    for operation in ["SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"] {
        let with = |token: &str| object([("taskToken", token), ("output", "1")]);
        assert_eq!(site.refused(operation, &with(&first)).await, over);
        assert_eq!(site.refused(operation, &with("token")).await, invalid);
        assert_eq!(site.refused(operation, &with(nobody.as_str())).await.0, ErrorType::TaskDoesNotExist);
    }
}
