//! Unmodified clients against the real server: boto3, the AWS CLI and the SDK for JavaScript.
//! `scripts/clients.sh` installs them into `.tools/clients`; a client that is not there is told of
//! and left out, except under CI, where it must be there.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::dev_server::DevServer;
use tests::lambda_endpoint::LambdaEndpoint;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The last line of a client that found nothing wrong tells how many checks it made.
const CHECKS_MIN: usize = 15;

/// Runs a client against a server of its own; `needed` is what must be installed.
fn check(needed: &Path, client: &[&str], summary: &str, data: bool) {
    if !needed.exists() {
        let message = format!("{summary} is not installed: run scripts/clients.sh");
        assert!(std::env::var_os("CI").is_none(), "{message}");
        eprintln!("skipped: {message}");
        return;
    }
    let at = tempfile::tempdir().unwrap();
    let endpoint = LambdaEndpoint::start().unwrap();
    let url = endpoint.url();
    let mut arguments = vec!["--lambda-endpoint", url.as_str()];
    arguments.extend(if data { ["--data", "store"].as_slice() } else { &["--in-memory"] });
    let server = DevServer::start(at.path(), &arguments).unwrap();
    let modules = root().join(".tools/clients/node");
    let ran = Command::new(client[0])
        .args(&client[1..])
        .args([server.url(), url.clone()])
        .arg(&modules)
        .current_dir(root().join("tests/clients"))
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_ENDPOINT_URL")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let told = stdout.lines().last().unwrap_or_default();
    let passed = told.strip_prefix(summary).and_then(|told| told.strip_prefix(": "));
    let passed = passed.and_then(|told| told.strip_suffix(" passed, 0 failed")?.parse::<usize>().ok());
    assert!(
        ran.status.success() && passed.is_some_and(|passed| passed >= CHECKS_MIN),
        "{:?}\n{stdout}\n{stderr}",
        ran.status
    );
    assert!(server.is_healthy());
    println!("{told}");
}

fn python() -> PathBuf {
    root().join(".tools/clients/python/bin/python")
}

#[test]
fn boto3_works_in_memory() {
    let python = python();
    check(&python, &[python.to_str().unwrap(), "boto3_client.py"], "boto3", false);
}

#[test]
fn boto3_works_on_a_store() {
    let python = python();
    check(&python, &[python.to_str().unwrap(), "boto3_client.py"], "boto3", true);
}

#[test]
fn the_aws_cli_works() {
    let python = python();
    check(&python, &[python.to_str().unwrap(), "aws_cli.py"], "aws cli", false);
}

#[test]
fn the_sdk_for_javascript_works() {
    let sdk = root().join(".tools/clients/node/node_modules/@aws-sdk/client-sfn");
    check(&sdk, &["node", "sdk.mjs"], "sdk for javascript", false);
}
