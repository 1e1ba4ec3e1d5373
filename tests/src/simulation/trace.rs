//! The schedule of a run, readable.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::timestamp::Timestamp;

/// Lines of text, or nothing at all when nobody wants to read them. Cheap to clone.
#[derive(Clone)]
pub struct Trace(Option<Arc<Mutex<String>>>);

impl Trace {
    /// A trace; it keeps nothing unless it is wanted.
    pub fn new(wanted: bool) -> Trace {
        Trace(wanted.then(Arc::default))
    }

    /// A line: how long after `begin`, who, what.
    pub fn line(&self, begin: Timestamp, now: Timestamp, who: &str, what: fmt::Arguments<'_>) {
        if let Some(text) = &self.0 {
            let millis = now.millis_since(begin);
            let (seconds, rest) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
            let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
            // Writing to a string never fails.
            let _ = writeln!(text, "{seconds:>5}.{rest:03}  {who:<12} {what}");
        }
    }

    /// Whether anybody reads it.
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.0.as_ref().map(|text| guard(text).clone()).unwrap_or_default()
    }
}

/// What a mutex protects. A panic elsewhere is reported as what it is.
pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
