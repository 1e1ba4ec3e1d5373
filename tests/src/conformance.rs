//! The recorded corpus: what the real service answered, replayed against this program.
//!
//! Reading order: [`run`] and [`Report`], `execution` (kinds `execution` and `distributed`),
//! `replay` (the engine in a world made of `recorded` results), `validation`, `api` (calls against
//! a server), [`served`] (executions through a server, in a world made by `outside`), `compare`
//! and `wildcard` (what counts as equal). The rules are those of the corpus's README. No case is
//! known by its name or its values.

mod api;
mod case;
mod compare;
mod definition;
mod execution;
mod logs;
mod lost;
mod outside;
mod recorded;
mod replay;
pub mod served;
mod validation;
mod wildcard;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, thread};

use model::json::Value;

/// The kinds of case, in the order of the summary.
pub const KINDS: [&str; 5] = ["execution", "distributed", "validation", "test-state", "api"];

/// What became of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Kind, area, and what became of their cases.
    pub areas: BTreeMap<(&'static str, String), Score>,
    /// Every case that did not pass, by kind and name, with the reason.
    pub failures: Vec<Failed>,
}

/// How many cases there are and how many passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Cases that passed.
    pub passed: usize,
    /// All cases.
    pub total: usize,
}

/// A case that did not pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failed {
    /// Its kind.
    pub kind: &'static str,
    /// Its area and name: `base/base.pass_result`.
    pub name: String,
    /// The first difference, or what stood in the way.
    pub reason: String,
}

/// Where the corpus lies: `../shared/conformance` beside the repository. `None` when absent.
pub fn default_corpus() -> Option<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    corpus.join("execution").is_dir().then_some(corpus)
}

/// Runs every case of the corpus in the folder `corpus` whose kind can be run. Cases of the
/// other kinds count as not passed and are not among the failures.
pub fn run(corpus: &Path) -> io::Result<Report> {
    let mut files = Vec::new();
    for kind in KINDS {
        for area in folder(&corpus.join(kind))? {
            for path in
                folder(&area)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "json"))
            {
                files.push(File { kind, area: file_name(&area), path });
            }
        }
    }
    let results = run_all(&files, corpus);
    let mut report = Report::default();
    for (file, result) in files.iter().zip(results) {
        let score = report.areas.entry((file.kind, file.area.clone())).or_default();
        score.total += 1;
        match result {
            Verdict::Passed => score.passed += 1,
            Verdict::NotRun => {}
            Verdict::Failed(reason) => {
                let name = format!("{}/{}", file.area, file_name(&file.path).trim_end_matches(".json"));
                report.failures.push(Failed { kind: file.kind, name, reason });
            }
        }
    }
    report.failures.sort();
    Ok(report)
}

struct File {
    kind: &'static str,
    area: String,
    path: PathBuf,
}

enum Verdict {
    Passed,
    Failed(String),
    NotRun,
}

/// Bytes of stack of each thread: definitions and payloads may be nested deeply.
const STACK_BYTES: usize = 64 * 1024 * 1024;

fn run_all(files: &[File], corpus: &Path) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(at) else { return done };
            done.push((at, verdict(file, corpus)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut results: Vec<(usize, Verdict)> = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let workers: Vec<_> = (0..threads).filter_map(|at| spawn(at).ok()).collect();
        if workers.is_empty() {
            return work();
        }
        let joined = workers.into_iter().map(|worker| worker.join().expect("`verdict` catches panics"));
        joined.flatten().collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, verdict)| verdict).collect()
}

fn verdict(file: &File, corpus: &Path) -> Verdict {
    let run: fn(&Value, &Path) -> Result<(), String> = match file.kind {
        "execution" | "distributed" => |json, _| execution::run(json),
        "validation" => |json, _| validation::run(json),
        "api" => api::run,
        _ => return Verdict::NotRun,
    };
    let result = fs::read_to_string(&file.path)
        .map_err(|error| format!("cannot be read: {error}"))
        .and_then(|text| Value::parse(&text).map_err(|error| format!("is not JSON: {error}")))
        .and_then(|json| {
            let panicked = |panic: Box<dyn std::any::Any + Send>| {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                format!("panicked: {}", text.unwrap_or_default())
            };
            catch_unwind(AssertUnwindSafe(|| run(&json, corpus))).unwrap_or_else(|panic| Err(panicked(panic)))
        });
    match result {
        Ok(()) => Verdict::Passed,
        Err(reason) => Verdict::Failed(reason),
    }
}

impl Report {
    /// The score of a whole kind.
    pub fn kind(&self, kind: &str) -> Score {
        let areas = self.areas.iter().filter(|((of, _), _)| *of == kind);
        areas.fold(Score::default(), |sum, (_, score)| Score {
            passed: sum.passed + score.passed,
            total: sum.total + score.total,
        })
    }

    /// One line with the score of every kind: `conformance: execution 3/4 distributed 0/1 …`.
    pub fn summary(&self) -> String {
        let kinds = KINDS.map(|kind| format!("{kind} {}", self.kind(kind)));
        format!("conformance: {}", kinds.join(" "))
    }
}

/// A row per kind and area, the failures with their reasons, the summary.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, area), score) in &self.areas {
            writeln!(f, "{kind:<12} {area:<30} {:>4} of {:>4}", score.passed, score.total)?;
        }
        for Failed { kind, name, reason } in &self.failures {
            writeln!(f, "FAILED {kind} {name}\n       {}", reason.replace('\n', "\n       "))?;
        }
        writeln!(f, "{}", self.summary())
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.passed, self.total)
    }
}

/// The entries of a folder in alphabetical order; none when there is no such folder.
fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
