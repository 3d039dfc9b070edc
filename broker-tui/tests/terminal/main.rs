//! The real binary in a real terminal (a pty), against a real broker.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod dashboard;
mod pty;
mod source;

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use broker_client::{Client, Options};
use broker_server::Server;
use broker_server::config::Auth;
use pty::Terminal;
use tokio::runtime::Runtime;

/// The runtime that the brokers of the tests run on.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// A broker, and somebody who publishes 20 readings a second to it.
struct Broker {
    server: Option<Server>,
    address: String,
}

impl Broker {
    fn start(address: &str) -> Self {
        let server = runtime().block_on(Server::builder().listen(address).start()).unwrap();
        let address = server.local_addr().unwrap().to_string();
        runtime().spawn(publish(address.clone()));
        Self { server: Some(server), address }
    }

    fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            runtime().block_on(server.stop());
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn publish(address: String) {
    let options = Options::new().name("thermometers").never_reconnect();
    let client = Client::connect(&address, options).await.unwrap();
    let mut every = tokio::time::interval(Duration::from_millis(50));
    for n in 0_u32.. {
        every.tick().await;
        let city = ["oslo", "quito"][n as usize % 2];
        let reading = serde_json::json!({ "celsius": n % 30, "n": n });
        if client.publish(&format!("weather/{city}/temperature"), &reading).await.is_err() {
            return;
        }
    }
}

/// An address where nothing listens.
fn nobody() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn without_a_broker_it_says_so_and_works() {
    let mut tui = Terminal::dashboard(&["--addr", &nobody()], 80, 24);
    tui.shows("No broker at");
    tui.shows("trying again");
    tui.press("2");
    tui.shows("filter");
    tui.press("?");
    tui.shows("Keys");
    tui.press("\x1b");
    tui.hides("Keys");
    tui.press("q");
    tui.ends(0);
    tui.is_restored();
}

#[test]
fn a_broker_that_asks_is_told_who_this_is() {
    let auth = Auth { token: Some("hunter42".parse().unwrap()), ..Auth::default() };
    let start = Server::builder().listen("127.0.0.1:0").auth(auth).start();
    let server = runtime().block_on(start).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let mut tui = Terminal::dashboard(&["--addr", &address], 80, 24);
    tui.ends(1);
    tui.shows("the server asks who this is");
    tui.shows("set BROKER_TOKEN");
    let mut tui = Terminal::dashboard_with(&["--addr", &address], 80, 24, &[("BROKER_TOKEN", "wrong")]);
    tui.ends(1);
    tui.shows("does not accept this token");
    let tui = Terminal::dashboard_with(&["--addr", &address], 80, 24, &[("BROKER_TOKEN", "hunter42")]);
    tui.shows("● live");
    tui.shows("in all");
}

/// Connections that are closed, from a broker that tells them.
#[test]
fn connections_that_were_closed_are_shown_with_their_reason() {
    let broker = Broker::start("127.0.0.1:0");
    let mut tui = Terminal::dashboard(&["--addr", &broker.address, "--view", "connections"], 100, 30);
    tui.shows("thermometers");
    tui.press("c");
    tui.shows("No connection was closed yet");
    let options = Options::new().name("passer-by");
    let client = runtime().block_on(Client::connect(&broker.address, options)).unwrap();
    runtime().block_on(client.close()).unwrap();
    tui.shows("passer-by");
    tui.press("\r");
    tui.shows("closed as asked");
    tui.press("c");
    tui.shows("thermometers");
}

#[test]
fn a_broker_that_comes_later_is_found() {
    let address = nobody();
    let tui = Terminal::dashboard(&["--addr", &address], 80, 24);
    tui.shows("No broker at");
    let _broker = Broker::start(&address);
    tui.shows("● live");
    tui.shows("in all");
    tui.hides("No broker at");
}

#[test]
fn four_views_on_live_data() {
    let broker = Broker::start("127.0.0.1:0");
    let mut tui = Terminal::dashboard(&["--addr", &broker.address], 100, 30);
    tui.shows("● live");
    tui.until("the rate of 20 a second", |screen| {
        ["19 /s", "20 /s", "21 /s"].iter().any(|rate| screen.contains(rate))
    });

    tui.press("2");
    tui.shows("▾ weather/");
    tui.shows("\"celsius\"");
    tui.press("jj");
    tui.shows("╭ weather/oslo/temperature ─");
    tui.press("/quito\r");
    tui.shows("filter: quito");
    tui.hides("oslo");
    tui.press("\x1b");
    tui.shows("oslo");

    tui.press("3");
    tui.shows("received");
    tui.shows("weather/quito/temperature");
    tui.press("/\x15*/quito/*\r");
    tui.shows("Traffic  */quito/*");
    tui.shows("weather/quito/temperature");
    tui.hides("weather/oslo/temperature");
    tui.press(" ");
    tui.shows("frozen");
    tui.press(" ");
    tui.hides("frozen");
    tui.press("v");
    tui.shows("Payload  text");
    tui.press("v");
    tui.shows("00000000  82 a7");
    tui.press("/[\r");
    tui.shows("The broker refused this pattern");
    tui.press("/\x15weather/*\r");
    tui.shows("weather/oslo/temperature");

    tui.press("4");
    tui.shows("thermometers");
    tui.shows("broker-tui (this)");
    tui.resize(40, 10);
    tui.shows("LAG");
    tui.resize(30, 8);
    tui.shows("too small");
    tui.resize(120, 40);
    tui.shows("ADDRESS");
    tui.press("\x03");
    tui.ends(0);
    tui.is_restored();
}

#[test]
fn a_lost_broker_leaves_old_data_marked_as_old_until_it_is_back() {
    let mut broker = Broker::start("127.0.0.1:0");
    let tui = Terminal::dashboard(&["--addr", &broker.address], 80, 24);
    tui.shows("● live");
    tui.shows("in all");
    broker.stop();
    tui.shows("✗ offline");
    tui.shows("old, reconnecting");
    tui.shows("in all");
    let _again = Broker::start(&broker.address);
    tui.shows("● live");
    tui.hides("reconnecting");
}

#[test]
fn no_color_means_no_colour() {
    let mut tui = Terminal::dashboard_with(&["--addr", &nobody()], 80, 24, &[("NO_COLOR", "1")]);
    tui.shows("No broker at");
    assert!(!tui.has_colour());
    tui.press("q");
    tui.ends(0);
    let tui = Terminal::dashboard(&["--addr", &nobody()], 80, 24);
    tui.shows("No broker at");
    assert!(tui.has_colour());
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_and_gives_the_terminal_back() {
    for signal in ["-TERM", "-HUP"] {
        let mut tui = Terminal::dashboard(&["--addr", &nobody()], 80, 24);
        tui.shows("No broker at");
        assert!(
            Command::new("kill").args([signal, &tui.process_id().to_string()]).status().unwrap().success()
        );
        tui.ends(0);
        tui.is_restored();
    }
}

/// Says to the child of the next test that it is one.
const PANIC: &str = "BROKER_TUI_TEST_PANICS";

#[test]
fn a_panic_gives_the_terminal_back() {
    if std::env::var_os(PANIC).is_some() {
        // The child: this test binary, in the pty.
        let mut screen = broker_tui::terminal::Screen::enter().unwrap();
        screen.draw(&broker_tui::model::Model::new("x")).unwrap();
        std::thread::spawn(|| panic!("on purpose")).join().unwrap_err();
        return;
    }
    let mut tui = Terminal::this_test("a_panic_gives_the_terminal_back", &[(PANIC, "1")]);
    tui.ends(101);
    tui.shows("on purpose");
    tui.is_restored();
}

#[test]
fn an_address_that_can_never_be_connected_to_is_an_error() {
    let mut tui = Terminal::dashboard(&["--addr", "no address"], 80, 24);
    tui.ends(1);
    tui.shows("is not an address");
    tui.is_restored();
}

fn tui(args: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_broker-tui")).args(args).env_remove("BROKER_ADDR").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn once_prints_the_figures() {
    let broker = Broker::start("127.0.0.1:0");
    let (code, out, err) = tui(&["--addr", &broker.address, "--once", "--json"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(json["metrics"]["connections"].as_u64().unwrap() >= 1, "{out}");
    assert!(json["metrics"]["uptime"].is_number() && json["totals"]["messages-in"].is_number(), "{out}");
    let rows = |table: &str| json[table]["rows"].as_array().unwrap().clone();
    assert!(
        rows("connections")
            .iter()
            .any(|row| row["name"] == "broker-tui" && row["messages_out_rate"].is_number())
    );
    assert!(
        rows("topics")
            .iter()
            .any(|row| row["topic"] == "weather/oslo/temperature" && row["rate"].is_number())
    );

    let (code, out, _) = tui(&["--addr", &broker.address, "--once"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("Messages in"), "{out}");
}

#[test]
fn once_without_a_broker_is_an_error() {
    let (code, out, err) = tui(&["--addr", &nobody(), "--once", "--json"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("broker-tui: no broker at 127.0.0.1:"), "{err}");
}

#[test]
fn a_screenshot_is_a_picture_of_live_data() {
    let broker = Broker::start("127.0.0.1:0");
    let file = std::env::temp_dir().join(format!("broker-tui-test-{}.svg", std::process::id()));
    let path = file.to_str().unwrap();
    let args = [
        "--addr",
        &broker.address,
        "--view",
        "topics",
        "--screenshot",
        path,
        "--size",
        "80x24",
        "--seconds",
        "2",
    ];
    let (code, _, err) = tui(&args);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let svg = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(svg.contains("weather/") && svg.contains("● live"), "{svg}");
}

#[test]
fn the_log_goes_to_the_file_and_not_to_the_terminal() {
    let file = std::env::temp_dir().join(format!("broker-tui-test-{}.log", std::process::id()));
    let args = ["--addr", &nobody(), "--log-file", file.to_str().unwrap()];
    let mut tui = Terminal::dashboard_with(&args, 80, 24, &[("RUST_LOG", "trace")]);
    tui.shows("No broker at");
    tui.press("q");
    tui.ends(0);
    std::fs::remove_file(&file).unwrap();
    assert!(!tui.text().contains("TRACE"));
}
