//! The function that tasks call: it takes a step of an order and gives back the next, each a document
//! of its own.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::Refused;
use crate::costs::payload::Payloads;

/// How long calls wait for the others.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes beside the document of a payload, at most.
const FRAME: usize = 64;

/// The function. Calls wait for each other: none is answered before so many are there.
pub struct Work {
    payload_bytes: usize,
    together: Barrier,
    fails: bool,
}

impl Work {
    /// Takes and gives payloads of so many bytes, a little less, to so many at a time.
    pub fn new(payload_bytes: usize, together: usize) -> Work {
        Work { payload_bytes, together: Barrier::new(together), fails: false }
    }

    /// A function that refuses all work.
    pub fn failing(self) -> Work {
        Work { fails: true, ..self }
    }

    /// What `order` is at a step; it follows from these and the size.
    pub fn payload(&self, order: usize, step: usize) -> Result<Value, String> {
        let bytes = self.payload_bytes.saturating_sub(FRAME);
        let seed = u64::try_from(order * 1_000 + step).map_err(|error| error.to_string())?;
        let document = Payloads::new(seed).of_bytes(bytes)?.to_json();
        let document: Value = serde_json::from_str(&document).map_err(|error| error.to_string())?;
        Ok(json!({"order": order, "step": step, "document": document}))
    }

    pub(super) async fn answer(&self, request: &[u8]) -> Result<String, Refused> {
        let refused = |message: String| Refused { code: "InvalidParameterValueException", message };
        let next = self.next(request).map_err(refused)?;
        match tokio::time::timeout(PATIENCE, self.together.wait()).await {
            Ok(_) => Ok(next),
            Err(_) => Err(refused(format!("other calls did not come within {PATIENCE:?}"))),
        }
    }

    fn next(&self, request: &[u8]) -> Result<String, String> {
        if self.fails {
            return Err("it is to fail".to_owned());
        }
        let said: Value = serde_json::from_slice(request).map_err(|error| error.to_string())?;
        let number = |name: &str| said[name].as_u64().and_then(|number| usize::try_from(number).ok());
        let (order, step) = number("order").zip(number("step")).ok_or("a payload names no order")?;
        if said != self.payload(order, step)? {
            return Err(format!("order {order} is not what it was given at step {step}"));
        }
        Ok(self.payload(order, step + 1)?.to_string())
    }
}
