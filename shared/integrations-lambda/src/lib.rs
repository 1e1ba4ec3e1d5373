//! Lambda functions: the resources `arn:aws:lambda:…:function:…`, `arn:aws:states:::lambda:invoke`
//! and `arn:aws:states:::lambda:invoke.waitForTaskToken`, over the Invoke operation.
//!
//! `request` makes the request from a task's parameters, `response` the task's outcome from an
//! answer; both are plain functions. This file sends. A crate of its own, so that only shells that
//! call functions pay for the SDK.
//!
//! A call is made once: what Lambda refuses or loses is the state's to retry, as on the service.

mod request;
mod response;
mod roles;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asl::state::{Pattern, Resource};
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::{ConfigBag, Credentials, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_lambda::error::{BoxError, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_smithy_http_client::tls;
use engine::{Call, Execution, Stage, TaskOutcome};
use model::error::{Failure, RUNTIME};
use model::json::Text;
use tokio::sync::OnceCell;

use integrations::{Answer, Answering, NotCallable, Tasks, refused};
use request::Request;
use response::{Answered, Refused};
pub use roles::Roles;

/// Where functions are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Endpoint {
    /// Nowhere: no function is callable. The default, so that nobody calls a real function by
    /// accident.
    #[default]
    None,
    /// On AWS, in the function's Region, with the credentials of the usual chain.
    Aws,
    /// On AWS, in the function's Region, with the role of the execution's state machine, which has
    /// to be one of these. A task's `Credentials` are assumed from there.
    AwsAs(Roles),
    /// At this URL: an emulator, `cargo lambda watch`, or `sam local start-lambda`. Credentials
    /// are then taken from the environment and the profile alone, else made up, and a task's
    /// `Credentials` are not assumed.
    Url(String),
}

/// Calls functions. Configuration is read, and connections are opened, when the first one is
/// called.
#[derive(Debug, Default)]
pub struct Functions {
    endpoint: Endpoint,
    config: OnceCell<SdkConfig>,
    clients: Mutex<HashMap<Target, Client>>,
}

/// What a client is for: a Region, where it differs from the configured one, and the roles that are
/// assumed one from the other.
type Target = (Option<Text>, Vec<Text>);

/// Clients that are kept; credentials live as long as their client.
const CLIENTS_MAX: usize = 256;

/// Time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time to wait for an answer: a function may run for 15 minutes.
const READ_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 30);
/// The Region when none is configured and the function's name does not tell.
const REGION_DEFAULT: &str = "us-east-1";

impl Functions {
    /// Nothing is read or connected yet.
    pub fn new(endpoint: Endpoint) -> Functions {
        Functions { endpoint, ..Functions::default() }
    }

    async fn config(&self) -> &SdkConfig {
        self.config.get_or_init(|| self.load_config()).await
    }

    async fn load_config(&self) -> SdkConfig {
        let http: SharedHttpClient = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            // A function that thinks for minutes sends nothing meanwhile.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let Endpoint::Url(endpoint_url) = &self.endpoint else { return loader.load().await };
        let profile = ProfileFileCredentialsProvider::builder()
            .configure(&ProviderConfig::default().with_http_client(http))
            .build();
        let credentials =
            CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
                .or_else("Profile", profile)
                .or_else("Test", Credentials::new("test", "test", None, None, "test"));
        // Not from the metadata service of an instance: asking it takes a second where there is none.
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(Region::from_static(REGION_DEFAULT));
        loader.endpoint_url(endpoint_url).credentials_provider(credentials).region(region).load().await
    }

    /// The roles that a call is made with, each assumed from the one before.
    fn roles(&self, call: &Call, execution: &Execution) -> Result<Vec<Text>, Failure> {
        let own = call.role_arn.iter().cloned();
        match &self.endpoint {
            Endpoint::AwsAs(roles) if !roles.allow(&execution.role_arn) => Err(roles::refused(
                &execution.role_arn,
                "it is none of the roles that this installation takes on (its parameter TaskRoles)",
            )),
            Endpoint::AwsAs(_) => Ok(std::iter::once(execution.role_arn.clone()).chain(own).collect()),
            Endpoint::Aws => Ok(own.collect()),
            Endpoint::None | Endpoint::Url(_) => Ok(Vec::new()),
        }
    }

