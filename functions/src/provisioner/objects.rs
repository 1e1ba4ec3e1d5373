//! Objects of S3, with the function's own role.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use ports_aws::Timeouts;
use ports_aws::config::{limits, retries};
use ports_aws::fault::Fault;

/// Between two listings of a bucket that is to be empty.
const PAUSE: Duration = Duration::from_secs(1);

/// Objects of S3.
#[async_trait]
pub trait Objects: Send + Sync {
    /// The bytes of an object, at most so many.
    async fn read(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        bytes_max: usize,
    ) -> Result<Vec<u8>, String>;
    /// Deletes objects of a bucket, as many as one request lists; how many there were.
    async fn delete_some(&self, bucket: &str) -> Result<usize, String>;
}

/// Empties a bucket. What was written while others were deleted goes as well: it is empty when two
/// listings, some time apart, find nothing.
pub async fn empty(objects: &dyn Objects, bucket: &str) -> Result<(), String> {
    let mut empty_before = false;
    loop {
        let is_empty = objects.delete_some(bucket).await? == 0;
        if is_empty && empty_before {
            return Ok(());
        }
        if is_empty {
            tokio::time::sleep(PAUSE).await;
        }
        empty_before = is_empty;
    }
}

/// The API of S3.
pub struct S3(Client);

impl S3 {
    /// Reached as `sdk` says.
    pub fn new(sdk: &SdkConfig) -> S3 {
        let timeouts = Timeouts::default();
        let config = aws_sdk_s3::config::Builder::from(sdk)
            .timeout_config(limits(timeouts, timeouts.blob_attempt))
            .retry_config(retries())
            .force_path_style(sdk.endpoint_url().is_some())
            .build();
        S3(Client::from_conf(config))
    }
}

#[async_trait]
impl Objects for S3 {
    async fn read(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        bytes_max: usize,
    ) -> Result<Vec<u8>, String> {
        let place = format!("{bucket}/{key}");
        let request = self.0.get_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
        let object =
            request.send().await.map_err(|error| Fault::of(error).at("GetObject", "definition", &place))?;
        let fits = object
            .content_length()
            .and_then(|length| usize::try_from(length).ok())
            .is_some_and(|length| length <= bytes_max);
        if !fits {
            return Err(format!("the definition {place} has more than {bytes_max} bytes"));
        }
        let body = object.body.collect().await;
        let body = body.map_err(|error| format!("GetObject of the definition {place}: {error}"))?;
        Ok(body.to_vec())
    }

    async fn delete_some(&self, bucket: &str) -> Result<usize, String> {
        let said = |operation: &str, fault: &Fault| fault.at(operation, "bucket", bucket);
        let listed = self.0.list_objects_v2().bucket(bucket).send().await;
        let listed = listed.map_err(|error| said("ListObjectsV2", &Fault::of(error)))?;
        let keys = listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
        let identifiers = keys.map(|key| ObjectIdentifier::builder().key(key).build());
        let identifiers: Vec<ObjectIdentifier> =
            identifiers.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let count = identifiers.len();
        if count == 0 {
            return Ok(0);
        }
        let all = Delete::builder().set_objects(Some(identifiers)).quiet(true).build();
        let all = all.map_err(|error| error.to_string())?;
        let deleted = self.0.delete_objects().bucket(bucket).delete(all).send().await;
        let deleted = deleted.map_err(|error| said("DeleteObjects", &Fault::of(error)))?;
        match deleted.errors().first() {
            None => Ok(count),
            Some(error) => {
                let (code, key) = (error.code().unwrap_or_default(), error.key().unwrap_or_default());
                Err(format!("DeleteObjects of the bucket {bucket}: {code} for {key}"))
            }
        }
    }
}

/// Objects in memory.
#[cfg(test)]
pub mod fixture {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    /// Bytes by bucket and key, with a slash between.
    #[derive(Default)]
    pub struct Held(pub Mutex<BTreeMap<String, Vec<u8>>>);

    impl Held {
        /// One object.
        pub fn one(place: &str, bytes: &[u8]) -> Held {
            Held(Mutex::new([(place.to_owned(), bytes.to_vec())].into()))
        }
    }

    #[async_trait]
    impl Objects for Held {
        async fn read(
            &self,
            bucket: &str,
            key: &str,
            _: Option<&str>,
            bytes_max: usize,
        ) -> Result<Vec<u8>, String> {
            let found = self.0.lock().unwrap().get(&format!("{bucket}/{key}")).cloned();
            let found =
                found.ok_or_else(|| format!("GetObject of the definition {bucket}/{key}: NoSuchKey"))?;
            assert!(found.len() <= bytes_max);
            Ok(found)
        }

        async fn delete_some(&self, bucket: &str) -> Result<usize, String> {
            let mut held = self.0.lock().unwrap();
            let prefix = format!("{bucket}/");
            let keys: Vec<String> =
                held.keys().filter(|key| key.starts_with(&prefix)).take(2).cloned().collect();
            for key in &keys {
                held.remove(key);
            }
            Ok(keys.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::Held;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_emptied_to_its_last_object() {
        let held = Held::default();
        for key in ["b/1", "b/2", "b/3", "b/4", "b/5", "other/1"] {
            held.0.lock().unwrap().insert(key.to_owned(), Vec::new());
        }
        let late = async {
            tokio::time::sleep(PAUSE / 2).await;
            held.0.lock().unwrap().insert("b/late".to_owned(), Vec::new());
        };
        let (emptied, ()) = tokio::join!(empty(&held, "b"), late);
        assert_eq!(emptied, Ok(()));
        assert_eq!(held.0.lock().unwrap().keys().collect::<Vec<_>>(), ["other/1"]);
    }
}
