use super::*;

fn function() -> Resource {
    resource("arn:aws:lambda:us-east-1:123456789012:function:f")
}

/// What a function's task comes to.
async fn invoked(resource: Resource, parameters: &str, answered: String) -> (Answer, String) {
    let (url, received) = served(move |_| answered.clone()).await;
    let answer = services(&url, Rights::Own).call(&call(resource, parameters), &execution()).await;
    let requests = received.lock().unwrap().clone();
    assert!(requests.len() <= 1, "a function is called once: {requests:?}");
    (answer, requests.into_iter().next().unwrap_or_default())
}

fn succeeded(answer: Answer) -> String {
    match answer {
        Answer::Settled(TaskOutcome::Succeeded(output)) => output.to_json(),
        other => panic!("{other:?}"),
    }
}

fn failure(answer: Answer) -> Failure {
    match answer {
        Answer::Settled(TaskOutcome::Failed { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_function_is_called_by_its_arn() {
    let (answered, request) =
        invoked(function(), r#"{"in":1}"#, answer(200, "X-Amz-Executed-Version: $LATEST\r\n", r#"{"a":1}"#))
            .await;
    assert_eq!(succeeded(answered), r#"{"a":1}"#);
    assert!(request.starts_with("POST /2015-03-31/functions/arn%3Aaws%3Alambda%3A"), "{request}");
    assert_eq!(body(&request), r#"{"in":1}"#);
}

#[tokio::test]
async fn invoke_answers_with_metadata() {
    let headers = "Date: Wed, 15 Jan 2025 12:00:00 GMT\r\nX-Amz-Executed-Version: $LATEST\r\nx-amzn-RequestId: r\r\nx-custom: a\r\nx-custom: b\r\nx-amz-log-result: bG9n\r\n";
    for (pattern, is_submitted) in [("", false), (".waitForTaskToken", true)] {
        let resource = integration(&format!("lambda:invoke{pattern}"));
        let (answered, _) = invoked(resource, r#"{"FunctionName":"f"}"#, answer(200, headers, "{}")).await;
        let output = match answered {
            Answer::Settled(TaskOutcome::Succeeded(output)) if !is_submitted => output,
            Answer::Submitted(output) if is_submitted => output,
            other => panic!("{pattern} answered {other:?}"),
        };
        assert_eq!(
            output.to_json(),
            concat!(
                r#"{"ExecutedVersion":"$LATEST","LogResult":"bG9n","Payload":{},"SdkHttpMetadata":{"AllHttpHeaders":{"#,
                r#""Connection":["close"],"Date":["Wed, 15 Jan 2025 12:00:00 GMT"],"X-Amz-Executed-Version":["$LATEST"],"#,
                r#""x-amzn-RequestId":["r"],"x-custom":["a","b"],"X-Amz-Log-Result":["bG9n"],"Content-Length":["2"]},"#,
                r#""HttpHeaders":{"Connection":"close","Content-Length":"2","Date":"Wed, 15 Jan 2025 12:00:00 GMT","#,
                r#""X-Amz-Executed-Version":"$LATEST","X-Amz-Log-Result":"bG9n","x-amzn-RequestId":"r","x-custom":"b"},"#,
                r#""HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"r"},"StatusCode":200}"#
            )
        );
    }
}

#[tokio::test]
async fn payloads_are_sent_as_json() {
    for (payload, expected) in [
        ("null", "{}"),
        (r#"{"a":[1, 2.0]}"#, r#"{"a":[1,2.0]}"#),
        ("0", "0"),
        ("true", "true"),
        (r#""true""#, "true"),
        (r#""\"HelloWorld\"""#, "\"HelloWorld\""),
        (r#""{\"a\": 1}""#, "{\"a\": 1}"),
        (r#""plain text""#, "\"plain text\""),
        (r#""""#, "\"\""),
    ] {
        let parameters = format!(r#"{{"FunctionName":"f","Payload":{payload}}}"#);
        let (_, request) = invoked(integration("lambda:invoke"), &parameters, answer(200, "", "{}")).await;
        assert_eq!(body(&request), expected, "{payload}");
    }
    let all = r#"{"FunctionName":"f","InvocationType":"Event","Qualifier":"7","ClientContext":"e30=","LogType":"Tail"}"#;
    let (_, request) = invoked(integration("lambda:invoke"), all, answer(202, "", "")).await;
    let request = request.to_lowercase();
    for part in [
        "post /2015-03-31/functions/f/invocations?qualifier=7 ",
        "x-amz-invocation-type: event",
        "x-amz-client-context: e30=",
        "x-amz-log-type: tail",
    ] {
        assert!(request.contains(part), "{part} is not in {request}");
    }
}

#[tokio::test]
async fn results_are_json_or_text() {
    for (payload, expected) in
        [("null", "null"), ("\"x\"", "\"x\""), ("not json", "\"not json\""), ("", "\"\"")]
    {
        let (answered, _) = invoked(function(), "{}", answer(200, "", payload)).await;
        assert_eq!(succeeded(answered), expected, "{payload}");
    }
}

#[tokio::test]
async fn errors_of_functions_are_the_tasks() {
    let check = async |payload: &str, error: &str, cause: &str| {
        for resource in [function(), integration("lambda:invoke")] {
            let failed = answer(200, "X-Amz-Function-Error: Unhandled\r\n", payload);
            let (answered, _) = invoked(resource, r#"{"FunctionName":"f"}"#, failed).await;
            assert_eq!(failure(answered), Failure::new(error, cause));
        }
    };
    let payload = r#"{"errorMessage": "no", "errorType": "CustomException"}"#;
    check(payload, "CustomException", payload).await;
    let unknown =
        "The cause could not be determined because Lambda did not return an error type. Returned payload: ";
    for payload in [r#"{"errorMessage":"Task timed out"}"#, "", "oops", r#"{"errorType":""}"#] {
        check(payload, "Lambda.Unknown", &format!("{unknown}{payload}")).await;
    }
}

#[tokio::test]
async fn errors_of_the_service_and_of_the_way_to_it() {
    let refused = |headers: &str, status: u16, body: &str| {
        answer(status, &format!("x-amzn-RequestId: r\r\n{headers}"), body)
    };
    for (answered, error, cause) in [
        (
            refused(
                "x-amzn-ErrorType: ResourceNotFoundException\r\n",
                404,
                r#"{"Type":"User","Message":"no function f"}"#,
            ),
            "Lambda.ResourceNotFoundException",
            "no function f (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: r; Proxy: null)",
        ),
        (
            refused("x-amzn-ErrorType: AccessDeniedException\r\n", 403, "{}"),
            "Lambda.AWSLambdaException",
            "(Service: AWSLambda; Status Code: 403; Error Code: AccessDeniedException; Request ID: r; Proxy: null)",
        ),
        (
            refused("x-amzn-ErrorType: TooManyRequestsException\r\n", 429, r#"{"message":"slow"}"#),
            "Lambda.TooManyRequestsException",
            "slow (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsException; Request ID: r; Proxy: null)",
        ),
        (
            refused("", 500, ""),
            "Lambda.AWSLambdaException",
            "(Service: AWSLambda; Status Code: 500; Error Code: Unknown; Request ID: r; Proxy: null)",
        ),
    ] {
        let (answered, _) = invoked(function(), "{}", answered).await;
        assert_eq!(failure(answered), Failure::new(error, cause));
    }
    // Nothing listens on a port that has just been closed.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let failed = failure(services(&url, Rights::Own).call(&call(function(), "{}"), &execution()).await);
    assert_eq!(failed.error.as_deref(), Some("Lambda.SdkClientException"));
    assert!(failed.cause.unwrap().starts_with("Unable to execute HTTP request: 127.0.0.1:"));
}
