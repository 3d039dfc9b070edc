//! The ten lines of docs/protocol.md, run by a real Python with a MessagePack that is not ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use broker_server::Server;

/// The project's own Python, or the one that the environment names.
fn python() -> PathBuf {
    let python = std::env::var_os("BROKER_PYTHON")
        .map_or_else(|| root().join("target/python/bin/python"), PathBuf::from);
    assert!(python.exists(), "run `cargo xtask setup` (it makes target/python with msgpack)");
    python
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_lines_of_python_publish_and_receive() {
    let server = Server::builder().listen("127.0.0.1:0").start().await.expect("it listens");
    let address = server.local_addr().expect("it listens");
    let script = root().join("examples/python-client/ten_lines.py");
    // The script gives up by itself if the broker keeps silent.
    let run = move || {
        let mut client = Command::new(python());
        client.arg(script).args([address.ip().to_string(), address.port().to_string()]);
        client.stdin(Stdio::null()).output().expect("Python starts")
    };
    let output = tokio::task::spawn_blocking(run).await.expect("it ends");
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(told.lines().collect::<Vec<_>>(), ["['my-topic', True]", "['my-topic', {'Foo': 0.5}]"]);
    server.stop().await;
}

/// What the page shows is what the script does.
#[test]
fn the_script_is_the_one_of_the_page() {
    let page = std::fs::read_to_string(root().join("docs/protocol.md")).expect("the page");
    let script =
        std::fs::read_to_string(root().join("examples/python-client/ten_lines.py")).expect("the script");
    let block =
        page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("ten lines");
    // The connection and the loop differ: the script takes an address and comes to an end.
    let own = |line: &&str| {
        line.contains("packb")
            || line.contains("Unpacker")
            || line.contains("for ")
            || line.contains("import")
    };
    let lines: Vec<&str> = block.lines().filter(own).collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines {
        assert!(script.contains(line), "not in the script: {line}");
    }
}
