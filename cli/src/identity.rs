//! Who calls AWS for tasks: whom the environment and the user's profile name.

use std::sync::Arc;

use aws_client::{Caller, Endpoints, Identity};
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_http_client::tls;

/// The Region when none is configured.
const REGION_DEFAULT: &str = "us-east-1";

/// Finds out. `region`: another than the one that is configured. Nothing is asked for that calls to
/// emulators alone do not need.
pub async fn own(endpoints: Endpoints, region: Option<String>) -> Caller {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
    let config = if endpoints.reaches_aws() {
        loader.load().await
    } else {
        // Not from the metadata service of an instance: asking it takes a second where there is none.
        let profile = ProfileFileCredentialsProvider::builder()
            .configure(&ProviderConfig::default().with_http_client(http))
            .build();
        let credentials =
            CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
                .or_else("Profile", profile)
                .or_else("Test", Credentials::new("test", "test", None, None, "test"));
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(Region::from_static(REGION_DEFAULT));
        loader.credentials_provider(credentials).region(region).load().await
    };
    let provider = config.credentials_provider().unwrap_or_else(|| SharedCredentialsProvider::new(Nobody));
    let region = region.or_else(|| config.region().map(ToString::to_string));
    let region = region.unwrap_or_else(|| REGION_DEFAULT.to_owned());
    Caller { identity: Arc::new(Identity::new(provider)), region }
}

/// Has no credentials.
#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none are configured")))
    }
}
