//! The server's decoder: one operation after another from a stream, with a short way for the commonest one.
//!
//! An operation in pieces costs no more than a whole one: where its line ends is looked for from where the last look stopped, and a payload
//! is not looked at at all.

use memchr::memchr;

use super::NatsError;

/// What bounds an operation before anything is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct NatsLimits {
    /// Bytes of a line behind the name of its operation. Default 4,096.
    pub control_line_bytes_max: usize,
    /// Bytes of a payload, headers included. Default 1 MiB.
    pub payload_bytes_max: usize,
}

impl Default for NatsLimits {
    fn default() -> Self {
        NatsLimits { control_line_bytes_max: 4096, payload_bytes_max: 1 << 20 }
    }
}

/// One operation of a client, borrowed from the bytes that it stands in. Subjects, groups and sids are as written: nothing is checked but
/// that they hold no white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// PUB or HPUB.
    Publish(Publish<'a>),
    /// SUB.
    Subscribe {
        /// What topics must match.
        subject: &'a [u8],
        /// The queue group.
        group: Option<&'a [u8]>,
        /// The client's name for the subscription.
        sid: &'a [u8],
    },
    /// UNSUB.
    Unsubscribe {
        /// The client's name for the subscription.
        sid: &'a [u8],
        /// Messages after which it ends, counted from its start; `None` or 0 for at once.
        max: Option<u64>,
    },
    /// CONNECT, with its JSON.
    Connect(&'a [u8]),
    /// PING.
    Ping,
    /// PONG.
    Pong,
    /// Something that a client may say and that means nothing to a server: INFO, `+OK`.
    Nothing,
}

/// The arguments of PUB or HPUB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Publish<'a> {
    /// The topic.
    pub subject: &'a [u8],
    /// Where answers go.
    pub reply: Option<&'a [u8]>,
    /// The block of headers, with the empty line at its end.
    pub headers: Option<&'a [u8]>,
    /// The content behind the headers.
    pub payload: &'a [u8],
    /// Everything behind the subject, reply and lengths and payload, exactly as it stands in MSG and HMSG behind the sid. Empty where the
    /// client wrote it in another way.
    pub tail: &'a [u8],
}

/// An operation and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Decoded<'a> {
    /// What was said.
    pub command: Command<'a>,
    /// Where the next one begins.
    pub frame_bytes: usize,
}

/// The commonest operation. Its parts one by one: together they would be written to memory and read again for each message, which was a fifth
/// of the work (measured).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(crate) subject: &'a [u8],
    pub(crate) payload: &'a [u8],
    /// As in [`Publish`].
    pub(crate) tail: &'a [u8],
    pub(crate) frame_bytes: usize,
    /// The subject is the one that was thought likely.
    pub(crate) is_likely: bool,
}

/// Decodes operations from a stream, however it is cut.
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: NatsLimits,
    /// Bytes of the operation under way in which there is no end of a line.
    scanned: usize,
    /// Where its arguments begin, as far as is known: all before that is the name and white space.
    arguments_at: usize,
    /// Bytes of its line, once that is whole.
    line_bytes: usize,
    /// Bytes that it takes at the least.
    needed: usize,
}

/// The operations that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Pub,
    Hpub,
    Sub,
    Unsub,
    Ping,
    Pong,
    Connect,
    Info,
    Ok,
    Err,
}

/// Names, in upper case, and whether white space must follow.
const OPERATIONS: [(&[u8], bool, Operation); 10] = [
    (b"PUB", true, Operation::Pub),
    (b"HPUB", true, Operation::Hpub),
    (b"SUB", true, Operation::Sub),
    (b"UNSUB", true, Operation::Unsub),
    (b"PING", false, Operation::Ping),
    (b"PONG", false, Operation::Pong),
    (b"CONNECT", false, Operation::Connect),
    (b"INFO", false, Operation::Info),
    (b"+OK", false, Operation::Ok),
    (b"-ERR", true, Operation::Err),
];

/// The longest name and the white space behind it.
const NAME_BYTES_MAX: usize = 8;

