//! Who performs tasks, as the command line says it.

use integrations_lambda::Endpoint;

/// Where `--lambda-endpoint` leads. Without it functions cannot be called.
pub fn endpoint(arg: Option<&str>) -> Result<Endpoint, String> {
    match arg {
        None => Ok(Endpoint::None),
        Some("aws") => Ok(Endpoint::Aws),
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            Ok(Endpoint::Url(url.to_owned()))
        }
        Some(url) => Err(format!(
            "--lambda-endpoint `{url}` is no URL, which begins with http:// or https://, nor `aws`"
        )),
    }
}
