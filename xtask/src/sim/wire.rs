//! What simulated clients write, and how they read text lines of NATS. Written from `docs/protocol.md`, beside what the broker has for it.

/// Digits of a message's number at the front of its value.
const NUMBER_DIGITS: usize = 16;

/// A number as MessagePack, in the shortest form.
pub(super) fn unsigned(out: &mut Vec<u8>, number: u64) {
    let digits = number.to_be_bytes();
    let bytes = match number {
        0..=0x7f => 0,
        0x80..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    };
    match bytes {
        1 => out.push(0xcc),
        2 => out.push(0xcd),
        4 => out.push(0xce),
        8 => out.push(0xcf),
        _ => {}
    }
    out.extend_from_slice(digits.get(8 - bytes.max(1)..).unwrap_or_default());
}

/// A text of up to 65,535 bytes.
pub(super) fn str(out: &mut Vec<u8>, text: &str) {
    let [high, low] = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    match (high, low) {
        (0, 0..=31) => out.push(0xa0 | low),
        (0, _) => out.extend_from_slice(&[0xd9, low]),
        _ => out.extend_from_slice(&[0xda, high, low]),
    }
    out.extend_from_slice(text.as_bytes());
}

/// Bytes, up to 65,535.
pub(super) fn bin(out: &mut Vec<u8>, content: &[u8]) {
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    match high {
        0 => out.extend_from_slice(&[0xc4, low]),
        _ => out.extend_from_slice(&[0xc5, high, low]),
    }
    out.extend_from_slice(content);
}

/// An option of a command.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Number(u64),
    Text(String),
    Flag(bool),
    Bin(Vec<u8>),
    /// Of str to str, up to 15 entries.
    Map(Vec<(String, String)>),
}

/// Options by name.
pub(super) type Options = Vec<(&'static str, Value)>;

/// A command: its name, its first argument as it stands, and its options.
pub(super) fn command(out: &mut Vec<u8>, name: &str, argument: Option<&[u8]>, options: &Options) {
    out.push(0x81);
    str(out, name);
    let arguments = u8::from(argument.is_some()) + u8::from(!options.is_empty());
    out.push(0x90 | arguments);
    out.extend_from_slice(argument.unwrap_or_default());
    if options.is_empty() {
        return;
    }
    out.push(0x80 | u8::try_from(options.len()).unwrap_or(15));
    for (name, value) in options {
        str(out, name);
        match value {
            Value::Number(number) => unsigned(out, *number),
            Value::Text(text) => str(out, text),
            Value::Flag(flag) => out.push(if *flag { 0xc3 } else { 0xc2 }),
            Value::Bin(content) => bin(out, content),
            Value::Map(pairs) => {
                out.push(0x80 | u8::try_from(pairs.len()).unwrap_or(15));
                for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
                    str(out, text);
                }
            }
        }
    }
}

/// A text as an argument.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    str(&mut out, text);
    out
}

/// `[topic, value]`
pub(super) fn pair(topic: &str, value: &[u8]) -> Vec<u8> {
    let mut out = vec![0x92];
    str(&mut out, topic);
    out.extend_from_slice(value);
    out
}

/// What the message of this number carries: its number and what fills it up to about `bytes`.
pub(super) fn content(number: u64, bytes: usize) -> String {
    let mut content = format!("{number:016x}");
    content.extend(std::iter::repeat_n('.', bytes.saturating_sub(NUMBER_DIGITS)));
    content
}

/// The number of the message that carries this.
pub(super) fn number_in(content: &[u8]) -> Option<u64> {
    let digits = content.get(..NUMBER_DIGITS)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The content of a str or bin.
pub(super) fn content_of(value: &[u8]) -> &[u8] {
    let header = match value.first() {
        Some(0xa0..=0xbf) => 1,
        Some(0xc4 | 0xd9) => 2,
        Some(0xc5 | 0xda) => 3,
        _ => value.len(),
    };
    value.get(header..).unwrap_or_default()
}

/// One thing that a server of NATS says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Message {
        subject: &'a str,
        sid: u32,
        reply: Option<&'a str>,
        headers: Option<&'a str>,
        payload: &'a [u8],
    },
    Pong,
    Info,
    Err(&'a str),
    /// Not of the protocol.
    Other(&'a str),
}

/// The first line of `bytes` with what belongs to it, and its length, if it is whole.
pub(super) fn line(bytes: &[u8]) -> Option<(Line<'_>, usize)> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let text = std::str::from_utf8(bytes.get(..end)?).unwrap_or("?");
    let behind = end + 2;
    let mut words = text.split(' ');
    let line = match words.next() {
        Some(name @ ("MSG" | "HMSG")) => {
            // Subject, sid, a reply if there is one, the bytes of the headers if there are some, the bytes of all.
            let words: Vec<&str> = words.collect();
            let sizes = if name == "HMSG" { 2 } else { 1 };
            let (Some(&subject), Some(sid), Some(reply)) =
                (words.first(), words.get(1), words.len().checked_sub(2 + sizes))
            else {
                return Some((Line::Other(text), behind));
            };
            let number = |at: usize| words.get(at).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
            let size = number(words.len() - 1);
            let headers_bytes = if sizes == 2 { number(words.len() - 2) } else { 0 };
            let headers = bytes.get(behind..behind + headers_bytes)?;
            let payload = bytes.get(behind + headers_bytes..behind + size)?;
            if bytes.len() < behind + size + 2 {
                return None;
            }
            let line = Line::Message {
                subject,
                sid: sid.parse().unwrap_or(u32::MAX),
                reply: words.get(2).copied().filter(|_| reply > 0),
                headers: std::str::from_utf8(headers).ok().filter(|_| sizes == 2),
                payload,
            };
            return Some((line, behind + size + 2));
        }
        Some("PONG") => Line::Pong,
        Some("INFO") => Line::Info,
        Some("-ERR") => Line::Err(text),
        _ => Line::Other(text),
    };
    Some((line, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_payloads() {
        let bytes = b"MSG a.b 7 3\r\nxyz\r\nPONG\r\n";
        let (reply, headers) = (None, None);
        let message = Line::Message { subject: "a.b", sid: 7, reply, headers, payload: b"xyz" };
        assert_eq!(line(bytes), Some((message, 18)));
        assert_eq!(line(&bytes[18..]), Some((Line::Pong, 6)));
        assert_eq!(line(&bytes[..17]), None);
        let bytes = b"HMSG a 1 r 2 4\r\nhhxy\r\n";
        let (reply, headers) = (Some("r"), Some("hh"));
        let message = Line::Message { subject: "a", sid: 1, reply, headers, payload: b"xy" };
        assert_eq!(line(bytes), Some((message, 22)));
    }

    #[test]
    fn a_command_is_what_the_broker_reads() {
        use broker_core::wire::native::Command;
        let mut frame = Vec::new();
        let options = vec![("id", Value::Number(300)), ("meta", Value::Flag(true))];
        command(&mut frame, "Subscribe", Some(&text("a.*")), &options);
        let Ok(Command::Subscribe(subscribe)) = Command::parse(&frame) else { panic!("{frame:x?}") };
        assert_eq!((subscribe.pattern, subscribe.id, subscribe.meta), ("a.*", Some(300), true));
        assert_eq!(number_in(content(77, 40).as_bytes()), Some(77));
    }
}
