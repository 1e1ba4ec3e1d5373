//! What only S3 does, and checksums, which S3 and its control plane ask for.

use aws_smithy_checksums::ChecksumAlgorithm;
use aws_wire::catalog::Operation;
use aws_wire::node::Node;
use aws_wire::protocol::{Refusal, Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

/// What every checksum's header begins with.
const CHECKSUM: &str = "x-amz-checksum-";

/// Takes the bucket out of the path: it is in the address.
pub fn without_bucket(operation: &Operation, request: &mut Request) {
    if operation.service().key != "s3" {
        return;
    }
    if let Some(rest) = operation.uri.strip_prefix("/{Bucket}") {
        let sent = request.uri.trim_start_matches('/');
        let end = sent.find(['/', '?']).unwrap_or(sent.len());
        let behind = &sent[end..];
        request.uri = if behind.starts_with('/') { behind.to_owned() } else { format!("/{behind}") };
        debug_assert!(rest.is_empty() || rest.starts_with(['/', '?']));
    }
}

/// Adds the checksum that an operation can or has to carry, unless one is given. The error names an
/// algorithm that is not known.
pub fn add_checksum(operation: &Operation, input: &Node, request: &mut Request) -> Result<(), String> {
    let given = |name: &str| request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let given_one = request.headers.iter().any(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name.starts_with(CHECKSUM) && !matches!(&name[CHECKSUM.len()..], "algorithm" | "type" | "mode")
    });
    if given_one || given("Content-MD5") {
        return Ok(());
    }
    if let Some(member) = operation.checksum_member {
        let wanted = input.member(member).and_then(Node::text).unwrap_or("CRC32");
        let unknown = || format!("checksums of the algorithm {wanted} are not supported");
        let algorithm: ChecksumAlgorithm = wanted.parse().map_err(|_| unknown())?;
        let mut checksum = algorithm.into_impl();
        checksum.update(&request.body);
        let name = format!("{CHECKSUM}{}", wanted.to_ascii_lowercase());
        let value = STANDARD.encode(checksum.finalize());
        if !given("x-amz-sdk-checksum-algorithm") {
            request.headers.push(("x-amz-sdk-checksum-algorithm".into(), wanted.to_owned()));
        }
        request.headers.push((name.into(), value));
    } else if operation.checksum_required() {
        let sum = STANDARD.encode(Md5::digest(&request.body));
        request.headers.push(("Content-MD5".into(), sum));
    }
    Ok(())
}

/// The Region that a bucket is in, where it was asked for in another.
pub fn elsewhere(operation: &Operation, response: &Response) -> Option<String> {
    let moved = matches!(response.status, 301 | 307 | 400) && operation.service().key == "s3";
    response.header("x-amz-bucket-region").filter(|_| moved).map(str::to_owned)
}

/// Says what is absent where the answer of a HEAD request, which has no body, cannot.
pub fn name_absence(operation: &Operation, refusal: &mut Refusal) {
    let absent = match (operation.service().key, operation.name) {
        ("s3", "HeadBucket") => "NoSuchBucket",
        ("s3", _) if operation.method == "HEAD" => "NoSuchKey",
        _ => return,
    };
    if refusal.status == 404 && refusal.code.is_empty() {
        refusal.code = absent.to_owned();
        refusal.modelled = operation.service().error(absent);
    }
}

/// Operations that may fail after they have begun to answer: a success whose body is an error.
const LATE: [&str; 3] = ["CompleteMultipartUpload", "CopyObject", "UploadPartCopy"];

/// Whether an answer that looks like a success is none.
pub fn is_late_error(operation: &Operation, response: &Response) -> bool {
    operation.service().key == "s3"
        && LATE.contains(&operation.name)
        && response.status == 200
        && String::from_utf8_lossy(&response.body[..response.body.len().min(200)]).contains("<Error>")
}
