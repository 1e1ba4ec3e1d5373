//! How a cluster knows who asks: a presigned request to STS, which the cluster sends itself to learn whose
//! it is. Source: EKS user guide; `aws eks get-token`.

use std::time::{Duration, SystemTime};

use aws_client::{Caller, NoCredentials, Scope, presigned};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use front::Secret;

/// What every token begins with.
const PREFIX: &str = "k8s-aws-v1.";
/// How long it is valid.
const VALID: Duration = Duration::from_secs(60);

/// The token of a caller for the cluster of this name, and for no other.
pub(super) async fn bearer(cluster: &str, caller: &Caller) -> Result<Secret, String> {
    let now = SystemTime::now();
    let credentials = caller.identity.credentials(now).await.map_err(|error| match error {
        NoCredentials::Missing => "no credentials are configured".to_owned(),
        NoCredentials::Unavailable(why) => format!("there are no credentials: {why}"),
    })?;
    let region = &caller.region;
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let uri = format!("https://sts.{region}.{suffix}/?Action=GetCallerIdentity&Version=2011-06-15");
    let scope = Scope { name: "sts", region };
    let url = presigned(&uri, &[("x-k8s-aws-id", cluster)], VALID, scope, &credentials, now)?;
    Ok(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_client::Identity;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::*;

    #[tokio::test]
    async fn a_token_is_a_presigned_request() {
        let credentials =
            Credentials::new("AKIDEXAMPLE", "hunter2", Some("session".to_owned()), None, "test");
        let identity = Arc::new(Identity::new(SharedCredentialsProvider::new(credentials)));
        let caller = Caller { identity, region: "cn-north-1".to_owned() };
        let token = bearer("my cluster", &caller).await.unwrap();
        let url = URL_SAFE_NO_PAD.decode(token.expose().strip_prefix(PREFIX).unwrap()).unwrap();
        let url = String::from_utf8(url).unwrap();
        for part in [
            "https://sts.cn-north-1.amazonaws.com.cn/?Action=GetCallerIdentity&Version=2011-06-15&",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Expires=60",
            "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
            "X-Amz-Security-Token=session",
            "X-Amz-Signature=",
            "%2Fcn-north-1%2Fsts%2Faws4_request",
        ] {
            assert!(url.contains(part), "{part} is not in {url}");
        }
        assert!(!url.contains("hunter2"));
        let other = bearer("other", &caller).await.unwrap();
        assert_ne!(other, token);
        assert!(bearer("a\nb", &caller).await.is_err());
    }
}
