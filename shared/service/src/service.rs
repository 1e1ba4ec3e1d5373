//! A request in, an answer out.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use asl::{Parsed, SdkAction};
use driver::{Door, Machines, Seeds};
use integrations::{OwnAnswer, OwnAnswering, OwnApi, Waits};
use journal::Store;
use journal::execution::{Executions, Parent};
use journal::registry::Registry;
use model::arn::{ExecutionArn, Home};
use model::json::{Text, Value};
use model::limits::{Limits, REQUEST_ARN_CHARS_MAX, REQUEST_BYTES_MAX};
use model::status::StateMachineType;
use ports::{Clock, Queues};
use tracing::Instrument as _;

use crate::activity_poll::Polls;
use crate::error::{ApiError, ErrorType};
use crate::identifier::uuid;
use crate::operation::{Operation, start_execution};

/// The API. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

/// What a [`Service`] stands on.
pub struct ServiceParts {
    /// What is stored. Its home is whose resources these are.
    pub store: Store,
    /// Moves executions.
    pub door: Door,
    /// The queues of activities.
    pub queues: Arc<dyn Queues>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where names and request ids come from.
    pub seeds: Seeds,
    /// The definitions that were parsed.
    pub machines: Machines,
    /// The limits in force.
    pub limits: Limits,
    /// Knows which SDK integrations exist; with none, every well-formed one does.
    pub sdk_action: Option<SdkAction>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body: JSON, to be sent as `application/x-amz-json-1.0`.
    pub body: String,
    /// The exception that the body tells of.
    pub error_type: Option<ErrorType>,
    /// Names the request: the header `x-amzn-requestid`.
    pub request_id: Text,
}

/// What stands in front of the operation's name in the header `X-Amz-Target`.
pub const TARGET: &str = "AWSStepFunctions.";
/// The operation that waits for work: whoever cannot wait so long answers `{}`, as it does itself
/// when there is none.
pub const LONG_POLL: &str = "GetActivityTask";

/// The members that say what a request is about.
const SUBJECTS: [&str; 6] = [
    "executionArn",
    "stateMachineArn",
    "stateMachineVersionArn",
    "stateMachineAliasArn",
    "activityArn",
    "resourceArn",
];

/// What operations work with.
pub(crate) struct Inner {
    pub registry: Registry,
    pub executions: Executions,
    pub door: Door,
    pub queues: Arc<dyn Queues>,
    pub clock: Arc<dyn Clock>,
    pub machines: Machines,
    pub limits: Limits,
    pub polls: Polls,
    sdk_action: Option<SdkAction>,
    seeds: Mutex<Seeds>,
}

impl Service {
    /// A service of these parts.
    pub fn new(parts: ServiceParts) -> Service {
        let ServiceParts { store, door, queues, clock, seeds, machines, limits, sdk_action } = parts;
        Service(Arc::new(Inner {
            registry: Registry::new(store.clone()),
            executions: Executions::new(store),
            door,
            queues,
            clock,
            machines,
            limits,
            polls: Polls::default(),
            sdk_action,
            seeds: Mutex::new(seeds),
        }))
    }

    /// One API call. `operation` is what stands behind `AWSStepFunctions.` in `X-Amz-Target`,
    /// `body` the request's JSON. Never panics, and takes no longer than the operation's own
    /// wait (GetActivityTask: 60 seconds) and the store do.
    pub async fn call(&self, operation: &str, body: &[u8]) -> Response {
        self.call_of(operation, body, None).await
    }

    /// The same for a task that waits for the end of what it starts.
    async fn call_of(&self, operation: &str, body: &[u8], parent: Option<Parent>) -> Response {
        let inner = &*self.0;
        let started = inner.clock.now();
        let request_id = inner.random_uuid().unwrap_or_else(|_| uuid(0, started.millis().unsigned_abs()));
        let known = Operation::named(operation);
        let span = tracing::debug_span!(
            "call",
            operation = known.map_or("unknown", Operation::as_str),
            request_id = request_id.as_str(),
            arn = tracing::field::Empty
        );
        let result = unwinding(inner.answer(known, body, parent)).instrument(span.clone()).await;
        let (status, error_type, body) = match result {
            Ok(answer) => (200, None, answer),
            Err(error) => (error.error_type.status(), Some(error.error_type), error.body()),
        };
        // Neither input nor output nor what a message quotes of them.
        let millis = inner.clock.now().millis_since(started);
        span.in_scope(|| {
            tracing::debug!(status, error = error_type.map(ErrorType::as_str), millis, "answered");
        });
        Response { status, body: body.to_json(), error_type, request_id }
    }
}

