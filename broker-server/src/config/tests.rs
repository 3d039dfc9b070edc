//! What the layers give together: precedence, all ways to set a setting, contradictions.

mod docs;

use std::fs;

use clap::Parser as _;

use super::settings::Kind;
use super::*;

/// A file, the environment and the command line, as they are written.
#[derive(Default, Clone, Copy)]
struct Input<'a> {
    file: &'a str,
    environment: &'a [(&'a str, &'a str)],
    flags: &'a [&'a str],
}

impl Input<'_> {
    /// Loads it; in errors and sources the file is `broker.toml`.
    fn load(self) -> Result<(Config, Sources), String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("broker.toml");
        fs::write(&path, self.file).unwrap();
        let mut args = Args::try_parse_from(std::iter::once(&"broker-server").chain(self.flags)).unwrap();
        args.config.get_or_insert_with(|| path.clone());
        let environment =
            self.environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let shorten =
            |errors: ConfigErrors| errors.to_string().replace(path.to_str().unwrap(), "broker.toml");
        Config::load_with_sources(&args, environment).map_err(shorten)
    }
}

/// Of "pass", by bcrypt. A hash can be printed, and so be read back.
const HASH: &str = "$2a$04$lYW.Svt/4qlCNk0pEMCx0u24h0Hf9RWEkIg8gdFpMlsqKTYI0sDXC";

/// A value that is not the default, as it is written and as it reads back.
fn sample(setting: &Setting) -> String {
    let default = Config::default();
    match &setting.kind {
        Kind::Listen(_) => "[::1]:4000".to_owned(),
        // Each is bounded by one above it in the table of rules; this one must go down.
        Kind::Bytes { .. } if setting.key == "limits.frame_bytes_max" => "7 MiB".to_owned(),
        Kind::Bytes { .. } => format!("{} B", setting.amount(&default).unwrap() + 1),
        Kind::Count { .. } => (setting.amount(&default).unwrap() + 1).to_string(),
        Kind::Time { .. } => "700ms".to_owned(),
        Kind::Word { names, .. } => (*names.last().unwrap()).to_owned(),
        Kind::Filter(_) => "warn,broker_server=trace".to_owned(),
        Kind::Name(_) => "cellar".to_owned(),
        Kind::Token(_) => HASH.to_owned(),
        Kind::Users(_) => format!("alice:{HASH} bob:{HASH}"),
        Kind::Topics(_) => r#"[{ pattern = "log/*", retain = false }]"#.to_owned(),
    }
}

/// `input` sets `setting` to `text`, and nothing else.
#[track_caller]
fn check_sets(setting: &Setting, text: &str, place: &str, input: Input<'_>) {
    let (config, sources) = input.load().unwrap();
    for other in SETTINGS {
        let (expected, source) = if other.key == setting.key {
            (text.to_owned(), Some(place))
        } else {
            (other.text(&Config::default()), None)
        };
        assert_eq!(other.text(&config), expected, "{}, set by {place}", other.key);
        let from = sources.of(other.key).map(ToString::to_string);
        assert_eq!(
            from.as_deref().map(|from| from.ends_with(source.unwrap_or("?"))),
            source.map(|_| true),
            "{from:?}"
        );
    }
}

#[test]
fn every_setting_can_be_set_in_every_way() {
    for setting in SETTINGS {
        let text = sample(setting);
        assert_ne!(text, setting.text(&Config::default()), "{}", setting.key);

        let value =
            if matches!(setting.kind, Kind::Count { .. }) { text.clone() } else { format!("'{text}'") };
        let file = format!("{} = {value}", setting.key);
        check_sets(setting, &text, "broker.toml:1", Input { file: &file, ..Input::default() });
        let file = format!("# one\n[{}]\n{} = {value}", setting.section().unwrap_or(""), setting.name());
        if setting.section().is_some() {
            check_sets(setting, &text, "broker.toml:3", Input { file: &file, ..Input::default() });
        }

        let name = setting.variable();
        check_sets(setting, &text, &name, Input { environment: &[(&name, &text)], ..Input::default() });

        if let Some(flag) = setting.flag {
            let flag = format!("--{flag}");
            check_sets(setting, &text, &flag, Input { flags: &[&flag, &text], ..Input::default() });
        }
        let assignment = format!("{}={text}", setting.key);
        let place = format!("--set {}", setting.key);
        check_sets(setting, &text, &place, Input { flags: &["--set", &assignment], ..Input::default() });
    }
}

