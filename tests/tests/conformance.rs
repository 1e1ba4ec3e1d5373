//! The recorded corpus passes as far as it has passed before.

use model::json::Value;
use tests::conformance::{KINDS, default_corpus, run};

/// Cases of each kind that pass; raise a number when more do, never lower one.
const FLOOR: &str = include_str!("../conformance-floor.json");

#[test]
fn no_kind_falls_below_its_floor() {
    let Some(corpus) = default_corpus() else {
        eprintln!("skipped: there is no ../shared/conformance beside the repository");
        return;
    };
    let floor = Value::parse(FLOOR).expect("the floor is JSON");
    let report = run(&corpus).expect("the corpus can be read");
    for kind in KINDS {
        let least = floor.get(kind).and_then(Value::as_i64).expect("the floor has every kind");
        let passed = i64::try_from(report.kind(kind).passed).expect("cases are few");
        assert!(passed >= least, "{kind}: {passed} passed, at least {least} must\n{report}");
    }
}
