//! Tokens of a case: names in angle brackets that stand for values that differ between runs.

use std::collections::HashMap;

use model::json::{Object, Value};
use regex_lite::Regex;

/// The tokens of one case and what each may stand for.
#[derive(Clone, Debug, Default)]
pub struct Wildcards {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug)]
struct Token {
    /// With the brackets: `<uuid:1>`.
    name: String,
    /// A token with a number stands for the same value everywhere.
    numbered: bool,
    /// Absent: anything.
    pattern: Option<Regex>,
}

/// What the numbered tokens of a case stand for so far, by index of the token.
#[derive(Clone, Debug, Default)]
pub struct Bindings(HashMap<usize, Value>);

enum Piece<'a> {
    Literal(&'a str),
    Token(usize),
}

/// Ways of splitting one text that are tried before it counts as different.
const TRIES_MAX: u32 = 100_000;

impl Wildcards {
    /// Reads the member `placeholders` of a case.
    pub fn parse(placeholders: Option<&Object>) -> Result<Wildcards, String> {
        let mut wildcards = Wildcards::default();
        for (name, rule) in placeholders.map(|members| members.iter()).into_iter().flatten() {
            let pattern = match rule.get("match").and_then(Value::as_str) {
                Some("any") => None,
                Some(pattern) => {
                    let whole = Regex::new(&format!("^(?:{pattern})$"));
                    Some(whole.map_err(|error| format!("pattern of {name}: {error}"))?)
                }
                None => return Err(format!("placeholder {name} has no `match`")),
            };
            wildcards.tokens.push(Token { name: name.to_string(), numbered: is_numbered(name), pattern });
        }
        // The longest first, should one name begin like another.
        wildcards.tokens.sort_by_key(|token| std::cmp::Reverse(token.name.len()));
        Ok(wildcards)
    }

    /// Whether the string `expected` admits the value `actual`; what was learnt is in `bindings`
    /// only when it does.
    pub fn admits(&self, expected: &str, actual: &Value, bindings: &mut Bindings) -> bool {
        if actual.as_str() == Some(expected) {
            return true;
        }
        let pieces = self.pieces(expected);
        match (pieces.as_slice(), actual) {
            ([Piece::Token(at)], _) => self.stands_for(*at, actual, bindings),
            (_, Value::String(text)) => {
                let (mut learnt, mut tries) = (bindings.clone(), TRIES_MAX);
                let matched = self.text(&pieces, text, &mut learnt, &mut tries);
                if matched {
                    *bindings = learnt;
                }
                matched
            }
            _ => false,
        }
    }

    /// `text` with the values of the tokens that are known.
    pub fn filled(&self, text: &str, bindings: &Bindings) -> String {
        let pieces = self.pieces(text).into_iter().map(|piece| match piece {
            Piece::Literal(literal) => literal.to_owned(),
            Piece::Token(at) => match bindings.0.get(&at) {
                Some(Value::String(value)) => value.to_string(),
                Some(value) => value.to_json(),
                None => self.tokens[at].name.clone(),
            },
        });
        pieces.collect()
    }

    /// Whether `text` has a token in it.
    pub fn occur_in(&self, text: &str) -> bool {
        self.pieces(text).iter().any(|piece| matches!(piece, Piece::Token(_)))
    }

    fn pieces<'a>(&self, text: &'a str) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let (mut literal, mut at) = (0, 0);
        while let Some(found) = text[at..].find('<') {
            at += found;
            match self.tokens.iter().position(|token| text[at..].starts_with(&token.name)) {
                Some(token) => {
                    if literal < at {
                        pieces.push(Piece::Literal(&text[literal..at]));
                    }
                    pieces.push(Piece::Token(token));
                    at += self.tokens[token].name.len();
                    literal = at;
                }
                None => at += 1,
            }
        }
        if literal < text.len() {
            pieces.push(Piece::Literal(&text[literal..]));
        }
        pieces
    }

    fn stands_for(&self, at: usize, actual: &Value, bindings: &mut Bindings) -> bool {
        let token = &self.tokens[at];
        if let Some(bound) = bindings.0.get(&at) {
            return bound == actual;
        }
        let admitted = match &token.pattern {
            None => true,
            Some(pattern) => actual.as_str().is_some_and(|text| pattern.is_match(text)),
        };
        if admitted && token.numbered {
            bindings.0.insert(at, actual.clone());
        }
        admitted
    }

    fn text(&self, pieces: &[Piece<'_>], text: &str, bindings: &mut Bindings, tries: &mut u32) -> bool {
        let Some(left) = tries.checked_sub(1) else { return false };
        *tries = left;
        let (at, rest) = match pieces {
            [] => return text.is_empty(),
            [Piece::Literal(literal), rest @ ..] => {
                return text
                    .strip_prefix(literal)
                    .is_some_and(|after| self.text(rest, after, bindings, tries));
            }
            [Piece::Token(at), rest @ ..] => (*at, rest),
        };
        let token = &self.tokens[at];
        // A token that only flowed on is still itself.
        if let Some(after) = text.strip_prefix(token.name.as_str())
            && self.text(rest, after, bindings, tries)
        {
            return true;
        }
        if let Some(bound) = bindings.0.get(&at) {
            let bound = bound.as_str().map_or_else(|| bound.to_json(), str::to_owned);
            return text
                .strip_prefix(bound.as_str())
                .is_some_and(|after| self.text(rest, after, bindings, tries));
        }
        let ends = text.char_indices().map(|(start, c)| start + c.len_utf8());
        for end in ends {
            let Some(left) = tries.checked_sub(1) else { return false };
            *tries = left;
            let (candidate, after) = text.split_at(end);
            let fits = match rest.first() {
                None => after.is_empty(),
                Some(Piece::Literal(literal)) => after.starts_with(literal),
                Some(Piece::Token(_)) => true,
            };
            if !fits || token.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(candidate)) {
                continue;
            }
            if token.numbered {
                bindings.0.insert(at, candidate.into());
            }
            if self.text(rest, after, bindings, tries) {
                return true;
            }
            bindings.0.remove(&at);
        }
        false
    }
}

