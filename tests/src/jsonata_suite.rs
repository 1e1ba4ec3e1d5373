//! The official JSONata cases, run through `query::jsonata`.
//!
//! The cases are data: `groups/*.json` and `datasets/*.json` of a suite folder, described in
//! its README. They are written for plain JSONata, so they are compiled at
//! [`Level::Permissive`]; values, limits and results take the way they take in a state machine.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use model::json::Value;
use query::Scope;
use query::jsonata::{Expression, Level, Limits, Outcome};

/// What became of a suite.
#[derive(Debug, Default)]
pub struct SuiteReport {
    /// Cases that ended as expected.
    pub passed: usize,
    /// All cases.
    pub total: usize,
    /// Id and reason of every other case.
    pub failures: Vec<(String, String)>,
}

/// Where the suite lies: `../shared/jsonata-suite` beside the repository. `None` when absent.
pub fn default_suite() -> Option<PathBuf> {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/jsonata-suite");
    suite.join("groups").is_dir().then_some(suite)
}

/// Runs every case of the suite in the folder `suite`, groups in alphabetical order. A file that
/// cannot be read is a failed case under its name.
pub fn run(suite: &Path) -> SuiteReport {
    let mut report = SuiteReport::default();
    let datasets = match read_folder(&suite.join("datasets")) {
        Ok(files) => files.into_iter().collect::<HashMap<String, Value>>(),
        Err(error) => {
            report.record("datasets".to_owned(), Err(error.to_string()));
            return report;
        }
    };
    match read_folder(&suite.join("groups")) {
        Ok(groups) => {
            for (name, cases) in groups {
                match cases.as_array() {
                    Some(cases) => cases.iter().for_each(|case| report.case(case, &datasets)),
                    None => report.record(name, Err("the group is not an array".to_owned())),
                }
            }
        }
        Err(error) => report.record("groups".to_owned(), Err(error.to_string())),
    }
    report
}

impl SuiteReport {
    fn case(&mut self, case: &Value, datasets: &HashMap<String, Value>) {
        let id = case.get("id").and_then(Value::as_str).unwrap_or("(no id)").to_owned();
        let verdict = check(case, datasets);
        self.record(id, verdict);
    }

    fn record(&mut self, id: String, verdict: Result<(), String>) {
        self.total += 1;
        match verdict {
            Ok(()) => self.passed += 1,
            Err(reason) => self.failures.push((id, reason)),
        }
    }
}

/// What an evaluation ended with, as the suite sees it.
enum Ended {
    Value(Value),
    Undefined,
    Failed { code: String, message: String },
}

fn check(case: &Value, datasets: &HashMap<String, Value>) -> Result<(), String> {
    let ended = evaluate(case, datasets)?;
    if let Some(expected) = case.get("result") {
        return match ended {
            Ended::Value(value) if same(&value, expected, is_true(case, "unordered")) => Ok(()),
            other => Err(format!("expected {expected}, got {}", other.describe())),
        };
    }
    if is_true(case, "undefinedResult") {
        return match ended {
            Ended::Undefined => Ok(()),
            other => Err(format!("expected undefined, got {}", other.describe())),
        };
    }
    let error = case.get("error").unwrap_or(case);
    let expected = error.get("code").and_then(Value::as_str).ok_or("the case expects nothing")?;
    match &ended {
        Ended::Failed { code, .. } if code == expected => Ok(()),
        other => Err(format!("expected error {expected}, got {}", other.describe())),
    }
}

fn evaluate(case: &Value, datasets: &HashMap<String, Value>) -> Result<Ended, String> {
    let source = case.get("expr").and_then(Value::as_str).ok_or("the case has no expression")?;
    let input = match (case.get("data"), case.get("dataset")) {
        (Some(data), _) => Some(data),
        (None, Some(Value::String(name))) => {
            Some(datasets.get(name.as_str()).ok_or_else(|| format!("no dataset {name}"))?)
        }
        (None, _) => None,
    };
    let expression = match Expression::compile_at(source, Level::Permissive) {
        Ok(expression) => expression,
        Err(error) => {
            return Ok(Ended::Failed { code: error.code.unwrap_or_default(), message: error.message });
        }
    };
    let outcome = expression.evaluate_on(input, &Bound(case.get("bindings")), &limits(case));
    Ok(match outcome {
        Ok(Outcome::Value(value)) => Ended::Value(value),
        Ok(Outcome::Undefined | Outcome::Function) => Ended::Undefined,
        Err(error) => Ended::Failed { code: error.code.unwrap_or_default(), message: error.message },
    })
}

/// The cases bring their own depth; their time is ours in steps.
fn limits(case: &Value) -> Limits {
    let depth = case.get("depth").and_then(Value::as_i64).and_then(|depth| usize::try_from(depth).ok());
    Limits { depth: depth.unwrap_or(10_000), array_items: 10_000_000, ..Limits::default() }
}

fn is_true(case: &Value, field: &str) -> bool {
    case.get(field).and_then(Value::as_bool) == Some(true)
}

/// Equality, where `unordered` lets the items of arrays come in any order.
fn same(a: &Value, b: &Value, unordered: bool) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) if unordered => {
            let mut rest: Vec<&Value> = b.iter().collect();
            a.len() == b.len()
                && a.iter().all(|item| {
                    let found = rest.iter().position(|other| same(item, other, true));
                    found.map(|index| rest.swap_remove(index)).is_some()
                })
        }
        (Value::Object(a), Value::Object(b)) if unordered => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other, true)))
        }
        _ => a == b,
    }
}

impl Ended {
    fn describe(&self) -> String {
        match self {
            Ended::Value(value) => value.to_string(),
            Ended::Undefined => "undefined".to_owned(),
            Ended::Failed { code, message } => format!("error {code}: {message}"),
        }
    }
}

/// The variables of a case, at a fixed time.
struct Bound<'a>(Option<&'a Value>);

impl Scope for Bound<'_> {
    fn input(&self) -> &Value {
        &Value::Null
    }

    fn context(&self) -> Value {
        Value::Null
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.0?.get(name).cloned()
    }

    /// A time in 2024, as some cases expect the present not to be long ago.
    fn now_millis(&self) -> i64 {
        1_720_000_000_000
    }

    fn next_random(&self) -> u64 {
        0x9E37_79B9_7F4A_7C15
    }
}

/// Name (without `.json`) and content of every JSON file in `folder`, in alphabetical order.
fn read_folder(folder: &Path) -> io::Result<Vec<(String, Value)>> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some_and(|ext| ext == "json")))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let value = Value::parse(&fs::read_to_string(&path)?)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {error}")))?;
            Ok((name, value))
        })
        .collect()
}
