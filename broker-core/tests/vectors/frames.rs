//! Reads the golden frames that stand beside it, for the tests of several crates and for the workspace `fuzz/`: they include this file by its path.

#![allow(dead_code, unreachable_pub, reason = "each of those who include it needs a part")]

use serde_json::Value as Json;

/// Single frames of the native protocol, the groups `good` and `bad`.
pub const NATIVE_FRAMES: &str = include_str!("native-frames.json");

/// One conversation of the native protocol, with the options and the answers of `Hello`: the groups `talk` and `events`.
pub const NATIVE_TALK: &str = include_str!("native-talk.json");

/// Single frames of the NATS protocol, the groups `client`, `bad` and `server`.
pub const NATS_FRAMES: &str = include_str!("nats-frames.json");

/// One frame.
#[derive(Debug)]
pub struct Row {
    pub frame: Vec<u8>,
    /// Everything that stands in the file.
    pub json: Json,
}

impl Row {
    /// A text of this name, empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_default()
    }

    /// For what it is there.
    pub fn what(&self) -> &str {
        self.text("what")
    }

    /// A server says it, and not a client.
    pub fn is_from_server(&self) -> bool {
        self.text("direction") == "server-to-client"
    }
}

/// The rows of one group of a file.
pub fn rows(file: &str, group: &str) -> Vec<Row> {
    let mut groups: Json = serde_json::from_str(file).expect("the frames are JSON");
    let Json::Array(rows) = groups[group].take() else { panic!("no group {group}") };
    rows.into_iter().map(|json| Row { frame: frame(&json), json }).collect()
}

/// In hex, or as text.
fn frame(row: &Json) -> Vec<u8> {
    let Some(hex) = row["hex"].as_str() else {
        return row["frame"].as_str().expect("a frame").as_bytes().to_vec();
    };
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}
