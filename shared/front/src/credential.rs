//! What callers prove to know.

use std::fmt;

/// A credential of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// Its session token, of a temporary one.
    pub session_token: Option<Secret>,
}

impl Credential {
    /// Reads what `variable` gives for STEPWRIGHT_ACCESS_KEY_ID and its kin.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Credential>, String> {
        let secret = |name: &str| variable(name).map(Secret::new);
        Credential::of(
            variable("STEPWRIGHT_ACCESS_KEY_ID"),
            secret("STEPWRIGHT_SECRET_ACCESS_KEY"),
            secret("STEPWRIGHT_SESSION_TOKEN"),
        )
    }

    /// Puts a credential together; none when there is nothing of one. What is empty is missing, and
    /// an error says what is.
    pub fn of(
        id: Option<String>,
        secret: Option<Secret>,
        token: Option<Secret>,
    ) -> Result<Option<Credential>, String> {
        let id = id.filter(|id| !id.is_empty());
        let secret = secret.filter(|secret| !secret.expose().is_empty());
        let session_token = token.filter(|token| !token.expose().is_empty());
        match (id, secret) {
            (Some(access_key_id), Some(secret_access_key)) => {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
                if !access_key_id.bytes().all(is_plain) {
                    return Err("the access key id has letters, digits, `-` and `_` only".to_owned());
                }
                Ok(Some(Credential { access_key_id, secret_access_key, session_token }))
            }
            (None, None) if session_token.is_none() => Ok(None),
            (None, _) => {
                Err("the credential has no access key id: give STEPWRIGHT_ACCESS_KEY_ID as well".to_owned())
            }
            (Some(_), None) => {
                Err("the credential has no secret: give STEPWRIGHT_SECRET_ACCESS_KEY as well".to_owned())
            }
        }
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for computing with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(Secret(…))");
    }

    #[test]
    fn a_credential_is_whole_or_none() {
        let check = |id: &str, secret: &str, token: &str, expected: Result<bool, &str>| {
            let found =
                Credential::of(Some(id.to_owned()), Some(Secret::new(secret)), Some(Secret::new(token)));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.is_some(), expected, "{id}"),
                (Err(found), Err(words)) => assert!(found.contains(words), "{found}"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        };
        check("", "", "", Ok(false));
        check("k", "hunter2", "", Ok(true));
        check("k", "", "", Err("no secret"));
        check("", "hunter2", "", Err("no access key id"));
        check("", "", "t", Err("no access key id"));
        check("a/b", "hunter2", "", Err("letters, digits"));
    }
}
