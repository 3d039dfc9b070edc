//! Messages that tell who published them and in which order, and whose bytes tell whether they are whole.

/// The content of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Numbered {
    /// Which publisher.
    pub publisher: u32,
    /// Its count, from 0.
    pub number: u64,
    /// Bytes that follow the numbers.
    pub padding: u16,
}

impl Numbered {
    /// A MessagePack bin.
    pub fn value(&self) -> Vec<u8> {
        let mut content = Vec::new();
        content.extend(self.publisher.to_be_bytes());
        content.extend(self.number.to_be_bytes());
        content.extend((0..self.padding).map(|at| self.byte(at)));
        let mut value = Vec::new();
        rmp::encode::write_bin(&mut value, &content).expect("into a Vec");
        value
    }

    fn byte(&self, at: u16) -> u8 {
        at.to_le_bytes()[0] ^ self.number.to_le_bytes()[0] ^ self.publisher.to_le_bytes()[0]
    }

    /// Reads one, and checks every byte of it.
    pub fn parse(value: &[u8]) -> Numbered {
        let mut rest = value;
        let bytes = rmp::decode::read_bin_len(&mut rest).expect("a bin");
        assert_eq!(bytes as usize, rest.len(), "not torn");
        let (publisher, rest) = rest.split_first_chunk().expect("who");
        let (number, padding) = rest.split_first_chunk().expect("which");
        let numbered = Numbered {
            publisher: u32::from_be_bytes(*publisher),
            number: u64::from_be_bytes(*number),
            padding: u16::try_from(padding.len()).expect("as it was made"),
        };
        assert!((0..).zip(padding).all(|(at, &byte)| byte == numbered.byte(at)), "not torn: {numbered:?}");
        numbered
    }
}
