//! Query strings and forms.

use model::json::{Map, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::arguments::{Pairs, scalar};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as a part of a URL. A space is `%20`, as in the requests that the developer guide shows.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// `a=1&b=2`.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = pairs.into_iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// What a query string says.
pub(crate) fn pairs(query: &str) -> Pairs {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(n, v)| (decoded(n), decoded(v)))
        .collect()
}

/// How the elements of an array are named in a form.
/// Source: developer guide, "Applying URL-encoding on request body".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ArrayFormat {
    /// `a[0]=x&a[1]=y`
    #[default]
    Indices,
    /// `a=x&a=y`
    Repeat,
    /// `a=x,y`
    Commas,
    /// `a[]=x&a[]=y`
    Brackets,
}

impl ArrayFormat {
    pub const NAMES: [&'static str; 4] = ["INDICES", "REPEAT", "COMMAS", "BRACKETS"];

    pub fn named(name: &str) -> ArrayFormat {
        match name {
            "REPEAT" => ArrayFormat::Repeat,
            "COMMAS" => ArrayFormat::Commas,
            "BRACKETS" => ArrayFormat::Brackets,
            _ => ArrayFormat::Indices,
        }
    }
}

/// An object as a form; none if it takes more than so many bytes.
pub(crate) fn form(members: &Map, format: ArrayFormat, bytes_max: usize) -> Option<String> {
    let mut form = Form { text: String::new(), format, bytes_max };
    for (name, value) in members.iter() {
        form.add(name, value)?;
    }
    Some(form.text)
}

/// A form that is written.
struct Form {
    text: String,
    format: ArrayFormat,
    bytes_max: usize,
}

impl Form {
    /// Members of an object in an object are `a[b]`. What is null is empty.
    ///
    /// The names of what is nested grow with each level, so that a small document may be a huge form:
    /// writing ends at the limit.
    fn add(&mut self, name: &str, value: &Value) -> Option<()> {
        if name.len() > self.bytes_max {
            return None;
        }
        match value {
            Value::Object(members) => {
                for (inner, value) in members.iter() {
                    self.add(&format!("{name}[{inner}]"), value)?;
                }
            }
            Value::Array(elements) if self.format == ArrayFormat::Commas => {
                let elements = elements.iter().map(|element| encoded(&text(element))).collect::<Vec<_>>();
                self.push(name, &elements.join(","))?;
            }
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    match self.format {
                        ArrayFormat::Indices => self.add(&format!("{name}[{index}]"), element)?,
                        ArrayFormat::Brackets => self.add(&format!("{name}[]"), element)?,
                        ArrayFormat::Repeat | ArrayFormat::Commas => self.add(name, element)?,
                    }
                }
            }
            value => self.push(name, &encoded(&text(value)))?,
        }
        Some(())
    }

    fn push(&mut self, name: &str, value: &str) -> Option<()> {
        let separator = if self.text.is_empty() { "" } else { "&" };
        self.text.push_str(separator);
        self.text.extend(utf8_percent_encode(name, RESERVED));
        self.text.push('=');
        self.text.push_str(value);
        (self.text.len() <= self.bytes_max).then_some(())
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        value => scalar(value).unwrap_or_else(|| value.to_json()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let check = |format: &str, json: &str, expected: &str| {
            let value = Value::parse(json).unwrap();
            let found = form(value.as_object().unwrap(), ArrayFormat::named(format), 1_000).unwrap();
            let plain = percent_decode_str(&found).decode_utf8().unwrap().into_owned();
            assert_eq!(plain, expected, "{format} {json}");
        };
        let array = r#"{"array":["a","b","c","d"]}"#;
        check("INDICES", array, "array[0]=a&array[1]=b&array[2]=c&array[3]=d");
        check("REPEAT", array, "array=a&array=b&array=c&array=d");
        check("COMMAS", array, "array=a,b,c,d");
        check("BRACKETS", array, "array[]=a&array[]=b&array[]=c&array[]=d");
        check(
            "INDICES",
            r#"{"a":{"b":[{"c":1},2]},"d":null,"e":true,"f":[]}"#,
            "a[b][0][c]=1&a[b][1]=2&d=&e=true",
        );
        check("REPEAT", r#"{"a":[[1,2],[3]]}"#, "a=1&a=2&a=3");
        check("COMMAS", r#"{"a":[{"b":1},null,2]}"#, r#"a={"b":1},,2"#);
        check("BRACKETS", "{}", "");
        let value =
            Value::parse(r#"{"description":"Monthly subscription","metadata":{"order_details":"a&b"}}"#)
                .unwrap();
        assert_eq!(
            form(value.as_object().unwrap(), ArrayFormat::Indices, 1_000).unwrap(),
            "description=Monthly%20subscription&metadata%5Border_details%5D=a%26b"
        );
    }

    #[test]
    fn forms_end_at_the_limit() {
        let deep = format!(
            "{}[{}]{}",
            r#"{"aaaaaaaaaaaaaaaa":"#.repeat(900),
            "1,".repeat(9_999) + "1",
            "}".repeat(900)
        );
        let value = Value::parse(&deep).unwrap();
        assert_eq!(form(value.as_object().unwrap(), ArrayFormat::Repeat, 262_144), None);
    }

    #[test]
    fn queries() {
        assert_eq!(query([("a b", "ü/?"), ("c", "")]), "a%20b=%C3%BC%2F%3F&c=");
        let read =
            |text: &str| pairs(text).iter().map(|(n, v)| format!("{n}:{v}")).collect::<Vec<_>>().join(" ");
        assert_eq!(read("?a=1&b=x+y%26&&c&d=%ff"), "a:1 b:x y& c: d:\u{fffd}");
    }
}
