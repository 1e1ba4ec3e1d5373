//! Performing a task by a call of an AWS service: Lambda functions, optimized integrations, and every
//! action of every SDK through the catalog. HTTP tasks (`web`) are `integrations_http`'s.
//!
//! Reading order: [`Services`] (which task is which call), `sdk` (SDK integrations), `optimized` with its
//! table, `optimized::job` (what `.sync` waits for), `failure` (errors and causes), `callers` (whose rights
//! a call has). What is asked and answered is `aws_wire`'s, the exchange `aws_client`'s. A crate of its
//! own, so that only shells that call services pay for the catalog.

mod callers;
mod failure;
mod optimized;
mod own_api;
mod roles;
mod sdk;
#[cfg(test)]
mod tests;
mod token;
mod web;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::SystemTime;

use asl::state::{Pattern, Resource};
use aws_client::{Client, Connections, Endpoints, Failed, Place};
use aws_wire::catalog::Operation;
use aws_wire::node::Node;
use engine::{Call, Execution, TaskOutcome};
use integrations::{
    Answer, Answering, Cancelling, Job, NotCallable, OwnApi, Polling, Tasks, poll_after, refused,
};
use integrations_http::Http;
use model::error::Failure;
use model::timestamp::Timestamp;
use tokio::sync::OnceCell;

use callers::Callers;
pub use callers::{Finding, Rights};
use failure::Style;
use optimized::{bedrock, job, lambda, table};
pub use roles::Roles;
pub use sdk::operation;
use token::Tokens;
use web::Requests;
pub use web::Web;

/// Calls services. Configuration is read, and connections are opened, with the first call.
pub struct Services {
    endpoints: Endpoints,
    callers: Callers,
    client: OnceCell<Arc<Client>>,
    /// Step Functions, where that is this installation.
    own: Option<Arc<dyn OwnApi>>,
    requests: Requests,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Which call a task is.
enum Called {
    /// A Lambda function.
    Function,
    /// A model of Bedrock.
    Model,
    /// An integration of the table.
    Optimized(&'static table::Family, &'static table::Action),
    /// An SDK integration.
    Sdk(Operation),
}

/// What callers of services are told that this is.
const USER_AGENT: &str = concat!("stepwright/", env!("CARGO_PKG_VERSION"));

impl Services {
    /// Services at these places, called with these rights. `find` finds out who one is, once, with the
    /// first call.
    pub fn new(
        endpoints: Endpoints,
        rights: Rights,
        find: impl Fn() -> Finding + Send + Sync + 'static,
    ) -> Services {
        Services {
            endpoints,
            callers: Callers::new(rights, Box::new(find)),
            client: OnceCell::new(),
            own: None,
            requests: Requests::default(),
            now: Arc::new(wall_clock),
        }
    }

    /// The same with an API that tasks call which call Step Functions, unless that has a place of its own.
    pub fn with_own(self, own: Arc<dyn OwnApi>) -> Services {
        Services { own: Some(own), ..self }
    }

    /// The same with what HTTP tasks are told.
    pub fn with_web(mut self, web: Web) -> Services {
        self.requests.web = web;
        self
    }

