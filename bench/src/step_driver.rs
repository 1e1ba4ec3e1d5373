//! The step-driver as it is deployed: its binary between a Lambda that is this process and an AWS that
//! is this process, too. See [`crate::container`] and [`crate::stand_in`].

use std::path::Path;

use serde_json::{Value, json};

use crate::container::Container;
use crate::process::Memory;
use crate::stand_in::{FUNCTION, ROLE, StandIn, Work};

/// The handler of the step-driver.
const HANDLER: &str = "step-driver";

/// What a start took.
pub struct Started {
    /// From the start of the process to its first question for an event, in milliseconds.
    pub ready_millis: f64,
    /// Once it waits for its second event: the first had no messages.
    pub memory: Memory,
}

/// Starts the step-driver so often, one after the other. The first start, which makes the empty
/// table its own, is not counted.
///
/// # Errors
/// When it does not start, or does not take the event.
pub async fn starts(binary: &Path, count: usize) -> Result<Vec<Started>, String> {
    let services = StandIn::start(Work::new(1_024, 1)).await?;
    let mut all = Vec::with_capacity(count);
    for number in 0..=count {
        let mut driver = Container::start(binary, HANDLER, &services).await?;
        all_done(&driver.invoke(json!({"Records": []}).to_string()).await?)?;
        if number > 0 {
            let ready_millis = driver.ready().as_secs_f64() * 1e3;
            all.push(Started { ready_millis, memory: driver.memory()? });
        }
    }
    services.check()?;
    Ok(all)
}

/// What a step-driver is given at once.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Messages, each of an execution of its own.
    pub executions: usize,
    /// Tasks of an execution, one after the other.
    pub tasks: usize,
    /// Bytes of the input, and of what each task gives back: a little less.
    pub payload_bytes: usize,
}

impl Batch {
    /// The function for its tasks: it answers once every execution has called it, so that all of them
    /// are in flight, with a payload each, at every moment.
    pub fn work(self) -> Work {
        Work::new(self.payload_bytes, self.executions)
    }

    fn definition(self) -> String {
        let state = |number: usize| {
            let mut state = json!({"Type": "Task", "Resource": FUNCTION});
            match number + 1 == self.tasks {
                true => state["End"] = true.into(),
                false => state["Next"] = format!("Task{}", number + 1).into(),
            }
            (format!("Task{number}"), state)
        };
        let states: serde_json::Map<String, Value> = (0..self.tasks).map(state).collect();
        json!({"StartAt": "Task0", "States": states}).to_string()
    }
}

/// Starts executions with the function of the API, and hands their messages to a step-driver in one
/// event: the memory of it afterwards.
///
/// # Errors
/// When a function answers an error, a message is to come again, or an execution has not succeeded
/// with the output that the last of its tasks gave.
pub async fn loaded(binary: &Path, batch: Batch, work: Work) -> Result<Memory, String> {
    let services = StandIn::start(work).await?;
    let mut api = Api(Container::start(binary, "api", &services).await?);
    let machine = json!({"name": "orders", "definition": batch.definition(), "roleArn": ROLE});
    let machine = api.call("CreateStateMachine", &machine).await?;
    let mut executions = Vec::with_capacity(batch.executions);
    for order in 0..batch.executions {
        let input = services.work().payload(order, 0)?.to_string();
        let start = json!({"stateMachineArn": machine["stateMachineArn"], "input": input});
        executions.push(api.call("StartExecution", &start).await?["executionArn"].take());
    }
    let records = services.take_messages();
    if records.len() != batch.executions {
        return Err(format!("{} executions sent {} messages", batch.executions, records.len()));
    }
    let mut driver = Container::start(binary, HANDLER, &services).await?;
    let answered = driver.invoke(json!({"Records": records}).to_string()).await?;
    // Why a task failed is told by what was refused.
    services.check()?;
    all_done(&answered)?;
    let memory = driver.memory()?;
    for (order, arn) in executions.into_iter().enumerate() {
        let described = api.call("DescribeExecution", &json!({"executionArn": arn})).await?;
        if described["status"] != "SUCCEEDED" {
            return Err(format!("an execution is {}: {}", described["status"], described["cause"]));
        }
        let output: Option<Value> =
            described["output"].as_str().and_then(|output| serde_json::from_str(output).ok());
        if output != Some(services.work().payload(order, batch.tasks)?) {
            return Err(format!("the output of {arn} is not what its last task gave"));
        }
    }
    match services.take_messages().len() {
        0 => Ok(memory),
        left => Err(format!("{left} messages were sent although all executions have ended")),
    }
}

/// Whether the answer of a step-driver names no messages.
fn all_done(answered: &[u8]) -> Result<(), String> {
    let answer: Value = serde_json::from_slice(answered).map_err(|error| error.to_string())?;
    match answer["batchItemFailures"].as_array().map(Vec::as_slice) {
        Some([]) => Ok(()),
        _ => Err(format!("messages are to come again: {answer}")),
    }
}

/// The function of the API, behind its URL.
struct Api(Container);

impl Api {
    async fn call(&mut self, operation: &str, body: &Value) -> Result<Value, String> {
        let event = json!({
            "version": "2.0",
            "rawPath": "/",
            "headers": {
                "content-type": "application/x-amz-json-1.0",
                "x-amz-target": format!("AWSStepFunctions.{operation}"),
            },
            "requestContext": {
                "domainName": "abc.lambda-url.us-east-1.on.aws",
                "http": {"method": "POST", "path": "/"},
                "stage": "$default",
            },
            "body": body.to_string(),
            "isBase64Encoded": false,
        });
        let answered = self.0.invoke(event.to_string()).await?;
        let answer: Value = serde_json::from_slice(&answered).map_err(|error| error.to_string())?;
        match (answer["statusCode"].as_u64(), answer["body"].as_str()) {
            (Some(200), Some(body)) => serde_json::from_str(body).map_err(|error| error.to_string()),
            _ => Err(format!("{operation} was answered {answer}")),
        }
    }
}
