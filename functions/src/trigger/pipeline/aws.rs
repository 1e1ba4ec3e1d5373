//! CodePipeline and its artifacts on AWS.

use std::ops::Range;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::types::{ExecutionDetails, FailureDetails, FailureType};
use aws_sdk_s3::config::Credentials as S3Credentials;
use bytes::Bytes;
use ports_aws::Timeouts;
use ports_aws::config::{limits, retries};
use ports_aws::fault::{Fault, Kind};

use super::job::{Credentials, Place};
use super::zip::{Archive, ReadError};
use super::{Artifacts, Failure, Jobs, Success};

/// The API of CodePipeline.
pub struct Pipelines(Client);

impl Pipelines {
    /// Reached as `sdk` says. Answers may be given twice: the second one is refused.
    pub fn new(sdk: &SdkConfig) -> Pipelines {
        let timeouts = Timeouts::default();
        let config = aws_sdk_codepipeline::config::Builder::from(sdk)
            .timeout_config(limits(timeouts, timeouts.attempt))
            .retry_config(retries())
            .build();
        Pipelines(Client::from_conf(config))
    }
}

/// What an answer came to.
fn answered(job: &str, operation: &str, result: Result<(), Fault>) -> Result<(), String> {
    match result {
        Ok(()) => Ok(()),
        // It was answered before: the event came twice, or the answer to the answer was lost.
        Err(fault) if fault.code() == Some("InvalidJobStateException") => {
            tracing::info!(job, operation, "the job was answered before");
            Ok(())
        }
        Err(fault) => Err(fault.at(operation, "job", job)),
    }
}

#[async_trait]
impl Jobs for Pipelines {
    async fn succeeded(&self, job: &str, success: Success) -> Result<(), String> {
        let details = ExecutionDetails::builder()
            .summary(success.summary)
            .external_execution_id(success.execution)
            .set_percent_complete(success.continuation.is_none().then_some(100))
            .build();
        let variables = success.variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let request = self
            .0
            .put_job_success_result()
            .job_id(job)
            .execution_details(details)
            // Variables are not allowed beside a token.
            .set_output_variables(success.continuation.is_none().then_some(variables))
            .set_continuation_token(success.continuation);
        let result = request.send().await.map(|_| ()).map_err(Fault::of);
        answered(job, "PutJobSuccessResult", result)
    }

    async fn failed(&self, job: &str, failure: Failure) -> Result<(), String> {
        let details = FailureDetails::builder()
            .r#type(FailureType::from(failure.kind.as_str()))
            .message(failure.message)
            .set_external_execution_id(failure.execution)
            .build()
            .map_err(|error| error.to_string())?;
        let request = self.0.put_job_failure_result().job_id(job).failure_details(details);
        let result = request.send().await.map(|_| ()).map_err(Fault::of);
        answered(job, "PutJobFailureResult", result)
    }
}

/// Artifacts on S3.
pub struct Objects(SdkConfig);

impl Objects {
    /// Reached as `sdk` says, with the credentials of each job.
    pub fn new(sdk: SdkConfig) -> Objects {
        Objects(sdk)
    }
}

impl Artifacts for Objects {
    fn archive(&self, place: &Place, credentials: &Credentials) -> Box<dyn Archive> {
        let timeouts = Timeouts::default();
        let credentials = S3Credentials::new(
            credentials.access_key_id.as_str(),
            credentials.secret_access_key.as_str(),
            credentials.session_token.as_ref().map(ToString::to_string),
            None,
            "artifactCredentials",
        );
        let config = aws_sdk_s3::config::Builder::from(&self.0)
            .credentials_provider(credentials)
            .timeout_config(limits(timeouts, timeouts.blob_attempt))
            .retry_config(retries())
            .force_path_style(self.0.endpoint_url().is_some())
            .build();
        Box::new(Object { client: aws_sdk_s3::Client::from_conf(config), place: place.clone() })
    }
}

struct Object {
    client: aws_sdk_s3::Client,
    place: Place,
}

impl Object {
    /// Bytes of a range, and how many the object has in all.
    async fn get(&self, range: String, bytes_max: u64) -> Result<(Bytes, u64), ReadError> {
        let Place { bucket, key } = &self.place;
        let request = self.client.get_object().bucket(bucket.as_str()).key(key.as_str()).range(range);
        let answer = request.send().await.map_err(|error| self.error(&Fault::of(error)))?;
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let total =
            answer.content_range().and_then(|range| range.rsplit('/').next()?.parse().ok()).or(length);
        let unbounded = || {
            ReadError::Unavailable(format!("the artifact {bucket}/{key} came with more than was asked for"))
        };
        if length.is_none_or(|length| length > bytes_max) {
            return Err(unbounded());
        }
        let body = answer.body.collect().await;
        let body = body.map_err(|error| {
            ReadError::Unavailable(format!("GetObject of the artifact {bucket}/{key}: {error}"))
        })?;
        let bytes = body.into_bytes();
        Ok((bytes, total.ok_or_else(unbounded)?))
    }

    fn error(&self, fault: &Fault) -> ReadError {
        let Place { bucket, key } = &self.place;
        let said = fault.at("GetObject", "artifact", &format!("{bucket}/{key}"));
        match fault.code() {
            Some("NoSuchKey" | "NoSuchBucket") => ReadError::Absent(said),
            Some("AccessDenied" | "ExpiredToken" | "InvalidAccessKeyId") => ReadError::Forbidden(said),
            Some("InvalidRange") => ReadError::Unusable(format!("the artifact {bucket}/{key} is empty")),
            _ if fault.kind() == Kind::Refused => ReadError::Forbidden(said),
            _ => ReadError::Unavailable(said),
        }
    }
}

#[async_trait]
impl Archive for Object {
    async fn tail(&self, bytes: u64) -> Result<(Bytes, u64), ReadError> {
        self.get(format!("bytes=-{bytes}"), bytes).await
    }

    async fn range(&self, range: Range<u64>) -> Result<Bytes, ReadError> {
        let last = range.end.saturating_sub(1);
        let (bytes, _) = self.get(format!("bytes={}-{last}", range.start), range.end - range.start).await?;
        Ok(bytes)
    }
}
