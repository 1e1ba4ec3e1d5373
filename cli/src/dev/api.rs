//! What stands behind the HTTP front.

use async_trait::async_trait;
use front::Answer;

/// The operations of the API.
#[async_trait]
pub trait Api: Send + Sync {
    /// One call. `operation` is the part of `X-Amz-Target` behind `AWSStepFunctions.`, `body` the
    /// request's JSON. Dropping the future is what happens to a call whose caller has gone.
    async fn call(&self, operation: &str, body: &[u8]) -> Answer;
}
