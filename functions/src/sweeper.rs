//! Called once a minute: what no message announces, and the dead letters.

use aws_lambda_events::serde_json::Value;
use driver::Sweeper;
use lambda_runtime::{Error, LambdaEvent, service_fn};

use crate::installation::Installation;

/// Serves invocations until the process ends.
pub async fn run(installation: Installation) -> Result<(), Error> {
    let sweeper = Sweeper::new(installation.world, Some(installation.dead_letters));
    let sweeper = &sweeper;
    lambda_runtime::run(service_fn(move |_: LambdaEvent<Value>| async move {
        // An error is an invocation that failed: the alarm on it tells.
        let swept = sweeper.sweep().await?;
        tracing::info!(?swept, "swept");
        Ok::<_, Error>(())
    }))
    .await
}
