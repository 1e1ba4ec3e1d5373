//! The API that an execution belongs to, for tasks that call Step Functions.

use std::future::Future;
use std::pin::Pin;

use engine::EffectId;
use model::json::Text;

/// The Step Functions API of this installation, called without a network.
pub trait OwnApi: Send + Sync {
    /// Performs an operation: `StartExecution` with the JSON of its request. `waits`: the task that waits
    /// for the execution to end that it starts, so that it is told of that.
    fn perform<'a>(
        &'a self,
        operation: &'a str,
        body: &'a [u8],
        waits: Option<Waits<'a>>,
    ) -> OwnAnswering<'a>;
}

/// A task that waits for the execution that it starts.
#[derive(Clone, Copy, Debug)]
pub struct Waits<'a> {
    /// The ARN of the task's own execution.
    pub execution: &'a str,
    /// Which task.
    pub effect: EffectId,
}

/// The future of [`OwnApi::perform`].
pub type OwnAnswering<'a> = Pin<Box<dyn Future<Output = OwnAnswer> + Send + 'a>>;

/// What the API answers.
#[derive(Clone, Debug)]
pub struct OwnAnswer {
    /// The HTTP status that it would have.
    pub status: u16,
    /// What its error is called, if it is one.
    pub error: Option<&'static str>,
    /// The id of the request.
    pub request_id: Text,
    /// JSON.
    pub body: String,
}
