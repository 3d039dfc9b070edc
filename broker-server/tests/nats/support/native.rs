//! A client of the native protocol, made of a socket and `MessagePack`, that has said `Hello`.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use rmpv::Value;

use super::DEADLINE;

/// A connection of the native protocol.
#[derive(Debug)]
pub(crate) struct Native {
    stream: TcpStream,
    incoming: BufReader<TcpStream>,
    /// Messages that came before an answer.
    set_aside: VecDeque<Value>,
    last_id: u64,
}

/// A message as it came; nil where it has no meta.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) value: Value,
    pub(crate) meta: Value,
}

impl Native {
    pub(crate) fn connect(address: SocketAddr) -> Native {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let incoming = BufReader::new(stream.try_clone().unwrap());
        let mut native = Native { stream, incoming, set_aside: VecDeque::new(), last_id: 0 };
        native.send("Hello", vec![map(&[("version", 1.into())])]);
        let welcome = native.read();
        assert!(get(&welcome, "Welcome").is_array(), "{welcome}");
        native
    }

    fn send(&mut self, name: &str, arguments: Vec<Value>) {
        let mut bytes = Vec::new();
        let command = Value::Map(vec![(name.into(), Value::Array(arguments))]);
        rmpv::encode::write_value(&mut bytes, &command).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    #[track_caller]
    fn read(&mut self) -> Value {
        rmpv::decode::read_value(&mut self.incoming).expect("something from the server")
    }

    /// Sends a command with an id and returns its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, name: &str, mut arguments: Vec<Value>, options: &[(&str, Value)]) -> Value {
        self.last_id += 1;
        let mut options = options.to_vec();
        options.push(("id", self.last_id.into()));
        arguments.push(map(&options));
        self.send(name, arguments);
        loop {
            let value = self.read();
            if value.is_array() {
                self.set_aside.push_back(value);
                continue;
            }
            if get(&value, "Ping").is_array() {
                self.send("Pong", Vec::new());
                continue;
            }
            let answer = get(&value, "Ok").clone();
            assert_eq!(answer[0], self.last_id.into(), "{value}");
            return answer[1].clone();
        }
    }

    #[track_caller]
    pub(crate) fn subscribe(&mut self, pattern: &str, options: &[(&str, Value)]) {
        self.ask("Subscribe", vec![pattern.into()], options);
    }

    /// Returns how many it went to.
    #[track_caller]
    pub(crate) fn publish(&mut self, topic: &str, value: Value, options: &[(&str, Value)]) -> u64 {
        let pair = Value::Array(vec![topic.into(), value]);
        self.ask("Publish", vec![pair], options).as_u64().expect("a number")
    }

    /// Waits until the server has handled what was sent.
    #[track_caller]
    pub(crate) fn flush(&mut self) {
        self.ask("Ping", Vec::new(), &[]);
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Message {
        loop {
            let value = self.set_aside.pop_front().unwrap_or_else(|| self.read());
            if get(&value, "Ping").is_array() {
                self.send("Pong", Vec::new());
                continue;
            }
            let parts = value.as_array().unwrap_or_else(|| panic!("a message, not {value}"));
            return Message {
                topic: parts[0].as_str().unwrap().to_owned(),
                value: parts[1].clone(),
                meta: parts.get(2).cloned().unwrap_or(Value::Nil),
            };
        }
    }

    /// What has come when everything before is handled.
    #[track_caller]
    pub(crate) fn messages(&mut self) -> Vec<Message> {
        self.flush();
        (0..self.set_aside.len()).map(|_| self.message()).collect()
    }
}

pub(crate) fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
}

/// The entry of a map; nil where there is none.
pub(crate) fn get<'a>(value: &'a Value, name: &str) -> &'a Value {
    static NIL: Value = Value::Nil;
    let entries = value.as_map().map_or(&[][..], Vec::as_slice);
    entries.iter().find(|(key, _)| key.as_str() == Some(name)).map_or(&NIL, |(_, value)| value)
}

pub(crate) fn bin(bytes: &[u8]) -> Value {
    Value::Binary(bytes.to_vec())
}
