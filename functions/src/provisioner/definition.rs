//! The definition of a state machine: a text, an object, or an object of S3, with substitutions.

mod fields;

use model::json::{Map, Text, Value};
use model::limits::DEFINITION_BYTES_MAX;

use super::objects::Objects;
use super::properties::Members;

/// Bytes of a definition once its substitutions are made; the API takes fewer, and says so.
const SUBSTITUTED_BYTES_MAX: usize = 8 * DEFINITION_BYTES_MAX;

/// Where a definition comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `DefinitionString`
    Text(Text),
    /// `Definition`
    Object(Value),
    /// `DefinitionS3Location`
    S3 {
        /// The bucket.
        bucket: Text,
        /// The key.
        key: Text,
        /// The version; the newest when absent.
        version: Option<Text>,
    },
}

/// A definition as the properties have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    source: Source,
    substitutions: Vec<(Text, Text)>,
}

impl Definition {
    /// Reads the properties of a definition, of which one has to be there.
    pub fn read(members: &Members<'_>) -> Definition {
        let substitutions = members.texts("DefinitionSubstitutions");
        let text = members.text("DefinitionString").map(Source::Text);
        let object = members.value("Definition").cloned();
        if object.as_ref().is_some_and(|object| object.as_object().is_none()) {
            members.refuse("Definition", "has to be an object; a text is a DefinitionString");
        }
        let s3 = members.structure("DefinitionS3Location", |place| Source::S3 {
            bucket: place.required_text("Bucket"),
            key: place.required_text("Key"),
            version: place.text("Version").filter(|version| !version.is_empty()),
        });
        let mut sources = [text, object.map(Source::Object), s3].into_iter().flatten();
        let source = sources.next();
        if source.is_none() || sources.next().is_some() {
            members.refuse(
                "DefinitionString",
                "or Definition or DefinitionS3Location: exactly one of them has to be there",
            );
        }
        Definition { source: source.unwrap_or(Source::Text(Text::default())), substitutions }
    }

    /// The text that the API takes.
    pub async fn text(&self, objects: &dyn Objects) -> Result<Text, String> {
        match &self.source {
            Source::Text(text) => Ok(self.substituted(text)?.into()),
            Source::Object(object) => {
                let mut budget = SUBSTITUTED_BYTES_MAX;
                let object = self.substituted_in(object, &mut budget)?;
                Ok(fields::typed(&object).to_json().into())
            }
            Source::S3 { bucket, key, version } => {
                let bytes = objects.read(bucket, key, version.as_deref(), DEFINITION_BYTES_MAX).await?;
                let said = |why: String| format!("DefinitionS3Location: {bucket}/{key} {why}");
                let text =
                    String::from_utf8(bytes).map_err(|error| said(format!("is not UTF-8: {error}")))?;
                let text = self.substituted(text.strip_prefix('\u{feff}').unwrap_or(&text))?;
                if text.trim_start().starts_with('{') {
                    // What is wrong with it, the API says, with the place.
                    return Ok(text.into());
                }
                let read = asl::document::read(&text, asl::Format::Yaml);
                let read =
                    read.map_err(|error| said(format!("is neither JSON nor YAML: {}", error.message)))?;
                Ok(read.to_value().to_json().into())
            }
        }
    }