#[test]
fn an_empty_value_is_refused_everywhere() {
    for setting in SETTINGS {
        let name = setting.variable();
        let error = Input { environment: &[(&name, "")], ..Input::default() }.load().unwrap_err();
        assert_eq!(error, format!("{name}: the value is empty"));
        let file = format!("{} = ''", setting.key);
        let error = Input { file: &file, ..Input::default() }.load().unwrap_err();
        assert_eq!(error, format!("broker.toml:1: {}: the value is empty", setting.key));
    }
}

#[test]
fn the_printed_configuration_gives_the_same_again() {
    let environment: Vec<(String, String)> =
        SETTINGS.iter().map(|setting| (setting.variable(), sample(setting))).collect();
    let (config, sources) = Config::load_with_sources(&Args::default(), environment.into_iter()).unwrap();
    let text = effective_toml(&config, &sources);
    assert!(text.contains("listen = \"[::1]:4000\"") && text.contains("# BROKER_LISTEN\n"), "{text}");
    let (again, _) = Input { file: &text, ..Input::default() }.load().unwrap();
    assert_eq!(again, config);

    let text = effective_toml(&Config::default(), &Sources::default());
    assert_eq!(text.matches("  # default\n").count(), SETTINGS.len(), "{text}");
    assert_eq!(Input { file: &text, ..Input::default() }.load().unwrap().0, Config::default());
}

#[test]
fn a_secret_is_not_printed() {
    let environment = [("BROKER_AUTH_TOKEN", "hunter42"), ("BROKER_AUTH_USERS", "alice:hunter42")];
    let (config, sources) = Input { environment: &environment, ..Input::default() }.load().unwrap();
    let text = effective_toml(&config, &sources);
    assert!(!text.contains("hunter42"), "{text}");
    for name in ["token", "users"] {
        let line =
            text.lines().find(|line| line.starts_with(&format!("# {name} is set, and not shown "))).unwrap();
        assert!(line.ends_with(&format!("# BROKER_AUTH_{}", name.to_ascii_uppercase())), "{line}");
    }
    assert!(!format!("{config:?}").contains("hunter42"));
}

#[test]
fn flags_over_environment_over_file() {
    #[track_caller]
    fn check(input: Input<'_>, key: &str, expected: &str) {
        let (config, _) = input.load().unwrap();
        assert_eq!(Setting::find(key).unwrap().text(&config), expected);
    }
    let file = Input { file: "listen = 1\nworkers = 1\nlog.level = 'error'\n", ..Input::default() };
    let environment = [("BROKER_LISTEN", "2"), ("BROKER_ADDR", "not ours"), ("RUST_LOG", "warn")];
    let both = Input { environment: &environment, ..file };
    check(file, "listen", "127.0.0.1:1");
    check(both, "listen", "127.0.0.1:2");
    check(both, "workers", "1");
    check(Input { flags: &["-p", "3"], ..both }, "listen", "127.0.0.1:3");
    check(Input { flags: &["--listen", "0.0.0.0:4"], ..both }, "listen", "0.0.0.0:4");
    check(Input { flags: &["--set", "listen=5"], ..both }, "listen", "127.0.0.1:5");

    check(file, "log.level", "error");
    check(both, "log.level", "warn");
    check(Input { environment: &[("RUST_LOG", "")], ..file }, "log.level", "error");
    check(
        Input { environment: &[("RUST_LOG", "warn"), ("BROKER_LOG_LEVEL", "debug")], ..file },
        "log.level",
        "debug",
    );
    check(Input { flags: &["--log-level", "trace"], ..both }, "log.level", "trace");
}

