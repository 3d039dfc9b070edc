//! The layer of environment variables: `BROKER_*`, and `RUST_LOG`.

use std::collections::BTreeMap;
use std::env;

use super::error::{Place, Problem};
use super::layers::{Given, Layer};
use super::{SETTINGS, Setting, suggest};

/// Names the configuration file.
pub(super) const CONFIG: &str = "BROKER_CONFIG";

/// Where the clients find the server.
const ADDR: &str = "BROKER_ADDR";

/// What is the clients', not ours: where they find the server, and who they are.
const CLIENTS: [&str; 4] = [ADDR, "BROKER_USER", "BROKER_PASSWORD", "BROKER_TOKEN"];

/// What programs in Rust usually read for the log level. `BROKER_LOG_LEVEL` is more particular and wins.
const RUST_LOG: &str = "RUST_LOG";

/// All that begins so is ours.
const PREFIX: &str = "BROKER_";

/// The environment of this process, as [`Config::load`](super::Config::load) takes it. What is not Unicode is
/// replaced by U+FFFD, which no setting accepts.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

/// Reads the variables that concern the server.
pub(super) fn read(variables: &BTreeMap<String, String>) -> Layer {
    let mut layer = Layer::default();
    let mut give = |setting, name: &str, text: &str| {
        layer.given.push(Given {
            setting,
            text: text.to_owned(),
            place: Place::Environment(name.to_owned()),
        });
    };
    // An empty RUST_LOG is as good as none: so it is everywhere.
    let rust_log = variables.get(RUST_LOG).filter(|text| !text.is_empty());
    if let (Some(setting), Some(text)) = (Setting::find("log.level"), rust_log) {
        give(setting, RUST_LOG, text);
    }
    let mut unknown = Vec::new();
    for (name, text) in variables.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        match SETTINGS.iter().find(|setting| setting.variable() == *name) {
            Some(setting) => give(setting, name, text),
            None if name == CONFIG || CLIENTS.contains(&name.as_str()) || is_service_link(name, text) => {}
            None => unknown.push(name),
        }
    }
    for name in unknown {
        let suggestion = suggest(name).map(|name| format!("'{name}'"));
        layer.fail(Place::Environment(name.clone()), Problem::UnknownVariable { suggestion });
    }
    layer
}

fn suggest(name: &str) -> Option<String> {
    let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
    // These two are short: anything further away was hardly meant for one of them.
    let other = [CONFIG, ADDR].into_iter().find(|other| strsim::osa_distance(&bare(name), &bare(other)) <= 1);
    other.map(str::to_owned).or_else(|| suggest::setting(None, &bare(name)).map(Setting::variable))
}

/// Kubernetes tells each container of every service in its namespace, and a service may be called `broker` or `broker-something`:
/// `BROKER_SERVICE_HOST`, `BROKER_PORT=tcp://10.0.0.11:36912`, `BROKER_PORT_36912_TCP_ADDR`.
fn is_service_link(name: &str, text: &str) -> bool {
    let address = |text: &str| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme));
    let port_behind = |behind: &str| {
        let mut parts = behind.split('_');
        let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
        let protocol = parts.next().is_some_and(|part| ["TCP", "UDP", "SCTP"].contains(&part));
        number
            && protocol
            && parts.next().is_none_or(|part| ["ADDR", "PORT", "PROTO"].contains(&part))
            && parts.next().is_none()
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT") && address(text)
        || name.rsplit_once("_PORT_").is_some_and(|(_, behind)| port_behind(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: Option<&str>) {
        let layer = read(&BTreeMap::from([(name.to_owned(), text.to_owned())]));
        let error = layer.errors.first().map(ToString::to_string);
        assert_eq!(error.as_deref(), expected, "{name}={text}");
    }

    #[test]
    fn variables_that_mean_nothing() {
        let unknown = |name: &str, meant: &str| {
            let end = if meant.is_empty() { String::new() } else { format!("; did you mean '{meant}'?") };
            check(name, "1", Some(&format!("{name}: unknown environment variable{end}")));
        };
        unknown("BROKER_LISTEM", "BROKER_LISTEN");
        unknown("BROKER_CONNECTIONS_MAX", "BROKER_LIMITS_CONNECTIONS_MAX");
        unknown("BROKER_OUTBOX_BYTEZ_MAX", "BROKER_OUTBOX_BYTES_MAX");
        unknown("BROKER_PORT", "BROKER_LISTEN");
        unknown("BROKER_NATS_LISTEN", "BROKER_NATS");
        unknown("BROKER_CONFG", "BROKER_CONFIG");
        unknown("BROKER_ADDRESS", "BROKER_LISTEN");
        unknown("BROKER_COLOUR", "");
        unknown("BROKER_PORT_36912_TCP_COLOUR", "");
    }

    #[test]
    fn variables_of_others() {
        check("BROKER_ADDR", "127.0.0.1:1", None);
        check("BROKER_USER", "alice", None);
        check("BROKER_PASSWORD", "x", None);
        check("BROKER_TOKEN", "x", None);
        check("BROKER_CONFIG", "broker.toml", None);
        check("RUST_BACKTRACE", "1", None);
        check("BROKERS", "1", None);
        check("BROKER_SERVICE_HOST", "10.0.0.11", None);
        check("BROKER_SERVICE_PORT", "36912", None);
        check("BROKER_SERVICE_PORT_NATIVE", "36912", None);
        check("BROKER_PORT", "tcp://10.0.0.11:36912", None);
        check("BROKER_PORT_36912_TCP", "tcp://10.0.0.11:36912", None);
        check("BROKER_PORT_36912_TCP_ADDR", "10.0.0.11", None);
        check("BROKER_PORT_36912_TCP_PORT", "36912", None);
        check("BROKER_TEST_PORT_36912_UDP_PROTO", "udp", None);
    }
}