    /// The same with another clock.
    pub fn at(self, now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Services {
        Services { now, ..self }
    }

    /// Says whether there is an SDK integration: what [`asl`] asks when it checks a definition.
    pub fn offers(service: &str, action: &str) -> bool {
        operation(service, action).is_some()
    }

    /// Which call a task is, if it is one at all; and the operation behind it.
    fn called(resource: &Resource) -> Option<(Called, Operation)> {
        let (service, action, pattern) = match resource {
            Resource::Lambda { .. } => return Some((Called::Function, lambda::operation()?)),
            Resource::Activity { .. } => return None,
            Resource::Integration { service, action, pattern, .. } => (service, action, *pattern),
        };
        let follows = matches!(pattern, Pattern::Sync | Pattern::Sync2);
        if let Some(service) = service.strip_prefix("aws-sdk:") {
            let operation = operation(service, action).filter(|_| !follows)?;
            return Some((Called::Sdk(operation), operation));
        }
        match (service.as_str(), action.as_str()) {
            ("lambda", "invoke") if !follows => Some((Called::Function, lambda::operation()?)),
            ("bedrock", "invokeModel") if !follows => Some((Called::Model, bedrock::operation()?)),
            (service, action) => {
                let (family, action) = table::find(service, action)?;
                if follows && action.job.is_none() {
                    return None;
                }
                let operation = optimized::operation(family, action.operation)?;
                Some((Called::Optimized(family, action), operation))
            }
        }
    }

    /// The API that an operation of Step Functions goes to, if it is this installation's.
    pub(crate) fn own_for(&self, operation: &Operation) -> Option<&dyn OwnApi> {
        let service = operation.service();
        let is_own = service.key == "sfn" && !self.endpoints.has_own(service.service_id);
        self.own.as_deref().filter(|_| is_own)
    }

    async fn client(&self) -> Result<Arc<Client>, String> {
        let client = self.client.get_or_try_init(|| async {
            let connections = Connections::new()?;
            Ok(Arc::new(Client::new(connections, self.endpoints.clone(), USER_AGENT.to_owned(), spread)))
        });
        client.await.cloned()
    }

    /// Calls an operation for a task. The outer error is that nobody may call it.
    pub(crate) async fn exchange(
        &self,
        operation: &Operation,
        input: &Node,
        call: &Call,
        execution: &Execution,
    ) -> Result<Result<aws_client::Answer, Failed>, Failure> {
        if let Some(own) = self.own_for(operation) {
            return Ok(own_api::call(own, operation, input, call, execution, (self.now)()).await);
        }
        let client = match self.client().await {
            Ok(client) => client,
            Err(why) => return Ok(Err(Failed::Unsendable(why))),
        };
        let service = operation.service();
        let is_lambda = service.key == "lambda" && operation.name == "Invoke";
        let region = lambda::region(call).filter(|_| is_lambda);
        let is_aws = self.endpoints.place(service.service_id) == Some(&Place::Aws);
        let caller = self.callers.of_call(&client, call, execution, region, is_aws).await?;
        // A function is called once, whatever comes of it.
        Ok(match is_lambda {
            true => client.call_once(operation, input, &caller).await,
            false => client.call(operation, input, &caller).await,
        })
    }

    /// The same, a failure of which is the task's.
    pub(crate) async fn send(
        &self,
        operation: &Operation,
        input: &Node,
        call: &Call,
        execution: &Execution,
        style: Style,
    ) -> Result<aws_client::Answer, TaskOutcome> {
        let answer = self.exchange(operation, input, call, execution).await;
        let answer = answer.map_err(|failure| optimized::failed(call, failure))?;
        answer.map_err(|failed| failure::outcome(style, operation, call, failed))
    }

    async fn perform(&self, call: &Call, execution: &Execution) -> Result<Answer, TaskOutcome> {
        if web::performs(&call.resource) {
            let reached = self.requests.reaches(&self.endpoints, &call.state, &call.resource);
            reached.map_err(|refusal| refused(&refusal))?;
            return web::call(self, call, execution).await;
        }
        let refusal = |advice: &str| refused(&NotCallable::new(&call.state, &call.resource, advice));
        let (called, operation) = Services::called(&call.resource)
            .ok_or_else(|| refusal("it is no service that is called from here"))?;
        if let Err(refusal) = self.reaches(&call.state, &call.resource, &operation) {
            return Err(refused(&refusal));
        }
        match called {
            Called::Function => lambda::call(self, call, execution).await,
            Called::Model => bedrock::call(self, call, execution).await,
            Called::Optimized(family, action) => {
                optimized::call(self, (family, action), call, execution).await
            }
            Called::Sdk(operation) => {
                let input = sdk::input(&operation, call, &mut Tokens::of(call, execution))?;
                let answer = self.send(&operation, &input, call, execution, sdk::style(&operation)).await?;
                Ok(optimized::accepted(call, sdk::result(&operation, answer.output)))
            }
        }
    }

    /// Whether it is known where the service of an operation is.
    fn reaches(&self, state: &str, resource: &Resource, operation: &Operation) -> Result<(), NotCallable> {
        let service = operation.service();
        if self.endpoints.place(service.service_id).is_some() || self.own_for(operation).is_some() {
            return Ok(());
        }
        let key = service.key;
        let variable = service.service_id.to_uppercase().replace([' ', '-'], "_");
        let advice = format!(
            "say where {key} is: --endpoint {key}=URL or `{key} = \"URL\"` below [endpoints] in stepwright.toml \
             (`aws` instead of the URL for AWS itself), or AWS_ENDPOINT_URL_{variable}; or give the state a \
             mocked response (--mock)"
        );
        Err(NotCallable::new(state, resource, advice))
    }
}

impl Tasks for Services {
    fn callable(&self, state: &str, resource: &Resource) -> Result<(), NotCallable> {
        if web::performs(resource) {
            return self.requests.reaches(&self.endpoints, state, resource);
        }
        match Services::called(resource) {
            Some((_, operation)) => self.reaches(state, resource, &operation),
            None => {
                let advice = match resource {
                    Resource::Activity { .. } => {
                        "no worker can take activities from this run; give the state a mocked response (--mock)"
                    }
                    _ => {
                        "it is no service that is called from here; give the state a mocked response (--mock)"
                    }
                };
                Err(NotCallable::new(state, resource, advice))
            }
        }
    }

    /// What only reads, and what a service recognises by a token that is the same the second time.
    fn is_repeatable(&self, call: &Call) -> bool {
        if web::performs(&call.resource) {
            return Http::is_repeatable(call);
        }
        let Some((called, operation)) = Services::called(&call.resource) else { return false };
        let has_token = || {
            let shape = operation.input();
            shape.is_some_and(|shape| shape.members().any(|member| member.idempotency_token()))
        };
        match called {
            Called::Function | Called::Model => false,
            Called::Optimized(..) | Called::Sdk(_) => {
                operation.reads() || has_token() || own_api::is_named(self, &operation, call)
            }
        }
    }

    fn call<'a>(&'a self, call: &'a Call, execution: &'a Execution) -> Answering<'a> {
        Box::pin(async move { self.perform(call, execution).await.unwrap_or_else(Answer::Settled) })
    }

    fn poll<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Polling<'a> {
        Box::pin(async move {
            match web::is_job(&job.call) {
                true => web::poll(self, job, execution).await,
                false => job::poll(self, job, execution, (self.now)()).await,
            }
        })
    }

    fn next_poll(&self, job: &Job, after: Timestamp) -> Timestamp {
        match job::of(&job.call) {
            Some((_, _, known)) if known.slow => job::slow_poll_after(job.since, after),
            None if web::is_job(&job.call) => job::slow_poll_after(job.since, after),
            _ => poll_after(job.since, after),
        }
    }

    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Cancelling<'a> {
        Box::pin(async move {
            match web::is_job(&job.call) {
                true => web::cancel(self, job, execution).await,
                false => job::cancel(self, job, execution).await,
            }
        })
    }
}

/// A number from 0 to 1 that differs from call to call, for the pauses between attempts.
fn spread() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1u64 << 53) as f64
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