/// `<name:n>`
fn is_numbered(token: &str) -> bool {
    let inside = token.trim_start_matches('<').trim_end_matches('>');
    inside
        .rsplit_once(':')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wildcards() -> Wildcards {
        let placeholders = Value::parse(
            r#"{"<any>":{"match":"any"},"<any:1>":{"match":"any"},"<hex:2>":{"match":"[0-9a-f]{4}"},"<hex>":{"match":"[0-9a-f]{4}"}}"#,
        );
        Wildcards::parse(placeholders.unwrap().as_object()).unwrap()
    }

    /// Pairs are matched one after the other with the same bindings; the last one decides.
    fn check(pairs: &[(&str, &str)], expected: bool) {
        let (wildcards, mut bindings) = (wildcards(), Bindings::default());
        let results: Vec<bool> = pairs
            .iter()
            .map(|(pattern, actual)| wildcards.admits(pattern, &Value::parse(actual).unwrap(), &mut bindings))
            .collect();
        assert_eq!(results.last(), Some(&expected), "{pairs:?}: {results:?}");
        assert!(results[..results.len() - 1].iter().all(|earlier| *earlier), "{pairs:?}: {results:?}");
    }

    #[test]
    fn strings() {
        check(&[("plain", "\"plain\"")], true);
        check(&[("plain", "\"other\"")], false);
        check(&[("<unknown>", "\"x\"")], false);
        check(&[("1", "1")], false);
    }

    #[test]
    fn whole_tokens() {
        for any in ["\"x\"", "{\"a\":[1]}", "null", "\"\"", "\"<any>\""] {
            check(&[("<any>", any)], true);
        }
        check(&[("<hex>", "\"12af\"")], true);
        check(&[("<hex>", "\"12afa\"")], false);
        check(&[("<hex>", "\"<hex>\"")], true);
        check(&[("<hex>", "1234")], false);
    }

    #[test]
    fn tokens_inside_text() {
        check(&[("a <any> b", "\"a anything at all b\"")], true);
        check(&[("a <any> b", "\"a  b\"")], false);
        check(&[("a <any> b", "\"a <any> b\"")], true);
        check(&[("a <any>", "\"a \"")], false);
        check(&[("<any>/<any>", "\"x/y/z\"")], true);
        check(&[("<hex>-<hex>", "\"12af-00ff\"")], true);
        check(&[("<hex>-<hex>", "\"12af-00fg\"")], false);
        check(&[("<hex><hex>", "\"12af00ff\"")], true);
        check(&[("é<any>é", "\"ééé\"")], true);
    }

    #[test]
    fn numbered_tokens_stand_for_one_value() {
        check(&[("<any:1>", "{\"a\":1}"), ("<any:1>", "{\"a\":1.0}")], true);
        check(&[("<any:1>", "{\"a\":1}"), ("<any:1>", "{\"a\":2}")], false);
        check(&[("<hex:2>", "\"00ff\""), ("id <hex:2>.", "\"id 00ff.\"")], true);
        check(&[("<hex:2>", "\"00ff\""), ("id <hex:2>.", "\"id 00fe.\"")], false);
        check(&[("id <hex:2>.", "\"id 00ff.\""), ("<hex:2>", "\"00fe\"")], false);
        check(&[("<hex:2>+<hex:2>", "\"00ff+00ff\"")], true);
        check(&[("<hex:2>+<hex:2>", "\"00ff+00fe\"")], false);
        check(&[("<any>", "1"), ("<any>", "2")], true);
        // What flowed on unchanged says nothing about what the token stands for.
        check(&[("<hex:2>", "\"<hex:2>\""), ("<hex:2>", "\"00ff\"")], true);
    }

    #[test]
    fn a_failed_match_binds_nothing() {
        let (wildcards, mut bindings) = (wildcards(), Bindings::default());
        assert!(!wildcards.admits("<hex:2> x", &"00ff y".into(), &mut bindings));
        assert!(bindings.0.is_empty());
    }

    #[test]
    fn hostile_texts_end() {
        let (wildcards, mut bindings) = (wildcards(), Bindings::default());
        let pattern = "<any>a".repeat(40);
        assert!(!wildcards.admits(&format!("{pattern}b"), &"a".repeat(4000).as_str().into(), &mut bindings));
    }
}
