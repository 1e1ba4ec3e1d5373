//! Results and errors as the service records them.

use super::*;

/// `cause` and `error` of a refusal.
async fn refused(rest: &str, parameters: &str, answered: String) -> (String, String) {
    let failure = asked(rest, parameters, answered).await.0.unwrap_err();
    (failure.error.unwrap().to_string(), failure.cause.unwrap().to_string())
}

#[tokio::test]
async fn items_are_put_and_got() {
    let headers = "Server: Server\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: r\r\nx-amz-crc32: 1\r\n";
    let parameters = r#"{"TableName":"t","Key":{"id":{"S":"id1"}}}"#;
    let item = r#"{"Item":{"data":{"BOOL":true},"id":{"S":"id1"}}}"#;
    let (result, requests) = asked("dynamodb:getItem", parameters, answer(200, headers, item)).await;
    assert_eq!(
        result.unwrap(),
        concat!(
            r#"{"Item":{"data":{"BOOL":true},"id":{"S":"id1"}},"SdkHttpMetadata":{"AllHttpHeaders":{"Connection":["close"],"#,
            r#""Server":["Server"],"Content-Type":["application/x-amz-json-1.0"],"x-amzn-RequestId":["r"],"x-amz-crc32":["1"],"#,
            r#""Content-Length":["48"]},"HttpHeaders":{"Connection":"close","Content-Length":"48","#,
            r#""Content-Type":"application/x-amz-json-1.0","Server":"Server","x-amz-crc32":"1","x-amzn-RequestId":"r"},"#,
            r#""HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"r"}}"#
        )
    );
    assert!(requests[0].to_lowercase().contains("x-amz-target: dynamodb_20120810.getitem\r\n"));
    assert_eq!(body(&requests[0]), parameters);
    let (result, _) = asked("aws-sdk:dynamodb:getItem", parameters, answer(200, headers, item)).await;
    assert_eq!(result.unwrap(), r#"{"Item":{"data":{"Bool":true},"id":{"S":"id1"}}}"#);
}

#[tokio::test]
async fn messages_are_json_or_text() {
    for (message, expected) in [(r#""text""#, "text"), (r#"{"a": [1]}"#, r#"{\"a\":[1]}"#), ("1", "1")] {
        let parameters = format!(r#"{{"QueueUrl":"u","MessageBody":{message}}}"#);
        let answered = answer(200, "", r#"{"MD5OfMessageBody":"5","MessageId":"i"}"#);
        let (result, requests) = asked("sqs:sendMessage", &parameters, answered).await;
        assert!(result.unwrap().starts_with(r#"{"MD5OfMessageBody":"5","MessageId":"i","SdkHttpMetadata":"#));
        assert_eq!(body(&requests[0]), format!(r#"{{"QueueUrl":"u","MessageBody":"{expected}"}}"#));
    }
}

#[tokio::test]
async fn errors_are_called_what_the_service_calls_them() {
    let topic = "<ErrorResponse><Error><Code>NotFound</Code><Message>Topic does not exist</Message></Error><RequestId>r</RequestId></ErrorResponse>";
    assert_eq!(
        refused("sns:publish", r#"{"TopicArn":"a","Message":"m"}"#, answer(404, "", topic)).await,
        (
            "SNS.NotFoundException".to_owned(),
            "Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request ID: r; Proxy: null)".to_owned()
        )
    );
    let token = answer(
        400,
        "x-amzn-RequestId: r\r\n",
        r#"{"__type":"com.amazonaws.swf.service.v2.model#InvalidToken","message":"Invalid Token: 'Invalid token'"}"#,
    );
    assert_eq!(
        refused("aws-sdk:sfn:sendTaskSuccess", r#"{"TaskToken":"x","Output":"{}"}"#, token).await,
        (
            "Sfn.InvalidTokenException".to_owned(),
            "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: r) (SDK Attempt Count: 1)".to_owned()
        )
    );
    let key = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
    let headers = "x-amz-request-id: r\r\nx-amz-id-2: x\r\n";
    assert_eq!(
        refused("aws-sdk:s3:getObject", r#"{"Bucket":"b","Key":"k"}"#, answer(404, headers, key)).await,
        (
            "S3.NoSuchKeyException".to_owned(),
            "The specified key does not exist. (Service: S3, Status Code: 404, Request ID: r, Extended Request ID: x) (SDK Attempt Count: 1)".to_owned()
        )
    );
    // A HEAD request's answer has no body.
    let (error, _) =
        refused("aws-sdk:s3:headObject", r#"{"Bucket":"b","Key":"k"}"#, answer(404, headers, "")).await;
    assert_eq!(error, "S3.NoSuchKeyException");
    let denied =
        answer(400, "x-amzn-RequestId: r\r\n", r#"{"__type":"AccessDeniedException","Message":"no"}"#);
    let (error, cause) = refused("aws-sdk:secretsmanager:listSecrets", "{}", denied.clone()).await;
    assert_eq!(error, "SecretsManager.SecretsManagerException");
    assert_eq!(cause, "no (Service: SecretsManager, Status Code: 400, Request ID: r) (SDK Attempt Count: 1)");
    let parameters = r#"{"TableName":"t","Key":{}}"#;
    assert_eq!(refused("dynamodb:getItem", parameters, denied).await.0, "DynamoDB.AmazonDynamoDBException");
    let instance = "<ErrorResponse><Error><Code>DBInstanceNotFound</Code><Message>gone</Message></Error></ErrorResponse>";
    let (error, _) = refused("aws-sdk:rds:describeDBInstances", "{}", answer(404, "", instance)).await;
    assert_eq!(error, "Rds.DbInstanceNotFoundException");
}

/// What is too large to be read is too large to be a result.
#[tokio::test]
async fn answers_beyond_what_is_read_are_beyond_the_limit() {
    let large = answer(200, "", &"x".repeat(40 * 1024 * 1024));
    for (rest, name) in
        [("aws-sdk:dynamodb:listTables", "aws-sdk:dynamodb"), ("aws-sdk:s3:getObject", "aws-sdk:s3")]
    {
        let parameters = if name.ends_with("s3") { r#"{"Bucket":"b","Key":"k"}"# } else { "{}" };
        let cause = format!(
            "The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        assert_eq!(
            refused(rest, parameters, large.clone()).await,
            ("States.DataLimitExceeded".to_owned(), cause)
        );
    }
}

#[tokio::test]
async fn a_token_waits_and_its_failure_is_of_the_submission() {
    let denied = answer(400, "", r#"{"__type":"QueueDoesNotExist","message":"no"}"#);
    let (url, _) = served(move |_| denied.clone()).await;
    let waits =
        call(integration("sqs:sendMessage.waitForTaskToken"), r#"{"QueueUrl":"u","MessageBody":"b"}"#);
    let answer = services(&url, Rights::Own).call(&waits, &execution()).await;
    let Answer::Settled(TaskOutcome::Failed { stage, failure }) = answer else { panic!("{answer:?}") };
    assert_eq!(stage, engine::Stage::Submit);
    assert_eq!(failure.error.as_deref(), Some("SQS.QueueDoesNotExistException"));
}

#[tokio::test]
async fn events_name_the_execution_and_may_fail_one_by_one() {
    let accepted = answer(200, "", r#"{"Entries":[{"EventId":"i"}],"FailedEntryCount":0}"#);
    let parameters = r#"{"Entries":[{"Detail":{"a":1},"DetailType":"d","Source":"s","Resources":["r"]},{"Detail":"{}","DetailType":"d","Source":"s"}]}"#;
    let (result, requests) = asked("events:putEvents", parameters, accepted).await;
    assert_eq!(result.unwrap(), r#"{"Entries":[{"EventId":"i"}],"FailedEntryCount":0}"#);
    let arns = r#""arn:aws:states:us-east-1:123456789012:execution:m:e","arn:aws:states:us-east-1:123456789012:stateMachine:m""#;
    let sent = body(&requests[0]);
    assert!(sent.contains(&format!(r#""Resources":["r",{arns}]"#)), "{sent}");
    assert!(sent.contains(&format!(r#""Resources":[{arns}]"#)), "{sent}");
    assert!(sent.contains(r#""Detail":"{\"a\":1}""#), "{sent}");
    let some = r#"{"Entries":[{"EventId":"i"},{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}],"FailedEntryCount":1}"#;
    let (error, cause) = refused("events:putEvents", parameters, answer(200, "", some)).await;
    assert_eq!((error.as_str(), cause.as_str()), ("EventBridge.FailedEntry", some));
}

#[tokio::test]
async fn objects_are_texts() {
    let headers = "accept-ranges: bytes\r\nContent-Type: binary/octet-stream\r\nETag: \"e\"\r\n";
    let parameters = r#"{"Bucket":"b","Key":"k"}"#;
    let (result, _) = asked("aws-sdk:s3:getObject", parameters, answer(200, headers, "text data")).await;
    assert_eq!(
        result.unwrap(),
        r#"{"AcceptRanges":"bytes","ContentLength":9,"ContentType":"binary/octet-stream","ETag":"\"e\"","Metadata":{},"Body":"text data"}"#
    );
    for (header, expected) in [
        (
            "Wed, 21 Oct 2015 07:28:00 GMT",
            r#","Expires":"2015-10-21T07:28:00Z","ExpiresString":"Wed, 21 Oct 2015 07:28:00 GMT","#,
        ),
        ("never", r#","ExpiresString":"never","#),
    ] {
        let answered = answer(200, &format!("Expires: {header}\r\n"), "");
        let result = asked("aws-sdk:s3:getObject", parameters, answered).await.0.unwrap();
        assert!(result.contains(expected) && result.contains("Expires\"") == (header != "never"), "{result}");
    }
    let put = r#"{"Bucket":"b","Key":"k","Body":"text data"}"#;
    let (result, requests) = asked("aws-sdk:s3:putObject", put, answer(200, "ETag: \"e\"\r\n", "")).await;
    assert_eq!(result.unwrap(), r#"{"ETag":"\"e\""}"#);
    assert_eq!(body(&requests[0]), "\"text data\"", "with its quotes");
}

#[tokio::test]
async fn models_take_and_give_json() {
    let parameters = r#"{"ModelId":"m","Body":{"prompt":"hi"},"ContentType":"application/json"}"#;
    let headers = "Content-Type: application/json\r\n";
    let (result, requests) =
        asked("bedrock:invokeModel", parameters, answer(200, headers, r#"{"x":[1]}"#)).await;
    assert_eq!(result.unwrap(), r#"{"Body":{"x":[1]},"ContentType":"application/json"}"#);
    assert_eq!(body(&requests[0]), r#"{"prompt":"hi"}"#);
    let stored = r#"{"ModelId":"m","Input":{"S3Uri":"s3://b/in"},"Output":{"S3Uri":"s3://b/out"}}"#;
    let (result, requests) = asked("bedrock:invokeModel", stored, answer(200, headers, "{}")).await;
    assert_eq!(result.unwrap(), r#"{"Body":"s3://b/out","ContentType":"application/json"}"#);
    let asked: Vec<&str> = requests.iter().map(|request| request.split(" HTTP").next().unwrap()).collect();
    assert_eq!(asked, ["GET /b/in", "POST /model/m/invoke", "PUT /b/out"]);
}

#[tokio::test]
async fn parameters_and_results_that_are_named_otherwise() {
    let check = async |rest: &str, parameters: &str, answered: &str, sent: &str, result: &str| {
        let (found, requests) = asked(rest, parameters, answer(200, "", answered)).await;
        assert_eq!(body(&requests[0]), sent, "{rest}");
        let found = v(&found.unwrap());
        let own = found.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with("Sdk"));
        let own: Value = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(own.to_json(), result, "{rest}");
    };
    check(
        "elasticmapreduce:addStep",
        r#"{"ClusterId":"c","Step":{"Name":"s","HadoopJarStep":{"Jar":"j"}}}"#,
        r#"{"StepIds":["1"]}"#,
        r#"{"JobFlowId":"c","Steps":[{"Name":"s","HadoopJarStep":{"Jar":"j"}}]}"#,
        r#"{"StepId":"1"}"#,
    )
    .await;
    check(
        "elasticmapreduce:cancelStep",
        r#"{"ClusterId":"c","StepId":"1"}"#,
        r#"{"CancelStepsInfoList":[{"StepId":"1","Status":"SUBMITTED"}]}"#,
        r#"{"ClusterId":"c","StepIds":["1"]}"#,
        r#"{"CancelStepsInfo":{"Status":"SUBMITTED","StepId":"1"}}"#,
    )
    .await;
    check(
        "glue:startJobRun",
        r#"{"JobName":"j"}"#,
        r#"{"JobRunId":"1"}"#,
        r#"{"JobName":"j"}"#,
        r#"{"JobName":"j","JobRunId":"1"}"#,
    )
    .await;
    check(
        "states:startExecution",
        r#"{"StateMachineArn":"a"}"#,
        r#"{"executionArn":"e","startDate":1680596446.117}"#,
        r#"{"stateMachineArn":"a","input":"{}"}"#,
        r#"{"ExecutionArn":"e","StartDate":1680596446117}"#,
    )
    .await;
}

#[tokio::test]
async fn ids_are_found_by_name() {
    let (url, received) = served(|request| {
        let request = request.to_lowercase();
        answer(
            200,
            "",
            match () {
                () if request.contains("elasticmapreduce.listinstancefleets")
                    && request.contains("marker") =>
                {
                    r#"{"InstanceFleets":[{"Id":"if-2","Name":"two"}]}"#
                }
                () if request.contains("elasticmapreduce.listinstancegroups") => {
                    r#"{"InstanceGroups":[{"Id":"ig-1","Name":"one"}]}"#
                }
                () if request.contains("elasticmapreduce.listinstancefleets") => {
                    r#"{"InstanceFleets":[{"Id":"if-1","Name":"one"}],"Marker":"m"}"#
                }
                () => "{}",
            },
        )
    })
    .await;
    let services = services(&url, Rights::Own);
    let modify = |name: &str| {
        let parameters = format!(
            r#"{{"ClusterId":"c","InstanceFleetName":"{name}","InstanceFleet":{{"TargetSpotCapacity":2}}}}"#
        );
        call(integration("elasticmapreduce:modifyInstanceFleetByName"), &parameters)
    };
    let answer = services.call(&modify("two"), &execution()).await;
    assert!(matches!(answer, Answer::Settled(TaskOutcome::Succeeded(_))), "{answer:?}");
    let last = received.lock().unwrap().last().unwrap().clone();
    assert_eq!(
        body(&last),
        r#"{"ClusterId":"c","InstanceFleet":{"TargetSpotCapacity":2,"InstanceFleetId":"if-2"}}"#
    );
    let parameters = r#"{"ClusterId":"c","InstanceGroupName":"one","InstanceGroup":{"InstanceCount":3}}"#;
    let group = call(integration("elasticmapreduce:modifyInstanceGroupByName"), parameters);
    let answer = services.call(&group, &execution()).await;
    assert!(matches!(answer, Answer::Settled(TaskOutcome::Succeeded(_))), "{answer:?}");
    let last = received.lock().unwrap().last().unwrap().clone();
    assert_eq!(
        body(&last),
        r#"{"ClusterId":"c","InstanceGroups":[{"InstanceCount":3,"InstanceGroupId":"ig-1"}]}"#
    );
    let answer = format!("{:?}", services.call(&modify("three"), &execution()).await);
    assert!(answer.contains("There is no InstanceFleet with the name"), "{answer}");
}

#[tokio::test]
async fn a_list_without_an_end_is_not_read_for_ever() {
    let endless = answer(200, "", r#"{"InstanceFleets":[{"Id":"if-1","Name":"one"}],"Marker":"m"}"#);
    let parameters =
        r#"{"ClusterId":"c","InstanceFleetName":"two","InstanceFleet":{"TargetSpotCapacity":2}}"#;
    let (result, requests) = asked("elasticmapreduce:modifyInstanceFleetByName", parameters, endless).await;
    assert!(result.unwrap_err().cause.unwrap().contains("There is no InstanceFleet"));
    assert_eq!(requests.len(), 16);
}
