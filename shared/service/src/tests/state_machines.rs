//! State machines and tags.

use super::*;

#[tokio::test(start_paused = true)]
async fn created_described_updated_deleted() {
    let site = Site::new().await;
    let arn = site.machine("m", PASS).await;
    assert_eq!(arn, format!("{HOME}:stateMachine:m"));
    let about = object([("stateMachineArn", &arn)]);
    let described = site.ok("DescribeStateMachine", &about).await;
    assert_eq!(
        names(&described),
        [
            "creationDate",
            "definition",
            "loggingConfiguration",
            "name",
            "roleArn",
            "stateMachineArn",
            "status",
            "tracingConfiguration",
            "type"
        ]
    );
    assert_eq!(text(&described, "definition"), PASS);
    let metadata = object([("stateMachineArn", &arn), ("includedData", "METADATA_ONLY")]);
    assert_eq!(text(&site.ok("DescribeStateMachine", &metadata).await, "definition"), "");

    let update = object([("stateMachineArn", &arn), ("definition", WAIT)]);
    let updated = site.ok("UpdateStateMachine", &update).await;
    assert_eq!(names(&updated), ["revisionId", "updateDate"]);
    let described = site.ok("DescribeStateMachine", &about).await;
    assert_eq!(text(&described, "revisionId"), text(&updated, "revisionId"));
    assert_eq!(text(&described, "definition"), WAIT);
    // The same again is no revision.
    let again = site.ok("UpdateStateMachine", &update).await;
    assert_eq!(text(&again, "revisionId"), text(&updated, "revisionId"));

    assert_eq!(site.ok("DeleteStateMachine", &about).await, Value::object());
    let gone = (ErrorType::StateMachineDoesNotExist, format!("State Machine Does Not Exist: '{arn}'"));
    for operation in ["DescribeStateMachine", "StartExecution", "ListExecutions"] {
        assert_eq!(site.refused(operation, &about).await, gone);
    }
    assert_eq!(site.refused("UpdateStateMachine", &update).await, gone);
    assert_eq!(site.ok("DeleteStateMachine", &about).await, Value::object());
}

