//! What stands behind the HTTP front.

use async_trait::async_trait;

/// The operations of the API.
#[async_trait]
pub trait Api: Send + Sync {
    /// One call. `operation` is the part of `X-Amz-Target` behind `AWSStepFunctions.`, `body` the
    /// request's JSON. Dropping the future is what happens to a call whose caller has gone.
    async fn call(&self, operation: &str, body: &[u8]) -> Answer;
}

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// Name of the exception, of a call that failed.
    pub error: Option<String>,
    /// What `x-amzn-RequestId` says; where it is empty, the front makes one.
    pub request_id: String,
}

impl Answer {
    /// A failure as AWS JSON 1.0 has them.
    pub fn failure(status: u16, error: &str, message: &str) -> Answer {
        let mut body = String::from("{\"__type\":");
        model::json::write_string(&mut body, error);
        body.push_str(",\"message\":");
        model::json::write_string(&mut body, message);
        body.push('}');
        Answer { status, body, error: Some(error.to_owned()), request_id: String::new() }
    }
}
