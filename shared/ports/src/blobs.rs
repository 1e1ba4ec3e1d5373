//! Bytes by key, for what is too large for a row.

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;

/// A store of blobs. Writing the same bytes under the same key again is harmless; keys that name
/// their content make every put so.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Writes a blob. Durable when it returns.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError>;

    /// The blob under this key. A key that no blob can have has none.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError>;

    /// Removes a blob. Removing what is absent is no error.
    async fn delete(&self, key: &str) -> Result<(), BlobError>;

    /// Up to `limit` keys that begin with `prefix`, in the order of their bytes, those behind
    /// `after` only, whether or not there is a blob of that key. Fewer than `limit` are all.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError>;
}

/// Longest key in bytes; it is not empty. Source: S3, object keys.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Whether a blob can have this key: from 1 to [`KEY_BYTES_MAX`] bytes.
pub fn check_key(key: &str) -> Result<(), BlobError> {
    match key.len() {
        0 => Err(BlobError::Refused("it is empty".to_owned())),
        bytes if bytes > KEY_BYTES_MAX => {
            Err(BlobError::Refused(format!("it has {bytes} bytes, the most is {KEY_BYTES_MAX}")))
        }
        _ => Ok(()),
    }
}

/// Why a store of blobs did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// The key breaks a limit; trying again will not help.
    #[error("the key of a blob is not allowed: {0}")]
    Refused(String),
    /// Too many requests. Try again later.
    #[error("the store of blobs is throttled")]
    Throttled,
    /// It may or may not have been done.
    #[error("the store of blobs is unavailable: {0}")]
    Unavailable(String),
    /// What is stored cannot be read.
    #[error("a stored blob cannot be read: {0}")]
    Damaged(String),
}
