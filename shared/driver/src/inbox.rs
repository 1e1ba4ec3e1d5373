//! How the world tells a running execution something.

use engine::{Input, TaskOutcome, TaskToken, Verdict};
use model::error::Failure;
use model::timestamp::Timestamp;
use tokio::sync::{mpsc, oneshot};

/// The sender's end: clone it freely.
#[derive(Clone, Debug)]
pub struct Deliveries(mpsc::Sender<Delivery>);

/// The receiver's end, given to [`crate::Drive`].
#[derive(Debug)]
pub struct Inbox(mpsc::Receiver<Delivery>);

/// An input and where the verdict on it is awaited.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub input: Input,
    pub verdict: oneshot::Sender<Verdict>,
}

/// The execution is not running any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the execution is not running any more")]
pub struct Gone;

/// Deliveries that wait to be read; a sender waits when there are more.
const DELIVERIES_MAX: usize = 64;

/// A new inbox and the way into it.
pub fn inbox() -> (Deliveries, Inbox) {
    let (sender, receiver) = mpsc::channel(DELIVERIES_MAX);
    (Deliveries(sender), Inbox(receiver))
}

impl Deliveries {
    /// Delivers `input` and waits for the engine's verdict on it.
    pub async fn deliver(&self, input: Input) -> Result<Verdict, Gone> {
        let (verdict, answer) = oneshot::channel();
        self.0.send(Delivery { input, verdict }).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// StopExecution.
    pub async fn stop(&self, failure: Failure) -> Result<Verdict, Gone> {
        self.deliver(Input::Stop { failure }).await
    }

    /// SendTaskSuccess and SendTaskFailure.
    pub async fn callback(&self, token: TaskToken, outcome: TaskOutcome) -> Result<Verdict, Gone> {
        self.deliver(Input::Callback { token, outcome }).await
    }

    /// SendTaskHeartbeat, sent at this time.
    pub async fn heartbeat(&self, token: TaskToken, at: Timestamp) -> Result<Verdict, Gone> {
        self.deliver(Input::Heartbeat { token, at }).await
    }
}

impl Inbox {
    /// The next delivery; `None` when nobody can send any more.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        self.0.recv().await
    }
}
