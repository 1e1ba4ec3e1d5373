//! The step-driver as it is deployed, in a debug build: that what is measured does what it should, and
//! that what does not is no figure.

use std::path::PathBuf;
use std::process::Command;

use bench::stand_in::Work;
use bench::step_driver::{Batch, loaded, starts};

/// Payloads that do not fit into a row, of a few executions.
const SMALL: Batch = Batch { executions: 3, tasks: 2, payload_bytes: 32 * 1_024 };

fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows itself");
    let folder = test.ancestors().nth(2).expect("the test is in a folder of cargo's");
    // `make test` has.
    if std::env::var_os("STEPWRIGHT_BUILT").is_some() {
        return folder.join("bootstrap");
    }
    let target = folder.parent().expect("cargo's folder has a parent");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--target-dir"]).arg(target);
    // Together with what other tests build: alone, cargo would build what is below the functions again.
    build.args(["--package", "functions", "--package", "proxy", "--package", "cli"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.is_ok_and(|status| status.success()), "the functions are not built");
    folder.join("bootstrap")
}

#[tokio::test]
async fn a_driver_starts_and_brings_a_batch_to_its_end() {
    let binary = binary();
    let started = starts(&binary, 2).await.expect("it starts");
    assert_eq!(started.len(), 2);
    assert!(started.iter().all(|started| started.ready_millis > 0.0 && started.memory.resident_bytes > 0));
    let memory = loaded(&binary, SMALL, SMALL.work()).await.expect("all executions succeed");
    assert!(memory.peak_bytes >= memory.resident_bytes);

    // The tasks fail, so that there is nothing to measure.
    let error = loaded(&binary, SMALL, SMALL.work().failing()).await.expect_err("no execution succeeds");
    assert!(error.contains("it is to fail"), "{error}");
    // Nothing is started: the input is too long.
    let long = Work::new(300 * 1_024, 1);
    let error = loaded(&binary, SMALL, long).await.expect_err("no input is taken");
    assert!(error.contains("StartExecution was answered"), "{error}");
}

#[tokio::test]
async fn what_is_no_driver_is_not_measured() {
    let said = starts(&PathBuf::from("/bin/true"), 1).await.err().expect("it does not start");
    assert!(said.contains("ended with"), "{said}");
    let said = starts(&PathBuf::from("/nowhere"), 1).await.err().expect("it does not start");
    assert!(said.contains("cannot be run"), "{said}");
}
