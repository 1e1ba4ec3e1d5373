use jlens_core::Options;

use super::check::Facts;

/// What one evaluation may use. The limits are counted, never timed, so that the same expression
/// in the same scope ends the same way on every machine.
///
/// The defaults stand where the service itself stops, as far as that has been observed, and
/// else where a single evaluation keeps a processor busy for some seconds at most.
///
/// They bound how many steps an evaluation takes, how large each value may become, and the sum of
/// what ranges, arrays of arrays, `$append`, `$reverse`, `$shuffle` and `$sort` make. They do not
/// bound what other functions keep (`$zip`, `$merge`, `$spread` of long arrays), nor the time of a
/// step on the longest strings. Whoever evaluates expressions of strangers must bound the memory of
/// the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Evaluated nodes, called functions and thousands of attempts of a regular expression.
    pub steps: u64,
    /// The same in an expression with a regular expression: there a step can cost a thousand
    /// times as much.
    pub regex_steps: u64,
    /// Work of what costs more than its step: the bytes and items that `$append`, `$distinct`,
    /// `$match`, `$replace` and `$split` look at, and 600 for each item that a range, an array of
    /// arrays, `$reverse`, `$shuffle` or `$sort` makes.
    pub work: u64,
    /// Nested evaluations; a recursive function takes three or four for each of its levels (the service stops at about a hundred).
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
            steps: 5_000_000,
            regex_steps: 100_000,
            work: 6_000_000_000,
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
