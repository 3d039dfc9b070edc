//! Standard input as values: line by line, as a whole, or as MessagePack values one after another.
//!
//! Owns the thread that reads, since a blocking read cannot be given up. Does not publish. Invariants: one value holds at most
//! [`VALUE_BYTES_MAX`] bytes, and at most [`BATCHES_MAX`] batches wait, so that a reader that is faster than the broker fills
//! no memory; what was read is handed on before the next read can block.

use std::io::{self, BufRead, BufReader, Read};

use tokio::sync::mpsc;

use crate::{
    exit::{Exit, Failure},
    value::{self, DEPTH_MAX, InputFormat},
};

/// The longest line or value that is read, in bytes. A broker takes 8 MiB if not told otherwise; the client library tells
/// how much this one does. This bound only keeps a file without line ends out of memory.
pub(crate) const VALUE_BYTES_MAX: usize = 64 << 20;

/// A batch is handed on when it holds so many bytes: what one read of the thread gives. Derived from [`READ_BYTES`].
const BATCH_BYTES: usize = READ_BYTES;
const READ_BYTES: usize = 64 << 10;

/// Batches between the thread and the publisher: two to keep both busy, two for their jitter. Guessed.
const BATCHES_MAX: usize = 4;

/// Several values, read in one go.
pub(crate) type Batch = Result<Vec<Vec<u8>>, Failure>;

/// Reads standard input in a thread: values in MessagePack, in batches; an error is the last.
pub(crate) fn read_values(format: InputFormat, whole: bool) -> mpsc::Receiver<Batch> {
    let (sender, receiver) = mpsc::channel(BATCHES_MAX);
    // Not one of the runtime's threads: they are waited for at the end, and this one may sit in a read for ever.
    std::thread::spawn(move || {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut reader = BufReader::with_capacity(READ_BYTES, io::stdin().lock());
        let result = each_value(&mut reader, format, whole, |value, more| {
            bytes += value.len();
            batch.push(value);
            if more && bytes < BATCH_BYTES {
                return true;
            }
            bytes = 0;
            sender.blocking_send(Ok(std::mem::take(&mut batch))).is_ok()
        });
        if !batch.is_empty() && sender.blocking_send(Ok(batch)).is_err() {
            return;
        }
        if let Err(failure) = result {
            // If the publisher is gone it has ended for a reason of its own.
            let _ = sender.blocking_send(Err(failure));
        }
    });
    receiver
}

/// All of standard input as one value. A line end at the end is left off, as shells do with what a command prints.
///
/// # Errors
/// It cannot be read, or is no value in this format.
pub(crate) async fn read_whole(format: InputFormat) -> Result<Vec<u8>, Failure> {
    let (sender, mut receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let result = read_all(&mut io::stdin().lock()).and_then(|bytes| {
            value::from_bytes(without_line_end(&bytes, format), format).map_err(whole_input)
        });
        // If nobody waits any more, the command was interrupted.
        let _ = sender.blocking_send(result);
    });
    match receiver.recv().await {
        Some(result) => result,
        None => Err(Failure::new(Exit::Error, "standard input could not be read to its end")),
    }
}

/// The text without one line end at its end; MessagePack has none.
pub(crate) fn without_line_end(bytes: &[u8], format: InputFormat) -> &[u8] {
    if format == InputFormat::Msgpack {
        return bytes;
    }
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if line.len() < bytes.len() { line.strip_suffix(b"\r").unwrap_or(line) } else { line }
}

/// Calls `emit` with each value, and whether the next one is in memory already. `emit` says whether to go on.
fn each_value(
    reader: &mut BufReader<impl Read>,
    format: InputFormat,
    whole: bool,
    mut emit: impl FnMut(Vec<u8>, bool) -> bool,
) -> Result<(), Failure> {
    if whole {
        let value = value::from_bytes(&read_all(reader)?, format).map_err(whole_input)?;
        emit(value, false);
        Ok(())
    } else if format == InputFormat::Msgpack {
        each_msgpack(reader, emit)
    } else {
        each_line(reader, format, emit)
    }
}

fn each_line(
    reader: &mut BufReader<impl Read>,
    format: InputFormat,
    mut emit: impl FnMut(Vec<u8>, bool) -> bool,
) -> Result<(), Failure> {
    let limit = u64::try_from(VALUE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        reader.by_ref().take(limit + 1).read_until(b'\n', &mut line).map_err(|error| unreadable(&error))?;
        if line.is_empty() {
            break;
        }
        let text = without_line_end(&line, format);
        if text.len() > VALUE_BYTES_MAX {
            return Err(too_long().context(format_args!("line {number} of standard input")));
        }
        let value = value::from_bytes(text, format).map_err(|error| {
            let failure = Failure::new(Exit::Error, error).context(format_args!("line {number} of standard input"));
            failure.hint("each line is one value; --whole takes all of the input as one, --format text takes lines as they are")
        })?;
        let more = reader.buffer().contains(&b'\n');
        if !emit(value, more) {
            break;
        }
    }
    Ok(())
}

fn each_msgpack(
    reader: &mut BufReader<impl Read>,
    mut emit: impl FnMut(Vec<u8>, bool) -> bool,
) -> Result<(), Failure> {
    for number in 1_u64.. {
        if reader.fill_buf().map_err(|error| unreadable(&error))?.is_empty() {
            break;
        }
        let mut recorder = Recorder { reader, bytes: Vec::new() };
        let result = rmpv::decode::read_value_with_max_depth(&mut recorder, DEPTH_MAX);
        let bytes = recorder.bytes;
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(too_long().context(format_args!("value {number} of standard input")));
        }
        if let Err(error) = result {
            let why = format_args!("value {number} of standard input is not MessagePack: {error}");
            return Err(Failure::new(Exit::Error, why));
        }
        let more = !reader.buffer().is_empty();
        if !emit(bytes, more) {
            break;
        }
    }
    Ok(())
}

