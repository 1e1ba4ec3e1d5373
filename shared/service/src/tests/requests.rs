//! Requests that no operation takes, and constraints of every operation.

use model::limits::Limits;

use super::*;

#[tokio::test(start_paused = true)]
async fn targets() {
    let site = Site::new().await;
    for unknown in ["", "ListNothing", "listStateMachines", "AWSStepFunctions.ListStateMachines"] {
        let response = site.service.call(unknown, b"{}").await;
        assert_eq!((response.status, response.error_type), (400, Some(ErrorType::UnknownOperationException)));
    }
    for later in ["TestState", "RedriveExecution", "ListMapRuns"] {
        let refused = site.refused(later, &Value::object()).await;
        assert_eq!(
            refused,
            (ErrorType::NotImplemented, format!("{later} is not implemented in this version"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn bodies() {
    let site = Site::new().await;
    let huge = format!(r#"{{"x":"{}"}}"#, "x".repeat(1_048_576));
    let deep = "[".repeat(100_000);
    let refusals: [(&[u8], ErrorType, &str); 6] = [
        (b"[]", ErrorType::SerializationException, "the request is a list, not a structure"),
        (b"{", ErrorType::SerializationException, "the request is not JSON: "),
        (b"{\"a\":1}{", ErrorType::SerializationException, "the request is not JSON: "),
        (b"\xff", ErrorType::SerializationException, "the request is not UTF-8: "),
        (deep.as_bytes(), ErrorType::SerializationException, "the request is not JSON: "),
        (huge.as_bytes(), ErrorType::RequestEntityTooLargeException, "The request has 1048584 bytes"),
    ];
    for (body, error_type, message) in refusals {
        let response = site.service.call("ListStateMachines", body).await;
        assert_eq!(response.error_type, Some(error_type), "{}", response.body);
        let body = json(&response.body);
        assert!(text(&body, "message").starts_with(message), "{}", response.body);
        assert_eq!(response.request_id.len(), 36);
    }
    for body in ["", " ", "{}", r#"{"unknown":[1]}"#, r#"{"maxResults":null}"#] {
        assert_eq!(site.service.call("ListStateMachines", body.as_bytes()).await.status, 200, "{body}");
    }
    let open = Site::with(Limits::NONE).await;
    assert_eq!(open.service.call("ListStateMachines", huge.as_bytes()).await.status, 200);
}

/// What each operation says to an empty request, which tells the members that it needs.
#[tokio::test(start_paused = true)]
async fn members_that_must_be_there() {
    let site = Site::new().await;
    let table: [(&str, &[&str]); 18] = [
        ("CreateActivity", &["name"]),
        ("CreateStateMachine", &["name", "!definition", "roleArn"]),
        ("DeleteActivity", &["activityArn"]),
        ("DeleteStateMachine", &["stateMachineArn"]),
        ("DescribeActivity", &["activityArn"]),
        ("DescribeExecution", &["executionArn"]),
        ("DescribeStateMachine", &["stateMachineArn"]),
        ("DescribeStateMachineForExecution", &["executionArn"]),
        ("GetActivityTask", &["activityArn"]),
        ("GetExecutionHistory", &["executionArn"]),
        ("ListTagsForResource", &["resourceArn"]),
        ("SendTaskFailure", &["taskToken"]),
        ("SendTaskHeartbeat", &["taskToken"]),
        ("SendTaskSuccess", &["taskToken", "!output"]),
        ("StartExecution", &["stateMachineArn"]),
        ("StopExecution", &["executionArn"]),
        ("TagResource", &["resourceArn", "tags"]),
        ("UntagResource", &["resourceArn", "tagKeys"]),
    ];
    for (operation, members) in table {
        let findings: Vec<String> = members
            .iter()
            .map(|member| match member.strip_prefix('!') {
                // Not even its absence is quoted.
                Some(sensitive) => {
                    format!("Value at '{sensitive}' failed to satisfy constraint: Member must not be null")
                }
                None => {
                    format!("Value null at '{member}' failed to satisfy constraint: Member must not be null")
                }
            })
            .collect();
        let noun = if members.len() == 1 { "error" } else { "errors" };
        let message = format!("{} validation {noun} detected: {}", members.len(), findings.join("; "));
        let refused = site.refused(operation, &Value::object()).await;
        assert_eq!(refused, (ErrorType::ValidationException, message), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn constraints_of_members() {
    let site = Site::new().await;
    let long = "x".repeat(81);
    let arn = "x".repeat(257);
    let check = async |operation: &str, request: &str, finding: &str| {
        let request = json(&request.replace("LONG", &long).replace("ARN257", &arn));
        let finding = finding.replace("LONG", &long).replace("ARN257", &arn);
        let message = format!("1 validation error detected: {finding}");
        assert_eq!(site.refused(operation, &request).await, (ErrorType::ValidationException, message));
    };
    let at_most = |value: &str, at: &str, chars: usize| {
        format!(
            "Value '{value}' at '{at}' failed to satisfy constraint: Member must have length less than or equal to {chars}"
        )
    };
    check("CreateActivity", r#"{"name":"LONG"}"#, &at_most("LONG", "name", 80)).await;
    check("DescribeActivity", r#"{"activityArn":"ARN257"}"#, &at_most("ARN257", "activityArn", 256)).await;
    check("StartExecution", r#"{"stateMachineArn":"a","name":"LONG"}"#, &at_most("LONG", "name", 80)).await;
    check(
        "StartExecution",
        r#"{"stateMachineArn":"a","traceHeader":"é"}"#,
        "Value 'é' at 'traceHeader' failed to satisfy constraint: Member must satisfy regular expression pattern: \\p{ASCII}*",
    )
    .await;
    check(
        "CreateStateMachine",
        r#"{"name":"m","definition":"{}","roleArn":"r","type":"standard"}"#,
        "Value 'standard' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]",
    )
    .await;
    check(
        "CreateStateMachine",
        r#"{"name":"m","definition":"","roleArn":"r"}"#,
        "Value at 'definition' failed to satisfy constraint: Member must have length greater than or equal to 1",
    )
    .await;
    check(
        "UpdateStateMachine",
        r#"{"stateMachineArn":"a","encryptionConfiguration":{"kmsDataKeyReusePeriodSeconds":59,"type":"AWS_OWNED_KEY"}}"#,
        "Value '59' at 'encryptionConfiguration.kmsDataKeyReusePeriodSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60",
    )
    .await;
    check(
        "CreateActivity",
        r#"{"name":"a","encryptionConfiguration":{}}"#,
        "Value null at 'encryptionConfiguration.type' failed to satisfy constraint: Member must not be null",
    )
    .await;
    for listing in ["ListStateMachines", "ListActivities"] {
        let finding = "Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000";
        check(listing, r#"{"maxResults":1001}"#, finding).await;
        let finding = "Value '' at 'nextToken' failed to satisfy constraint: Member must have length greater than or equal to 1";
        check(listing, r#"{"nextToken":""}"#, finding).await;
    }
    check(
        "ValidateStateMachineDefinition",
        r#"{"definition":"{}","maxResults":101}"#,
        "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100",
    )
    .await;
    check(
        "TagResource",
        r#"{"resourceArn":"a","tags":[{"key":"k","value":"v"},{"key":"","value":"v"}]}"#,
        "Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn arns_of_the_wrong_kind() {
    let site = Site::new().await;
    let check = async |operation: &str, member: &str, arn: &str, reason: &str| {
        let mut request =
            json(r#"{"output":"1","tags":[],"tagKeys":[]}"#).as_object().unwrap().clone().into_map();
        request.insert(member.into(), arn.into());
        let refused = site.refused(operation, &request.into()).await;
        assert_eq!(refused, (ErrorType::InvalidArn, format!("Invalid Arn: '{reason}'")), "{operation}");
    };
    let kind = |kind: &str| format!("Resource type not valid in this context: {kind}");
    for (operation, member) in [
        ("DescribeStateMachine", "stateMachineArn"),
        ("DeleteStateMachine", "stateMachineArn"),
        ("UpdateStateMachine", "stateMachineArn"),
        ("StartExecution", "stateMachineArn"),
        ("ListExecutions", "stateMachineArn"),
        ("DescribeExecution", "executionArn"),
        ("DescribeStateMachineForExecution", "executionArn"),
        ("GetExecutionHistory", "executionArn"),
        ("StopExecution", "executionArn"),
        ("DescribeActivity", "activityArn"),
        ("DeleteActivity", "activityArn"),
        ("GetActivityTask", "activityArn"),
        ("TagResource", "resourceArn"),
        ("UntagResource", "resourceArn"),
        ("ListTagsForResource", "resourceArn"),
    ] {
        check(operation, member, "nonsense", "Invalid ARN prefix: nonsense").await;
        check(operation, member, &format!("{HOME}:express:m:e:1"), &kind("express")).await;
    }
    check("ListExecutions", "mapRunArn", "nonsense", "Invalid ARN prefix: nonsense").await;
    check("DescribeActivity", "activityArn", &format!("{HOME}:stateMachine:m"), &kind("stateMachine")).await;
}
