//! The evaluator keeps to JSONata.

use tests::jsonata_suite::{default_suite, run};

/// Cases that pass; raise it when more do.
const PASSED_MIN: usize = 1_680;

#[test]
fn jsonata_suite_passes() {
    let Some(suite) = default_suite() else {
        eprintln!("skipped: there is no ../shared/jsonata-suite beside the repository");
        return;
    };
    let report = run(&suite);
    assert!(
        report.passed >= PASSED_MIN,
        "{} of {} cases passed, at least {PASSED_MIN} must: {:#?}",
        report.passed,
        report.total,
        report.failures
    );
}
