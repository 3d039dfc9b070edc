//! Reads a msgpack value token by token, without building it.
//!
//! A preview of an 8 MiB value costs what the preview shows, not what the value holds. The reader takes damaged and cut
//! values as they come: it never panics, never recurses and never allocates; what is missing is [`Token::Cut`].

/// One step through a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// nil
    Nil,
    /// true or false
    Bool(bool),
    /// An integer that is not negative.
    Unsigned(u64),
    /// A negative integer.
    Signed(i64),
    /// A float of 32 bits.
    Float32(f32),
    /// A float of 64 bits.
    Float64(f64),
    /// A string, perhaps not UTF-8, and the length that was announced (more than there is if the value was cut).
    Str(&'a [u8], usize),
    /// Bytes, likewise.
    Bin(&'a [u8], usize),
    /// An extension type, its bytes, the length that was announced.
    Ext(i8, &'a [u8], usize),
    /// An array of so many elements, which follow.
    Array(u32),
    /// A map of so many entries, each a key and a value, which follow.
    Map(u32),
    /// The bytes end here, or go on with something that is not msgpack.
    Cut,
}

/// A place in the bytes of a value.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next token. After [`Token::Cut`] there is nothing but [`Token::Cut`].
    pub fn next_token(&mut self) -> Token<'a> {
        let token = self.read();
        if token.is_none() {
            self.rest = &[];
        }
        token.unwrap_or(Token::Cut)
    }

    fn read(&mut self) -> Option<Token<'a>> {
        let marker = self.uint(1)?;
        let low = |mask: u64| usize::try_from(marker & mask).ok();
        Some(match marker {
            0x00..=0x7f => Token::Unsigned(marker),
            0x80..=0x8f => Token::Map(u32::try_from(marker & 0xf).ok()?),
            0x90..=0x9f => Token::Array(u32::try_from(marker & 0xf).ok()?),
            0xa0..=0xbf => self.str(low(0x1f)?),
            0xc0 => Token::Nil,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(marker - 0xc4)?;
                Token::Bin(self.slice(length), length)
            }
            0xc7..=0xc9 => {
                let length = self.length(marker - 0xc7)?;
                self.ext(length)?
            }
            0xca => Token::Float32(f32::from_bits(u32::try_from(self.uint(4)?).ok()?)),
            0xcb => Token::Float64(f64::from_bits(self.uint(8)?)),
            0xcc..=0xcf => Token::Unsigned(self.uint(1 << (marker - 0xcc))?),
            0xd0..=0xd3 => self.signed(1 << (marker - 0xd0))?,
            0xd4..=0xd8 => self.ext(1 << (marker - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(marker - 0xd9)?;
                self.str(length)
            }
            0xdc => Token::Array(u32::try_from(self.uint(2)?).ok()?),
            0xdd => Token::Array(u32::try_from(self.uint(4)?).ok()?),
            0xde => Token::Map(u32::try_from(self.uint(2)?).ok()?),
            0xdf => Token::Map(u32::try_from(self.uint(4)?).ok()?),
            0xe0..=0xff => Token::Signed(i64::try_from(marker).ok()? - 256),
            _ => return None,
        })
    }

    /// A length of 1, 2 or 4 bytes.
    fn length(&mut self, power: u64) -> Option<usize> {
        usize::try_from(self.uint(1 << power)?).ok()
    }

    fn uint(&mut self, bytes: usize) -> Option<u64> {
        let (head, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(head.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, bytes: usize) -> Option<Token<'a>> {
        let raw = self.uint(bytes)?;
        let unused = 64 - 8 * u32::try_from(bytes).ok()?;
        // Shifting up and down again spreads the sign.
        let value = (raw << unused).cast_signed() >> unused;
        Some(u64::try_from(value).map_or(Token::Signed(value), Token::Unsigned))
    }

    fn slice(&mut self, length: usize) -> &'a [u8] {
        let (head, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        head
    }

    fn str(&mut self, length: usize) -> Token<'a> {
        Token::Str(self.slice(length), length)
    }

    fn ext(&mut self, length: usize) -> Option<Token<'a>> {
        let kind = i8::from_be_bytes([u8::try_from(self.uint(1)?).ok()?]);
        Some(Token::Ext(kind, self.slice(length), length))
    }
}

