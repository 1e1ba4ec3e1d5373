//! A figure, the table that people read, and `target/bench.json` that machines read.

use std::path::Path;

use serde_json::{Value, json};

/// One measured figure.
pub struct Figure {
    /// The name under which it is asked for.
    pub name: &'static str,
    /// The median, unless the name says otherwise.
    pub value: f64,
    /// What it counts.
    pub unit: &'static str,
    /// What it must reach; nothing for what only explains other figures.
    pub goal: Option<f64>,
    /// Which way is better.
    pub better: Better,
}

/// Which way a figure is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// The figures of a run, and what could not be measured.
#[derive(Default)]
pub struct Report {
    /// In the order in which they were measured.
    pub figures: Vec<Figure>,
    /// Which figures are missing, and why.
    pub failures: Vec<String>,
}

impl Report {
    /// Measures the figures of these names. What goes wrong is kept, and hides no others.
    pub fn measure(&mut self, names: &[&str], measure: impl FnOnce() -> Result<Vec<Figure>, String>) {
        let names = names.join(", ");
        eprintln!("measuring {names}");
        match measure() {
            Ok(figures) => self.figures.extend(figures),
            Err(error) => self.failures.push(format!("{names}: {error}")),
        }
    }
}

impl Figure {
    /// A figure of which there should be at least so much.
    pub fn at_least(goal: f64, name: &'static str, value: f64, unit: &'static str) -> Figure {
        Figure { name, value, unit, goal: Some(goal), better: Better::Higher }
    }

    /// A figure of which there should be at most so much.
    pub fn at_most(goal: f64, name: &'static str, value: f64, unit: &'static str) -> Figure {
        Figure { name, value, unit, goal: Some(goal), better: Better::Lower }
    }

    /// A figure that explains others, or completes them.
    pub fn given(name: &'static str, value: f64, unit: &'static str) -> Figure {
        Figure { name, value, unit, goal: None, better: Better::Lower }
    }

    fn reaches_goal(&self) -> bool {
        match (self.goal, self.better) {
            (None, _) => true,
            (Some(goal), Better::Higher) => self.value >= goal,
            (Some(goal), Better::Lower) => self.value <= goal,
        }
    }

    fn line(&self) -> String {
        let verdict = if self.reaches_goal() { "" } else { "  below the goal" };
        let goal = self.goal.map_or("-".to_owned(), |goal| {
            let text = format!("{goal:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        });
        format!("{:<40} {:>14.3} {:<16} {goal:>12}{verdict}", self.name, self.value, self.unit)
    }

    fn json(&self) -> Value {
        let better = match self.better {
            Better::Higher => "higher",
            Better::Lower => "lower",
        };
        json!({"name": self.name, "value": self.value, "unit": self.unit, "goal": self.goal, "better": better})
    }
}

/// Prints the table with the machine it was measured on.
pub fn print(figures: &[Figure]) {
    println!("{}", machine());
    println!("{:<40} {:>14} {:<16} {:>12}", "figure", "value", "unit", "goal");
    for figure in figures {
        println!("{}", figure.line());
    }
}

/// Writes the list of figures.
///
/// # Errors
/// When the file cannot be written.
pub fn write(figures: &[Figure], path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let list: Vec<Value> = figures.iter().map(Figure::json).collect();
    std::fs::write(path, format!("{:#}\n", Value::from(list)))
}

/// Processor, cores and system, as far as the system tells.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "machine: {}, {cores} cores, {} {}",
        model.unwrap_or("unknown processor"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

/// The median of some measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that so many percent of some measurements do not exceed.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = values.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_judged_printed_and_written() {
        let check = |figure: Figure, verdict: bool, goal: &str, json: Value| {
            assert_eq!(figure.line().contains("below the goal"), verdict, "{}", figure.line());
            assert!(figure.line().contains(goal), "{}", figure.line());
            assert_eq!(figure.json()["goal"], json);
        };
        check(Figure::at_least(5_000.0, "a", 4_999.0, "1/s"), true, " 5000 ", json!(5_000.0));
        check(Figure::at_least(5_000.0, "a", 5_000.0, "1/s"), false, " 5000", json!(5_000.0));
        check(Figure::at_most(1.2, "a", 1.21, ""), true, " 1.2 ", json!(1.2));
        check(Figure::at_most(12.3456, "a", 1.0, ""), false, " 12.346", json!(12.3456));
        check(Figure::given("a", 1.0, "ms"), false, " -", Value::Null);
    }

    #[test]
    fn what_fails_hides_nothing() {
        let mut report = Report::default();
        report.measure(&["a", "b"], || Err("no disk".to_owned()));
        report.measure(&["c"], || Ok(vec![Figure::given("c", 1.0, "ms")]));
        assert_eq!(report.failures, ["a, b: no disk"]);
        assert_eq!(report.figures.iter().map(|figure| figure.name).collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn percentiles_are_of_the_measurements() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        for (percent, value) in [(0, 1.0), (1, 2.0), (50, 100.0), (99, 198.0), (100, 200.0)] {
            assert_eq!(percentile(&values, percent), value, "{percent}");
        }
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(percentile(&[], 50).is_nan());
    }
}
