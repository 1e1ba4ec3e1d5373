//! How things that are not this crate's are stored.

/// A payload is stored as its JSON text, as in the history: nested in the stored form, it would be
/// read by a parser that recurses more deeply than a thread's stack is sure to allow.
pub(crate) mod payload {
    use model::json::{Text, Value};
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// One of several.
    pub struct Borrowed<'v>(pub &'v Value);

    /// One of several, read.
    pub struct Owned(pub Value);

    impl Serialize for Borrowed<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serialize(self.0, serializer)
        }
    }

    impl<'de> Deserialize<'de> for Owned {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Owned, D::Error> {
            deserialize(deserializer).map(Owned)
        }
    }

    pub fn serialize<S: Serializer>(payload: &Value, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&payload.to_json())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        Value::parse(&Text::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// As [`payload`], for one that may be absent.
pub(crate) mod optional_payload {
    use model::json::Value;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::payload::{Borrowed, Owned};

    pub fn serialize<S: Serializer>(payload: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
        payload.as_ref().map(Borrowed).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        Ok(Option::<Owned>::deserialize(deserializer)?.map(|Owned(payload)| payload))
    }
}

/// As [`payload`], for several.
pub(crate) mod payloads {
    use model::json::Value;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::payload::{Borrowed, Owned};

    pub fn serialize<S: Serializer>(payloads: &[Value], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(payloads.iter().map(Borrowed))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
        Ok(Vec::<Owned>::deserialize(deserializer)?.into_iter().map(|Owned(payload)| payload).collect())
    }
}

/// As [`payload`], for variables by name.
pub(crate) mod variables {
    use model::json::{Map, Text};
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::payload::{Borrowed, Owned};

    pub fn serialize<S: Serializer>(variables: &Map, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(variables.iter().map(|(name, value)| (name.as_str(), Borrowed(value))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map, D::Error> {
        let variables = Vec::<(Text, Owned)>::deserialize(deserializer)?;
        Ok(variables.into_iter().map(|(name, Owned(value))| (name, value)).collect())
    }
}

/// A resource is stored as its ARN.
pub(crate) mod resource {
    use asl::state::Resource;
    use model::json::Text;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(resource: &Resource, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(resource.arn())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Resource, D::Error> {
        let arn = Text::deserialize(deserializer)?;
        Resource::from_arn(&arn).ok_or_else(|| D::Error::custom(format_args!("no task can call {arn:?}")))
    }
}

/// Ids of the definition are stored as their numbers.
macro_rules! as_number {
    ($module:ident, $id:ident) => {
        pub(crate) mod $module {
            use asl::machine::$id;
            use serde::{Deserialize as _, Deserializer, Serializer};

            pub fn serialize<S: Serializer>(id: &$id, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u32(id.0)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$id, D::Error> {
                u32::deserialize(deserializer).map($id)
            }
        }
    };
}

as_number!(scope, ScopeId);
as_number!(state, StateId);
