//! Called once a minute: what no message announces, and the dead letters.

use driver::Sweeper;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::IgnoredAny;

use crate::installation::Installation;

/// Serves invocations until the process ends.
pub async fn run(installation: Installation) -> Result<(), Error> {
    let sweeper = Sweeper::new(installation.world, Some(installation.dead_letters));
    let sweeper = &sweeper;
    lambda_runtime::run(service_fn(move |_: LambdaEvent<IgnoredAny>| async move {
        // An error is an invocation that failed: the alarm on it tells.
        let swept = sweeper.sweep().await?;
        tracing::info!(?swept, "swept");
        Ok::<_, Error>(())
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn its_schedule_sweeps() {
        let scene = crate::scene::Scene::new().await;
        let event = crate::scene::sample("sweeper/schedule").to_json();
        let _: IgnoredAny = serde_json::from_str(&event).unwrap();
        assert!(Sweeper::new(scene.world.clone(), Some(scene.queue.clone())).sweep().await.is_ok());
    }
}
