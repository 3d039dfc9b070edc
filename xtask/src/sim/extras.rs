//! What a message says beside its topic and its value: where answers go, headers, a key. What clients write of it, and what others are to get.

use fastrand::Rng;

use super::config::{INBOXES, TOPICS};

/// How a block of headers of NATS begins.
const VERSION: &str = "NATS/1.0\r\n";

/// Names of headers. The last two cannot stand in a block as they are.
const NAMES: [&str; 4] = ["id", "Content-Type", "a b:c", ""];

/// The most that meta takes beside what is in here.
const META_BYTES: usize = 64;

/// Names in meta, and the heads of what stands behind them.
const META_PART_BYTES: usize = 16;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Extras {
    pub(super) reply: Option<String>,
    /// By name; no name twice.
    pub(super) headers: Vec<(String, String)>,
    pub(super) key: Option<Vec<u8>>,
}

impl Extras {
    /// What a client thinks of for the message of this number; mostly nothing. Without `native` what NATS has; without `headers` none.
    pub(super) fn think(rng: &mut Rng, number: u64, native: bool, headers: bool) -> Self {
        let mut extras = Extras::default();
        if rng.u32(..if native { 4 } else { 2 }) == 0 {
            let inbox = INBOXES.get(rng.usize(..INBOXES.len()));
            let any = TOPICS.get(rng.usize(..TOPICS.len()));
            extras.reply = if rng.bool() { inbox } else { any }.map(|name| (*name).to_owned());
        }
        if headers && rng.u32(..4) == 0 {
            let names = if native { NAMES.len() } else { NAMES.len() - 2 };
            for name in NAMES.iter().take(1 + rng.usize(..names)) {
                extras.headers.push(((*name).to_owned(), format!("{number} {name}")));
            }
            if native && rng.bool() {
                extras.headers.push(("x".to_owned(), "1\r\ny: 2".to_owned()));
            }
            extras.headers.sort();
        }
        if native && rng.u32(..8) == 0 {
            extras.key = Some(number.to_string().into_bytes());
        }
        extras
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Extras::default()
    }

    /// As a block of NATS, if there are headers. What would end a name or a line is replaced; a header without a name is none.
    pub(super) fn block(&self) -> Option<String> {
        let mut block = VERSION.to_owned();
        for (name, value) in self.in_block() {
            block.extend([&name, ": ", &value, "\r\n"]);
        }
        block.push_str("\r\n");
        (!self.headers.is_empty()).then_some(block)
    }

    fn in_block(&self) -> impl Iterator<Item = (String, String)> {
        let ends_name = |one: char| one == ':' || one == ' ' || one.is_ascii_control();
        let named = self.headers.iter().filter(|(name, _)| !name.is_empty());
        named.map(move |(name, value)| {
            (name.replace(ends_name, "_"), value.replace(|one: char| one.is_ascii_control(), " "))
        })
    }

    /// What a block says, if it is one. Of a line without a colon nothing is left.
    pub(super) fn read_block(block: &str) -> Option<Vec<(String, String)>> {
        let lines = block.strip_prefix(VERSION)?.strip_suffix("\r\n")?.lines();
        let mut headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        headers.sort();
        Some(headers)
    }

    /// What a client of NATS is to get of it; `headers` if it knows them.
    pub(super) fn for_nats(&self, headers: bool) -> Self {
        let mut cleaned: Vec<(String, String)> = self.in_block().filter(|_| headers).collect();
        cleaned.sort();
        Extras { reply: self.reply.clone(), headers: cleaned, key: None }
    }

    /// What it takes in a frame with meta, at the most.
    pub(super) fn meta_bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
        let parts = [self.reply.as_ref().map(String::len), self.key.as_ref().map(Vec::len), Some(headers)];
        META_BYTES + parts.iter().flatten().map(|bytes| bytes + META_PART_BYTES).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_says_what_was_put_into_it() {
        let pairs = [("", "lost"), ("a b:c", "1\r\ny: 2"), ("id", "7")];
        let headers = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let extras = Extras { reply: Some("r".to_owned()), headers, key: Some(b"k".to_vec()) };
        let block = extras.block().unwrap_or_default();
        assert_eq!(block, "NATS/1.0\r\na_b_c: 1  y: 2\r\nid: 7\r\n\r\n");
        assert_eq!(Extras::read_block(&block), Some(extras.for_nats(true).headers));
        assert_eq!(extras.for_nats(false), Extras { reply: extras.reply.clone(), ..Extras::default() });
        assert_eq!(Extras::default().block(), None);
    }
}
