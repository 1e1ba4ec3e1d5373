//! Services that everyone knows; `xtask` reads all others.

use super::*;

fn operation(service: &str, action: &str) -> Operation {
    catalog().service(service).unwrap().operation(action).unwrap()
}

#[test]
fn services_are_found_by_what_arns_call_them() {
    for (key, prefix, protocol) in [
        ("dynamodb", "DynamoDb", Protocol::Json { minor: 0 }),
        ("cloudwatchlogs", "CloudWatchLogs", Protocol::Json { minor: 1 }),
        ("lambda", "Lambda", Protocol::RestJson),
        ("s3", "S3", Protocol::RestXml),
        ("sts", "Sts", Protocol::Query),
        ("ec2", "Ec2", Protocol::Ec2),
        // Offered in CBOR first.
        ("cloudwatch", "CloudWatch", Protocol::Json { minor: 0 }),
    ] {
        let service = catalog().service(key).unwrap();
        assert_eq!((service.key, service.prefix, service.protocol), (key, prefix, protocol));
    }
    for key in ["", "DynamoDB", "dynamo", "events", "zzz"] {
        assert!(catalog().service(key).is_none(), "{key}");
    }
}

#[test]
fn operations_are_found_with_either_first_letter() {
    assert_eq!(operation("rds", "describeDBInstances").name, "DescribeDBInstances");
    assert_eq!(operation("rds", "DescribeDBInstances").name, "DescribeDBInstances");
    let rds = catalog().service("rds").unwrap();
    for action in ["", "describeDbInstances", "describe", "é"] {
        assert!(rds.operation(action).is_none(), "{action}");
    }
}

#[test]
fn operations_know_what_they_do() {
    assert!(operation("dynamodb", "getItem").reads());
    assert!(operation("ec2", "describeInstances").reads());
    for (service, action) in [
        ("dynamodb", "putItem"),
        ("sqs", "receiveMessage"),
        ("sfn", "getActivityTask"),
        ("sts", "getSessionToken"),
        ("kms", "generateDataKey"),
    ] {
        assert!(!operation(service, action).reads(), "{service} {action}");
    }
    assert!(operation("s3", "selectObjectContent").excluded());
    assert!(operation("sts", "assumeRole").excluded());
    assert!(!operation("s3", "getObject").excluded());
    assert_eq!(operation("s3", "putObject").checksum_member, Some("ChecksumAlgorithm"));
    assert!(operation("cognitoidentity", "getId").unsigned());
}

#[test]
fn shapes_say_where_members_stand() {
    let input = operation("s3", "putObject").input().unwrap();
    let bucket = input.member("Bucket").unwrap();
    assert_eq!((bucket.location, bucket.context_param), (Location::Uri, Some("Bucket")));
    assert!(bucket.required());
    let metadata = input.member("Metadata").unwrap();
    assert_eq!((metadata.location, metadata.wire_name()), (Location::HeadersPrefix, "x-amz-meta-"));
    assert_eq!(input.payload().unwrap().name, "Body");
    assert!(operation("ecs", "runTask").input().unwrap().member("clientToken").unwrap().idempotency_token());
}

#[test]
fn errors_are_found_by_their_codes() {
    let iam = catalog().service("iam").unwrap();
    let error = iam.error("NoSuchEntity").unwrap();
    assert_eq!((error.shape, error.status), ("NoSuchEntityException", Some(404)));
    assert_eq!(iam.error("NoSuchEntityException"), Some(error));
    assert!(iam.error("AccessDenied").is_none());
}
