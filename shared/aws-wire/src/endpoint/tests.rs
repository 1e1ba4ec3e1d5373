//! Endpoints that everyone knows; `xtask` runs the models' own cases.

use super::*;
use crate::catalog::catalog;

fn endpoint(service: &str, set: impl FnOnce(&mut Parameters)) -> Result<Endpoint, String> {
    let mut parameters = Parameters::default();
    set(&mut parameters);
    resolve(catalog(), catalog().service(service).unwrap(), &parameters)
}

fn url(service: &str, region: &str) -> String {
    endpoint(service, |parameters| {
        parameters.text("Region", region);
    })
    .unwrap()
    .url
}

#[test]
fn services_are_where_they_are() {
    for (service, region, expected) in [
        ("sqs", "eu-central-1", "https://sqs.eu-central-1.amazonaws.com"),
        ("sqs", "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
        // A Region that is newer than this program.
        ("sqs", "ap-moon-7", "https://sqs.ap-moon-7.amazonaws.com"),
        ("sqs", "eusc-de-west-9", "https://sqs.eusc-de-west-9.amazonaws.eu"),
        ("sqs", "somewhere", "https://sqs.somewhere.amazonaws.com"),
        ("iam", "eu-central-1", "https://iam.amazonaws.com"),
    ] {
        assert_eq!(url(service, region), expected, "{service} {region}");
    }
}

#[test]
fn global_services_are_signed_for_their_own_region() {
    let iam = endpoint("iam", |parameters| {
        parameters.text("Region", "eu-central-1");
    });
    assert_eq!(iam.unwrap().schemes[0].signing_region.as_deref(), Some("us-east-1"));
}

#[test]
fn buckets_stand_in_the_host_where_they_can() {
    let of = |bucket: &str| {
        endpoint("s3", |parameters| {
            parameters.text("Region", "eu-central-1").text("Bucket", bucket);
        })
        .map(|endpoint| endpoint.url)
    };
    assert_eq!(of("photos").unwrap(), "https://photos.s3.eu-central-1.amazonaws.com");
    assert_eq!(of("my.photos").unwrap(), "https://s3.eu-central-1.amazonaws.com/my.photos");
    let wrong = of("arn:aws:s3:eu-central-1:1:bucket").unwrap_err();
    assert!(wrong.starts_with("Invalid ARN"), "{wrong}");
}

#[test]
fn what_rules_need_has_to_be_there() {
    assert_eq!(endpoint("sqs", |_| {}), Err("Invalid Configuration: Missing Region".to_owned()));
}
