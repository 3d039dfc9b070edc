//! Inputs that look nearly right: seeds, changed at random in the ways that break parsers. Shared by `decoder_torture` and by the workspace
//! `fuzz/`. The same seed of the generator gives the same inputs.

use fastrand::Rng;

/// Bytes of the longest input: enough for every header, short enough to be quick.
const BYTES_MAX: usize = 2048;

/// Markers and lengths at which a MessagePack decoder has to decide something, characters of patterns, and words of
/// NATS.
const TOKENS: [&[u8]; 38] = [
    b"\x80",
    b"\x81",
    b"\x8f",
    b"\x90",
    b"\x91",
    b"\x92",
    b"\x93",
    b"\xa0",
    b"\xbf",
    b"\xc0",
    b"\xc1",
    b"\xc4\xff",
    b"\xc5\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc7\x00",
    b"\xc9\xff\xff\xff\xff",
    b"\xcb",
    b"\xcf",
    b"\xd3",
    b"\xd8",
    b"\xd9\x01",
    b"\xdb\x00\x00\x00\x01",
    b"\xdd\xff\xff\xff\xff",
    b"\xde\x00\x01",
    b"\xdf\x7f\xff\xff\xff",
    b"\x81\xa7Publish\x91\x92",
    b"\xa2id\x01",
    b"{a,b}",
    b"[!a-z]",
    b"*",
    b"\n",
    b"\r\n",
    b" ",
    b"PUB a 2\r\n",
    b"HPUB a 12 14\r\nNATS/1.0\r\n\r\n",
    b"SUB a 1\r\n",
    b"99999999999999999999",
    b"PING\r\n",
];

/// Makes one input after another.
#[derive(Debug)]
pub struct Mutator {
    rng: Rng,
    seeds: Vec<Vec<u8>>,
    input: Vec<u8>,
}

impl Mutator {
    /// Changes `seeds`, of which there must be one at the least.
    pub fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Self {
        assert!(!seeds.is_empty(), "nothing to begin with");
        Mutator { rng: Rng::with_seed(seed), seeds, input: Vec::new() }
    }

    /// The next input: one in eight is noise, the others are seeds with one to eight changes.
    pub fn next_input(&mut self) -> &[u8] {
        self.input.clear();
        if self.rng.u8(..8) == 0 {
            let bytes = self.rng.usize(..64);
            self.input.extend(std::iter::repeat_with(|| self.rng.u8(..)).take(bytes));
            return &self.input;
        }
        self.append_seed();
        for _ in 0..self.rng.usize(1..=8) {
            self.change();
        }
        self.input.truncate(BYTES_MAX);
        &self.input
    }

    fn append_seed(&mut self) {
        let seed = &self.seeds[self.rng.usize(..self.seeds.len())];
        self.input.extend_from_slice(seed);
    }

    fn change(&mut self) {
        if self.input.is_empty() {
            return self.append_seed();
        }
        let at = self.rng.usize(..self.input.len());
        let end = self.rng.usize(at..=self.input.len().min(at + 32));
        match self.rng.u8(..9) {
            0 => self.input[at] ^= 1 << self.rng.u8(..8),
            1 => self.input[at] = self.rng.u8(..),
            2 => self.input.truncate(at),
            3 => drop(self.input.drain(at..end)),
            4 => self.input.extend_from_within(at..end),
            5 => self.append_seed(),
            6 => {
                let many = [2, 20, 130, 400][self.rng.usize(..4)];
                let byte = self.input[at];
                self.input.splice(at..at, std::iter::repeat_n(byte, many));
            }
            7 => {
                let token = TOKENS[self.rng.usize(..TOKENS.len())];
                self.input.splice(at..end, token.iter().copied());
            }
            _ => {
                let token = TOKENS[self.rng.usize(..TOKENS.len())];
                self.input.splice(at..at, token.iter().copied());
            }
        }
    }
}
