//! Bodies of requests: how large, and how long they may take.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{HeaderMap, header};

use crate::Answer;

/// How long a body usually may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// The whole body, of at most `bytes_max` bytes and within `timeout`. One that announces more is
/// refused before it is read.
pub async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, Answer> {
    let too_large = || {
        let message = format!("the request is larger than {bytes_max} bytes");
        Answer::failure(413, "RequestEntityTooLargeException", &message)
    };
    if announced(headers).is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(timeout, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => {
            Err(Answer::failure(400, "MalformedHttpRequestException", "the body of the request broke off"))
        }
        Err(_) => Err(Answer::failure(
            408,
            "RequestTimeoutException",
            "the body of the request did not arrive in time",
        )),
    }
}

/// How long a body is, as its headers say; none where they do not.
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}
