//! Calls of AWS by tasks: what the catalog costs in the program, at its first use, and with each call.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use asl::state::Resource;
use aws_client::{Caller, Connections, Endpoints, Identity, Place};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_wire::catalog::{Catalog, embedded};
use bench::process::thread_cpu;
use bench::report::{Figure, Report, median};
use bench::stand_in::http::{Server, answer};
use bytes::Bytes;
use engine::{Call, EffectId, Execution, TaskOutcome};
use http_body_util::{BodyExt as _, Full};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use integrations::{Answer, Tasks as _};
use integrations_aws::{Finding, Rights, Services};
use model::json::Value;
use model::timestamp::Timestamp;

/// Measurements behind each median, and the calls of one.
const SAMPLES: usize = 15;
const CALLS: u32 = 400;
/// First uses of a service behind each median.
const FIRST_USES: usize = 200;
/// Bytes of the item.
const ITEM_BYTES: usize = 4 * 1024;
/// The execution whose task it is.
const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:m:e";

/// What a call costs beyond the exchange of its bytes, and what a service does until it can be called.
pub fn sdk(report: &mut Report) {
    let name = "sdk_call_overhead_us";
    report.measure(&[name], || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let overhead = runtime.map_err(|error| error.to_string())?.block_on(overhead_us())?;
        Ok(vec![Figure::at_most(100.0, name, overhead, "us")])
    });
    let names = ["catalog_service_ready_us", "catalog_largest_ready_us", "catalog_mb"];
    report.measure(&names, || {
        let usual = ready_us("dynamodb", "getItem")?;
        let largest = ready_us("ec2", "runInstances")?;
        Ok(vec![
            Figure::at_most(100.0, names[0], usual, "us"),
            Figure::at_most(1_000.0, names[1], largest, "us"),
            Figure::at_most(4.0, names[2], embedded().len() as f64 / 1e6, "MB"),
        ])
    });
}

/// From a catalog of which nothing is read to an operation with its input.
fn ready_us(service: &str, action: &str) -> Result<f64, String> {
    let sample = |_| {
        // As long as the process: that is what a catalog is.
        let catalog: &'static Catalog = Box::leak(Box::new(Catalog::new(embedded())));
        let began = Instant::now();
        let operation = catalog.service(service).and_then(|service| service.operation(action));
        let members = operation.and_then(|operation| operation.input()).map(|input| input.members().count());
        let elapsed = began.elapsed().as_secs_f64() * 1e6;
        std::hint::black_box(members).map(|_| elapsed).ok_or_else(|| format!("{service} cannot {action}"))
    };
    Ok(median((0..FIRST_USES).map(sample).collect::<Result<_, _>>()?))
}

/// CPU of a task that reads an item, less that of the same bytes through the same kind of connections,
/// sent and answered by turns on this thread.
async fn overhead_us() -> Result<f64, String> {
    let sent: Arc<Mutex<Option<(Parts, Bytes)>>> = Arc::default();
    let (into, item) = (sent.clone(), Bytes::from(item()));
    let server = Server::start(move |parts, body| {
        into.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert((parts, body));
        let mut answered = answer(StatusCode::OK, "application/x-amz-json-1.0", item.clone());
        let id =
            hyper::header::HeaderValue::from_static("1PCR2IUEJ9HIG0D1QQ7O9S0LBBVV4KQNSO5AEMVJF66Q9ASUAAJG");
        answered.headers_mut().insert("x-amzn-RequestId", id);
        async move { answered }
    })
    .await?;
    let url = format!("http://{}", server.address());
    let services = services(&url);
    let (call, execution) = (call()?, execution());
    task(&services, &call, &execution).await?;
    let seen = sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let (parts, body) = seen.ok_or("nothing was sent")?;
    let uri = format!("{url}{}", parts.uri);
    let connections = Connections::new()?;
    let bare = || {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        request.uri_mut().clone_from(&uri.parse().map_err(|_| format!("{uri} is no address"))?);
        Ok::<_, String>(request)
    };
    let mut overheads = Vec::with_capacity(SAMPLES);
    // The first is not counted: connections are opened, and memory is taken.
    for sample in 0..=SAMPLES {
        let began = thread_cpu();
        for _ in 0..CALLS {
            task(&services, &call, &execution).await?;
        }
        let between = thread_cpu();
        for _ in 0..CALLS {
            let answered = connections.send(bare()?, None).await.map_err(|error| error.to_string())?;
            let body = answered.into_body().collect().await.map_err(|error| error.to_string())?;
            std::hint::black_box(body.to_bytes());
        }
        let (of_tasks, bare) = (between - began, thread_cpu() - between);
        if sample > 0 {
            overheads.push((of_tasks.as_secs_f64() - bare.as_secs_f64()) * 1e6 / f64::from(CALLS));
        }
    }
    Ok(median(overheads))
}

/// An answer with an item of [`ITEM_BYTES`]: a few numbers, texts and lists.
fn item() -> String {
    let mut members = String::new();
    for at in 0.. {
        if members.len() + 160 > ITEM_BYTES {
            break;
        }
        members.push_str(&format!(
            r#""name{at}":{{"S":"a text that is neither long nor short"}},"number{at}":{{"N":"{at}.25"}},"list{at}":{{"L":[{{"BOOL":true}},{{"NULL":true}}]}},"#
        ));
    }
    format!(r#"{{"Item":{{{members}"id":{{"S":"1"}}}}}}"#)
}

async fn task(services: &Services, call: &Call, execution: &Execution) -> Result<(), String> {
    match services.call(call, execution).await {
        Answer::Settled(TaskOutcome::Succeeded(output)) => {
            std::hint::black_box(output);
            Ok(())
        }
        other => Err(format!("a task did not succeed: {other:?}")),
    }
}

fn services(url: &str) -> Services {
    let credentials =
        Credentials::new("AKIDEXAMPLE", "a-secret-key-of-nobody", Some("token".repeat(100)), None, "bench");
    let identity = Identity::new(SharedCredentialsProvider::new(credentials));
    let caller = Caller { identity: Arc::new(identity), region: "us-east-1".to_owned() };
    let endpoints = Endpoints::default().all(Place::Url(url.to_owned()));
    let find = move || -> Finding { Box::pin(std::future::ready(caller.clone())) };
    Services::new(endpoints, Rights::Own, find)
}

fn call() -> Result<Call, String> {
    let arn = "arn:aws:states:::aws-sdk:dynamodb:getItem";
    let parameters = r#"{"TableName":"orders","Key":{"id":{"S":"1"}},"ConsistentRead":true}"#;
    Ok(Call {
        effect: EffectId(1),
        state: "Read".into(),
        iteration: Vec::new(),
        resource: Resource::from_arn(&arn.into()).ok_or_else(|| format!("{arn} is no resource"))?,
        parameters: Value::parse(parameters).map_err(|error| error.to_string())?,
        role_arn: None,
        token: None,
        timeout_seconds: None,
        heartbeat_seconds: None,
        retry_count: 0,
    })
}

fn execution() -> Execution {
    Execution {
        arn: EXECUTION.into(),
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
