//! What the ports stand on.

use std::sync::Arc;
use std::time::Duration;

use ports::{Blobs, Clock, Queues, Table, memory};
use ports_embedded::{Options, Store};

use crate::dev::settings::StoreSettings;

/// The folder of the store within the data folder, which has room for other things beside it.
const FOLDER: &str = "store";

/// Expired rows are looked for so often.
const SWEEP: Duration = Duration::from_secs(60);

/// Expired rows that are removed in one go.
const SWEPT_MAX: usize = 1_000;

/// Table, blobs and queues of one store.
pub struct Backend {
    /// Rows.
    pub table: Arc<dyn Table>,
    /// What is too large for them.
    pub blobs: Arc<dyn Blobs>,
    /// Messages.
    pub queues: Arc<dyn Queues>,
    embedded: Option<Arc<Store>>,
}

impl Backend {
    /// Opens the store. An error says what to do.
    pub async fn open(settings: &StoreSettings, clock: Arc<dyn Clock>) -> Result<Backend, String> {
        let folder = match settings {
            StoreSettings::Memory => {
                return Ok(Backend {
                    table: Arc::new(memory::Table::new(clock.clone())),
                    blobs: Arc::new(memory::Blobs::new()),
                    queues: Arc::new(memory::Queues::new(clock)),
                    embedded: None,
                });
            }
            StoreSettings::Folder(folder) => folder.join(FOLDER),
        };
        let opened =
            tokio::task::spawn_blocking(move || Store::open(&folder, Options::default(), clock)).await;
        let store = opened
            .map_err(|error| format!("the store could not be opened: {error}"))?
            .map_err(|error| format!("{error} (--data names the directory)"))?;
        Ok(Backend {
            table: store.table(),
            blobs: store.blobs(),
            queues: store.queues(),
            embedded: Some(Arc::new(store)),
        })
    }

    /// Removes what has expired, again and again. Never ends.
    pub fn sweep(&self) -> impl Future<Output = ()> + Send + 'static {
        let embedded = self.embedded.clone();
        async move {
            // What expires in memory goes with the next write there.
            let Some(store) = embedded else { return std::future::pending().await };
            loop {
                match store.sweep_expired(SWEPT_MAX).await {
                    // There may be more.
                    Ok(SWEPT_MAX) => continue,
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "expired rows could not be removed"),
                }
                tokio::time::sleep(SWEEP).await;
            }
        }
    }

    /// Closes the store: everything is on disk when this returns.
    pub async fn close(self) {
        let Some(store) = self.embedded else { return };
        match tokio::task::spawn_blocking(move || store.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the store was left as after a crash; it opens all the same")
            }
            Err(error) => {
                tracing::error!(%error, "the store was left as after a crash; it opens all the same")
            }
        }
    }
}