#[track_caller]
fn check_refused(input: Input<'_>, expected: &[&str]) {
    let error = input.load().unwrap_err();
    assert_eq!(error.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn contradictions() {
    let input = Input::default();
    check_refused(
        Input { flags: &["--listen", "off", "--nats", "off"], ..input },
        &["--listen: nothing would listen"],
    );
    check_refused(
        Input { environment: &[("BROKER_LISTEN", "off"), ("BROKER_NATS", "off")], ..input },
        &["BROKER_LISTEN: nothing would listen"],
    );
    check_refused(
        Input { file: "\nlisten = 'off'\nnats.listen = 'off'", ..input },
        &["broker.toml:2: listen: nothing would listen"],
    );
    check_refused(
        Input { file: "limits.frame_bytes_max = '16 MiB'", ..input },
        &["broker.toml:1: limits.frame_bytes_max (16 MiB) is over outbox.bytes_max (8 MiB, default): \
           the largest frame would not fit into an outbox"],
    );
    // The one that was changed is to blame, and the other one's place is told.
    check_refused(
        Input { file: "\n[outbox]\nbytes_max = '4 MiB'", ..input },
        &["broker.toml:3: limits.frame_bytes_max (8 MiB) is over outbox.bytes_max (4 MiB, broker.toml:3): \
           the largest frame would not fit into an outbox"],
    );
    check_refused(
        Input {
            flags: &[
                "--topic-bytes-max",
                "2000",
                "--frame-bytes-max",
                "1KiB",
                "--set",
                "limits.pattern_bytes_max=1025",
            ],
            ..input
        },
        &[
            "--topic-bytes-max: limits.topic_bytes_max (2000 B) is over limits.frame_bytes_max (1 KiB, --frame-bytes-max): \
             the longest topic would not fit into a frame",
            "--set limits.pattern_bytes_max: limits.pattern_bytes_max (1025 B) is over limits.frame_bytes_max (1 KiB, --frame-bytes-max): \
             the longest pattern would not fit into a frame",
        ],
    );
    check_refused(
        Input { flags: &["--workers", "1", "--set", "workers=2", "--set", "listen=1", "-p", "2"], ..input },
        &[
            "--set workers: workers is given already by --workers",
            "--set listen: listen is given already by --port",
        ],
    );
    check_refused(
        Input { flags: &["--set", "workers=1", "--set", "workers=1"], ..input },
        &["--set workers: workers is given already by --set workers"],
    );
    // Equal is not over.
    let equal = Input { flags: &["--frame-bytes-max", "1KiB", "--outbox-bytes-max", "1KiB"], ..input };
    assert_eq!(equal.load().unwrap().0.limits.frame_bytes_max, 1024);
}

#[test]
fn contradictions_about_nats() {
    let input = Input::default();
    check_refused(
        Input {
            flags: &["--set", "nats.payload_bytes_max=2MiB", "--set", "nats.outbox_bytes_max=1MiB"],
            ..input
        },
        &[
            "--set nats.payload_bytes_max: nats.payload_bytes_max (2 MiB) is over nats.outbox_bytes_max (1 MiB, --set nats.outbox_bytes_max): \
           the largest message would not fit into an outbox",
        ],
    );
    let one = Input { flags: &["--listen", "off"], ..input };
    assert_eq!(one.load().unwrap().0.listen, Listen::Off);
}

#[test]
fn all_errors_at_once() {
    check_refused(
        Input {
            file: "workers = 'many'\nlisten = '127.0.0.1'\n[limits]\nconections_max = 1\ndepth_max = 0\nframe_bytes_max = '2 GiB'\nidle_timeout = 30\n",
            environment: &[
                ("BROKER_OUTBOX_BYTES_MAX", "1 KiB"),
                ("BROKER_LISTEM", "1"),
                ("RUST_LOG", "inof"),
                ("BROKER_LOG_FORMAT", "xml"),
            ],
            flags: &["--listen", "off", "--nats", "off"],
        },
        &[
            "broker.toml:1: workers: 'many' is not a whole number",
            "broker.toml:2: listen: '127.0.0.1' is not an address such as 127.0.0.1:36912 or [::]:36912, a port, or off; \
             did you mean '127.0.0.1:36912'?",
            "broker.toml:4: unknown setting 'conections_max' in [limits]; did you mean 'connections_max'?",
            "broker.toml:5: limits.depth_max: 0 is too small, the least is 1",
            "broker.toml:6: limits.frame_bytes_max: 2 GiB is too large, the most is 1 GiB",
            "broker.toml:7: limits.idle_timeout: '30' is not a duration such as 500ms, 30s or 2m; did you mean '30s'?",
            "BROKER_LISTEM: unknown environment variable; did you mean 'BROKER_LISTEN'?",
            "RUST_LOG: 'inof' is not a log filter such as info or warn,broker_server=debug; did you mean 'info'?",
            "BROKER_LOG_FORMAT: 'xml' is not text or json",
        ],
    );
}

#[test]
fn files_that_cannot_be_read() {
    let missing = Input { environment: &[], file: "", flags: &["--config", "/nonexistent/broker.toml"] };
    let error = missing.load().unwrap_err();
    assert!(error.starts_with("/nonexistent/broker.toml: cannot be read: "), "{error}");
    let args = Args { config: Some(PathBuf::new()), ..Args::default() };
    let error = Config::load(&args, std::iter::empty()).unwrap_err();
    assert_eq!(error.to_string(), "--config: the value is empty");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.toml");
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let environment = [("BROKER_CONFIG".to_owned(), path.to_str().unwrap().to_owned())];
        let loaded = Config::load(&Args::default(), environment.into_iter());
        loaded.map_err(|errors| errors.to_string().replace(path.to_str().unwrap(), "x.toml"))
    };
    assert_eq!(load(b"workers = 3").unwrap().workers, 3);
    assert_eq!(load(b"a = '\xff'").unwrap_err(), "x.toml: not TOML: not UTF-8 at byte 5");
    assert_eq!(
        load(&vec![b'\n'; (1 << 20) + 1]).unwrap_err(),
        "x.toml: cannot be read: it has more than 1048576 bytes"
    );
    let empty = [("BROKER_CONFIG".to_owned(), String::new())];
    let error = Config::load(&Args::default(), empty.into_iter()).unwrap_err();
    assert_eq!(error.to_string(), "BROKER_CONFIG: the value is empty");
}

#[test]
fn a_program_checks_its_own() {
    #[track_caller]
    fn check(change: impl Fn(&mut Config), expected: &str) {
        let mut config = Config::default();
        change(&mut config);
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
    assert_eq!(Config { listen: Listen::Off, ..Config::default() }.validate(), Ok(()));
    check(|config| config.workers = 2000, "workers: 2000 is too large, the most is 1024");
    check(
        |config| config.metrics.interval = Duration::from_micros(500),
        "metrics.interval: 500µs is too small, the least is 100ms",
    );
    check(
        |config| config.outbox.bytes_max = 100,
        "limits.frame_bytes_max: limits.frame_bytes_max (8 MiB) is over outbox.bytes_max (100 B, default): \
         the largest frame would not fit into an outbox",
    );
    check(
        |config| config.listen = Listen::At(ListenAddress { host: "a b".to_owned(), port: 1 }),
        "listen: 'a b:1' is not an address such as 127.0.0.1:36912 or [::]:36912, a port, or off",
    );
    check(
        |config| config.log.level = "warning".to_owned(),
        "log.level: 'warning' is not a log filter such as info or warn,broker_server=debug; did you mean 'warn'?",
    );
    // A value out of range says nothing about the others.
    check(
        |config| config.limits.frame_bytes_max = 0,
        "limits.frame_bytes_max: 0 is too small, the least is 64 B",
    );
}

#[test]
fn defaults_are_those_of_the_core() {
    let (ours, core) = (Config::default(), broker_core::Limits::default());
    assert_eq!(ours.limits.frame_bytes_max, core.wire.frame_bytes_max);
    assert_eq!(ours.limits.depth_max, core.wire.depth_max);
    assert_eq!(ours.limits.topic_bytes_max, core.topic_bytes_max);
    assert_eq!(ours.limits.pattern_bytes_max, core.pattern.bytes_max);
    assert_eq!(ours.limits.pattern_stars_max, core.pattern.stars_max);
    assert_eq!(ours.limits.pattern_alternatives_max, core.pattern.alternatives_max);
    assert_eq!(ours.limits.subscriptions_max, core.subscriptions_max);
    assert_eq!(ours.limits.idle_timeout.as_millis(), u128::from(core.idle_timeout_ms));
    assert_eq!(ours.outbox.bytes_max, core.outbox_bytes_max);
    assert_eq!(ours.outbox.policy, core.policy);
    assert_eq!(ours.outbox.block_timeout.as_millis(), u128::from(core.block_ms));
    assert_eq!(ours.retained.messages_max, core.retained_messages_max);
    assert_eq!(ours.retained.bytes_max, core.retained_bytes_max);
    assert_eq!(ours.retained.value_bytes_max, core.retained_value_bytes_max);
    assert_eq!(topics::core_rules(&ours.topics), core.topic_rules);
    assert_eq!(ours.validate(), Ok(()));
}

#[test]
fn every_policy_can_be_set() {
    assert_eq!(settings::POLICIES, Policy::ALL.map(Policy::name));
}
