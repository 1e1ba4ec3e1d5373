//! What a connection's secret says.
//!
//! No documentation describes it. Its members are known from secrets that people have shown: `username`,
//! `password`, `api_key_name`, `api_key_value`, `client_id`, `client_secret`, `authorization_endpoint`,
//! `http_method`, `oauth_http_parameters`, `invocation_http_parameters`. What those two hold is spelled
//! as the API spells it by emulators, so names are compared without regard to case and `_`.

use front::Secret;
use model::json::Value;

use super::{Authorization, Connection, HttpParameters, OAuth};

/// The connection of a secret's text. `described` is what DescribeConnection says of its parameters, for
/// what the secret leaves out. The error says what is missing, never what is there.
pub(super) fn connection(kind: &str, secret: &str, described: &Value) -> Result<Connection, String> {
    let Ok(secret) = Value::parse(secret) else { return Err("its secret is no JSON".to_owned()) };
    let public = |group: &str, name: &str| member(member(described, group)?, name);
    let either = |name: &str, group: &str, described: &str| {
        let found = text(&secret, name).or_else(|| public(group, described)?.as_str().map(str::to_owned));
        found.ok_or_else(|| format!("its secret has no {name}"))
    };
    let own =
        |name: &str| text(&secret, name).map(Secret::new).ok_or_else(|| format!("its secret has no {name}"));
    let authorization = match kind {
        "BASIC" => Authorization::Basic {
            username: either("username", "BasicAuthParameters", "Username")?,
            password: own("password")?,
        },
        "API_KEY" => Authorization::ApiKey {
            name: either("api_key_name", "ApiKeyAuthParameters", "ApiKeyName")?,
            value: own("api_key_value")?,
        },
        "OAUTH_CLIENT_CREDENTIALS" => {
            let client = public("OAuthParameters", "ClientParameters");
            let client_id = text(&secret, "client_id").or_else(|| text(client?, "ClientID"));
            let more = member(&secret, "oauth_http_parameters")
                .or_else(|| public("OAuthParameters", "OAuthHttpParameters"));
            Authorization::OAuth(OAuth {
                endpoint: either("authorization_endpoint", "OAuthParameters", "AuthorizationEndpoint")?,
                method: either("http_method", "OAuthParameters", "HttpMethod")?,
                client_id: client_id.ok_or("its secret has no client_id")?,
                client_secret: own("client_secret")?,
                parameters: more.map(parameters).unwrap_or_default(),
            })
        }
        _ => return Err("its authorization type is not known".to_owned()),
    };
    let more = member(&secret, "invocation_http_parameters")
        .or_else(|| member(described, "InvocationHttpParameters"));
    Ok(Connection { authorization, parameters: more.map(parameters).unwrap_or_default() })
}

fn parameters(value: &Value) -> HttpParameters {
    let pairs = |name: &str| {
        let list = member(value, name).and_then(Value::as_array).map(|list| &**list).unwrap_or_default();
        let pair = |entry: &Value| Some((text(entry, "key")?, Secret::new(text(entry, "value")?)));
        list.iter().filter_map(pair).collect()
    };
    HttpParameters {
        headers: pairs("header_parameters"),
        query: pairs("query_string_parameters"),
        body: pairs("body_parameters"),
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let members = value.as_object()?.iter();
    members
        .filter(|(_, value)| !value.is_null())
        .find(|(known, _)| plain(known) == plain(name))
        .map(|(_, value)| value)
}

fn text(value: &Value, name: &str) -> Option<String> {
    member(value, name)?.as_str().map(str::to_owned)
}
