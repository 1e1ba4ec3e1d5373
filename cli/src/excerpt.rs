//! Showing a place in a source: boxes on a terminal, plain lines that editors can jump to
//! elsewhere.

use std::fmt::Write;

use ariadne::{Config, IndexType, Label, Report, ReportKind};
use model::json::{Location, Span};

use crate::terminal::{Style, printable, printable_line};

/// Lines of a source that a plain excerpt shows at most: the first and the last of a long span.
const PLAIN_LINES_MAX: usize = 8;

/// Characters of a line that an excerpt shows at most: minified definitions are one line.
const LINE_CHARS_MAX: usize = 160;

/// Longest line, in bytes, that the graphical excerpt is given.
const GRAPHIC_LINE_BYTES_MAX: usize = 400;

/// How bad a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Red.
    Error,
    /// Yellow.
    Warning,
}

/// Something to say about a place.
#[derive(Clone, Debug)]
pub struct Note<'a> {
    /// How bad it is.
    pub level: Level,
    /// A short name of the kind of finding.
    pub code: Option<&'a str>,
    /// What it is.
    pub message: &'a str,
    /// What stands beside the marked text; `message` is not repeated there.
    pub label: &'a str,
    /// The bytes of the source.
    pub span: Option<Span>,
    /// Lines below the excerpt.
    pub footer: &'a [String],
}

/// A note about `source`, ending with a line feed.
pub fn render(name: &str, source: &str, note: &Note, style: Style) -> String {
    let longest = source.lines().map(str::len).max().unwrap_or(0);
    let span = note.span.map(|span| clamp(source, span));
    match span {
        // The box needs a character to point at.
        Some(span) if style.graphics && longest <= GRAPHIC_LINE_BYTES_MAX && span.start < source.len() => {
            graphic(name, source, span, note, style)
        }
        span => plain(name, source, span, note, style),
    }
}

fn graphic(name: &str, source: &str, span: Span, note: &Note, style: Style) -> String {
    let (kind, color) = match note.level {
        Level::Error => (ReportKind::Error, ariadne::Color::Red),
        Level::Warning => (ReportKind::Warning, ariadne::Color::Yellow),
    };
    let id = printable_line(name);
    let shown = shown_source(source);
    // An empty place is shown as the character behind it.
    let first = source[span.start..].chars().next().map_or(0, char::len_utf8);
    let range = span.start..span.end.max(span.start + first);
    let mut label = Label::new((id.as_str(), range.clone())).with_color(color);
    if !note.label.is_empty() {
        label = label.with_message(printable_line(note.label));
    }
    let config = Config::default().with_color(style.color).with_index_type(IndexType::Byte).with_tab_width(2);
    let mut report = Report::build(kind, (id.as_str(), range.clone()))
        .with_config(config)
        .with_message(printable(note.message))
        .with_label(label);
    if let Some(code) = note.code {
        report = report.with_code(code);
    }
    for line in note.footer {
        report = report.with_note(printable(line));
    }
    let mut out = Vec::new();
    match report.finish().write((id.as_str(), ariadne::Source::from(shown)), &mut out) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(_) => plain(name, source, Some(span), note, style),
    }
}

/// The source with control characters made harmless, byte for byte.
fn shown_source(source: &str) -> String {
    source
        .chars()
        .flat_map(|c| {
            let is_harmful = c.is_control() && c != '\n' && c != '\t';
            let width = if is_harmful { c.len_utf8() } else { 0 };
            (!is_harmful).then_some(c).into_iter().chain(std::iter::repeat_n(' ', width))
        })
        .collect()
}

fn plain(name: &str, source: &str, span: Option<Span>, note: &Note, style: Style) -> String {
    let mut out = String::new();
    let level = match note.level {
        Level::Error => style.error("error"),
        Level::Warning => style.warning("warning"),
    };
    let code = note.code.map(|code| format!("[{code}]")).unwrap_or_default();
    let place = span.map(|span| Location::of(source, span.start));
    let at = place.map(|place| format!(":{}:{}", place.line, place.column)).unwrap_or_default();
    // Writing to a string does not fail.
    let _ = writeln!(out, "{}{at}: {level}{code}: {}", printable_line(name), printable(note.message));
    if let Some(span) = span {
        marked_lines(&mut out, source, span, note.label);
    }
    for line in note.footer {
        let _ = writeln!(out, "  = {}", printable(line).replace('\n', "\n    "));
    }
    out
}