    /// A text with every `${key}` that has a value filled in, wherever it stands: CloudFormation's
    /// own type knows nothing of JSON there. Others stay as they are.
    fn substituted(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            let key = from[2..].split_once('}').map(|(key, _)| key);
            let value = key.and_then(|key| self.substitutions.iter().find(|(known, _)| known == key));
            match value {
                Some((key, value)) => {
                    out.push_str(value);
                    rest = &from[key.len() + 3..];
                }
                None => {
                    out.push_str("${");
                    rest = &from[2..];
                }
            }
            if out.len() > SUBSTITUTED_BYTES_MAX {
                return Err("DefinitionSubstitutions make the definition too large".to_owned());
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The same in the texts of an object, where a value cannot break what is around it.
    fn substituted_in(&self, value: &Value, budget: &mut usize) -> Result<Value, String> {
        let mut text = |text: &Text| -> Result<Text, String> {
            let made = self.substituted(text)?;
            let left = budget.checked_sub(made.len());
            *budget = left.ok_or("DefinitionSubstitutions make the definition too large")?;
            Ok(made.into())
        };
        Ok(match value {
            Value::String(string) => Value::from(text(string)?),
            Value::Array(items) => {
                let made: Result<Vec<Value>, String> =
                    items.iter().map(|item| self.substituted_in(item, budget)).collect();
                Value::from(made?)
            }
            Value::Object(members) => {
                let mut made = Map::default();
                for (name, value) in members.iter() {
                    let name = self.substituted(name)?.into();
                    made.insert(name, self.substituted_in(value, budget)?);
                }
                Value::from(made)
            }
            other => other.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::fixture::Held;
    use super::super::properties::read;
    use super::*;

    async fn check(properties: &str, object: &'static [u8], expected: Result<&str, &str>) {
        let definition = read(&Value::parse(properties).unwrap(), Definition::read);
        let made = match definition {
            Ok(definition) => definition.text(&Held::one("b/k", object)).await,
            Err(error) => Err(error),
        };
        match (made, expected) {
            (Ok(made), Ok(expected)) => assert_eq!(made, expected),
            (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
            (made, expected) => panic!("{made:?}, not {expected:?}"),
        }
    }

    const S3: &str = r#"{"DefinitionS3Location": {"Bucket": "b", "Key": "k"}, "DefinitionSubstitutions": {"Seconds": "5"}}"#;

    #[tokio::test]
    async fn a_text_is_filled_in_as_text() {
        check(
            r#"{"DefinitionString": "{\"Seconds\": ${Seconds}, \"a\": \"${A}-${Other}-${A}$\"}", "DefinitionSubstitutions": {"Seconds": "5", "A": "${A}"}}"#,
            b"",
            Ok(r#"{"Seconds": 5, "a": "${A}-${Other}-${A}$"}"#),
        )
        .await;
        check(r#"{"DefinitionString": "${", "DefinitionSubstitutions": {"": "x"}}"#, b"", Ok("${")).await;
    }

    #[tokio::test]
    async fn an_object_is_filled_in_and_typed() {
        check(
            r#"{"Definition": {"TimeoutSeconds": "${T}", "States": {"P": {"Type": "Pass", "Result": "${Q}", "End": "true"}}}, "DefinitionSubstitutions": {"T": "5", "Q": "\""}}"#,
            b"",
            Ok(r#"{"TimeoutSeconds":5,"States":{"P":{"Type":"Pass","Result":"\"","End":true}}}"#),
        )
        .await;
    }

    #[tokio::test]
    async fn an_object_of_s3_is_json_or_yaml() {
        check(S3, b"\xef\xbb\xbf {\"Seconds\": ${Seconds}}", Ok(r#" {"Seconds": 5}"#)).await;
        check(S3, b"Seconds: ${Seconds}\nA: ${B}\n", Ok(r#"{"Seconds":5,"A":"${B}"}"#)).await;
        check(S3, b"\xff", Err("b/k is not UTF-8")).await;
        check(S3, b"a: [", Err("b/k is neither JSON nor YAML")).await;
    }

    #[tokio::test]
    async fn there_is_exactly_one() {
        check("{}", b"", Err("exactly one of them")).await;
        check(r#"{"DefinitionString": "{}", "Definition": {}}"#, b"", Err("exactly one of them")).await;
        check(r#"{"Definition": "{}"}"#, b"", Err("a text is a DefinitionString")).await;
        check(
            r#"{"DefinitionS3Location": {"Bucket": "b"}}"#,
            b"",
            Err("DefinitionS3Location.Key is missing"),
        )
        .await;
    }

    #[tokio::test]
    async fn substitutions_do_not_grow_without_end() {
        let properties = Value::parse(&format!(
            r#"{{"DefinitionString": "{}", "DefinitionSubstitutions": {{"a": "{}"}}}}"#,
            "${a}".repeat(100_000),
            "x".repeat(1_000)
        ))
        .unwrap();
        let definition = read(&properties, Definition::read).unwrap();
        assert!(definition.text(&Held::default()).await.unwrap_err().contains("too large"));
    }
}
