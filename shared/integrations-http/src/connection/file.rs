//! Connections of a local file, for runs that reach no EventBridge:
//!
//! ```toml
//! [connections.Stripe]                 # the name in the connection's ARN, or the whole ARN in quotes
//! type = "API_KEY"
//! header = "Authorization"
//! value = "Bearer ${env:STRIPE_KEY}"
//!
//! [connections.Stripe.query]           # also `headers` and `body`: sent with every request
//! expand = "customer"
//!
//! [connections.Intern]
//! type = "BASIC"
//! username = "me"
//! password = "${env:INTERN_PASSWORD}"
//!
//! [connections.Partner]
//! type = "OAUTH_CLIENT_CREDENTIALS"
//! authorization-endpoint = "https://login.example.com/oauth/token"
//! method = "POST"                      # the default
//! client-id = "0oa1"
//! client-secret = "${env:PARTNER_SECRET}"
//! oauth-body = { audience = "api" }    # also `oauth-headers` and `oauth-query`
//! ```
//!
//! No error quotes a value: any of them may be a secret.

use std::fmt;
use std::sync::Arc;

use aws_client::Caller;
use front::Secret;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Authorization, Connection, ConnectionSource, Fault, Finding, HttpParameters, OAuth, name_of};

/// The connections of a file.
#[derive(Debug)]
pub struct ConnectionFile {
    path: String,
    connections: Vec<(String, Arc<Connection>)>,
}

/// What is wrong with the file: every problem, each with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionFileError {
    path: String,
    problems: Vec<(usize, String)>,
}

impl fmt::Display for ConnectionFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (line, problem)) in self.problems.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{line}: {problem}", self.path)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectionFileError {}

impl ConnectionFile {
    /// Reads the text of the file at `path`, which errors name. `variable` gives environment variables.
    pub fn parse(
        path: &str,
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ConnectionFile, ConnectionFileError> {
        let mut reader = Reader { text, variable, problems: Vec::new() };
        let connections = match DeTable::parse(text) {
            Ok(root) => reader.root(root.get_ref()),
            Err(error) => {
                // Its message is about syntax; what it would quote is left out.
                let at = error.span().map_or(0, |span| span.start);
                reader.problem(at, format!("this is no TOML: {}", error.message()));
                Vec::new()
            }
        };
        if reader.problems.is_empty() {
            Ok(ConnectionFile { path: path.to_owned(), connections })
        } else {
            Err(ConnectionFileError { path: path.to_owned(), problems: reader.problems })
        }
    }
}

impl ConnectionSource for ConnectionFile {
    fn connection<'a>(&'a self, arn: &'a str, _: &'a Caller) -> Finding<'a> {
        let known = |name: &str| self.connections.iter().find(|(known, _)| known == name);
        let found = known(arn).or_else(|| known(name_of(arn)?)).map(|(_, connection)| connection.clone());
        let found = found.ok_or_else(|| {
            let name = name_of(arn).unwrap_or(arn);
            Fault::ResourceNotFound.because(format!(
                "{} has no connection '{name}': write [connections.\"{name}\"] there, with a type (BASIC, API_KEY or \
                 OAUTH_CLIENT_CREDENTIALS) and what belongs to it",
                self.path
            ))
        });
        Box::pin(async move { found })
    }
}

type Member<'v, 'i> = &'v Spanned<DeValue<'i>>;

/// Keys of a connection, and which type each belongs to; those of `HttpParameters` belong to all.
const KEYS: [(&str, &str); 15] = [
    ("type", ""),
    ("headers", ""),
    ("query", ""),
    ("body", ""),
    ("username", "BASIC"),
    ("password", "BASIC"),
    ("header", "API_KEY"),
    ("value", "API_KEY"),
    ("authorization-endpoint", "OAUTH_CLIENT_CREDENTIALS"),
    ("method", "OAUTH_CLIENT_CREDENTIALS"),
    ("client-id", "OAUTH_CLIENT_CREDENTIALS"),
    ("client-secret", "OAUTH_CLIENT_CREDENTIALS"),
    ("oauth-headers", "OAUTH_CLIENT_CREDENTIALS"),
    ("oauth-query", "OAUTH_CLIENT_CREDENTIALS"),
    ("oauth-body", "OAUTH_CLIENT_CREDENTIALS"),
];