/// The number that says most about a value: the value itself, or the first number in it if it is a map, with its key.
pub fn leading_number(bytes: &[u8]) -> Option<(Option<&str>, f64)> {
    /// Entries looked at: a map with its first number further back is not a reading.
    const ENTRIES_MAX: u32 = 16;
    let mut reader = Reader::new(bytes);
    match reader.next_token() {
        Token::Map(entries) => {
            for _ in 0..entries.min(ENTRIES_MAX) {
                let Token::Str(key, _) = reader.next_token() else { return None };
                match reader.next_token() {
                    Token::Array(_) | Token::Map(_) | Token::Cut => return None,
                    token => {
                        if let Some(number) = number(token) {
                            return Some((std::str::from_utf8(key).ok(), number));
                        }
                    }
                }
            }
            None
        }
        token => number(token).map(|number| (None, number)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the number is drawn, not computed with")]
fn number(token: Token<'_>) -> Option<f64> {
    let value = match token {
        Token::Unsigned(n) => n as f64,
        Token::Signed(n) => n as f64,
        Token::Float32(n) => f64::from(n),
        Token::Float64(n) => n,
        _ => return None,
    };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(value: &rmpv::Value) -> String {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        format!("{:?}", Reader::new(&bytes).next_token())
    }

    #[test]
    fn scalars_in_every_width() {
        for n in [0_i64, 1, 127, 128, 255, 256, 65_535, 65_536, 1 << 32, i64::MAX] {
            assert_eq!(first(&rmpv::Value::from(n)), format!("Unsigned({n})"));
        }
        for n in [-1_i64, -32, -33, -128, -129, -32_768, -32_769, -(1 << 31), i64::MIN] {
            assert_eq!(first(&rmpv::Value::from(n)), format!("Signed({n})"));
        }
        assert_eq!(first(&rmpv::Value::F32(0.5)), "Float32(0.5)");
        assert_eq!(first(&rmpv::Value::F64(0.1)), "Float64(0.1)");
        assert_eq!(first(&rmpv::Value::Nil), "Nil");
        assert_eq!(first(&rmpv::Value::from(true)), "Bool(true)");
    }

    #[test]
    fn lengths_in_every_width() {
        for length in [0_usize, 1, 31, 32, 255, 256, 65_535, 65_536] {
            let text = "x".repeat(length);
            let mut bytes = Vec::new();
            rmpv::encode::write_value(&mut bytes, &rmpv::Value::from(text.as_str())).unwrap();
            assert_eq!(Reader::new(&bytes).next_token(), Token::Str(text.as_bytes(), length));
            bytes.clear();
            rmpv::encode::write_value(&mut bytes, &rmpv::Value::Binary(text.clone().into())).unwrap();
            assert_eq!(Reader::new(&bytes).next_token(), Token::Bin(text.as_bytes(), length));
            bytes.clear();
            rmpv::encode::write_value(&mut bytes, &rmpv::Value::Ext(-3, text.clone().into())).unwrap();
            assert_eq!(Reader::new(&bytes).next_token(), Token::Ext(-3, text.as_bytes(), length));
            bytes.clear();
            rmpv::encode::write_value(&mut bytes, &rmpv::Value::Array(vec![rmpv::Value::Nil; length]))
                .unwrap();
            assert_eq!(Reader::new(&bytes).next_token(), Token::Array(u32::try_from(length).unwrap()));
        }
    }

    #[test]
    fn what_is_cut_or_damaged_ends() {
        assert_eq!(Reader::new(&[]).next_token(), Token::Cut);
        assert_eq!(Reader::new(&[0xc1]).next_token(), Token::Cut);
        assert_eq!(Reader::new(&[0xcd, 1]).next_token(), Token::Cut);
        assert_eq!(Reader::new(&[0xa5, b'a']).next_token(), Token::Str(b"a", 5));
        let mut reader = Reader::new(&[0xdb, 0xff, 0xff, 0xff, 0xff, b'a']);
        assert_eq!(reader.next_token(), Token::Str(b"a", 0xffff_ffff));
        assert_eq!(reader.next_token(), Token::Cut);
    }

    #[test]
    fn leading_numbers() {
        let value = |json: &str| {
            rmp_serde::to_vec(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
        };
        assert_eq!(leading_number(&value("21.5")), Some((None, 21.5)));
        assert_eq!(leading_number(&value(r#"{"at": "x", "celsius": -3}"#)), Some((Some("celsius"), -3.0)));
        assert_eq!(leading_number(&value(r#""21.5""#)), None);
        assert_eq!(leading_number(&value(r#"{"a": [1], "b": 2}"#)), None);
        assert_eq!(leading_number(&[0xdf, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
