//! Blobs with a meter. The rules are those of S3: each request has its price, whatever its size.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;

use super::{Meter, Usage, units};
use crate::blobs::BlobError;

/// Keys of one page of a listing. Source: S3, ListObjectsV2, `MaxKeys`.
const LIST_KEYS_MAX: usize = 1_000;

/// A store of blobs that counts what S3 would charge.
pub struct Blobs {
    blobs: Arc<dyn crate::Blobs>,
    meter: Meter,
}

impl Blobs {
    /// Counts the requests to `blobs`.
    pub fn new(blobs: Arc<dyn crate::Blobs>, meter: Meter) -> Blobs {
        Blobs { blobs, meter }
    }

    fn count<T>(&self, result: &Result<T, BlobError>, usage: impl Fn(Option<&T>) -> Usage) {
        match result {
            Ok(answer) => self.meter.add(usage(Some(answer))),
            Err(BlobError::Unavailable(_) | BlobError::Damaged(_)) => self.meter.add(usage(None)),
            Err(BlobError::Refused(_) | BlobError::Throttled) => {}
        }
    }
}

#[async_trait]
impl crate::Blobs for Blobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        let blob_bytes_written = bytes.len() as u64;
        let result = self.blobs.put(key, bytes).await;
        self.count(&result, |_| Usage { blob_puts: 1, blob_bytes_written, ..Usage::default() });
        result
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
        let result = self.blobs.get(key).await;
        self.count(&result, |blob| {
            let bytes = blob.and_then(Option::as_ref).map_or(0, Bytes::len);
            Usage { blob_gets: 1, blob_bytes_read: bytes as u64, ..Usage::default() }
        });
        result
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let result = self.blobs.delete(key).await;
        self.count(&result, |_| Usage { blob_deletes: 1, ..Usage::default() });
        result
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError> {
        let result = self.blobs.list(prefix, after, limit).await;
        self.count(&result, |keys| {
            let blob_lists = units(keys.map_or(0, Vec::len), LIST_KEYS_MAX);
            Usage { blob_lists, ..Usage::default() }
        });
        result
    }
}
