//! What a client says of itself.

use serde_json::{Map, Value};

use super::NatsError;

/// The options of CONNECT. What is not given is as nats-server has it.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, clippy::struct_excessive_bools)]
pub struct Connect {
    /// Each command is answered with `+OK`.
    pub verbose: bool,
    /// Subjects of publishes are checked.
    pub pedantic: bool,
    /// It gets what it publishes itself, if it subscribed to it.
    pub echo: bool,
    /// It knows headers.
    pub headers: bool,
    /// It is told when nobody gets a request of its.
    pub no_responders: bool,
    /// 1: it knows INFO at any time.
    pub protocol: i64,
    /// The name that it gives itself.
    pub name: Option<String>,
    /// The language of the library.
    pub lang: Option<String>,
    /// The version of the library.
    pub version: Option<String>,
    /// Who it is.
    pub user: Option<String>,
    /// And how it proves that.
    pub password: Option<String>,
    /// In place of both.
    pub token: Option<String>,
}

impl Default for Connect {
    fn default() -> Self {
        Connect {
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            protocol: 0,
            name: None,
            lang: None,
            version: None,
            user: None,
            password: None,
            token: None,
        }
    }
}

impl std::fmt::Debug for Connect {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("verbose", &self.verbose)
            .field("pedantic", &self.pedantic)
            .field("echo", &self.echo)
            .field("headers", &self.headers)
            .field("no_responders", &self.no_responders)
            .field("protocol", &self.protocol)
            .field("name", &self.name)
            .field("lang", &self.lang)
            .field("version", &self.version)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Connect {
    /// Takes in the JSON of a CONNECT: what it does not name stays as it is. Names count in any case, unknown ones do not count, and null
    /// says nothing, as in nats-server.
    ///
    /// # Errors
    ///
    /// [`NatsError::Connect`] where it is not an object or a value is of the wrong type.
    pub fn update(&mut self, json: &[u8]) -> Result<(), NatsError> {
        let object: Option<Map<String, Value>> =
            serde_json::from_slice(json).map_err(|error| NatsError::Connect(error.to_string()))?;
        for (name, value) in object.unwrap_or_default() {
            if value.is_null() {
                continue;
            }
            match name.to_ascii_lowercase().as_str() {
                "verbose" => self.verbose = boolean(&name, &value)?,
                "pedantic" => self.pedantic = boolean(&name, &value)?,
                "echo" => self.echo = boolean(&name, &value)?,
                "headers" => self.headers = boolean(&name, &value)?,
                "no_responders" => self.no_responders = boolean(&name, &value)?,
                "protocol" => self.protocol = value.as_i64().ok_or_else(|| wrong(&name, "an integer"))?,
                "name" => self.name = Some(text(&name, value)?),
                "lang" => self.lang = Some(text(&name, value)?),
                "version" => self.version = Some(text(&name, value)?),
                "user" => self.user = Some(text(&name, value)?),
                "pass" => self.password = Some(text(&name, value)?),
                "auth_token" => self.token = Some(text(&name, value)?),
                _ => {}
            }
        }
        Ok(())
    }
}

fn boolean(name: &str, value: &Value) -> Result<bool, NatsError> {
    value.as_bool().ok_or_else(|| wrong(name, "a bool"))
}

fn text(name: &str, value: Value) -> Result<String, NatsError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(wrong(name, "a string")),
    }
}

fn wrong(name: &str, expected: &str) -> NatsError {
    let name: String = name.chars().take(64).collect();
    NatsError::Connect(format!("'{name}' is not {expected}"))
}