/// The most arguments that an operation has, and one more to know that there are too many.
const ARGUMENTS_MAX: usize = 5;

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: NatsLimits) -> Self {
        Decoder { limits, scanned: 0, arguments_at: 0, line_bytes: 0, needed: 0 }
    }

    /// The first operation of `bytes`, which begin with it; `None` if it is not whole.
    ///
    /// After `None` the next call brings the same bytes with more behind them.
    ///
    /// # Errors
    ///
    /// The stream cannot go on: where the next operation would begin is not known.
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Decoded<'a>>, NatsError> {
        if let Some(Plain { subject, payload, tail, frame_bytes, .. }) = self.plain(bytes, b"") {
            let publish = Publish { subject, reply: None, headers: None, payload, tail };
            return Ok(Some(Decoded { command: Command::Publish(publish), frame_bytes }));
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        self.any_command(bytes)
    }

    /// If `bytes` begin with a whole PUB without a reply, written as every client writes it: that. Everything else, errors too, is for
    /// [`Decoder::next`]. `likely` is a guess of its subject.
    #[inline]
    pub(crate) fn plain<'a>(&self, bytes: &'a [u8], likely: &[u8]) -> Option<Plain<'a>> {
        if self.scanned > 0 {
            return None;
        }
        let rest = bytes.strip_prefix(b"PUB ")?;
        let is_likely =
            !likely.is_empty() && rest.starts_with(likely) && rest.get(likely.len()) == Some(&b' ');
        let subject_end = if is_likely {
            likely.len()
        } else {
            rest.iter().take(self.limits.control_line_bytes_max).position(|&byte| byte <= b' ')?
        };
        let (subject, behind) = rest.split_at_checked(subject_end)?;
        let tail = behind.strip_prefix(b" ")?;
        let mut size = 0_usize;
        let mut digits = 0;
        for &byte in tail.iter().take(DIGITS_MAX) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            size = size * 10 + usize::from(digit);
            digits += 1;
        }
        let line = subject_end + 1 + digits;
        let is_allowed = size <= self.limits.payload_bytes_max && line <= self.limits.control_line_bytes_max;
        if digits == 0 || subject.is_empty() || !is_allowed {
            return None;
        }
        let tail = tail.get(..digits + 2 + size + 2)?;
        let content = tail.get(digits..)?.strip_prefix(b"\r\n")?;
        let payload = content.strip_suffix(b"\r\n")?;
        Some(Plain { subject, payload, tail, frame_bytes: 4 + subject_end + 1 + tail.len(), is_likely })
    }

    /// How many bytes the operation under way takes at the least; 0 where nothing is known.
    pub fn needed(&self) -> usize {
        self.needed
    }

    #[cold]
    #[inline(never)]
    fn any_command<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Decoded<'a>>, NatsError> {
        if bytes.len() < self.needed {
            return Ok(None);
        }
        let Some((operation, name_bytes)) = operation(bytes)? else {
            self.scanned = bytes.len();
            return Ok(None);
        };
        if self.line_bytes == 0 && !self.find_line_end(bytes, name_bytes)? {
            return Ok(None);
        }
        let line = bytes.get(name_bytes..self.line_bytes - 1).unwrap_or_default();
        let arguments = line.strip_suffix(b"\r").unwrap_or(line);
        let decoded = match operation {
            Operation::Pub | Operation::Hpub => {
                let with_headers = operation == Operation::Hpub;
                match self.publish(bytes, name_bytes, arguments, with_headers)? {
                    Some(decoded) => decoded,
                    None => return Ok(None),
                }
            }
            _ => Decoded { command: command(operation, arguments)?, frame_bytes: self.line_bytes },
        };
        *self = Decoder::new(self.limits);
        Ok(Some(decoded))
    }

    /// Looks for the end of the line, which is noted. Counts what is behind the name against the limit, however the stream is cut.
    fn find_line_end(&mut self, bytes: &[u8], name_bytes: usize) -> Result<bool, NatsError> {
        let limit = self.limits.control_line_bytes_max;
        let found = memchr(b'\n', bytes.get(self.scanned..).unwrap_or_default());
        let line = bytes.get(..found.map_or(bytes.len(), |at| self.scanned + at)).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let rest = line.get(self.arguments_at.max(name_bytes)..).unwrap_or_default();
        let space = rest.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
        self.arguments_at = self.arguments_at.max(name_bytes) + space;
        // White space before the arguments does not count, but it may not go on for ever.
        let arguments_bytes = line.len().saturating_sub(self.arguments_at);
        if arguments_bytes > limit || line.len() > 2 * limit + NAME_BYTES_MAX {
            return Err(NatsError::ControlLine { limit });
        }
        match found {
            Some(at) => self.line_bytes = self.scanned + at + 1,
            None => self.scanned = bytes.len(),
        }
        Ok(found.is_some())
    }

    /// PUB or HPUB; `None` until its payload is whole.
    fn publish<'a>(
        &mut self,
        bytes: &'a [u8],
        name_bytes: usize,
        arguments: &'a [u8],
        with_headers: bool,
    ) -> Result<Option<Decoded<'a>>, NatsError> {
        let wrong = NatsError::Arguments { operation: if with_headers { "HPUB" } else { "PUB" } };
        let list = split(arguments);
        let (subject, reply, headers_size, size_text) = match (list.as_slice(), with_headers) {
            (&[subject, size], false) => (subject, None, None, size),
            (&[subject, reply, size], false) => (subject, Some(reply), None, size),
            (&[subject, headers, size], true) => (subject, None, Some(headers), size),
            (&[subject, reply, headers, size], true) => (subject, Some(reply), Some(headers), size),
            _ => return Err(wrong),
        };
        let size = number(size_text).ok_or_else(|| wrong.clone())?;
        let headers_bytes = headers_size.map_or(Some(0), number).ok_or_else(|| wrong.clone())?;
        if headers_bytes > size {
            return Err(wrong);
        }
        let limit = self.limits.payload_bytes_max;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > limit {
            return Err(NatsError::Payload { bytes: size as u64, limit });
        }
        let headers_bytes = usize::try_from(headers_bytes).unwrap_or(usize::MAX);
        let end = self.line_bytes + size;
        let line_end: &[u8] = match bytes.get(end..) {
            Some([b'\n', ..]) => b"\n",
            Some([b'\r', b'\n', ..]) => b"\r\n",
            None | Some([] | [b'\r']) => {
                self.scanned = self.line_bytes;
                self.needed = end + 1 + usize::from(bytes.len() == end + 1);
                return Ok(None);
            }
            Some(_) => return Err(NatsError::UnknownOperation),
        };
        let content = bytes.get(self.line_bytes..end).unwrap_or_default();
        let (headers, payload) = content.split_at_checked(headers_bytes).ok_or(wrong)?;
        let frame_bytes = end + line_end.len();
        let tail = bytes.get(name_bytes + 1 + subject.len() + 1..frame_bytes).unwrap_or_default();
        let words = subject.len() + reply.map_or(0, |reply| 1 + reply.len());
        let words = words + headers_size.map_or(0, |headers| 1 + headers.len()) + 1 + size_text.len();
        // As short as the words allow, so with one byte between each two, and that a space; and the line ends those of the protocol.
        let is_canonical = arguments.len() == 1 + words
            && name_bytes + arguments.len() + 2 == self.line_bytes
            && line_end == b"\r\n"
            && !arguments.iter().any(|byte| matches!(byte, b'\t' | b'\r'))
            && (headers_bytes > 0 || !with_headers);
        let publish = Publish {
            subject,
            reply,
            headers: (headers_bytes > 0).then_some(headers),
            payload,
            tail: if is_canonical { tail } else { &[] },
        };
        Ok(Some(Decoded { command: Command::Publish(publish), frame_bytes }))
    }
}

