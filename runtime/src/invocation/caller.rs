//! The caller of a function, from the two headers of /next that contain JSON.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Information about the caller, sent by AWS's SDKs for mobile applications.
#[derive(Serialize, Deserialize, Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientContext {
    /// The caller's application.
    #[serde(default, deserialize_with = "or_default")]
    pub client: ClientApplication,
    /// Values added by the application. A value that is not a string is kept as JSON.
    #[serde(default, deserialize_with = "texts")]
    pub custom: HashMap<String, String>,
    /// The device and its settings: `locale`, `platform` and so on. A value that is not a string is kept as JSON.
    #[serde(default, alias = "env", deserialize_with = "texts")]
    pub environment: HashMap<String, String>,
}

/// A mobile application. A missing field is empty; a value that is not a string is kept as JSON.
#[derive(Serialize, Deserialize, Default, Clone, Debug, Eq, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientApplication {
    /// The id of the installation.
    #[serde(alias = "installation_id", deserialize_with = "text_of")]
    pub installation_id: String,
    /// The title.
    #[serde(alias = "app_title", deserialize_with = "text_of")]
    pub app_title: String,
    /// The version for people.
    #[serde(alias = "app_version_name", deserialize_with = "text_of")]
    pub app_version_name: String,
    /// The version for programs.
    #[serde(alias = "app_version_code", deserialize_with = "text_of")]
    pub app_version_code: String,
    /// The name of the package.
    #[serde(alias = "app_package_name", deserialize_with = "text_of")]
    pub app_package_name: String,
}

/// An identity of an Amazon Cognito identity pool.
#[derive(Serialize, Deserialize, Clone, Debug, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CognitoIdentity {
    /// The id of the identity.
    #[serde(alias = "cognitoIdentityId", alias = "identity_id")]
    pub identity_id: String,
    /// The id of its pool.
    #[serde(alias = "cognitoIdentityPoolId", alias = "identity_pool_id")]
    pub identity_pool_id: String,
}

/// Decodes a map of JSON values, each as text; `null` as an empty map.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<String, String>, D::Error> {
    let values: HashMap<String, serde_json::Value> = or_default(deserializer)?;
    Ok(values.into_iter().map(|(name, value)| (name, json_text(value))).collect())
}

/// Decodes a JSON value as text; `null` as an empty text.
fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(json_text).unwrap_or_default())
}

fn json_text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// `null` for what is usual.
fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Decodes a header with `decode`. `null` counts as absent.
pub(super) fn header<T>(
    header: &'static str,
    value: Option<&[u8]>,
    decode: impl FnOnce(&Members<'_>) -> serde_json::Result<T>,
) -> Result<Option<T>, BadHeader> {
    let Some(value) = value else { return Ok(None) };
    let decoded = members(value).and_then(|members| members.as_ref().map(decode).transpose());
    decoded.map_err(|error| BadHeader { header, error })
}

/// The members of a JSON object, each as its JSON; none for `null`.
///
/// All objects in the headers are decoded as this type: the code that serde derives for each struct is ten times as large.
#[derive(Default)]
pub(super) struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    fn get(&self, names: &[&str]) -> Option<&'a RawValue> {
        self.0.iter().find_map(|(name, value)| names.contains(&&**name).then_some(*value))
    }

    /// The members of an object in this one.
    fn nested(&self, names: &[&str]) -> serde_json::Result<Members<'a>> {
        members(self.get(names).map_or(b"null", |json| json.get().as_bytes())).map(Option::unwrap_or_default)
    }
}