impl OwnApi for Service {
    fn perform<'a>(
        &'a self,
        operation: &'a str,
        body: &'a [u8],
        waits: Option<Waits<'a>>,
    ) -> OwnAnswering<'a> {
        // An execution whose ARN cannot be read is told of nothing; its task asks.
        let parent = waits.and_then(|waits| {
            let execution = ExecutionArn::parse(waits.execution).ok()?;
            Some(Parent { execution, effect: waits.effect })
        });
        Box::pin(async move {
            let Response { status, body, error_type, request_id } =
                self.call_of(operation, body, parent).await;
            OwnAnswer { status, error: error_type.map(ErrorType::as_str), request_id, body }
        })
    }
}

impl Inner {
    async fn answer(
        &self,
        operation: Option<Operation>,
        body: &[u8],
        parent: Option<Parent>,
    ) -> Result<Value, ApiError> {
        let Some(operation) = operation else { return Err(ApiError::unknown_operation()) };
        if self.limits.definition_bytes_max.is_some() && body.len() > REQUEST_BYTES_MAX {
            let message = format!("The request has {} bytes, more than {REQUEST_BYTES_MAX}", body.len());
            return Err(ApiError::new(ErrorType::RequestEntityTooLargeException, message));
        }
        let text = std::str::from_utf8(body)
            .map_err(|error| ApiError::serialization(format!("the request is not UTF-8: {error}")))?;
        let body = match text.trim_ascii() {
            "" => Value::object(),
            text => Value::parse(text).map_err(|error| {
                let (message, place) = (&error.message, error.location);
                let (line, column) = (place.line, place.column);
                ApiError::serialization(format!(
                    "the request is not JSON: {message} (line {line}, column {column})"
                ))
            })?,
        };
        if let Some(arn) = SUBJECTS.iter().find_map(|name| body.get(name)?.as_str()) {
            tracing::Span::current()
                .record("arn", arn.chars().take(REQUEST_ARN_CHARS_MAX).collect::<String>());
        }
        match (operation, parent) {
            (Operation::StartExecution, Some(parent)) => start_execution::run_for(self, &body, parent).await,
            (operation, _) => operation.run(self, &body).await,
        }
    }

    /// A definition, parsed as CreateStateMachine does.
    pub fn parse(&self, definition: &str, machine_type: StateMachineType) -> Parsed {
        let options = asl::Options {
            machine_type,
            definition_bytes_max: self.limits.definition_bytes_max.unwrap_or(usize::MAX),
            sdk_action: self.sdk_action,
            ..asl::Options::default()
        };
        asl::parse(definition, &options)
    }

    /// Whose resources these are.
    pub fn home(&self) -> &Home {
        &self.registry.store().config().home
    }

    /// A name that nobody chose.
    pub fn random_uuid(&self) -> Result<Text, ApiError> {
        Ok(uuid(self.random()?, self.random()?))
    }

    /// A random number.
    pub fn random(&self) -> Result<u64, ApiError> {
        let mut seeds = self.seeds.lock().unwrap_or_else(PoisonError::into_inner);
        seeds.next_seed().map_err(|error| ApiError::internal(format!("no random numbers: {error}")))
    }
}

/// A panic becomes an error: one request that meets a defect harms no other.
async fn unwinding<T>(work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    let mut work = pin!(work);
    poll_fn(move |context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))).unwrap_or_else(|panic| {
            let reason = panic
                .downcast_ref::<&str>()
                .map(|reason| (*reason).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(ApiError::internal(format!("this is a defect, please report it: {reason}"))).into()
        })
    })
    .await
}
