//! The AWS SDK: TLS by rustls, and the usual chain for Region and credentials.

use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::tls;

/// The configuration of the SDK, of which the caller may override anything before `load`.
pub fn loader() -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http)
}
