//! Calls of the API from functions that are not asked for it themselves.

use std::time::Duration;

use async_trait::async_trait;
use lambda_runtime::Diagnostic;
use model::json::{Text, Value};
use service::{ErrorType, Service};

/// The API, as a function calls it.
#[async_trait]
pub trait Api: Send + Sync {
    /// One call of an operation.
    async fn call(&self, operation: &'static str, request: Value) -> Result<Value, Refused>;
}

/// What the API did not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {}: {message}", .error_type.as_str())]
pub struct Refused {
    /// What was asked for.
    pub operation: &'static str,
    /// The exception.
    pub error_type: ErrorType,
    /// What it says.
    pub message: String,
}

impl Refused {
    /// Whether the same request may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.error_type,
            ErrorType::ConflictException | ErrorType::ServiceUnavailable | ErrorType::ThrottlingException
        )
    }
}

#[async_trait]
impl Api for Service {
    async fn call(&self, operation: &'static str, request: Value) -> Result<Value, Refused> {
        let answer = Service::call(self, operation, request.to_json().as_bytes()).await;
        let body = Value::parse(&answer.body).unwrap_or(Value::Null);
        match answer.error_type {
            None => Ok(body),
            Some(error_type) => {
                let message = body.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
                Err(Refused { operation, error_type, message })
            }
        }
    }
}

/// Attempts at a request that the API could not do at the moment.
const ATTEMPTS_MAX: u32 = 4;
/// Before the second attempt; doubled for each further one.
const PAUSE: Duration = Duration::from_millis(200);

/// Calls an operation, again after a while where that may help. Every operation that functions ask
/// for may be repeated.
pub async fn ask(api: &dyn Api, operation: &'static str, request: Value) -> Result<Value, Refused> {
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS_MAX {
        match api.call(operation, request.clone()).await {
            Err(refused) if refused.is_transient() => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 2;
    }
    api.call(operation, request).await
}

/// An object of these members.
pub fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (Text::new_static(name), value)).collect()
}

/// A text, as a value.
pub fn text(text: &str) -> Value {
    Value::from(Text::from(text))
}

/// The text of a member; empty where there is none.
pub fn member<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What kind of value it is, as a sentence says it.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// An invocation that failed, as its caller and its destination for failures see it.
pub fn unhandled(message: String) -> Diagnostic {
    Diagnostic { error_type: "EventNotHandled".to_owned(), error_message: message }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Refuses so many calls for this reason.
    struct Refusing(Mutex<u32>, ErrorType);

    #[async_trait]
    impl Api for Refusing {
        async fn call(&self, operation: &'static str, request: Value) -> Result<Value, Refused> {
            let mut left = self.0.lock().unwrap();
            if *left == 0 {
                return Ok(request);
            }
            *left -= 1;
            Err(Refused { operation, error_type: self.1, message: "why".to_owned() })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_asked_again() {
        for (refusals, error_type, passes) in [
            (0, ErrorType::InvalidArn, true),
            (1, ErrorType::InvalidArn, false),
            (3, ErrorType::ThrottlingException, true),
            (3, ErrorType::ServiceUnavailable, true),
            (4, ErrorType::ServiceUnavailable, false),
            (1, ErrorType::InternalFailure, false),
        ] {
            let api = Refusing(Mutex::new(refusals), error_type);
            let request = object([("a", text("b"))]);
            let answer = ask(&api, "StartExecution", request.clone()).await;
            assert_eq!(answer.is_ok(), passes, "{refusals} {error_type:?}");
            if let Err(refused) = answer {
                let said = format!("StartExecution: {}: why", error_type.as_str());
                assert_eq!(refused.to_string(), said);
            }
        }
    }
}
