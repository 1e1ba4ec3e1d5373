//! The binary where Lambda has not said what it needs: it ends at once and says what is missing.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::process::Command;

#[track_caller]
fn check(environment: &[(&str, &str)], said: &str) {
    let ran = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success());
    assert!(stderr.contains(said), "{stderr}");
}

#[test]
fn what_is_missing_is_said() {
    let handlers = "it has to be one of api, provisioner, step-driver, sweeper, trigger";
    check(&[], &format!("the handler is ``; {handlers}"));
    check(&[("_HANDLER", "nothing")], &format!("the handler is `nothing`; {handlers}"));
    check(&[("_HANDLER", "api")], "the environment variable AWS_REGION is not set");
}