struct Reader<'t> {
    text: &'t str,
    variable: &'t dyn Fn(&str) -> Option<String>,
    problems: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn problem(&mut self, at: usize, problem: String) {
        let line = self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        self.problems.push((line, problem));
    }

    fn root(&mut self, root: &DeTable<'_>) -> Vec<(String, Arc<Connection>)> {
        let mut connections = Vec::new();
        for (key, value) in root.iter() {
            let at = key.span().start;
            match (key.get_ref().as_ref(), value.get_ref().as_table()) {
                ("connections", Some(table)) => {
                    for (name, value) in table.iter() {
                        let connection = self.connection(name.get_ref(), name.span().start, value);
                        connections.extend(connection.map(|it| (name.get_ref().to_string(), Arc::new(it))));
                    }
                }
                _ => self.problem(
                    at,
                    "write connections as [connections.\"NAME\"], and nothing else here".to_owned(),
                ),
            }
        }
        connections
    }

    fn connection(&mut self, name: &str, at: usize, value: Member<'_, '_>) -> Option<Connection> {
        let Some(table) = value.get_ref().as_table() else {
            self.problem(at, format!("connection '{name}' is no table: write [connections.\"{name}\"]"));
            return None;
        };
        let problems = self.problems.len();
        let Some(kind) =
            table.get("type").and_then(|kind| kind.get_ref().as_str()).filter(|kind| is_type(kind))
        else {
            self.problem(
                at,
                format!("connection '{name}' has no type: write type = \"BASIC\", \"API_KEY\" or \"OAUTH_CLIENT_CREDENTIALS\""),
            );
            return None;
        };
        for key in table.keys() {
            let known = KEYS.iter().find(|(known, _)| *known == key.get_ref().as_ref());
            if known.is_none_or(|(_, of)| !of.is_empty() && *of != kind) {
                let keys = KEYS.iter().filter(|(_, of)| of.is_empty() || *of == kind).map(|(key, _)| *key);
                let keys = keys.collect::<Vec<_>>().join(", ");
                let key_at = key.span().start;
                self.problem(
                    key_at,
                    format!(
                        "connection '{name}' of type {kind} has the keys {keys}, not '{}'",
                        key.get_ref()
                    ),
                );
            }
        }
        let mut text = |key: &str| self.text(name, at, table, key);
        let authorization = match kind {
            "BASIC" => {
                Authorization::Basic { username: text("username"), password: Secret::new(text("password")) }
            }
            "API_KEY" => Authorization::ApiKey { name: text("header"), value: Secret::new(text("value")) },
            _ => {
                let endpoint = text("authorization-endpoint");
                let (client_id, client_secret) = (text("client-id"), Secret::new(text("client-secret")));
                let method = if table.contains_key("method") { text("method") } else { "POST".to_owned() };
                let parameters = HttpParameters {
                    headers: self.pairs(name, table, "oauth-headers"),
                    query: self.pairs(name, table, "oauth-query"),
                    body: self.pairs(name, table, "oauth-body"),
                };
                Authorization::OAuth(OAuth { endpoint, method, client_id, client_secret, parameters })
            }
        };
        let parameters = HttpParameters {
            headers: self.pairs(name, table, "headers"),
            query: self.pairs(name, table, "query"),
            body: self.pairs(name, table, "body"),
        };
        (self.problems.len() == problems).then_some(Connection { authorization, parameters })
    }

    /// A text that has to be there.
    fn text(&mut self, connection: &str, at: usize, table: &DeTable<'_>, key: &str) -> String {
        match table.get(key) {
            Some(value) => self.value(connection, key, value),
            None => {
                self.problem(at, format!("connection '{connection}' has no {key}: write {key} = \"…\", or \"${{env:NAME}}\" for the value of an environment variable"));
                String::new()
            }
        }
    }

    fn pairs(&mut self, connection: &str, table: &DeTable<'_>, key: &str) -> Vec<(String, Secret)> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let Some(members) = value.get_ref().as_table() else {
            self.problem(
                value.span().start,
                format!(
                    "{key} of connection '{connection}' is no table: write {key} = {{ name = \"value\" }}"
                ),
            );
            return Vec::new();
        };
        let pair = |(name, value): (&Spanned<_>, Member<'_, '_>)| {
            let name: &std::borrow::Cow<'_, str> = name.get_ref();
            (name.to_string(), Secret::new(self.value(connection, name, value)))
        };
        members.iter().map(pair).collect()
    }

    /// A text, with the values of environment variables in it.
    fn value(&mut self, connection: &str, key: &str, value: Member<'_, '_>) -> String {
        let at = value.span().start;
        let Some(text) = value.get_ref().as_str() else {
            self.problem(at, format!("{key} of connection '{connection}' is no text: write it in quotes"));
            return String::new();
        };
        let (mut found, mut rest) = (String::new(), text);
        while let Some((before, behind)) = rest.split_once("${env:") {
            let Some((name, behind)) = behind.split_once('}') else {
                self.problem(at, format!("{key} of connection '{connection}' has ${{env: without its }}"));
                return found;
            };
            found.push_str(before);
            match (self.variable)(name) {
                Some(value) => found.push_str(&value),
                None => self.problem(
                    at,
                    format!("{key} of connection '{connection}' is taken from the environment variable {name}, which is not set"),
                ),
            }
            rest = behind;
        }
        found + rest
    }
}

