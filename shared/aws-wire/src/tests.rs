//! Arguments and answers that nobody means well with: every operation, whatever is in them.

mod arguments;
mod choices;
mod responses;

use crate::catalog::{Operation, Protocol, catalog};
use choices::Choices;

/// Any operation; those of seldom protocols as often as all others.
fn operation(choices: &mut Choices) -> Operation {
    let seldom = ["s3", "ec2", "cloudwatchomni", "eventbridgev2", "sns", "dynamodb", "lambda", "cloudfront"];
    let keys: Vec<&str> = catalog().keys().collect();
    let key = if choices.once_in(2) { *choices.of(&seldom) } else { *choices.of(&keys) };
    let service = catalog().service(key).unwrap();
    let operations: Vec<Operation> = service.operations().collect();
    *choices.of(&operations)
}

/// An operation of each protocol is among those that are chosen often.
#[test]
fn protocols_are_all_there() {
    let of = |key: &str| catalog().service(key).unwrap().protocol;
    assert_eq!(of("cloudwatchomni"), Protocol::Cbor);
    assert_eq!(of("eventbridgev2"), Protocol::Cbor);
    assert_eq!(of("sns"), Protocol::Query);
    assert_eq!(of("ec2"), Protocol::Ec2);
    assert_eq!((of("s3"), of("cloudfront")), (Protocol::RestXml, Protocol::RestXml));
    assert_eq!(of("lambda"), Protocol::RestJson);
    assert_eq!(of("dynamodb"), Protocol::Json { minor: 0 });
}