/// More digits than any size that is allowed; a number of so many does not overflow.
const DIGITS_MAX: usize = 18;

/// The operation that `bytes` begin with and the length of its name; `None` if there are too few of them to know.
fn operation(bytes: &[u8]) -> Result<Option<(Operation, usize)>, NatsError> {
    let mut may_be = false;
    for (name, needs_space, operation) in OPERATIONS {
        let (given, behind) = bytes.split_at(name.len().min(bytes.len()));
        let Some(expected) = name.get(..given.len()) else { continue };
        if !given.eq_ignore_ascii_case(expected) {
            continue;
        }
        match behind.first() {
            Some(b' ' | b'\t') => return Ok(Some((operation, name.len()))),
            Some(_) if needs_space => return Err(NatsError::UnknownOperation),
            Some(_) => return Ok(Some((operation, name.len()))),
            None => may_be = true,
        }
    }
    if may_be { Ok(None) } else { Err(NatsError::UnknownOperation) }
}

/// An operation without a payload.
fn command(operation: Operation, arguments: &[u8]) -> Result<Command<'_>, NatsError> {
    let list = split(arguments);
    Ok(match (operation, list.as_slice()) {
        (Operation::Ping, _) => Command::Ping,
        (Operation::Pong, _) => Command::Pong,
        (Operation::Connect, _) => Command::Connect(arguments.trim_ascii()),
        (Operation::Info | Operation::Ok, _) => Command::Nothing,
        (Operation::Err, _) => return Err(NatsError::ClientError),
        (Operation::Sub, &[subject, sid]) => Command::Subscribe { subject, group: None, sid },
        (Operation::Sub, &[subject, group, sid]) => Command::Subscribe { subject, group: Some(group), sid },
        (Operation::Unsub, &[sid]) => Command::Unsubscribe { sid, max: None },
        // What is no number is none: nats-server does so.
        (Operation::Unsub, &[sid, max]) => Command::Unsubscribe { sid, max: number(max) },
        (Operation::Unsub, _) => return Err(NatsError::Arguments { operation: "UNSUB" }),
        _ => return Err(NatsError::Arguments { operation: "SUB" }),
    })
}

/// The words of a line.
fn split(arguments: &[u8]) -> smallvec::SmallVec<[&[u8]; ARGUMENTS_MAX]> {
    let words = arguments.split(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    words.filter(|word| !word.is_empty()).take(ARGUMENTS_MAX).collect()
}

/// A number in digits, whose size is bounded by the length of a line; the largest number stands for all that are larger.
fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, &digit: &u8| {
        let digit = digit.wrapping_sub(b'0');
        (digit <= 9).then(|| number.saturating_mul(10).saturating_add(u64::from(digit)))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}
