//! Calls against servers in this process.

mod connections;
mod eks;
mod gateway;
mod hostile;
mod invoke;
mod recorded;
mod secrets;
mod server;

use std::sync::Arc;
use std::time::Duration;

use asl::state::Resource;
use aws_client::{Caller, Identity};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use engine::{Call, EffectId, Stage, TaskOutcome};
use model::json::Value;

use super::*;
use server::{Reply, Server};

const ARN: &str = "arn:aws:events:us-east-1:123456789012:connection/Own/1";

/// A connection that needs nothing but a header.
const CONNECTION: &str = r#"
    [connections.Own]
    type = "API_KEY"
    header = "X-Key"
    value = "planted-key"
"#;

fn value(json: &str) -> Value {
    Value::parse(json).unwrap_or_else(|error| panic!("{json}: {error:?}"))
}

fn caller() -> Caller {
    let credentials =
        Credentials::new("AKIDEXAMPLE", "planted-secret", Some("planted-session".to_owned()), None, "test");
    let identity = Identity::new(SharedCredentialsProvider::new(credentials));
    Caller { identity: Arc::new(identity), region: "eu-central-1".to_owned() }
}

fn connections(text: &str) -> Arc<dyn ConnectionSource> {
    let variable = |_: &str| None;
    Arc::new(
        ConnectionFile::parse("connections.toml", text, &variable).unwrap_or_else(|error| panic!("{error}")),
    )
}

fn http(connections_text: &str) -> Http {
    let settings =
        Settings { allow_local: true, hosts: Hosts::default(), connections: connections(connections_text) };
    Http { timeout: Duration::from_secs(5), ..Http::new(settings) }
}

fn call_of(resource: &str, parameters: Value) -> Call {
    Call {
        effect: EffectId(1),
        state: "S".into(),
        iteration: Vec::new(),
        resource: Resource::from_arn(&resource.into()).unwrap(),
        parameters,
        role_arn: None,
        token: None,
        timeout_seconds: None,
        heartbeat_seconds: None,
        retry_count: 0,
    }
}

/// The result, or the error and its cause; problems with parameters are marked as such.
async fn perform(http: &Http, resource: &str, parameters: &str) -> Result<Value, (String, String)> {
    let call = call_of(resource, value(parameters));
    http.call(&call, &caller()).await.map_err(|outcome| {
        let TaskOutcome::Failed { stage, failure } = outcome else { panic!("{outcome:?}") };
        let (error, cause) = (failure.error.unwrap(), failure.cause.unwrap_or_default());
        let whole = format!(
            "The Parameters '{}' could not be used to start the Task: [",
            value(parameters).to_json()
        );
        match cause.strip_prefix(&whole) {
            Some(rest) => {
                assert_eq!((stage, error.as_str()), (Stage::Start, "States.Runtime"));
                ("Parameters".to_owned(), rest.strip_suffix(']').unwrap().to_owned())
            }
            None => {
                assert_eq!(stage, Stage::Run, "{error}: {cause}");
                (error.to_string(), cause.to_string())
            }
        }
    })
}

/// A call of `http:invoke` with these members beside the endpoint, the method and the connection.
async fn invoke(http: &Http, method: &str, endpoint: &str, more: &str) -> Result<Value, (String, String)> {
    let separator = if more.is_empty() { "" } else { "," };
    let parameters = format!(
        r#"{{"ApiEndpoint":"{endpoint}","Method":"{method}","InvocationConfig":{{"ConnectionArn":"{ARN}"}}{separator}{more}}}"#
    );
    perform(http, "arn:aws:states:::http:invoke", &parameters).await
}