/// Keeps the bytes that a decoder takes: they are published as they came. Stops behind [`VALUE_BYTES_MAX`].
struct Recorder<'a, R> {
    reader: &'a mut R,
    bytes: Vec<u8>,
}

impl<R: Read> Read for Recorder<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.bytes.len() > VALUE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.reader.read(buf)?;
        self.bytes.extend(buf.iter().take(count));
        Ok(count)
    }
}

fn read_all(reader: &mut impl Read) -> Result<Vec<u8>, Failure> {
    let limit = u64::try_from(VALUE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() > VALUE_BYTES_MAX { Err(too_long().context("standard input")) } else { Ok(bytes) }
}

fn whole_input(error: value::ValueError) -> Failure {
    Failure::new(Exit::Error, error).context("standard input")
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Exit::Error, format_args!("cannot read standard input: {error}"))
}

fn too_long() -> Failure {
    Failure::new(Exit::Error, format_args!("longer than {VALUE_BYTES_MAX} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::hex;

    /// The values in hexadecimal digits, and the text of the error that ended the reading.
    fn read(input: &[u8], format: InputFormat, whole: bool) -> (Vec<String>, Option<String>) {
        let mut values = Vec::new();
        // A buffer of 3 bytes: lines and values span reads.
        let result = each_value(&mut BufReader::with_capacity(3, input), format, whole, |value, _| {
            values.push(hex(&value));
            true
        });
        (values, result.err().map(|failure| failure.text().unwrap_or_default().to_string()))
    }

    #[track_caller]
    fn check(input: &[u8], format: InputFormat, whole: bool, values: &[&str], error: Option<&str>) {
        let (got, got_error) = read(input, format, whole);
        assert_eq!(got, values, "{}", String::from_utf8_lossy(input));
        assert_eq!(got_error.as_deref(), error);
    }

    #[test]
    fn each_line_is_a_value() {
        use InputFormat::{Auto, Json, Text};
        check(b"", Auto, false, &[], None);
        check(b"1\ntrue\nhi", Auto, false, &["01", "c3", "a26869"], None);
        check(b"1\n\n2\n", Auto, false, &["01", "a0", "02"], None);
        check(b"hi\r\n\r\n", Text, false, &["a26869", "a0"], None);
        check(b"a\rb\r", Text, false, &["a4610d620d"], None);
        let error = "line 2 of standard input: not JSON: expected value at line 1 column 1";
        check(b"1\nx\n3\n", Json, false, &["01"], Some(error));
    }

    #[test]
    fn the_whole_input_is_one_value_with_its_line_ends() {
        use InputFormat::{Auto, Hex, Json, Msgpack, Text};
        check(b"a\nb\n", Text, true, &["a4610a620a"], None);
        check(b"[1,\n2]\n", Json, true, &["920102"], None);
        check(b"", Auto, true, &["a0"], None);
        check(b"00\nff\n", Hex, true, &["c40200ff"], None);
        check(b"\xd9\x01a", Msgpack, true, &["d90161"], None);
        let error = "standard input: one MessagePack value of 1 bytes, and 1 more bytes behind it";
        check(b"\x01\x02", Msgpack, true, &[], Some(error));
    }

    #[test]
    fn msgpack_values_follow_each_other() {
        use InputFormat::Msgpack;
        check(
            b"\x01\xd9\x04long\x92\xc0\x0a\xc4\x01\x0a",
            Msgpack,
            false,
            &["01", "d9046c6f6e67", "92c00a", "c4010a"],
            None,
        );
        check(b"", Msgpack, false, &[], None);
        let (values, error) = read(b"\x01\x92\x01", Msgpack, false);
        assert_eq!(values, ["01"]);
        assert!(error.is_some_and(|error| error.starts_with("value 2 of standard input is not MessagePack")));
    }

    #[test]
    fn a_length_that_lies_costs_no_memory() {
        // bin 32 of 4 GiB, with 2 bytes of it.
        let (values, error) = read(b"\xc6\xff\xff\xff\xff\x00\x00", InputFormat::Msgpack, false);
        assert!(values.is_empty() && error.is_some());
    }

    #[test]
    fn an_input_without_end_is_refused() {
        let lines = &mut BufReader::new(io::repeat(b'a'));
        let failure = each_value(lines, InputFormat::Text, false, |_, _| true).unwrap_err();
        assert_eq!(failure.text(), Some("line 1 of standard input: longer than 67108864 bytes"));
    }

    #[test]
    fn a_value_is_not_held_back_for_the_next_that_is_not_there_yet() {
        let mut flags = Vec::new();
        let result = each_value(&mut BufReader::new(&b"1\n2\n3"[..]), InputFormat::Auto, false, |_, more| {
            flags.push(more);
            true
        });
        assert!(result.is_ok());
        // Behind 2 there is only the beginning of a line.
        assert_eq!(flags, [true, false, false]);
    }

    #[test]
    fn one_line_end_is_left_off() {
        for (text, expected) in
            [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\r", "a\r"), ("", ""), ("\n", "")]
        {
            assert_eq!(without_line_end(text.as_bytes(), InputFormat::Text), expected.as_bytes());
        }
        assert_eq!(without_line_end(b"\x0a", InputFormat::Msgpack), b"\x0a");
    }
}
