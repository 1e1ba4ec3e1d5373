//! The constraints of members. Source: API reference, the members of each request.

use model::limits;

/// What a text must satisfy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// At least so many characters.
    pub chars_min: usize,
    /// At most so many.
    pub chars_max: Option<usize>,
    /// What it must match.
    pub pattern: Option<Pattern>,
    /// The words it can be, in the order in which messages list them.
    pub words: Option<&'static [&'static str]>,
    /// Messages do not quote it.
    pub sensitive: bool,
}

/// A pattern as messages quote it, and whether a text matches it.
pub(crate) type Pattern = (&'static str, fn(&str) -> bool);

/// An ARN in a request.
pub(crate) const ARN: Rule = text(1, limits::REQUEST_ARN_CHARS_MAX);
/// A name of a user's choice.
pub(crate) const NAME: Rule = text(1, limits::NAME_CHARS_MAX);

/// A text of `chars_min` to `chars_max` characters.
pub(crate) const fn text(chars_min: usize, chars_max: usize) -> Rule {
    Rule { chars_min, chars_max: Some(chars_max), pattern: None, words: None, sensitive: false }
}

/// A text that is one of these words.
pub(crate) const fn words(words: &'static [&'static str]) -> Rule {
    Rule { chars_min: 0, chars_max: None, pattern: None, words: Some(words), sensitive: false }
}

/// The ARN of a Map Run.
pub(crate) const fn long_arn() -> Rule {
    text(1, limits::ARN_CHARS_MAX)
}

/// A page token of so many characters.
pub(crate) const fn page_token(chars_max: usize) -> Rule {
    text(1, chars_max)
}

/// What a user's data is: never quoted, and measured where it is parsed.
pub(crate) const fn payload() -> Rule {
    Rule { chars_min: 0, chars_max: None, pattern: None, words: None, sensitive: true }
}

impl Rule {
    /// The same, not quoted in messages.
    pub const fn sensitive(mut self) -> Rule {
        self.sensitive = true;
        self
    }

    /// The same with a pattern.
    pub const fn matching(mut self, pattern: &'static str, matches: fn(&str) -> bool) -> Rule {
        self.pattern = Some((pattern, matches));
        self
    }

    /// What is wrong with a text, in the service's words.
    pub fn broken(&self, text: &str) -> Option<String> {
        if let Some(words) = self.words {
            return (!words.contains(&text))
                .then(|| format!("Member must satisfy enum value set: [{}]", words.join(", ")));
        }
        let chars = text.chars().count();
        if let Some(chars_max) = self.chars_max.filter(|chars_max| chars > *chars_max) {
            return Some(format!("Member must have length less than or equal to {chars_max}"));
        }
        if chars < self.chars_min {
            return Some(format!("Member must have length greater than or equal to {}", self.chars_min));
        }
        let (pattern, matches) = self.pattern?;
        (!matches(text)).then(|| format!("Member must satisfy regular expression pattern: {pattern}"))
    }
}
