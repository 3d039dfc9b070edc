//! Clients that were not written here, each through the same scenarios: nats-py, nats.js and async-nats. The scripts of the first two stand in
//! `clients/`; `cargo xtask setup` installs what they import.

mod async_nats;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::support::{DEADLINE, Running, Setting, programs};

/// An interpreter with the client installed.
#[derive(Debug, Clone, Copy)]
enum Client {
    Python,
    Node,
}

impl Client {
    fn command(self, scenario: &str, port: u16) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nats/clients");
        let (mut command, script) = match self {
            Client::Python => {
                let python = std::env::var_os("BROKER_PYTHON")
                    .map_or_else(|| target().join("python/bin/python"), PathBuf::from);
                assert!(python.exists(), "run `cargo xtask setup` (it makes target/python with nats-py)");
                (Command::new(python), scripts.join("nats_py.py"))
            }
            Client::Node => {
                let modules = target().join("node/node_modules");
                assert!(
                    modules.join("nats").exists(),
                    "run `cargo xtask setup` (it installs nats into target/node)"
                );
                let mut node = Command::new("node");
                node.env("NODE_PATH", modules);
                (node, scripts.join("nats_js.cjs"))
            }
        };
        command.arg(script).args([scenario, &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a scenario to its end. It ends by itself where the server keeps silent.
    fn run(self, scenario: &str, server: &Running) {
        let output = self.command(scenario, server.address.port()).output().expect("the interpreter starts");
        let (told, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && told.ends_with("done\n"), "{self:?}, {scenario}: {told}{errors}");
    }

    /// Kills the server under the client and starts it again, on the same port.
    fn survives_a_kill(self) {
        for program in programs() {
            let server = program.start(&[], &[]);
            let port = server.address.port();
            let mut child = Script(self.command("reconnect", port).spawn().expect("the interpreter starts"));
            let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
            let (tell, told) = mpsc::channel();
            std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
            assert_eq!(told.recv_timeout(DEADLINE).as_deref(), Ok("ready"), "{}", child.errors());
            server.kill();
            let _server = program.start_at(Some(port), &[], &[]);
            assert_eq!(told.recv_timeout(2 * DEADLINE).as_deref(), Ok("done"), "{}", child.errors());
        }
    }
}

/// A script that runs; killed when it is dropped.
struct Script(Child);

impl Script {
    /// What it complained about. Ends it.
    fn errors(&mut self) -> String {
        // It may have ended already.
        let _ = self.0.kill();
        let mut errors = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        errors
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").join("target")
}

/// The settings with which a scenario wants its server.
fn settings(scenario: &str) -> Vec<Setting> {
    match scenario {
        "max_payload" => vec![("max_payload".to_owned(), "64".to_owned())],
        _ => Vec::new(),
    }
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        mod nats_py {
            $(#[test]
            fn $name() {
                super::check(super::Client::Python, stringify!($name));
            })*

            #[test]
            fn reconnect() {
                super::Client::Python.survives_a_kill();
            }
        }

        mod nats_js {
            $(#[test]
            fn $name() {
                super::check(super::Client::Node, stringify!($name));
            })*

            #[test]
            fn reconnect() {
                super::Client::Node.survives_a_kill();
            }
        }
    };
}

scenarios! {
    publish_subscribe
    queue_groups
    requests
    no_responders
    headers
    drain
    max_payload
    eight_mebibytes
    thousand_subscriptions
}

fn check(client: Client, scenario: &str) {
    for program in programs() {
        client.run(scenario, &program.start(&[], &settings(scenario)));
    }
}