/// `None` for `null`.
fn members(json: &[u8]) -> serde_json::Result<Option<Members<'_>>> {
    serde_json::from_slice(json)
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(member) = map.next_entry()? {
                    members.0.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A string, or another value as JSON.
fn string_or_json(json: &RawValue) -> serde_json::Result<String> {
    let json = json.get();
    if json.starts_with('"') { serde_json::from_slice(json.as_bytes()) } else { Ok(json.to_owned()) }
}

impl ClientContext {
    pub(super) fn decode(members: &Members<'_>) -> serde_json::Result<Self> {
        let texts = |names: &[&str]| {
            let members = members.nested(names)?.0.into_iter();
            members.map(|(name, value)| Ok((name, string_or_json(value)?))).collect::<serde_json::Result<_>>()
        };
        Ok(Self {
            client: ClientApplication::decode(&members.nested(&["client"])?)?,
            custom: texts(&["custom"])?,
            environment: texts(&["environment", "env"])?,
        })
    }
}

impl ClientApplication {
    pub(super) fn decode(members: &Members<'_>) -> serde_json::Result<Self> {
        let text = |names: &[&str]| match members.get(names) {
            Some(json) if json.get() != "null" => string_or_json(json),
            _ => Ok(String::new()),
        };
        Ok(Self {
            installation_id: text(&["installationId", "installation_id"])?,
            app_title: text(&["appTitle", "app_title"])?,
            app_version_name: text(&["appVersionName", "app_version_name"])?,
            app_version_code: text(&["appVersionCode", "app_version_code"])?,
            app_package_name: text(&["appPackageName", "app_package_name"])?,
        })
    }
}

impl CognitoIdentity {
    pub(super) fn decode(members: &Members<'_>) -> serde_json::Result<Self> {
        let text = |name, aliases: [&str; 2]| {
            let json = members.get(&[name, aliases[0], aliases[1]]);
            let json = json.ok_or_else(|| serde_json::Error::missing_field(name))?;
            serde_json::from_slice(json.get().as_bytes())
        };
        Ok(Self {
            identity_id: text("cognitoIdentityId", ["identityId", "identity_id"])?,
            identity_pool_id: text("cognitoIdentityPoolId", ["identityPoolId", "identity_pool_id"])?,
        })
    }
}

/// A header of /next that cannot be decoded.
#[derive(Debug)]
pub(crate) struct BadHeader {
    header: &'static str,
    error: serde_json::Error,
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the header {} of the invocation cannot be decoded: {}", self.header, self.error)
    }
}

impl std::error::Error for BadHeader {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::context::tests::context;

    #[test]
    fn json_values_in_a_client_context_are_kept_as_text() {
        let client = |json: &[u8]| context(&[("lambda-runtime-client-context", json)]).unwrap().client_context;
        let found =
            client(br#"{"client":{"app_version_code":7,"app_title":null,"new":[]},"custom":{"a":[1]},"env":null}"#);
        let found = found.unwrap();
        assert_eq!((&*found.client.app_version_code, &*found.client.app_title), ("7", ""));
        assert_eq!((&*found.custom["a"], found.environment.len()), ("[1]", 0));
        assert_eq!(client(br#"{"client":null,"custom":null}"#), Some(ClientContext::default()));
        assert_eq!(client(b"null"), None);
        assert_eq!(context(&[("lambda-runtime-cognito-identity", b"null")]).unwrap().identity, None);
    }

    #[test]
    fn a_header_is_decoded_as_its_type_is() {
        for json in [
            r#"{"client":{"installation_id":"i","appTitle":"t","app_version_name":1.5,"app_version_code":null}}"#,
            r#"{"client":{"app_package_name":[]},"custom":{"a":"\u00fc","b":null,"c":true},"environment":{"e":"f"}}"#,
            r#"{"client":null,"custom":null,"env":{},"services":{"x":1}}"#,
            "{}",
        ] {
            let derived = serde_json::from_str(json).unwrap();
            let decoded = context(&[("lambda-runtime-client-context", json.as_bytes())]).unwrap().client_context;
            assert_eq!(decoded, Some(derived), "{json}");
        }
        for json in [
            r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#,
            r#"{"identityId":"i","identityPoolId":"p"}"#,
            r#"{"identity_id":"i","identity_pool_id":"p","more":1}"#,
        ] {
            let derived = serde_json::from_str(json).unwrap();
            let decoded = context(&[("lambda-runtime-cognito-identity", json.as_bytes())]).unwrap().identity;
            assert_eq!(decoded, Some(derived), "{json}");
        }
    }

    #[test]
    fn invalid_json_is_an_error_that_names_the_header() {
        let (client, identity) = ("lambda-runtime-client-context", "lambda-runtime-cognito-identity");
        for (name, json) in [
            (client, "no json"),
            (client, "[1]"),
            (client, r#"{"client":"c"}"#),
            (client, r#"{"custom":1}"#),
            (identity, "no json"),
            (identity, "{}"),
            (identity, r#"{"identityId":"i","identityPoolId":1}"#),
        ] {
            let error = context(&[(name, json.as_bytes())]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
