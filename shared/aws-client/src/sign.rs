//! Signatures.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign as signature,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_wire::catalog::Operation;
use bytes::Bytes;
use tracing::subscriber::NoSubscriber;

use crate::address::Address;

/// Headers that make a request its sender's.
pub fn sign(
    operation: &Operation,
    address: &Address,
    request: &mut hyper::Request<Bytes>,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<(), String> {
    let mut settings = SigningSettings::default();
    if address.path_as_it_is {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let scope = Scope { name: &address.signing_name, region: &address.signing_region };
    let unsigned_body = operation.unsigned_body();
    apply(settings, scope, request, unsigned_body, credentials, now)
}

/// What a signature is good for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The service, as signatures call it: `execute-api`.
    pub name: &'a str,
    /// The Region.
    pub region: &'a str,
}

/// Signs a request to an API that no model describes. The signature covers the headers that are there
/// by now; the `Host` is that header's where it is set, else the URI's.
pub fn sign_request(
    request: &mut hyper::Request<Bytes>,
    scope: Scope<'_>,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<(), String> {
    apply(SigningSettings::default(), scope, request, false, credentials, now)
}

/// The address of a GET request that carries its signature, for whoever sends it with these headers
/// while it is `valid`.
pub fn presigned(
    uri: &str,
    headers: &[(&str, &str)],
    valid: Duration,
    scope: Scope<'_>,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<String, String> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(valid);
    let mut request = hyper::Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
    apply(settings, scope, &mut request, false, credentials, now)?;
    Ok(request.uri().to_string())
}

fn apply(
    settings: SigningSettings,
    scope: Scope<'_>,
    request: &mut hyper::Request<Bytes>,
    unsigned_body: bool,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<(), String> {
    let identity = credentials.clone().into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.name)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let body =
        if unsigned_body { SignableBody::UnsignedPayload } else { SignableBody::Bytes(request.body()) };
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let uri = request.uri().to_string();
    let signable = SignableRequest::new(
        request.method().as_str(),
        &uri,
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        body,
    );
    // The library traces what it signs, session tokens included.
    let signed = tracing::subscriber::with_default(NoSubscriber::new(), || {
        signable.and_then(|signable| signature(signable, &parameters))
    });
    let (instructions, _) = signed.map_err(|error| error.to_string())?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}
