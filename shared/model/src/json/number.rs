use std::fmt;

use super::Text;

/// A JSON number that loses nothing: integers of any size keep their digits, everything else
/// is a double, as in the service's parser.
#[derive(Clone, Debug)]
pub enum Number {
    /// An integer that fits 64 bits.
    Int(i64),
    /// A number written with a fraction or an exponent. Always finite.
    Float(f64),
    /// The digits of an integer beyond 64 bits.
    Big(Text),
}

impl Number {
    /// The nearest double. Integers beyond 2^53 lose precision.
    pub fn as_f64(&self) -> f64 {
        match self {
            Number::Int(n) => *n as f64,
            Number::Float(n) => *n,
            Number::Big(digits) => digits.parse().unwrap_or(f64::INFINITY),
        }
    }

    /// The integer, also for a double without fraction in the range of `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(n) => Some(*n),
            Number::Float(n) if n.fract() == 0.0 && n.abs() < 9_223_372_036_854_775_808.0 => Some(*n as i64),
            Number::Float(_) | Number::Big(_) => None,
        }
    }

    /// A number from a computation in doubles (JSONata, intrinsic functions): integral results
    /// up to 2^53 are integers, so that they print without `.0`. `None` when not finite.
    pub fn from_computed(n: f64) -> Option<Number> {
        if !n.is_finite() {
            None
        } else if n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0 {
            Some(Number::Int(n as i64))
        } else {
            Some(Number::Float(n))
        }
    }
}

/// By value: `1` equals `1.0`.
impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a == b,
            (Number::Big(a), Number::Big(b)) => a == b,
            _ => self.as_f64() == other.as_f64(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(n) => n.fmt(f),
            // serde_json prints the shortest digits that read back as the same double.
            Number::Float(n) => match serde_json::Number::from_f64(*n) {
                Some(n) => n.fmt(f),
                None => f.write_str("null"),
            },
            Number::Big(digits) => f.write_str(digits),
        }
    }
}
