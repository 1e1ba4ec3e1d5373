//! Who performs tasks, as the command line, the configuration file and variables say it.

use std::env;
use std::path::Path;
use std::sync::Arc;

use aws_client::{Endpoints, Place};
use aws_wire::catalog::catalog;
use integrations_aws::Web;
use integrations_http::{ConnectionFile, ConnectionSource};

use crate::nearest::nearest;
use crate::source;

/// Where services are. Each of `given` is `SERVICE=PLACE`, or a place for all services; a later one counts
/// more, all count more than the variables of the SDKs. Nothing is on AWS that is not said to be.
pub fn endpoints<'a>(
    given: impl IntoIterator<Item = &'a str>,
    lambda_endpoint: Option<&str>,
) -> Result<Endpoints, String> {
    let mut endpoints = Endpoints::from_variables(env::vars_os().filter_map(|(name, value)| {
        // What is no text is no address.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    }));
    for text in given {
        endpoints = endpoint(endpoints, text)?;
    }
    match lambda_endpoint {
        None => Ok(endpoints),
        Some(text) => {
            let place = place(text).ok_or_else(|| no_place(&format!("--lambda-endpoint `{text}`")))?;
            Ok(endpoints.with("Lambda", place))
        }
    }
}

/// What HTTP tasks are told: the connections of a file, and whether they may call this computer.
pub fn web(connections: Option<&Path>, allow_local: bool) -> Result<Web, String> {
    let read = |path: &Path| -> Result<Arc<dyn ConnectionSource>, String> {
        let text = source::read_text(path).map_err(|error| error.to_string())?;
        let variable = |name: &str| env::var(name).ok();
        let file = ConnectionFile::parse(&path.display().to_string(), &text, &variable);
        Ok(Arc::new(file.map_err(|error| error.to_string())?))
    };
    Ok(Web { allow_local, connections: connections.map(read).transpose()? })
}

fn endpoint(endpoints: Endpoints, text: &str) -> Result<Endpoints, String> {
    if let Some(place) = place(text) {
        return Ok(endpoints.all(place));
    }
    let named = text.split_once('=').filter(|(service, _)| !service.contains("://"));
    let Some((service, at)) = named else { return Err(no_place(&format!("--endpoint `{text}`"))) };
    let place = place(at).ok_or_else(|| no_place(&format!("--endpoint `{text}`")))?;
    let Some(known) = catalog().service(service) else {
        let keys: Vec<&str> = catalog().keys().collect();
        let near =
            nearest(service, &keys).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(format!(
            "--endpoint `{text}`: `{service}` is no service{near} They are called as in \
             `arn:aws:states:::aws-sdk:SERVICE:ACTION`"
        ));
    };
    Ok(endpoints.with(known.service_id, place))
}

fn place(text: &str) -> Option<Place> {
    match text {
        "aws" => Some(Place::Aws),
        url if url.starts_with("http://") || url.starts_with("https://") => Some(Place::Url(url.to_owned())),
        _ => None,
    }
}

fn no_place(what: &str) -> String {
    format!("{what} is no URL, which begins with http:// or https://, nor `aws`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_for_one_service_or_all() {
        let given = ["http://all", "dynamodb=http://table", "cloudwatchlogs=aws", "dynamodb=http://other"];
        let endpoints = endpoints(given, Some("aws")).unwrap();
        for (service, expected) in [
            ("SQS", Place::Url("http://all".to_owned())),
            ("DynamoDB", Place::Url("http://other".to_owned())),
            ("CloudWatch Logs", Place::Aws),
            ("Lambda", Place::Aws),
        ] {
            assert_eq!(endpoints.place(service), Some(&expected), "{service}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |text: &str| endpoints([text], None).unwrap_err();
        assert!(refused("localhost:1").contains("begins with http:// or https://, nor `aws`"));
        assert!(refused("sqs=localhost:1").contains("begins with http:// or https://, nor `aws`"));
        assert!(refused("dynamo=aws").contains("`dynamo` is no service"));
        assert!(refused("dynamodb2=aws").contains("did you mean `dynamodb`?"));
    }
}