fn is_type(kind: &str) -> bool {
    matches!(kind, "BASIC" | "API_KEY" | "OAUTH_CLIENT_CREDENTIALS")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConnectionFile, String> {
        let variable = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
        ConnectionFile::parse("connections.toml", text, &variable).map_err(|error| error.to_string())
    }

    #[test]
    fn connections() {
        let file = parse(
            r#"
            [connections.Own]
            type = "API_KEY"
            header = "X-Key"
            value = "a ${env:KEY} b"
            headers = { "X-Team" = "t" }
            [connections.Own.body]
            mode = "${env:KEY}"

            [connections."arn:aws:events:us-east-1:123456789012:connection/Two/1"]
            type = "OAUTH_CLIENT_CREDENTIALS"
            authorization-endpoint = "https://login.example.com"
            client-id = "c"
            client-secret = "${env:KEY}"
            oauth-query = { q = "1" }
            "#,
        )
        .unwrap();
        let (_, own) = &file.connections[0];
        let expected = Authorization::ApiKey { name: "X-Key".to_owned(), value: Secret::new("a hunter2 b") };
        assert_eq!(own.authorization, expected);
        assert_eq!(own.parameters.headers, [("X-Team".to_owned(), Secret::new("t"))]);
        assert_eq!(own.parameters.body, [("mode".to_owned(), Secret::new("hunter2"))]);
        let (_, two) = &file.connections[1];
        let Authorization::OAuth(oauth) = &two.authorization else { panic!("{two:?}") };
        assert_eq!((oauth.method.as_str(), oauth.client_secret.expose()), ("POST", "hunter2"));
        assert!(!format!("{file:?}").contains("hunter2"));
    }

    #[test]
    fn problems_name_the_line_and_the_connection_but_no_value() {
        for (text, expected) in [
            ("x = \"hunter2\"", "connections.toml:1: write connections as [connections.\"NAME\"]"),
            ("[connections]\na = \"hunter2\"", "connections.toml:2: connection 'a' is no table"),
            ("[connections.a]\nvalue = \"hunter2\"", "connections.toml:1: connection 'a' has no type"),
            ("[connections.a]\ntype = \"hunter2\"", "connection 'a' has no type"),
            (
                "[connections.a]\ntype = \"BASIC\"\nusername = \"u\"",
                "connections.toml:1: connection 'a' has no password: write password = ",
            ),
            (
                "[connections.a]\ntype = \"BASIC\"\nusername = \"u\"\npassword = \"hunter2\"\nvalue = \"hunter2\"",
                "connections.toml:5: connection 'a' of type BASIC has the keys type, headers, query, body, username, password, not 'value'",
            ),
            (
                "[connections.a]\ntype = \"API_KEY\"\nheader = \"h\"\nvalue = \"hunter2 ${env:NONE}\"",
                "connections.toml:4: value of connection 'a' is taken from the environment variable NONE, which is not set",
            ),
            (
                "[connections.a]\ntype = \"API_KEY\"\nheader = \"h\"\nvalue = \"hunter2 ${env:NONE\"",
                "without its }",
            ),
            (
                "[connections.a]\ntype = \"API_KEY\"\nheader = \"h\"\nvalue = 12345",
                "value of connection 'a' is no text",
            ),
            (
                "[connections.a]\ntype = \"API_KEY\"\nheader = \"h\"\nvalue = \"hunter2\"\nheaders = \"hunter2\"",
                "connections.toml:5: headers of connection 'a' is no table",
            ),
            ("[connections.a]\ntype = \"API_KEY\"\nvalue = hunter2", "connections.toml:3: this is no TOML"),
            ("[connections.a]\nvalue = \"hunter2\nx", "this is no TOML"),
            (
                "[connections.a]\nvalue = \"hunter2\"\nvalue = \"hunter2\"",
                "connections.toml:3: this is no TOML",
            ),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(expected), "{found}\ninstead of\n{expected}");
            assert!(!found.contains("hunter2") && !found.contains("12345"), "{found}");
        }
    }
}
