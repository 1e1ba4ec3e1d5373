//! Which roles of state machines an installation takes on.

use model::json::Text;

/// The roles of state machines that an installation takes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// What the trust policy of such a role asks for as `sts:ExternalId`, so that nobody makes the
    /// installation use a role that was not meant for it.
    pub external_id: Text,
    /// ARNs of roles, with `*` for any characters. None: no role.
    pub allowed: Vec<Text>,
}

impl Roles {
    /// Whether a state machine's role may be taken on.
    pub fn allow(&self, role_arn: &str) -> bool {
        self.allowed.iter().any(|pattern| matches(pattern, role_arn))
    }
}

/// Whether `text` is what `pattern` says, `*` being any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        // The one before was not the last: its first place leaves the most for those that follow.
        if let Some(part) = last.replace(part) {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_allowed_by_pattern() {
        let check = |pattern: &str, allowed: &[&str], others: &[&str]| {
            let roles = Roles { external_id: "x".into(), allowed: vec![pattern.into()] };
            for role in allowed {
                assert!(roles.allow(role), "{pattern} allows {role}");
            }
            for role in others {
                assert!(!roles.allow(role), "{pattern} does not allow {role}");
            }
        };
        check("a:role/x", &["a:role/x"], &["a:role/xy", "ba:role/x", ""]);
        check("a:role/*", &["a:role/x", "a:role/", "a:role/p/x"], &["a:user/x", "a:role"]);
        check("a:*:role/t-*-z", &["a:1:role/t-q-z", "a::role/t--z", "a:1:role/t-z-z"], &["a:1:role/t-z"]);
        check("*ab*b", &["abb", "xabyb", "ababb"], &["ab", "abc", "b"]);
        check("*", &["", "anything"], &[]);
        check("**a", &["a", "ba"], &["ab"]);
        assert!(!Roles::default().allow("a:role/x"));
    }
}
