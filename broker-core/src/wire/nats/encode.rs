//! What a server says. Each function appends to a buffer of the caller's.

/// The answer to a command of a client that wants one to each.
pub const OK: &[u8] = b"+OK\r\n";

/// Asks for a sign of life.
pub const PING: &[u8] = b"PING\r\n";

/// Gives one.
pub const PONG: &[u8] = b"PONG\r\n";

/// The headers of an answer that says that nobody listens.
pub const NO_RESPONDERS: &[u8] = b"NATS/1.0 503\r\n\r\n";

/// `-ERR 'text'`
pub fn err(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"-ERR '");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"'\r\n");
}

/// `MSG subject sid [reply] size` or, with headers, `HMSG subject sid [reply] headers-size size`, and the payload.
pub fn message(
    out: &mut Vec<u8>,
    subject: &[u8],
    sid: &[u8],
    reply: Option<&[u8]>,
    headers: Option<&[u8]>,
    payload: &[u8],
) {
    head(out, subject, sid, headers.is_some());
    body(out, reply, headers, payload);
}

/// What [`message`] takes at the most beside subject, sid, reply, headers and payload.
pub(crate) const MESSAGE_OVERHEAD: usize = 64;

/// The part of [`message`] behind its head.
pub(crate) fn body(out: &mut Vec<u8>, reply: Option<&[u8]>, headers: Option<&[u8]>, payload: &[u8]) {
    if let Some(reply) = reply {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
    let headers_bytes = headers.map_or(0, <[u8]>::len);
    if headers.is_some() {
        decimal(out, headers_bytes);
        out.push(b' ');
    }
    decimal(out, headers_bytes + payload.len());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(headers.unwrap_or_default());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// The part of [`message`] that is the same for all messages of a topic to a sid.
pub(crate) fn head(out: &mut Vec<u8>, subject: &[u8], sid: &[u8], with_headers: bool) {
    out.extend_from_slice(if with_headers { b"HMSG " } else { b"MSG " });
    out.extend_from_slice(subject);
    out.push(b' ');
    out.extend_from_slice(sid);
    out.push(b' ');
}

/// A number in decimal digits.
pub(crate) fn decimal(out: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut count = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        count += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

/// How long a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// From its first letter to the line end behind its payload.
    pub bytes: usize,
    /// Headers and payload.
    pub payload_bytes: usize,
}

/// How long the first MSG or HMSG of `bytes` is, if it is whole. For what this module wrote.
pub fn message_extent(bytes: &[u8]) -> Option<Extent> {
    let line_bytes = memchr::memchr(b'\n', bytes)? + 1;
    let line = bytes.get(..line_bytes.checked_sub(2)?)?;
    let size = line.rsplit(|&byte| byte == b' ').next()?;
    let size = size.iter().try_fold(0_usize, |number, &digit| {
        number.checked_mul(10)?.checked_add(usize::from(digit.wrapping_sub(b'0')))
    })?;
    let end = line_bytes.checked_add(size)?.checked_add(2)?;
    (end <= bytes.len()).then_some(Extent { bytes: end, payload_bytes: size })
}
