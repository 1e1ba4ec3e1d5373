use jlens_core::Options;

use super::check::Facts;

/// What one evaluation may use. The limits are counted, never timed, so that the same expression
/// in the same scope ends the same way on every machine.
///
/// The defaults stand where the service itself stops, as far as that is known (reference,
/// section a.6), and else where an evaluation takes about a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Evaluated nodes, called functions and thousands of attempts of a regular expression.
    pub steps: u64,
    /// The same in an expression with a regular expression: there a step can cost a thousand
    /// times as much.
    pub regex_steps: u64,
    /// Nested evaluations; a recursive function takes about five for each of its levels.
    pub depth: usize,
    /// Bytes of a string that the evaluation builds.
    pub string_bytes: usize,
    /// Items of an array that the evaluation builds.
    pub array_items: usize,
    /// Bytes of the JSON text of a result, and of the arguments of Step Functions' own functions.
    /// Parts of a payload that are returned unchanged do not count.
    pub result_bytes: usize,
}

/// Items in the longest range that the service is seen to build (873,783 fail).
pub(super) const ARRAY_ITEMS_MAX: usize = 873_782;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            steps: 10_000_000,
            regex_steps: 500_000,
            depth: 500,
            string_bytes: 4 * 1024 * 1024,
            array_items: ARRAY_ITEMS_MAX,
            result_bytes: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// The library's options; its timeout stays unset, since it would read a clock.
    pub(super) fn options(&self, facts: &Facts) -> Options {
        let steps = if facts.matches_patterns { self.steps.min(self.regex_steps) } else { self.steps };
        Options::new()
            .max_steps(steps)
            .max_depth(self.depth)
            .max_string_length(self.string_bytes)
            .max_array_length(self.array_items)
            .max_result_size(self.result_bytes)
    }
}
