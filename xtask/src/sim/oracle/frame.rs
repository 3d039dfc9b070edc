//! How many bytes a message takes as it is sent.

use super::Message;
use super::ledger::Place;

/// The header of a bin or a str of so many bytes, as clients here write it and as NATS payloads become.
fn header_bytes(content: usize) -> usize {
    if content < 256 { 2 } else { 3 }
}

/// Bytes of a message as it is sent: exactly, but for those with meta, where it is a bound. `headers`: the subscriber knows those of NATS.
pub(super) fn frame_bytes(message: &Message, topic: &str, place: Place, meta: bool, headers: bool) -> usize {
    let meta_bytes = if meta { message.extras.meta_bytes() } else { 0 };
    let value = match message.empty {
        Some(empty) if place > 0 => empty.payload().len(),
        Some(empty) => return 2 + topic.len() + empty.value().len() + meta_bytes,
        None => message.value_bytes,
    };
    if place == 0 {
        return 1 + 1 + topic.len() + header_bytes(value) + value + meta_bytes;
    }
    let digits = |number: usize| number.to_string().len();
    let reply = message.extras.reply.as_ref().map_or(0, |reply| reply.len() + 1);
    let block = message.extras.block().filter(|_| headers).map_or(0, |block| block.len());
    // The H, and the size of the block.
    let block_line = if block > 0 { 1 + digits(block) + 1 } else { 0 };
    let size = block + value;
    // MSG, topic, sid, reply, sizes, and the two line ends.
    4 + topic.len() + 1 + digits(place as usize) + 1 + reply + block_line + digits(size) + 2 + size + 2
}
