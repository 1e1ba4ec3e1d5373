//! Blobs in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;

use super::lock;
use crate::blobs::{BlobError, check_key};

/// Blobs in memory.
#[derive(Debug, Default)]
pub struct Blobs {
    blobs: Mutex<BTreeMap<Text, Bytes>>,
}

impl Blobs {
    /// An empty store.
    pub fn new() -> Blobs {
        Blobs::default()
    }
}

#[async_trait]
impl crate::Blobs for Blobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        check_key(key)?;
        lock(&self.blobs).insert(Text::from(key), bytes);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
        Ok(lock(&self.blobs).get(key).cloned())
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        lock(&self.blobs).remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let blobs = lock(&self.blobs);
        let behind = blobs.range::<str, _>((from, Bound::Unbounded)).map(|(key, _)| key);
        // `after` may lie behind every key of the prefix: what follows is not of it either.
        Ok(behind.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect())
    }
}
