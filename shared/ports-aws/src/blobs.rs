//! Blobs on S3.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;
use bytes::Bytes;
use model::json::Text;
use ports::BlobError;
use ports::blobs::{KEY_BYTES_MAX, check_key};

use crate::config::{Timeouts, limits, retries};
use crate::fault::{Fault, Kind};

/// A bucket of blobs; the key of a blob is the key of its object.
///
/// Requests are repeated a few times: a put that is repeated writes the same. Without the permission
/// `s3:ListBucket` S3 calls an absent object forbidden, so the role needs it for `get` too.
#[derive(Clone)]
pub struct Blobs {
    client: Client,
    bucket: Text,
}

/// Most keys of one answer. Source: S3, ListObjectsV2.
const KEYS_MAX: usize = 1_000;

impl Blobs {
    /// The bucket of this name. An endpoint of the caller's own (an emulator, a store that speaks
    /// S3) is asked with the bucket in the path, AWS with the bucket in the host's name.
    pub fn new(sdk: &SdkConfig, bucket: impl Into<Text>, timeouts: Timeouts) -> Blobs {
        let config = aws_sdk_s3::config::Builder::from(sdk)
            .timeout_config(limits(timeouts, timeouts.blob_attempt))
            .retry_config(retries())
            .force_path_style(sdk.endpoint_url().is_some())
            .build();
        Blobs { client: Client::from_conf(config), bucket: bucket.into() }
    }

    fn error(&self, operation: &str, fault: &Fault) -> BlobError {
        match fault.kind() {
            Kind::Throttled => BlobError::Throttled,
            Kind::NotDone | Kind::Unknown | Kind::Refused => {
                BlobError::Unavailable(fault.at(operation, "bucket", &self.bucket))
            }
        }
    }
}

#[async_trait]
impl ports::Blobs for Blobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        check_key(key)?;
        let request = self.client.put_object().bucket(self.bucket.as_str()).key(key).body(bytes.into());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.error("PutObject", &Fault::of(error))),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
        if check_key(key).is_err() {
            return Ok(None);
        }
        let object = match self.client.get_object().bucket(self.bucket.as_str()).key(key).send().await {
            Ok(object) => object,
            Err(error) => {
                let fault = Fault::of(error);
                return match fault.code() {
                    Some("NoSuchKey") => Ok(None),
                    _ => Err(self.error("GetObject", &fault)),
                };
            }
        };
        // Ends with an error when nothing comes for a while: the SDK watches over what it streams.
        match object.body.collect().await {
            Ok(body) => Ok(Some(body.into_bytes())),
            Err(error) => {
                let fault = Fault::Lost(crate::fault::short(&error.to_string()));
                Err(self.error("GetObject", &fault))
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        if check_key(key).is_err() {
            return Ok(());
        }
        match self.client.delete_object().bucket(self.bucket.as_str()).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let fault = Fault::of(error);
                match fault.code() {
                    Some("NoSuchKey") => Ok(()),
                    _ => Err(self.error("DeleteObject", &fault)),
                }
            }
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError> {
        let mut keys: Vec<Text> = Vec::new();
        if prefix.len() > KEY_BYTES_MAX {
            return Ok(keys);
        }
        // Not behind `after`, so that nothing is missed; what is not behind it is left out below.
        let start = after.map(|after| &after[..after.floor_char_boundary(KEY_BYTES_MAX)]);
        let mut start = start.filter(|start| !start.is_empty()).map(str::to_owned);
        while keys.len() < limit {
            let wanted = (limit - keys.len()).min(KEYS_MAX);
            let request = self
                .client
                .list_objects_v2()
                .bucket(self.bucket.as_str())
                .prefix(prefix)
                .set_start_after(start)
                .max_keys(i32::try_from(wanted).unwrap_or(i32::MAX))
                // Keys may have characters that XML cannot say.
                .encoding_type(EncodingType::Url);
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => return Err(self.error("ListObjectsV2", &Fault::of(error))),
            };
            let is_cut = answer.is_truncated == Some(true);
            let encoded = answer.contents.unwrap_or_default();
            let found = encoded.into_iter().filter_map(|object| object.key).map(|key| decode(&key));
            let found = found.collect::<Result<Vec<Text>, BlobError>>()?;
            let last = found.last().map(Text::to_string);
            keys.extend(found.into_iter().filter(|key| after.is_none_or(|after| key.as_str() > after)));
            if !is_cut || last.is_none() {
                break;
            }
            start = last;
        }
        keys.truncate(limit);
        Ok(keys)
    }
}

/// A key as a listing of encoding type `url` has it: as in the query of a URL, `+` for a space.
fn decode(encoded: &str) -> Result<Text, BlobError> {
    let damaged = || BlobError::Damaged(format!("the listed key `{encoded}` is not encoded as it should be"));
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |digit: Option<u8>| char::from(digit?).to_digit(16);
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let (high, low) = high.zip(low).ok_or_else(damaged)?;
                u8::try_from(high * 16 + low).map_err(|_| damaged())?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map(Text::from).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_keys_are_decoded() {
        let cases = [
            ("plain/key", Some("plain/key")),
            ("a+b%2Bc%20d", Some("a b+c d")),
            ("%C3%BC%F0%9D%84%9e", Some("ü𝄞")),
            ("ü", Some("ü")),
            ("%00%EF%BF%BF", Some("\0\u{ffff}")),
            ("%2", None),
            ("%zz", None),
            ("%ff", None),
        ];
        for (encoded, expected) in cases {
            assert_eq!(decode(encoded).ok().as_deref(), expected, "{encoded}");
        }
    }
}
