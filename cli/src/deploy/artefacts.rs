//! The template and the zips that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use asl::Format;
use model::json::SpannedKind;

use crate::args::DeployArgs;
use crate::stack::Failure;

/// The template of this version.
const TEMPLATE: &str = include_str!("../../../template.yaml");

/// Properties whose values are local files until they are uploaded.
const LOCAL: [&str; 2] = ["CodeUri:", "ContentUri:"];

/// A template, and where what it names is.
pub struct Template {
    text: String,
    /// Names of its parameters.
    pub parameters: Vec<String>,
}

impl Template {
    /// Reads the one that is asked for.
    pub fn read(args: &DeployArgs) -> Result<Template, Failure> {
        let text = match &args.template {
            None => TEMPLATE.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?,
        };
        Template::parse(text).map_err(Failure::usage)
    }

    fn parse(text: String) -> Result<Template, String> {
        let root = asl::document::read(&text, Format::Yaml)
            .map_err(|_| "the template is no YAML or JSON that can be read".to_owned())?;
        let SpannedKind::Object(members) = &root.kind else {
            return Err("the template is no object".to_owned());
        };
        let parameters = members.iter().find(|member| member.name.as_str() == "Parameters");
        let parameters = match parameters.map(|member| &member.value.kind) {
            Some(SpannedKind::Object(members)) => {
                members.iter().map(|member| member.name.to_string()).collect()
            }
            _ => Vec::new(),
        };
        Ok(Template { text, parameters })
    }

    /// Local files that it names, each once.
    pub fn local_files(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.text.lines().filter_map(local).map(|(_, path)| path).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The template with other names in their places.
    pub fn with(&self, uploaded: &BTreeMap<String, String>) -> String {
        let mut out = String::with_capacity(self.text.len());
        for line in self.text.lines() {
            match local(line).and_then(|(before, path)| Some((before, uploaded.get(path)?))) {
                Some((before, uri)) => {
                    out.push_str(before);
                    out.push(' ');
                    out.push_str(uri);
                }
                None => out.push_str(line),
            }
            out.push('\n');
        }
        out
    }
}

/// What stands in front of the path of a local file, and the path.
fn local(line: &str) -> Option<(&str, &str)> {
    let name = LOCAL.iter().find(|name| line.trim_start().starts_with(**name))?;
    let at = line.find(name)? + name.len();
    let (before, value) = line.split_at(at);
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    let is_local =
        !value.is_empty() && !value.contains("://") && !value.starts_with(['!', '{', '|', '>', '&']);
    is_local.then_some((before, value))
}

/// Where the file is that a template names: where the arguments say, else in a folder `dist`.
pub fn locate(args: &DeployArgs, path: &str) -> Result<PathBuf, Failure> {
    let name = Path::new(path).file_name().unwrap_or_default();
    if let Some(functions) = args.functions.as_ref().filter(|_| name == "functions.zip") {
        return found(functions.clone());
    }
    if let Some(dist) = &args.dist {
        return found(dist.join(name));
    }
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let places = [Some(PathBuf::from("dist")), beside.as_ref().map(|folder| folder.join("dist")), beside];
    let of_template = args.template.as_ref().and_then(|template| Some(template.parent()?.join(path)));
    let places = places.into_iter().flatten().map(|folder| folder.join(name)).chain(of_template);
    let mut places = places.peekable();
    let first = places.peek().cloned().unwrap_or_default();
    found(places.find(|place| place.is_file()).unwrap_or(first))
}

fn found(path: PathBuf) -> Result<PathBuf, Failure> {
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::usage(format!(
        "{} is missing: `make dist` builds it, and releases bring it in the folder dist; --dist says where it is",
        path.display()
    )))
}

/// The processor that a zip of `make dist` was built for, which its comment names:
/// `stepwright 0.1.0 arm64`.
///
/// Source: APPNOTE.TXT of the ZIP format, "End of central directory record".
pub fn architecture(zip: &[u8]) -> Option<&str> {
    const RECORD: &[u8] = b"PK\x05\x06";
    const RECORD_BYTES: usize = 22;
    const COMMENT_BYTES_MAX: usize = 65_535;
    let tail = &zip[zip.len().saturating_sub(RECORD_BYTES + COMMENT_BYTES_MAX)..];
    let at = tail.windows(RECORD.len()).rposition(|bytes| bytes == RECORD)?;
    let comment = std::str::from_utf8(tail.get(at + RECORD_BYTES..)?).ok()?;
    let mut words = comment.split(' ');
    let (name, _, architecture) = (words.next()?, words.next()?, words.next()?);
    (name == "stepwright" && matches!(architecture, "arm64" | "x86_64")).then_some(architecture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_this_version_can_be_deployed() {
        let template = Template::parse(TEMPLATE.to_owned()).expect("it can be read");
        assert_eq!(template.local_files(), ["dist/functions.zip", "dist/layer.zip"]);
        for name in ["Architecture", "RetainData", "TaskRoles"] {
            assert!(template.parameters.iter().any(|known| known == name), "{name}");
        }
        let uploaded = ["dist/functions.zip", "dist/layer.zip"];
        let uploaded = uploaded.map(|name| (name.to_owned(), format!("s3://b/{name}"))).into();
        let text = template.with(&uploaded);
        assert_eq!(
            text.matches(" s3://b/dist/functions.zip\n").count(),
            TEMPLATE.matches("dist/functions.zip\n").count()
        );
        assert!(Template::parse(text).expect("it can be read").local_files().is_empty());
    }

    #[test]
    fn local_files_are_plain_values() {
        let check = |line: &str, expected: Option<(&str, &str)>| assert_eq!(local(line), expected, "{line}");
        check("  CodeUri: dist/a.zip", Some(("  CodeUri:", "dist/a.zip")));
        check("  CodeUri: \"dist/a.zip\" # of make dist", Some(("  CodeUri:", "dist/a.zip")));
        check("ContentUri: 'x'", Some(("ContentUri:", "x")));
        check("  CodeUri: s3://b/k", None);
        check("  CodeUri:", None);
        check("  CodeUri: !Ref X", None);
        check("  CodeUri: {Bucket: b}", None);
        check("  # CodeUri: x", None);
        check("  Description: the CodeUri: x", None);
    }

    #[test]
    fn zips_say_what_they_are_built_for() {
        let zip = |comment: &str| {
            let length = u16::try_from(comment.len()).expect("it is short").to_le_bytes();
            [b"PK\x03\x04data".as_slice(), b"PK\x05\x06", &[0; 16], &length, comment.as_bytes()].concat()
        };
        for (comment, expected) in [
            ("stepwright 0.1.0 arm64", Some("arm64")),
            ("stepwright 0.1.0 x86_64", Some("x86_64")),
            ("stepwright 0.1.0 mips", None),
            ("other 0.1.0 arm64", None),
            ("", None),
        ] {
            assert_eq!(architecture(&zip(comment)), expected, "{comment}");
        }
        for broken in [b"".as_slice(), b"PK\x05\x06", b"text"] {
            assert_eq!(architecture(broken), None);
        }
    }
}
