//! The bucket that CloudFormation takes zips and template from.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use sha2::{Digest, Sha256};

use crate::stack::{Failure, told};

/// A bucket of this account.
pub struct Bucket {
    client: Client,
    name: String,
    account: String,
    /// What stands in front of a key in a URL that CloudFormation reads.
    base: String,
}

/// S3, at emulators too.
pub fn client(sdk: &SdkConfig) -> Client {
    let config = aws_sdk_s3::config::Builder::from(sdk).force_path_style(sdk.endpoint_url().is_some());
    Client::from_conf(config.build())
}

impl Bucket {
    /// The bucket of this name, which has to be there; without a name the usual one, which is created if
    /// need be.
    pub async fn open(sdk: &SdkConfig, name: Option<&str>) -> Result<Bucket, Failure> {
        let region = sdk.region().map(|region| region.to_string()).unwrap_or_default();
        let caller = aws_sdk_sts::Client::new(sdk).get_caller_identity().send().await;
        let caller = caller.map_err(|error| told("your AWS credentials cannot be used", &error))?;
        let account = caller.account.ok_or_else(|| "AWS does not say which account this is".to_owned())?;
        let client = client(sdk);
        let usual = format!("stepwright-deploy-{account}-{region}");
        let bucket = name.unwrap_or(&usual).to_owned();
        let head = client.head_bucket().bucket(&bucket).expected_bucket_owner(&account).send().await;
        match head {
            Ok(_) => {}
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_not_found()) && name.is_none() =>
            {
                create(&client, &bucket, &region).await?;
            }
            Err(error) => {
                return Err(told(
                    &format!("the bucket {bucket} cannot be used by account {account}"),
                    &error,
                )
                .into());
            }
        }
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let base = match sdk.endpoint_url() {
            Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{region}.amazonaws.com{suffix}"),
        };
        Ok(Bucket { client, name: bucket, account, base })
    }

    /// Uploads content unless it is there; gives its key, which is made of what it says.
    pub async fn upload(&self, content: Vec<u8>, extension: &str) -> Result<String, Failure> {
        use std::fmt::Write as _;
        let mut key = String::from("stepwright/");
        for byte in Sha256::digest(&content) {
            // Writing to a string does not fail.
            let _ = write!(key, "{byte:02x}");
        }
        key.push_str(extension);
        let head =
            self.client.head_object().bucket(&self.name).key(&key).expected_bucket_owner(&self.account);
        if head.send().await.is_ok() {
            return Ok(key);
        }
        let put = self.client.put_object().bucket(&self.name).key(&key).expected_bucket_owner(&self.account);
        let put = put.body(ByteStream::from(content)).send().await;
        put.map_err(|error| told(&format!("{key} cannot be uploaded to the bucket {}", self.name), &error))?;
        Ok(key)
    }

    /// As templates name an object.
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// As CloudFormation reads an object.
    pub fn url(&self, key: &str) -> String {
        format!("{}/{key}", self.base)
    }
}

async fn create(client: &Client, name: &str, region: &str) -> Result<(), Failure> {
    let mut create = client.create_bucket().bucket(name);
    // The first Region is no constraint. Source: Amazon S3, CreateBucket.
    if region != "us-east-1" {
        let place = BucketLocationConstraint::from(region);
        create = create.create_bucket_configuration(
            CreateBucketConfiguration::builder().location_constraint(place).build(),
        );
    }
    let created = create.send().await;
    match created {
        Ok(_) => {
            println!("created the bucket {name}");
            Ok(())
        }
        // Somebody else of this account did so at the same time.
        Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
        Err(error) => {
            Err(told(&format!("the bucket {name} cannot be created; --s3-bucket names another one"), &error)
                .into())
        }
    }
}
