//! Tasks that are HTTP requests: with a connection, to an API of API Gateway, to a Kubernetes cluster.

use std::sync::Arc;

use asl::state::{Pattern, Resource};
use aws_client::{Caller, Client, Endpoints, Place};
use engine::{Call, Execution, TaskOutcome};
use integrations::{Answer, Job, NotCallable, Polled};
use integrations_http::{AwsConnections, ConnectionSource, Hosts, Http, JobState, Settings};
use model::error::{Failure, TASK_FAILED};
use tokio::sync::OnceCell;

use crate::optimized::accepted;
use crate::{Services, optimized};

/// What HTTP tasks are told that is not the same everywhere.
#[derive(Clone, Default)]
pub struct Web {
    /// Whether they may call this computer, without TLS too.
    pub allow_local: bool,
    /// Where their connections are, if not with EventBridge.
    pub connections: Option<Arc<dyn ConnectionSource>>,
}

/// Performs them. Nothing is made before the first.
#[derive(Default)]
pub(crate) struct Requests {
    pub web: Web,
    http: OnceCell<Http>,
}

/// Whether a resource is one of them.
pub(crate) fn performs(resource: &Resource) -> bool {
    Http::performs(resource)
}

/// The service, as the models call it, whose place says that such requests may be made.
fn service_of(resource: &Resource) -> (&'static str, &'static str) {
    match resource {
        Resource::Integration { service, .. } if service == "apigateway" => ("API Gateway", "apigateway"),
        Resource::Integration { service, .. } if service == "eks" => ("EKS", "eks"),
        _ => ("EventBridge", "eventbridge"),
    }
}

impl Requests {
    /// Whether it is known where such requests go.
    pub fn reaches(
        &self,
        endpoints: &Endpoints,
        state: &str,
        resource: &Resource,
    ) -> Result<(), NotCallable> {
        let (service_id, key) = service_of(resource);
        let is_known = endpoints.place(service_id).is_some();
        let advice = match key {
            _ if is_known => return Ok(()),
            "eventbridge" if self.web.connections.is_some() => return Ok(()),
            "eventbridge" => {
                "say where its connection is: --connections FILE, or --endpoint eventbridge=aws for EventBridge; \
                 or give the state a mocked response (--mock)"
                    .to_owned()
            }
            key => format!(
                "say that it may be called: --endpoint {key}=aws, or {key}=URL for an emulator; or give the state \
                 a mocked response (--mock)"
            ),
        };
        Err(NotCallable::new(state, resource, advice))
    }

    async fn http(&self, client: &Arc<Client>, endpoints: &Endpoints) -> &Http {
        let made = async || {
            let mut hosts = Hosts::default();
            if let Some(Place::Url(url)) = endpoints.place("API Gateway") {
                hosts = hosts.with_gateways(url);
            }
            let connections = match &self.web.connections {
                Some(connections) => connections.clone(),
                None => Arc::new(AwsConnections::new(client.clone())),
            };
            Http::new(Settings { allow_local: self.web.allow_local, hosts, connections })
        };
        self.http.get_or_init(made).await
    }
}

/// Who makes a request, and what it is made with.
async fn parties<'a>(
    services: &'a Services,
    call: &Call,
    execution: &Execution,
) -> Result<(&'a Http, Caller), Failure> {
    let client = services.client().await.map_err(|why| Failure::new(TASK_FAILED, why))?;
    let (service_id, _) = service_of(&call.resource);
    let is_aws = services.endpoints.place(service_id) == Some(&Place::Aws);
    let callers = &services.callers;
    let caller = callers.of_call(&client, call, execution, None, is_aws).await?;
    Ok((services.requests.http(&client, &services.endpoints).await, caller))
}

/// Makes a request.
pub(crate) async fn call(
    services: &Services,
    call: &Call,
    execution: &Execution,
) -> Result<Answer, TaskOutcome> {
    let parties = parties(services, call, execution).await;
    let (http, caller) = parties.map_err(|failure| optimized::failed(call, failure))?;
    let output =
        http.call(call, &caller).await.map_err(|outcome| match (outcome, optimized::pattern(call)) {
            // What was not accepted has failed before anybody waited.
            (
                TaskOutcome::Failed { stage: engine::Stage::Run, failure },
                Pattern::WaitForTaskToken | Pattern::Sync,
            ) => optimized::failed(call, failure),
            (outcome, _) => outcome,
        })?;
    Ok(accepted(call, output))
}

/// Whether such a job runs in a cluster.
pub(crate) fn is_job(call: &Call) -> bool {
    performs(&call.resource) && call.resource.starts_job()
}

/// Looks after a job in a cluster.
pub(crate) async fn poll(services: &Services, job: &Job, execution: &Execution) -> Polled {
    let Ok((http, caller)) = parties(services, &job.call, execution).await else { return Polled::Running };
    match http.poll_job(&job.call.parameters, &job.output, &caller).await {
        Ok(JobState::Complete(result)) => Polled::Ended(TaskOutcome::Succeeded(result)),
        Ok(JobState::Failed(result)) => {
            Polled::Ended(TaskOutcome::failed(Failure::new(TASK_FAILED, result.to_json())))
        }
        // The next time comes.
        Ok(JobState::Running) | Err(_) => Polled::Running,
    }
}

/// Ends a job in a cluster.
pub(crate) async fn cancel(services: &Services, job: &Job, execution: &Execution) {
    let Ok((http, caller)) = parties(services, &job.call, execution).await else { return };
    if http.cancel_job(&job.call.parameters, &job.output, &caller).await.is_err() {
        tracing::warn!(execution = %execution.arn, "a job in a cluster was not ended");
    }
}
