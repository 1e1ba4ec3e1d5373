//! Blobs with faults.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;

use super::faults::Faults;
use crate::blobs::BlobError;

/// A store of blobs with faults.
pub struct Blobs {
    blobs: Arc<dyn crate::Blobs>,
    faults: Faults,
}

impl Blobs {
    /// Lets the requests of one process to `blobs` go wrong.
    pub fn new(blobs: Arc<dyn crate::Blobs>, faults: Faults) -> Blobs {
        Blobs { blobs, faults }
    }
}

#[async_trait]
impl crate::Blobs for Blobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        self.faults.write(self.blobs.put(key, bytes)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
        self.faults.read(self.blobs.get(key)).await
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        self.faults.write(self.blobs.delete(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError> {
        self.faults.read(self.blobs.list(prefix, after, limit)).await
    }
}