#[tokio::test(start_paused = true)]
async fn creating_twice() {
    let site = Site::new().await;
    let arn = site.machine("m", PASS).await;
    let request = |definition: &str, rest: &str| {
        let definition = Value::from(definition).to_json();
        json(&format!(r#"{{"name":"m","definition":{definition},"roleArn":"{ROLE}2"{rest}}}"#))
    };
    site.clock.jump(5_000);
    let first = site.ok("DescribeStateMachine", &object([("stateMachineArn", &arn)])).await;
    let again = site.ok("CreateStateMachine", &request(PASS, r#","tags":[{"key":"a","value":"b"}]"#)).await;
    assert_eq!(again.get("creationDate"), first.get("creationDate"));
    assert_eq!(text(&first, "roleArn"), ROLE);
    let taken = (ErrorType::StateMachineAlreadyExists, format!("State Machine Already Exists: '{arn}'"));
    for (definition, rest) in [
        (PASS.replace(',', ", "), ""),
        (PASS.to_owned(), r#","type":"EXPRESS""#),
        (PASS.to_owned(), r#","tracingConfiguration":{"enabled":true}"#),
    ] {
        assert_eq!(site.refused("CreateStateMachine", &request(&definition, rest)).await, taken, "{rest}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals() {
    let site = Site::new().await;
    let arn = site.machine("m", PASS).await;
    let create = async |changes: &[(&str, &str)]| {
        let mut request = object([("name", "n"), ("definition", PASS), ("roleArn", ROLE)])
            .as_object()
            .unwrap()
            .clone()
            .into_map();
        for (name, value) in changes {
            request.insert(Text::from(*name), Value::parse(value).unwrap());
        }
        site.refused("CreateStateMachine", &request.into()).await
    };
    let group =
        r#"{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:111111111111:log-group:/g:*"}}"#;
    let not_a_group =
        r#"{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:111111111111:log-group:/g"}}"#;
    let exactly_one = "Invalid Logging Configuration: Must specify exactly one Log Destination.";
    let ends = "Invalid Logging Configuration: A Log Destination must be the ARN of a log group that ends with ':*'.";
    let tags: Vec<String> = (0..51).map(|n| format!(r#"{{"key":"{n}","value":""}}"#)).collect();
    let tags = format!("[{}]", tags.join(","));
    let table: &[(&str, &str, ErrorType, &str)] = &[
        ("name", r#""a b""#, ErrorType::InvalidName, "Invalid Name: 'a b'"),
        ("roleArn", r#""nobody""#, ErrorType::InvalidArn, "Invalid Role Arn: 'nobody'"),
        (
            "definition",
            r#""{}""#,
            ErrorType::InvalidDefinition,
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'",
        ),
        ("loggingConfiguration", r#"{"level":"ALL"}"#, ErrorType::InvalidLoggingConfiguration, exactly_one),
        (
            "loggingConfiguration",
            &format!(r#"{{"destinations":[{group},{group}]}}"#),
            ErrorType::InvalidLoggingConfiguration,
            exactly_one,
        ),
        (
            "loggingConfiguration",
            &format!(r#"{{"destinations":[{not_a_group}]}}"#),
            ErrorType::InvalidLoggingConfiguration,
            ends,
        ),
        (
            "loggingConfiguration",
            r#"{"level":"ALL","destinations":[{}]}"#,
            ErrorType::InvalidLoggingConfiguration,
            ends,
        ),
        (
            "encryptionConfiguration",
            r#"{"type":"CUSTOMER_MANAGED_KMS_KEY"}"#,
            ErrorType::InvalidEncryptionConfiguration,
            "Invalid Encryption Configuration: kmsKeyId must be set for CUSTOMER_MANAGED_KMS_KEY",
        ),
        (
            "encryptionConfiguration",
            r#"{"type":"AWS_OWNED_KEY","kmsKeyId":"k"}"#,
            ErrorType::InvalidEncryptionConfiguration,
            "Invalid Encryption Configuration: kmsKeyId cannot be set for AWS_OWNED_KEY",
        ),
        (
            "versionDescription",
            r#""x""#,
            ErrorType::ValidationException,
            "Version description can only be set when publish is true",
        ),
        (
            "tags",
            r#"[{"key":"aws:x","value":""}]"#,
            ErrorType::ValidationException,
            "The tag key is reserved: tags that begin with `aws:` belong to AWS",
        ),
        (
            "tags",
            &tags,
            ErrorType::TooManyTags,
            "Too many tags: 'arn:aws:states:us-east-1:111111111111:stateMachine:n' can have at most 50 tags",
        ),
    ];
    for (name, value, error_type, message) in table {
        assert_eq!(create(&[(name, value)]).await, (*error_type, (*message).to_owned()), "{name}: {value}");
    }
    let update = async |request: Value| site.refused("UpdateStateMachine", &request).await;
    let nothing = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified";
    assert_eq!(
        update(object([("stateMachineArn", &arn)])).await,
        (ErrorType::MissingRequiredParameter, nothing.to_owned())
    );
    assert_eq!(
        update(object([("stateMachineArn", &arn), ("definition", "x")])).await.0,
        ErrorType::InvalidDefinition
    );
    let version = format!("{arn}:1");
    assert_eq!(
        update(object([("stateMachineArn", &version), ("definition", PASS)])).await,
        (ErrorType::StateMachineDoesNotExist, format!("State Machine Does Not Exist: '{version}'"))
    );
    let label = format!("{arn}/label");
    assert_eq!(
        update(object([("stateMachineArn", &label), ("definition", PASS)])).await.0,
        ErrorType::ValidationException
    );
}

#[tokio::test(start_paused = true)]
async fn configurations_are_kept_as_they_were_given() {
    let site = Site::new().await;
    let configurations = r#""loggingConfiguration":{"level":"ERROR","includeExecutionData":true,"destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:111111111111:log-group:/g:*"}}]},"tracingConfiguration":{"enabled":true},"encryptionConfiguration":{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"k","kmsDataKeyReusePeriodSeconds":60}"#;
    let given = json(&format!("{{{configurations}}}"));
    let definition = Value::from(PASS).to_json();
    let request = format!(
        r#"{{"name":"m","definition":{definition},"roleArn":"{ROLE}","type":"EXPRESS",{configurations}}}"#
    );
    let arn = site.ok("CreateStateMachine", &json(&request)).await;
    let described =
        site.ok("DescribeStateMachine", &object([("stateMachineArn", text(&arn, "stateMachineArn"))])).await;
    for (name, value) in given.as_object().unwrap().iter() {
        assert_eq!(described.get(name), Some(value), "{name}");
    }
    assert_eq!(text(&described, "type"), "EXPRESS");
}

#[tokio::test(start_paused = true)]
async fn listed_by_name_page_by_page() {
    let site = Site::new().await;
    for name in ["c", "a", "b"] {
        site.machine(name, PASS).await;
    }
    let first = site.ok("ListStateMachines", &json(r#"{"maxResults":2}"#)).await;
    let names_of = |page: &Value| -> Vec<String> {
        page.get("stateMachines")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|item| text(item, "name").to_owned())
            .collect()
    };
    assert_eq!(names_of(&first), ["a", "b"]);
    assert_eq!(
        names(&first.get("stateMachines").unwrap().as_array().unwrap()[0]),
        ["creationDate", "name", "stateMachineArn", "type"]
    );
    let token = text(&first, "nextToken");
    let second = site.ok("ListStateMachines", &object([("nextToken", token)])).await;
    assert_eq!((names_of(&second), second.get("nextToken")), (vec!["c".to_owned()], None));
    let invalid = (ErrorType::InvalidToken, "Invalid Token: 'Invalid token'".to_owned());
    assert_eq!(site.refused("ListStateMachines", &object([("nextToken", "x")])).await, invalid);
    assert_eq!(site.refused("ListActivities", &object([("nextToken", token)])).await, invalid);
    site.clock.jump(24 * 60 * 60 * 1_000 + 1);
    assert_eq!(site.refused("ListStateMachines", &object([("nextToken", token)])).await, invalid);
}

#[tokio::test(start_paused = true)]
async fn tags() {
    let site = Site::new().await;
    let arn = site.machine("m", PASS).await;
    let tag = |tags: &str| json(&format!(r#"{{"resourceArn":"{arn}","tags":{tags}}}"#));
    site.ok(
        "TagResource",
        &tag(r#"[{"key":"a","value":"1"},{"key":"é","value":""},{"key":"a","value":"2"}]"#),
    )
    .await;
    let listed = async || site.ok("ListTagsForResource", &object([("resourceArn", &arn)])).await;
    assert_eq!(listed().await, json(r#"{"tags":[{"key":"a","value":"2"},{"key":"é","value":""}]}"#));
    let many: Vec<String> = (0..49).map(|n| format!(r#"{{"key":"{n}","value":""}}"#)).collect();
    let refused = site.refused("TagResource", &tag(&format!("[{}]", many.join(",")))).await;
    assert_eq!(refused.0, ErrorType::TooManyTags);
    for wrong in [r#"[{"key":"a*","value":""}]"#, r#"[{"key":"AWS:a","value":""}]"#] {
        assert_eq!(
            site.refused("TagResource", &tag(wrong)).await.0,
            ErrorType::ValidationException,
            "{wrong}"
        );
    }
    site.ok("UntagResource", &json(&format!(r#"{{"resourceArn":"{arn}","tagKeys":["a","b"]}}"#))).await;
    assert_eq!(listed().await, json(r#"{"tags":[{"key":"é","value":""}]}"#));
    for missing in [format!("{HOME}:stateMachine:n"), format!("{arn}:1"), format!("{HOME}:activity:a")] {
        let refused = site.refused("ListTagsForResource", &object([("resourceArn", &missing)])).await;
        assert_eq!(refused, (ErrorType::ResourceNotFound, format!("Resource not found: '{missing}'")));
    }
}

#[tokio::test(start_paused = true)]
async fn definitions_are_validated() {
    let site = Site::new().await;
    let validate = async |definition: &str, rest: &str| {
        let definition = Value::from(definition).to_json();
        site.ok("ValidateStateMachineDefinition", &json(&format!(r#"{{"definition":{definition}{rest}}}"#)))
            .await
    };
    assert_eq!(validate(PASS, "").await, json(r#"{"result":"OK","diagnostics":[],"truncated":false}"#));
    let broken = r#"{"StartAt":"P","States":{"P":{"Type":"Pass"},"Q":{"Type":"Pass"}}}"#;
    let all = validate(broken, "").await;
    let count = all.get("diagnostics").unwrap().as_array().unwrap().len();
    assert!(count > 1 && text(&all, "result") == "FAIL" && all.get("truncated") == Some(&false.into()));
    let one = validate(broken, r#","maxResults":1"#).await;
    assert_eq!(one.get("diagnostics").unwrap().as_array().unwrap().len(), 1);
    assert_eq!(one.get("truncated"), Some(&true.into()));
    let warned = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","Parameters":{"a":"$.b"},"End":true}}}"#;
    let warnings = validate(warned, r#","severity":"WARNING""#).await;
    assert_eq!(text(&warnings, "result"), "OK");
    assert_eq!(text(&warnings.get("diagnostics").unwrap().as_array().unwrap()[0], "severity"), "WARNING");
    assert_eq!(validate(warned, "").await.get("diagnostics"), Some(&json("[]")));
}
