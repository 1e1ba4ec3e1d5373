//! A bucket of S3, with the bucket in the path: objects are put, read and deleted.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hyper::{Method, Response, StatusCode};

use super::{Body, Refused, answer};

/// Objects by the rest of their path.
#[derive(Default)]
pub(super) struct Blobs {
    objects: Mutex<BTreeMap<String, Bytes>>,
}

const ABSENT: &str =
    "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";

impl Blobs {
    pub(super) fn answer(&self, method: &Method, key: &str, body: Bytes) -> Result<Response<Body>, Refused> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let done = |bytes| answer(StatusCode::OK, "application/octet-stream", bytes);
        if key.len() < 2 {
            return Err(Refused::unknown(format_args!("{method} of the bucket")));
        }
        match *method {
            Method::PUT => {
                objects.insert(key.to_owned(), body);
                Ok(done(Bytes::new()))
            }
            Method::GET => Ok(match objects.get(key) {
                Some(object) => done(object.clone()),
                None => answer(StatusCode::NOT_FOUND, "application/xml", ABSENT),
            }),
            Method::DELETE => {
                objects.remove(key);
                Ok(done(Bytes::new()))
            }
            _ => Err(Refused::unknown(format_args!("{method} of an object"))),
        }
    }
}
