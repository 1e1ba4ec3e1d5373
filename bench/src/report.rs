//! A figure, the table that people read, and `target/bench.json` that machines read.

use std::path::Path;

use serde_json::{Value, json};

/// One measured figure.
pub struct Figure {
    /// The name under which it is asked for.
    pub name: &'static str,
    /// The median.
    pub value: f64,
    /// What it counts.
    pub unit: &'static str,
    /// What it must reach.
    pub goal: f64,
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

impl Figure {
    fn reaches_goal(&self) -> bool {
        match self.better {
            Better::Higher => self.value >= self.goal,
            Better::Lower => self.value <= self.goal,
        }
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
    println!("{:<40} {:>14} {:<16} {:>12}", "figure", "median", "unit", "goal");
    for figure in figures {
        let verdict = if figure.reaches_goal() { "" } else { "  below the goal" };
        println!(
            "{:<40} {:>14.3} {:<16} {:>12}{verdict}",
            figure.name, figure.value, figure.unit, figure.goal
        );
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
