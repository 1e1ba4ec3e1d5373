use model::json::Text;

use super::filter::{Comparison, Expression, Filter, Operand, Place};
use super::segment::Segment;
use super::{Path, Root, SEGMENTS_MAX, SyntaxError};

/// Parentheses and negations around one another in a filter.
pub(super) const FILTER_DEPTH_MAX: usize = 32;

pub(super) fn path(text: &str) -> Result<Path, SyntaxError> {
    let start = text.len() - text.trim_start().len();
    let mut parser = Parser { text: text.trim_end(), at: start };
    let root = parser.root()?;
    let segments = parser.segments(Within::Path)?;
    if let Some(c) = parser.peek() {
        return Err(parser.unexpected(c));
    }
    let definite = segments.iter().all(Segment::is_definite);
    Ok(Path { source: text.into(), root, segments, definite })
}

/// Where a path stands: it decides where a dot name ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Path,
    Filter,
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The text up to the first character that `ends`, which may be empty.
    fn run(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let run = rest.split(ends).next().unwrap_or_default();
        self.at += run.len();
        run
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { message: message.into(), offset: self.at })
    }

    fn unexpected(&self, c: char) -> SyntaxError {
        let message = if c.is_whitespace() {
            "white space in a path; write a name with white space as ['my name']".to_owned()
        } else {
            format!("unexpected '{c}' in a path; a segment starts with . or [")
        };
        SyntaxError { message, offset: self.at }
    }

    fn root(&mut self) -> Result<Root, SyntaxError> {
        if !self.take("$") {
            return self.error("a path starts with $");
        }
        if self.take("$") {
            return Ok(Root::Context);
        }
        match self.peek() {
            Some(c) if c == '_' || unicode_ident::is_xid_start(c) => {
                let name = self.run(|c| c != '_' && !unicode_ident::is_xid_continue(c));
                Ok(Root::Variable(name.into()))
            }
            _ => Ok(Root::Input),
        }
    }

    fn segments(&mut self, within: Within) -> Result<Box<[Segment]>, SyntaxError> {
        let mut segments = Vec::new();
        loop {
            if segments.len() > SEGMENTS_MAX {
                return self.error(format!("a path has at most {SEGMENTS_MAX} segments"));
            }
            let is_dot = self.take(".");
            if is_dot && self.take(".") {
                segments.push(Segment::Descend);
                segments.push(match self.peek() {
                    Some('[') => self.bracket(within)?,
                    _ => self.dot_name(within)?,
                });
            } else if self.peek() == Some('[') {
                segments.push(self.bracket(within)?);
            } else if is_dot {
                segments.push(self.dot_name(within)?);
            } else {
                return Ok(segments.into());
            }
        }
    }

    fn dot_name(&mut self, within: Within) -> Result<Segment, SyntaxError> {
        let start = self.at;
        let name = self.run(|c| match c {
            '.' | '[' => true,
            '=' | '!' | '<' | '>' | ')' | '&' | '|' | '~' => within == Within::Filter,
            c => c.is_whitespace(),
        });
        if name.is_empty() {
            return self.error("a name is missing after the dot");
        }
        if name == "*" {
            return Ok(Segment::Wildcard);
        }
        if name.contains('(') && (within == Within::Filter || name.ends_with(')')) {
            self.at = start;
            return self.error(format!(
                "functions such as {name} are not supported in a path; write a member of that name as ['{name}']"
            ));
        }
        Ok(Segment::Name(name.into()))
    }

    fn bracket(&mut self, within: Within) -> Result<Segment, SyntaxError> {
        self.at += 1;
        self.skip_space();
        match self.peek() {
            Some('*') => {
                self.at += 1;
                self.close()?;
                Ok(Segment::Wildcard)
            }
            Some('?') if within == Within::Filter => self.error("a filter cannot stand in another filter"),
            Some('?') => {
                self.at += 1;
                let expression = self.any(0)?;
                self.close()?;
                Ok(Segment::Filter(Box::new(Filter::new(expression))))
            }
            Some(quote @ ('\'' | '"')) => self.names(quote),
            Some('0'..='9' | '-' | ':') => self.positions(),
            Some(_) => self.error("a bracket holds a quoted name, an index, a slice, * or a filter ?(…)"),
            None => self.error("a bracket is not closed"),
        }
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        self.skip_space();
        if self.take("]") { Ok(()) } else { self.error("expected ]") }
    }

    fn names(&mut self, quote: char) -> Result<Segment, SyntaxError> {
        let mut names: Vec<Text> = Vec::new();
        loop {
            self.skip_space();
            if self.peek() != Some(quote) {
                return self.error(format!("expected a name in {quote}"));
            }
            self.at += 1;
            names.push(self.quoted_name(quote)?);
            self.skip_space();
            if self.take("]") {
                break;
            }
            // `quoted_name` ends only before a comma or a bracket.
            self.take(",");
        }
        match names.pop() {
            Some(name) if names.is_empty() => Ok(Segment::Name(name)),
            last => Ok(Segment::Names(names.into_iter().chain(last).collect())),
        }
    }

    /// A name up to the quote that is followed by `]` or `,`: any other quote belongs to the name,
    /// and so does any backslash that is not before such a quote.
    fn quoted_name(&mut self, quote: char) -> Result<Text, SyntaxError> {
        let start = self.at;
        let mut name = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == quote && self.rest().trim_start().starts_with([']', ',']) {
                return Ok(name.into());
            }
            if c == quote && name.ends_with('\\') {
                name.pop();
            }
            name.push(c);
        }
        self.at = start;
        self.error(format!("a name is not closed with {quote}]"))
    }

    /// `0`, `-1`, `0,2`, `1:`, `:3`, `1:3`.
    fn positions(&mut self) -> Result<Segment, SyntaxError> {
        let first = self.integer()?;
        self.skip_space();
        if self.take(":") {
            self.skip_space();
            let to = self.integer()?;
            self.skip_space();
            if self.peek() == Some(':') {
                return self.error("a slice has no step here; write [from:to]");
            }
            self.close()?;
            return Ok(Segment::Slice { from: first, to });
        }
        let Some(first) = first else { return self.error("an index is missing") };
        let mut indexes = vec![first];
        while self.take(",") {
            self.skip_space();
            match self.integer()? {
                Some(index) => indexes.push(index),
                None => return self.error("an index is missing"),
            }
            self.skip_space();
        }
        self.close()?;
        match indexes.as_slice() {
            [index] => Ok(Segment::Index(*index)),
            _ => Ok(Segment::Indexes(indexes.into())),
        }
    }

    /// An integer, or `None` when there is none here.
    fn integer(&mut self) -> Result<Option<i64>, SyntaxError> {
        let start = self.at;
        let sign = self.take("-");
        let digits = self.run(|c| !c.is_ascii_digit());
        if digits.is_empty() && !sign {
            return Ok(None);
        }
        match self.text.get(start..self.at).unwrap_or_default().parse() {
            Ok(n) => Ok(Some(n)),
            Err(_) => {
                self.at = start;
                self.error("an index is an integer of 64 bits")
            }
        }
    }

    /// `a || b`
    fn any(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        let mut all = vec![self.all(depth)?];
        while self.operator("||") {
            all.push(self.all(depth)?);
        }
        Ok(one_or(all, Expression::Or))
    }

    /// `a && b`
    fn all(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        let mut all = vec![self.term(depth)?];
        while self.operator("&&") {
            all.push(self.term(depth)?);
        }
        Ok(one_or(all, Expression::And))
    }

    fn operator(&mut self, operator: &str) -> bool {
        self.skip_space();
        self.take(operator)
    }

    fn term(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        if depth > FILTER_DEPTH_MAX {
            return self.error(format!("a filter is nested at most {FILTER_DEPTH_MAX} deep"));
        }
        self.skip_space();
        if self.take("!") {
            self.skip_space();
            let inner = if self.peek() == Some('(') { self.term(depth + 1)? } else { self.existence()? };
            return Ok(Expression::Not(Box::new(inner)));
        }
        if self.take("(") {
            let inner = self.any(depth + 1)?;
            self.skip_space();
            return if self.take(")") { Ok(inner) } else { self.error("expected )") };
        }
        let left = self.operand()?;
        self.skip_space();
        let Some(comparison) = self.comparison()? else {
            return match left {
                Operand::Place(place) => Ok(Expression::Exists(place)),
                Operand::Literal(_) => {
                    self.error("a literal stands alone in a filter; compare it with a path")
                }
            };
        };
        self.skip_space();
        let right = self.operand()?;
        Ok(Expression::Compare { left, comparison, right })
    }

    fn existence(&mut self) -> Result<Expression, SyntaxError> {
        match self.operand()? {
            Operand::Place(place) => Ok(Expression::Exists(place)),
            Operand::Literal(_) => self.error("! stands before a path or a parenthesis"),
        }
    }

    fn comparison(&mut self) -> Result<Option<Comparison>, SyntaxError> {
        const COMPARISONS: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        if self.rest().starts_with("=~") {
            return self.error("filtering by regular expression is not supported");
        }
        for (token, comparison) in COMPARISONS {
            if self.take(token) {
                return Ok(Some(comparison));
            }
        }
        match self.rest() {
            rest if rest.is_empty() || rest.starts_with([')', ']']) => Ok(None),
            rest if rest.starts_with("&&") || rest.starts_with("||") => Ok(None),
            _ => self.error(
                "expected == != < <= > >= && || or ) in a filter; operators that are words are not supported",
            ),
        }
    }

    fn operand(&mut self) -> Result<Operand, SyntaxError> {
        match self.peek() {
            Some(root @ ('@' | '$')) => {
                let start = self.at;
                self.at += 1;
                let segments = self.segments(Within::Filter)?;
                if !segments.iter().all(|segment| matches!(segment, Segment::Name(_) | Segment::Index(_))) {
                    let path = self.text.get(start..self.at).unwrap_or_default();
                    self.at = start;
                    return self.error(format!("the path {path} in a filter must name one place"));
                }
                Ok(Operand::Place(Place { from_root: root == '$', segments }))
            }
            Some(quote @ ('\'' | '"')) => {
                self.at += 1;
                self.quoted_literal(quote).map(Operand::Literal)
            }
            Some('[') => self.error("a list cannot stand in a filter"),
            _ => self.bare_literal().map(Operand::Literal),
        }
    }

    fn quoted_literal(&mut self, quote: char) -> Result<Text, SyntaxError> {
        let start = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == quote && text.ends_with('\\') {
                text.pop();
            } else if c == quote {
                return Ok(text.into());
            }
            text.push(c);
        }
        self.at = start;
        self.error(format!("a text in a filter is not closed with {quote}"))
    }

    /// A literal without quotes: a number, a word, `/a/path`, up to what can follow an operand.
    fn bare_literal(&mut self) -> Result<Text, SyntaxError> {
        let start = self.at;
        while let Some(c) = self.peek() {
            let rest = self.rest();
            if matches!(c, ')' | ']' | '<' | '>')
                || ["&&", "||", "==", "!=", "=~"].iter().any(|end| rest.starts_with(end))
            {
                break;
            }
            self.at += c.len_utf8();
        }
        let text = self.text.get(start..self.at).unwrap_or_default().trim();
        if text.is_empty() {
            return self.error("an operand is missing in a filter");
        }
        Ok(text.into())
    }
}

fn one_or(mut all: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => join(all.into_iter().chain(last).collect()),
    }
}
