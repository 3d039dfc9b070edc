//! The pages over real sockets.

use std::time::Duration;

use axum::{Router, routing};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::serve;
use crate::Server;

/// For what takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

async fn server() -> Server {
    let builder = Server::builder().listen("127.0.0.1:0").nats("127.0.0.1:0").monitor("127.0.0.1:0");
    builder.start().await.unwrap()
}

/// A NATS client that has said `commands` and been heard.
async fn client(server: &Server, commands: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.nats_addr().unwrap()).await.unwrap();
    stream.write_all(format!("{commands}PING\r\n").as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let heard = async {
        while !said.ends_with(b"PONG\r\n") {
            assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0);
        }
    };
    timeout(DEADLINE, heard).await.unwrap();
    stream
}

/// The status, the head and the body of a page.
async fn get(server: &Server, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.monitor_addr().unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

async fn json(server: &Server, path: &str) -> Value {
    let (status, head, body) = get(server, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(&body).unwrap()
}

/// The names that nats-server 2.9.10 has on its page, and that its clients read.
#[tokio::test]
async fn varz_has_the_fields_of_nats_server() {
    let server = server().await;
    let _client = client(&server, "CONNECT {\"verbose\":false}\r\nSUB a.* 1\r\nPUB a.b 2\r\nhi\r\n").await;
    let varz = json(&server, "/varz").await;
    for field in [
        "server_id",
        "server_name",
        "version",
        "host",
        "http_host",
        "http_base_path",
        "start",
        "now",
        "uptime",
        "config_load_time",
    ] {
        assert!(varz[field].is_string(), "{field}: {varz}");
    }
    for field in [
        "proto",
        "port",
        "max_connections",
        "ping_interval",
        "ping_max",
        "http_port",
        "https_port",
        "auth_timeout",
        "max_control_line",
        "max_payload",
        "max_pending",
        "mem",
        "cores",
        "gomaxprocs",
        "cpu",
        "connections",
        "total_connections",
        "routes",
        "remotes",
        "leafnodes",
        "in_msgs",
        "out_msgs",
        "in_bytes",
        "out_bytes",
        "slow_consumers",
        "subscriptions",
    ] {
        assert!(varz[field].is_number(), "{field}: {varz}");
    }
    assert_eq!(varz["ping_interval"], 120_000_000_000_u64);
    assert_eq!(varz["max_payload"], 1 << 20);
    assert_eq!(varz["port"], server.nats_addr().unwrap().port());
    assert_eq!(varz["http_req_stats"]["/varz"], 1);
    assert_eq!((&varz["connections"], &varz["in_msgs"]), (&1.into(), &1.into()));
    server.stop().await;
}

#[tokio::test]
async fn connz_shows_open_and_closed_connections() {
    let server = server().await;
    let connect = |name: &str| {
        format!("CONNECT {{\"verbose\":false,\"name\":\"{name}\",\"lang\":\"rust\",\"version\":\"1\"}}\r\n")
    };
    let _one =
        client(&server, &format!("{}SUB foo.* 1\r\nSUB bar q1 2\r\nUNSUB 2 5\r\n", connect("one"))).await;
    let two = client(&server, &format!("{}SUB foo.bar 7\r\nPUB foo.x 2\r\nhi\r\n", connect("two"))).await;

    let connz = json(&server, "/connz?subs=1&sort=subs&limit=1").await;
    assert_eq!(
        (&connz["num_connections"], &connz["total"], &connz["limit"]),
        (&1.into(), &2.into(), &1.into())
    );
    let row = &connz["connections"][0];
    assert_eq!((&row["kind"], &row["type"]), (&"Client".into(), &"nats".into()));
    assert_eq!((&row["name"], &row["lang"], &row["version"]), (&"one".into(), &"rust".into(), &"1".into()));
    assert_eq!((&row["ip"], &row["subscriptions"]), (&"127.0.0.1".into(), &2.into()));
    let mut subjects: Vec<&str> = row["subscriptions_list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subject| subject.as_str().unwrap())
        .collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["bar", "foo.*"]);

    let connz = json(&server, "/connz?subs=detail&offset=1").await;
    let row = &connz["connections"][0];
    assert_eq!((&row["name"], &row["in_msgs"]), (&"two".into(), &1.into()));
    let detail = &row["subscriptions_list_detail"][0];
    assert_eq!(
        (&detail["subject"], &detail["sid"], &detail["msgs"]),
        (&"foo.bar".into(), &"7".into(), &0.into())
    );
    assert_eq!(detail["cid"], row["cid"]);

    drop(two);
    let closed = timeout(DEADLINE, async {
        loop {
            let connz = json(&server, "/connz?state=closed").await;
            if connz["total"] == 1 {
                break connz;
            }
        }
    });
    let closed = closed.await.unwrap();
    let row = &closed["connections"][0];
    assert_eq!((&row["name"], &row["reason"]), (&"two".into(), &"Client Closed".into()));
    assert_eq!((&row["subscriptions"], &row["stop"].is_string()), (&1.into(), &true));
    assert_eq!(json(&server, "/connz?state=all").await["total"], 2);
    let (status, _, body) = get(&server, "/connz?sort=foo").await;
    assert_eq!((status, body.as_str()), (400, "invalid sorting option: foo"));
    server.stop().await;
}

#[tokio::test]
async fn subsz_lists_subscriptions() {
    let server = server().await;
    let _client = client(&server, "CONNECT {\"verbose\":false}\r\nSUB foo.* 1\r\nSUB bar q1 2\r\n").await;
    let subsz = json(&server, "/subsz").await;
    assert_eq!(subsz["num_subscriptions"], 2);
    assert!(subsz.get("subscriptions_list").is_none());
    let subsz = json(&server, "/subscriptionsz?subs=1&test=foo.bar").await;
    assert_eq!((&subsz["total"], &subsz["limit"]), (&1.into(), &1024.into()));
    assert_eq!(subsz["subscriptions_list"][0]["subject"], "foo.*");
    assert_eq!(subsz["subscriptions_list"][0]["account"], "$G");
    let subsz = json(&server, "/subsz?subs=1&limit=1&offset=1").await;
    assert_eq!((&subsz["total"], subsz["subscriptions_list"].as_array().unwrap().len()), (&2.into(), 1));
    server.stop().await;
}

#[tokio::test]
async fn health_and_what_is_not_there() {
    let server = server().await;
    let (status, _, body) = get(&server, "/healthz").await;
    assert_eq!((status, body.as_str()), (200, r#"{"status":"ok"}"#));
    let (status, _, body) = get(&server, "/nope").await;
    assert_eq!((status, body.as_str()), (404, "404 page not found\n"));
    let (status, head, body) = get(&server, "/healthz?x=%ff").await;
    assert_eq!(status, 200, "{head}{body}");
    let (_, head, body) = get(&server, "/varz?callback=show").await;
    assert!(head.contains("content-type: application/javascript"), "{head}");
    assert!(body.starts_with("show({") && body.ends_with("})"), "{body}");
    let (status, _, _) = get(&server, "/varz?callback=alert(1)").await;
    assert_eq!(status, 400);
    let (status, _, body) = get(&server, "/").await;
    assert!(status == 200 && body.contains("href=varz"), "{body}");

    server.lame_duck(Duration::ZERO, Duration::ZERO).await;
    let (status, _, body) = get(&server, "/healthz").await;
    assert!(status == 503 && body.contains("unavailable"), "{body}");
    server.stop().await;
}

/// What one client sends is counted when it is heard, what another one gets when it is handed over.
async fn check_bytes(server: &Server, name: &str, bytes_in: usize, bytes_out: usize) {
    let mut row = Value::Null;
    let agree = async {
        while (row["in_bytes"].as_u64(), row["out_bytes"].as_u64())
            != (Some(bytes_in as u64), Some(bytes_out as u64))
        {
            let connz = json(server, "/connz").await;
            let rows = connz["connections"].as_array().unwrap();
            row = rows.iter().find(|row| row["name"] == name).unwrap().clone();
        }
    };
    let agreed = timeout(DEADLINE, agree).await.is_ok();
    assert!(agreed, "{name}: {row}, expected {bytes_in} in, {bytes_out} out");
}

/// What nats-server 2.9.10 counts: payloads and the headers that go with them. (nats-py's test suite asks for it.)
#[tokio::test]
async fn bytes_are_those_of_payloads() {
    const HEADERS: &str = "NATS/1.0\r\nA: b\r\n\r\n";
    let server = server().await;
    let connect = |name: &str, headers: bool| {
        format!("CONNECT {{\"verbose\":false,\"name\":\"{name}\",\"headers\":{headers}}}\r\n")
    };
    let subscribe = "SUB a 1\r\nSUB a q 2\r\nSUB b 3\r\nUNSUB 3 1\r\n";
    let _one = client(&server, &(connect("one", true) + subscribe)).await;
    let _plain = client(&server, &(connect("plain", false) + "SUB a 1\r\n")).await;
    let (length, large) = (HEADERS.len(), "x".repeat(40_000));
    let publish = format!(
        "PUB a 2\r\nhi\r\nHPUB a {length} {}\r\n{HEADERS}hello\r\nPUB b 3\r\nabc\r\nPUB b 3\r\ndef\r\nPUB nobody 7\r\n1234567\r\nPUB a {}\r\n{large}\r\n",
        length + 5,
        large.len(),
    );
    let _two = client(&server, &(connect("two", true) + &publish)).await;
    let a = 2 + 5 + large.len();
    check_bytes(&server, "two", a + length + 3 + 3 + 7, 0).await;
    // The group is sent to like the subscription beside it; of `b` there is one message.
    check_bytes(&server, "one", 0, 2 * (a + length) + 3).await;
    check_bytes(&server, "plain", 0, a).await;

    // A value of the native protocol is what stands in its frame, and a payload without what says how long it is.
    let mut native = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    native.write_all(b"\x81\xa7Publish\x91\x92\xa1a\xa3hey").await.unwrap();
    check_bytes(&server, "one", 0, 2 * (a + length + 3) + 3).await;
    check_bytes(&server, "plain", 0, a + 3).await;
    let varz = json(&server, "/varz").await;
    assert_eq!(varz["in_bytes"], a + length + 3 + 3 + 7 + 4, "{varz}");
    assert_eq!(varz["out_bytes"], 2 * (a + length + 3) + 3 + a + 3, "{varz}");
    server.stop().await;
}

/// A client that has asked for a page of `bytes`, and who serves it with `limit` to read it in.
async fn page_of(bytes: usize, limit: Duration) -> (TcpStream, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let router = Router::new().route("/", routing::get(async move || vec![b'x'; bytes]));
    (stream, tokio::spawn(serve(accepted, router, limit)))
}

/// More than the system takes for a client that does not read: some megabytes at both ends.
const LARGE_PAGE_BYTES: usize = 64 << 20;

/// Cause: a client asks for a large page and does not read it. Effect, without a limit: each of them holds a page in memory, for ever.
#[tokio::test]
async fn a_client_that_does_not_read_its_page_is_cut_off() {
    let (mut stream, served) = page_of(LARGE_PAGE_BYTES, Duration::from_millis(200)).await;
    timeout(DEADLINE, served).await.expect("it is given up").unwrap();
    let mut page = Vec::new();
    // Whether the client sees an end or an error is up to the system.
    drop(stream.read_to_end(&mut page).await);
    assert!(page.len() < LARGE_PAGE_BYTES, "{} bytes came", page.len());
}

/// One that reads a little now and then holds it as well.
#[tokio::test]
async fn a_client_that_reads_too_slowly_is_cut_off() {
    let (mut stream, mut served) = page_of(LARGE_PAGE_BYTES, Duration::from_millis(400)).await;
    let mut some = vec![0; 64 << 10];
    let mut read = 0;
    let given_up = async {
        while timeout(Duration::from_millis(50), &mut served).await.is_err() {
            read += stream.read(&mut some).await.unwrap_or(0);
        }
    };
    timeout(DEADLINE, given_up).await.expect("it is given up");
    assert!(read < LARGE_PAGE_BYTES, "{read} bytes read");
}

/// The limit is for clients, not for pages.
#[tokio::test]
async fn a_client_that_reads_gets_its_page_whole() {
    let (mut stream, served) = page_of(LARGE_PAGE_BYTES, DEADLINE).await;
    let mut page = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut page)).await.unwrap().unwrap();
    assert!(page.ends_with(&[b'x'; 1000]) && page.len() > LARGE_PAGE_BYTES, "{} bytes came", page.len());
    timeout(DEADLINE, served).await.unwrap().unwrap();
}

/// Cause: a client that sends half a request and nothing more. Effect, without an end to it: the server does not stop in time.
#[tokio::test]
async fn half_a_request_holds_nobody_up() {
    let server = server().await;
    let mut half = TcpStream::connect(server.monitor_addr().unwrap()).await.unwrap();
    half.write_all(b"GET /varz HT").await.unwrap();
    get(&server, "/varz").await;
    let report = timeout(Duration::from_secs(2), server.stop()).await.unwrap();
    assert_eq!(report.sessions_cut, 0);
}
