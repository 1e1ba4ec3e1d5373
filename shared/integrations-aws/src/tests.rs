//! Calls against a server in this process that answers what it is told to.

mod functions;
mod jobs;
mod recorded;
mod results;
mod rights;
mod secrets;
mod web;

use std::sync::{Arc, Mutex};

use asl::state::Resource;
use aws_client::{Caller, Endpoints, Identity, Place};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use engine::{Call, EffectId, Execution, TaskOutcome, TaskToken};
use integrations::{Answer, Tasks as _};
use model::error::Failure;
use model::json::{Text, Value};
use model::timestamp::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::{Finding, Rights, Services};

fn v(text: &str) -> Value {
    Value::parse(text).unwrap()
}

/// The text of one request.
async fn read(stream: &mut TcpStream) -> String {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

/// Requests that a server has received.
type Received = Arc<Mutex<Vec<String>>>;

/// Answers what `answer` says to each request; everything is at its address.
async fn served(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let into = received.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read(&mut stream).await;
            let answer = answer(&request);
            into.lock().unwrap().push(request);
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (url, received)
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

fn somebody() -> Finding {
    let identity = Identity::new(SharedCredentialsProvider::new(Credentials::for_tests()));
    let caller = Caller { identity: Arc::new(identity), region: "us-east-1".to_owned() };
    Box::pin(std::future::ready(caller))
}

fn services(url: &str, rights: Rights) -> Services {
    let endpoints = Endpoints::default().all(Place::Url(url.to_owned()));
    Services::new(endpoints, rights, somebody)
}

fn resource(arn: &str) -> Resource {
    Resource::from_arn(&arn.into()).unwrap()
}

fn integration(rest: &str) -> Resource {
    resource(&format!("arn:aws:states:::{rest}"))
}

fn call(resource: Resource, parameters: &str) -> Call {
    Call {
        effect: EffectId(1),
        state: "Call".into(),
        iteration: Vec::new(),
        resource,
        parameters: v(parameters),
        role_arn: None,
        token: Some(TaskToken::new([7; 16], "arn:aws:states:us-east-1:123456789012:execution:m:e")),
        timeout_seconds: None,
        heartbeat_seconds: None,
        retry_count: 0,
    }
}

fn execution() -> Execution {
    Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        state_machine_name: "m".into(),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: "us-east-1".into(),
        started_at: Timestamp::EPOCH,
        synchronous: false,
    }
}

/// What a task comes to whose call is answered so, and what was asked.
async fn asked(rest: &str, parameters: &str, answered: String) -> (Result<String, Failure>, Vec<String>) {
    let (url, received) = served(move |_| answered.clone()).await;
    let answer = services(&url, Rights::Own).call(&call(integration(rest), parameters), &execution()).await;
    let requests = received.lock().unwrap().clone();
    let result = match answer {
        Answer::Settled(TaskOutcome::Succeeded(output)) | Answer::Submitted(output) => Ok(output.to_json()),
        Answer::Settled(TaskOutcome::Failed { failure, .. }) => Err(failure),
        Answer::Queued => panic!("nothing is queued here"),
    };
    (result, requests)
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn what_is_callable_is_known() {
    let services = Services::new(Endpoints::default().all(Place::Aws), Rights::Own, somebody);
    let nowhere = Services::new(Endpoints::default(), Rights::Own, somebody);
    for rest in [
        "lambda:invoke",
        "lambda:invoke.waitForTaskToken",
        "sqs:sendMessage",
        "sqs:sendMessage.waitForTaskToken",
        "glue:startJobRun.sync",
        "states:startExecution.sync:2",
        "bedrock:invokeModel",
        "aws-sdk:dynamodb:query",
        "aws-sdk:s3:listBuckets.waitForTaskToken",
    ] {
        assert_eq!(services.callable("S", &integration(rest)), Ok(()), "{rest}");
        let refusal = nowhere.callable("S", &integration(rest)).unwrap_err().to_string();
        assert!(refusal.contains("--endpoint ") && refusal.contains("AWS_ENDPOINT_URL_"), "{refusal}");
    }
    for rest in [
        "lambda:invoke.sync",
        "sqs:sendMessage.sync",
        "dynamodb:query",
        "aws-sdk:dynamodb:nothing",
        "aws-sdk:nothing:query",
        "aws-sdk:glue:startJobRun.sync",
        "aws-sdk:sts:assumeRole",
    ] {
        assert!(services.callable("S", &integration(rest)).is_err(), "{rest}");
    }
    let activity = resource("arn:aws:states:us-east-1:123456789012:activity:a");
    assert!(services.callable("S", &activity).unwrap_err().advice.contains("worker"));
}

/// Every integration that a definition may name and that is not another crate's has an operation.
#[test]
fn the_table_is_whole() {
    for family in crate::optimized::table::all() {
        for action in family.actions {
            let name = format!("{}:{}", family.name, action.name);
            let operation = crate::optimized::operation(family, action.operation);
            assert!(operation.is_some(), "{name}");
            let arn = format!("arn:aws:states:::{name}");
            assert!(asl_knows(&arn), "{arn}");
            assert_eq!(asl_knows(&format!("{arn}.sync")), action.job.is_some(), "{arn}.sync");
        }
    }
}

/// Whether a definition may name a resource.
fn asl_knows(arn: &str) -> bool {
    let definition = format!(
        r#"{{"StartAt":"S","States":{{"S":{{"Type":"Task","Resource":"{arn}","Parameters":{{"TableName":"t","Key":{{}},"Item":{{}},"TaskDefinition":"t","Entries":[],"JobName":"j","FunctionName":"f","Message":"m","QueueUrl":"u","MessageBody":"b","StateMachineArn":"a"}},"End":true}}}}}}"#
    );
    asl::parse(&definition, &asl::Options::default()).machine.is_some()
}

#[test]
fn what_may_be_repeated_is_known() {
    let services = Services::new(Endpoints::default().all(Place::Aws), Rights::Own, somebody);
    let repeatable = |rest: &str| services.is_repeatable(&call(integration(rest), "{}"));
    for rest in
        ["aws-sdk:dynamodb:getItem", "aws-sdk:ecs:runTask", "athena:getQueryResults", "ecs:runTask.sync"]
    {
        assert!(repeatable(rest), "{rest}");
    }
    for rest in ["lambda:invoke", "sqs:sendMessage", "aws-sdk:dynamodb:putItem", "bedrock:invokeModel"] {
        assert!(!repeatable(rest), "{rest}");
    }
}

/// A token is the same when a call is made again, and another for another call.
#[tokio::test]
async fn tokens_are_of_the_call() {
    let (url, received) = served(|_| answer(200, "", r#"{"tasks":[],"failures":[]}"#)).await;
    let services = services(&url, Rights::Own);
    let first = call(integration("aws-sdk:ecs:runTask"), r#"{"TaskDefinition":"t"}"#);
    let second = Call { effect: EffectId(2), ..first.clone() };
    for call in [&first, &first, &second] {
        services.call(call, &execution()).await;
    }
    let sent: Vec<String> = received.lock().unwrap().iter().map(|request| body(request).to_owned()).collect();
    let token = v(&sent[0]).get("clientToken").and_then(Value::as_str).map(str::len);
    assert_eq!(token, Some(36), "{sent:?}");
    assert_eq!(sent[0], sent[1]);
    assert_ne!(sent[0], sent[2]);
}

#[tokio::test]
async fn parameters_are_checked_before_anything_is_sent() {
    for (rest, parameters, why) in [
        (
            "aws-sdk:dynamodb:getItem",
            r#"{"Table":1,"TableName":"t","Key":{}}"#,
            "The field \"Table\" is not supported by Step Functions",
        ),
        (
            "aws-sdk:dynamodb:getItem",
            "{}",
            "The field \"TableName\" is required but was missing, The field \"Key\" is required but was missing",
        ),
        (
            "aws-sdk:dynamodb:getItem",
            r#"{"TableName":"t","Key":[]}"#,
            "The value for the field 'Key' must be an object",
        ),
        (
            "sqs:sendMessage",
            r#"{"QueueUrl":"u","MessageBody":"b","Delay":1}"#,
            "The field \"Delay\" is not supported by Step Functions",
        ),
        (
            "elasticmapreduce:addStep.sync",
            r#"{"ClusterId":"c"}"#,
            "The field \"Step\" is required but was missing",
        ),
        (
            "elasticmapreduce:modifyInstanceFleetByName",
            r#"{"ClusterId":"c"}"#,
            "The field \"InstanceFleetName\" is required but was missing",
        ),
        ("bedrock:invokeModel", r#"{"ModelId":"m"}"#, "The field \"Body\" is required but was missing"),
        (
            "bedrock:invokeModel",
            r#"{"ModelId":"m","Input":{"S3Uri":"x"}}"#,
            "The value for the field 'Input.S3Uri' must be s3://bucket/key",
        ),
        ("lambda:invoke", "[]", "The parameters must be an object"),
        (
            "lambda:invoke",
            r#"{"FunctionName":".."}"#,
            "The value for the field 'FunctionName' must be a text that can stand in a path: not empty, and no part of it . or ..",
        ),
        (
            "aws-sdk:s3:getObject",
            r#"{"Bucket":"b","Key":"../other/k"}"#,
            "The value for the field 'Key' must be a text that can stand in a path: not empty, and no part of it . or ..",
        ),
        (
            "aws-sdk:s3:putObject",
            r#"{"Bucket":"b","Key":"k","ContentType":"a\r\nb"}"#,
            "The value for the field 'ContentType' must be a text of printable ASCII characters",
        ),
        (
            "aws-sdk:lambda:listFunctions",
            r#"{"MaxItems":2147483648}"#,
            "The value for the field 'MaxItems' must be an integer",
        ),
    ] {
        let (result, requests) = asked(rest, parameters, String::new()).await;
        let cause = format!("The Parameters '{parameters}' could not be used to start the Task: [{why}]");
        assert_eq!(result, Err(Failure::new("States.Runtime", cause)), "{rest}");
        assert_eq!(requests, Vec::<String>::new(), "{rest}");
    }
}