    /// The client for a Region and roles.
    async fn client(&self, region: Option<&str>, roles: Vec<Text>) -> Result<Client, Failure> {
        let config = self.config().await;
        let target: Target = (region.map(Text::from), roles);
        let known = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&target).cloned();
        if let Some(client) = known {
            return Ok(client);
        }
        let region = region.map(|region| Region::new(region.to_owned()));
        let region =
            region.or_else(|| config.region().cloned()).unwrap_or(Region::from_static(REGION_DEFAULT));
        let mut config = config.to_builder().region(region).build();
        for (place, role_arn) in target.1.iter().enumerate() {
            let external_id = match &self.endpoint {
                Endpoint::AwsAs(roles) if place == 0 => Some(&roles.external_id),
                _ => None,
            };
            config = roles::assume(&config, role_arn, external_id).await?;
        }
        let client = Client::new(&config);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(target, client.clone());
        Ok(client)
    }

    async fn perform(&self, call: &Call, execution: &Execution) -> Result<Answer, TaskOutcome> {
        let (request, bare) = match &call.resource {
            Resource::Lambda { arn } => (Request::of_function(arn, &call.parameters), true),
            Resource::Activity { .. } | Resource::Integration { .. } => {
                let request = Request::of_parameters(&call.parameters).map_err(|cause| {
                    TaskOutcome::Failed { stage: Stage::Start, failure: Failure::new(RUNTIME, cause) }
                })?;
                (request, false)
            }
        };
        let roles = self.roles(call, execution).map_err(TaskOutcome::failed)?;
        let client = self.client(request.region(), roles).await.map_err(TaskOutcome::failed)?;
        let answered = send(&client, request).await.map_err(TaskOutcome::failed)?;
        let output = if bare { answered.into_payload() } else { answered.into_output() };
        let output = output.map_err(TaskOutcome::failed)?;
        Ok(match &call.resource {
            Resource::Integration { pattern: Pattern::WaitForTaskToken, .. } => Answer::Submitted(output),
            _ => Answer::Settled(TaskOutcome::Succeeded(output)),
        })
    }
}

impl Tasks for Functions {
    fn callable(&self, state: &str, resource: &Resource) -> Result<(), NotCallable> {
        let is_function = match resource {
            Resource::Lambda { .. } => true,
            Resource::Integration { service, action, pattern, .. } => {
                service == "lambda"
                    && action == "invoke"
                    && matches!(pattern, Pattern::RequestResponse | Pattern::WaitForTaskToken)
            }
            Resource::Activity { .. } => false,
        };
        let advice = match resource {
            _ if is_function && self.endpoint != Endpoint::None => return Ok(()),
            _ if is_function => {
                "say where functions are called (--lambda-endpoint URL, or --lambda-endpoint aws for AWS itself), or give the state a mocked response (--mock)"
            }
            Resource::Activity { .. } => {
                "no worker can take activities from this run; give the state a mocked response (--mock)"
            }
            Resource::Integration { .. } | Resource::Lambda { .. } => {
                "only Lambda functions are called from here; give the state a mocked response (--mock)"
            }
        };
        Err(NotCallable::new(state, resource, advice))
    }

    fn call<'a>(&'a self, call: &'a Call, execution: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            if let Err(refusal) = self.callable(&call.state, &call.resource) {
                return Answer::Settled(refused(&refusal));
            }
            self.perform(call, execution).await.unwrap_or_else(Answer::Settled)
        })
    }
}

async fn send(client: &Client, request: Request) -> Result<Answered, Failure> {
    let headers = Headers::default();
    let sent = client
        .invoke()
        .function_name(request.function_name)
        .payload(Blob::new(request.payload))
        .set_invocation_type(request.invocation_type.as_deref().map(Into::into))
        .set_log_type(request.log_type.as_deref().map(Into::into))
        .set_qualifier(request.qualifier)
        .set_client_context(request.client_context)
        .customize()
        .interceptor(headers.clone())
        .send()
        .await;
    let headers = headers.taken();
    match sent {
        Ok(output) => Ok(Answered {
            status: u16::try_from(output.status_code()).unwrap_or_default(),
            executed_version: output.executed_version,
            function_error: output.function_error,
            log_result: output.log_result,
            payload: output.payload.map(Blob::into_inner).unwrap_or_default(),
            headers,
        }),
        Err(SdkError::ServiceError(error)) => {
            Err(refusal(error.err(), error.raw().status().as_u16(), &headers).into_failure())
        }
        Err(error) => Err(response::not_executed(&innermost(&error))),
    }
}

fn refusal(error: &InvokeError, status: u16, headers: &[(String, String)]) -> Refused {
    Refused {
        code: error.meta().code().map(str::to_owned),
        message: error.meta().message().map(str::to_owned),
        status,
        request_id: response::request_id(headers).map(str::to_owned),
    }
}

/// The error at the bottom of a chain: the one that says what happened. Errors of the SDK never
/// quote credentials.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Keeps the headers of an answer, which the SDK does not hand out.
#[derive(Clone, Debug, Default)]
struct Headers(Arc<Mutex<Vec<(String, String)>>>);

impl Headers {
    fn taken(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for Headers {
    fn name(&self) -> &'static str {
        "Headers"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers().iter();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = headers;
        Ok(())
    }
}