/// The lines of `span` with what is marked: underlined within one line, by a bar before several.
fn marked_lines(out: &mut String, source: &str, span: Span, label: &str) {
    let first = Location::of(source, span.start).line;
    let last = Location::of(source, span.end.saturating_sub(1).max(span.start)).line;
    let width = last.to_string().len();
    let lines: Vec<&str> = source.lines().skip(first - 1).take(last - first + 1).collect();
    let hidden =
        (lines.len() > PLAIN_LINES_MAX).then(|| PLAIN_LINES_MAX / 2..lines.len() - PLAIN_LINES_MAX / 2);
    let label = printable_line(label);
    let label = if label.is_empty() { label } else { format!(" {label}") };

    if first == last {
        let line = lines.first().copied().unwrap_or("");
        let line_start = source[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let before = source[line_start..span.start].chars().count();
        let marked = source[span.start..span.end].chars().count().max(1);
        let skip = before.saturating_sub(LINE_CHARS_MAX / 2);
        let shown: String = cut(line, skip);
        let dots = if skip > 0 { "…" } else { "" };
        let marks = "^".repeat(marked.min(LINE_CHARS_MAX.saturating_sub(before - skip)).max(1));
        let indent = " ".repeat(before - skip + dots.chars().count());
        let _ = writeln!(out, "{first:>width$} | {dots}{shown}");
        let _ = writeln!(out, "{:>width$} | {indent}{marks}{label}", "");
        return;
    }
    for (at, line) in lines.iter().enumerate() {
        match &hidden {
            Some(hidden) if at == hidden.start => {
                let _ = writeln!(out, "{:>width$} > … {} more lines", "", hidden.len());
            }
            Some(hidden) if hidden.contains(&at) => {}
            _ => {
                let _ = writeln!(out, "{:>width$} > {}", first + at, cut(line, 0));
            }
        }
    }
    if !label.is_empty() {
        let _ = writeln!(out, "{:>width$} = {}", "", label.trim_start());
    }
}

/// At most [`LINE_CHARS_MAX`] characters of a line, after the first `skip`. Tabs are one space, so that marks
/// stand below what they mark.
fn cut(line: &str, skip: usize) -> String {
    let mut rest = line.chars().skip(skip).map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = rest.by_ref().take(LINE_CHARS_MAX).collect();
    if rest.next().is_some() {
        out.push('…');
    }
    out.trim_end().to_owned()
}

/// The span within the source, at character boundaries.
fn clamp(source: &str, span: Span) -> Span {
    let boundary = |at: usize| {
        let mut at = at.min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    Span { start, end: boundary(span.end).max(start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { color: false, graphics: false };

    fn note(span: Option<Span>) -> Note<'static> {
        Note {
            level: Level::Error,
            code: Some("CODE"),
            message: "it is wrong",
            label: "here",
            span,
            footer: &[],
        }
    }

    fn check(source: &str, start: usize, end: usize, expected: &str) {
        let text = render("f.json", source, &note(Some(Span { start, end })), PLAIN);
        assert_eq!(text, expected, "{source:?} {start}..{end}");
    }

    #[test]
    fn a_place_within_a_line_is_underlined() {
        check(
            "{\n  \"a\": 1\n}\n",
            4,
            7,
            "f.json:2:3: error[CODE]: it is wrong\n2 |   \"a\": 1\n  |   ^^^ here\n",
        );
        check("é\té", 3, 5, "f.json:1:3: error[CODE]: it is wrong\n1 | é é\n  |   ^ here\n");
    }

    #[test]
    fn several_lines_have_a_bar() {
        check(
            "{\n 1,\n 2\n}",
            0,
            10,
            "f.json:1:1: error[CODE]: it is wrong\n1 > {\n2 >  1,\n3 >  2\n4 > }\n  = here\n",
        );
        let long = "x\n".repeat(20);
        let text = render("f", &long, &note(Some(Span { start: 0, end: long.len() })), PLAIN);
        assert!(text.contains("   > … 12 more lines\n17 > x\n"), "{text}");
    }

    #[test]
    fn places_outside_and_inside_characters_do_no_harm() {
        for source in ["", "é", "\n", "a\r\nb", "\u{1b}[31m"] {
            for start in 0..source.len() + 3 {
                for end in 0..source.len() + 3 {
                    for graphics in [false, true] {
                        let style = Style { color: false, graphics };
                        let text = render("f", source, &note(Some(Span { start, end })), style);
                        assert!(text.contains("it is wrong") && !text.contains('\u{1b}'), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let source = format!("[{}]", "1,".repeat(5_000));
        for graphics in [false, true] {
            let style = Style { color: false, graphics };
            let text = render("f", &source, &note(Some(Span { start: 4_001, end: 4_002 })), style);
            assert!(text.len() < 1_000, "{}", text.len());
        }
    }

    #[test]
    fn without_a_place_the_message_stands_alone() {
        let text = render("f", "{}", &note(None), Style { color: false, graphics: true });
        assert_eq!(text, "f: error[CODE]: it is wrong\n");
    }
}
