//! Recorded executions through the whole server give the recorded histories.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use model::json::Value;
use tests::conformance::default_corpus;
use tests::conformance::served::{Backend, agrees_in_memory, is_prompt, is_served, run};

/// Sizes of history pages: most histories break in odd places.
const PAGES: [usize; 4] = [3, 7, 1, 1_000];

/// Every `nth` case of each area that can be served on the backend.
fn slice(nth: usize, backend: Backend) -> Vec<PathBuf> {
    let Some(corpus) = default_corpus() else { return Vec::new() };
    let sorted = |folder: PathBuf| {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let is_case = |path: &PathBuf| {
        let json = Value::parse(&fs::read_to_string(path).unwrap()).unwrap();
        is_served(&json) && (backend == Backend::Memory || is_prompt(&json))
    };
    let areas = sorted(corpus.join("execution")).into_iter();
    areas.flat_map(|area| sorted(area).into_iter().filter(is_case).step_by(nth).collect::<Vec<_>>()).collect()
}

/// Runs the cases on a backend, at least `cases_min`. All agree with their recordings but those
/// that do not even with the engine alone.
fn check(nth: usize, backend: Backend, cases_min: usize) {
    let cases = slice(nth, backend);
    if cases.is_empty() {
        eprintln!("skipped: there is no ../shared/conformance beside the repository");
        return;
    }
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let work = || {
                while let Some(path) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let at = next.load(Ordering::SeqCst);
                    let json = Value::parse(&fs::read_to_string(path).unwrap()).unwrap();
                    if let Err(reason) = run(&json, backend, PAGES[at % PAGES.len()])
                        && agrees_in_memory(&json)
                    {
                        failures.lock().unwrap().push(format!("{}: {reason}", path.display()));
                    }
                }
            };
            thread::Builder::new().stack_size(64 * 1024 * 1024).spawn_scoped(scope, work).unwrap();
        }
    });
    let failures = failures.into_inner().unwrap();
    let told = format!("{} of {} cases failed:\n{}", failures.len(), cases.len(), failures.join("\n"));
    println!("{told}");
    assert!(cases.len() >= cases_min, "only {} cases", cases.len());
    assert!(failures.is_empty(), "{told}");
}

#[test]
fn recorded_histories_come_through_the_server() {
    check(4, Backend::Memory, 100);
}

#[test]
fn recorded_histories_come_through_a_store_on_disk() {
    check(10, Backend::Embedded, 20);
}
