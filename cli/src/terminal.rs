//! What a stream can show.

use std::io::{IsTerminal, Stderr, Stdout};

use crate::args::When;

/// How to dress text for one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Escape sequences for colour.
    pub color: bool,
    /// Box drawing and a display that moves; plain lines otherwise.
    pub graphics: bool,
}

impl Style {
    /// The style of standard output.
    pub fn of_stdout(when: When, stdout: &Stdout) -> Style {
        Style::choose(when, stdout.is_terminal())
    }

    /// The style of standard error.
    pub fn of_stderr(when: When, stderr: &Stderr) -> Style {
        Style::choose(when, stderr.is_terminal())
    }

    fn choose(when: When, is_terminal: bool) -> Style {
        // https://no-color.org: any value that is not empty.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match when {
            When::Always => Style { color: true, graphics: true },
            When::Never => Style { color: false, graphics: is_terminal },
            When::Auto => Style { color: is_terminal && !no_color, graphics: is_terminal },
        }
    }

    /// `text` in red, when there are colours.
    pub fn error(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// `text` in yellow, when there are colours.
    pub fn warning(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    /// `text` in green, when there are colours.
    pub fn success(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// `text` in grey, when there are colours.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// `text` in bold, when there are colours.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `text` with every control character but line feed and tab written as an escape: names, errors and causes come
/// from definitions and tasks, and must not drive the terminal.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// [`printable`] on one line.
pub fn printable_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\r\nc\u{9b}"), "a\\u{1b}[31mb\\u{d}\nc\\u{9b}");
        assert_eq!(printable_line("a\nb\tc"), "a\\nb\\tc");
    }

    #[test]
    fn colours_follow_the_choice() {
        assert_eq!(Style::choose(When::Always, false), Style { color: true, graphics: true });
        assert_eq!(Style::choose(When::Never, true), Style { color: false, graphics: true });
        assert_eq!(Style::choose(When::Auto, false), Style { color: false, graphics: false });
    }
}
