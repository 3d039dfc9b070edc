//! Where the message is that a topic retains when the batch ends.

use std::ops::Range;

use bytes::Bytes;

use crate::message::MetaParts;
use crate::topics::{Pair, Retained, Retention};
use crate::wire::nats::headers_to_map;

/// The last message to a topic that is to be retained, if there was one. Nearly always a range of the input: what else there may be is
/// behind one pointer, so that a message takes the place of the one before it by a few stores.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    form: Form,
    /// Where it lies in the input of the batch, unless it is in a buffer of its own.
    range: Range<usize>,
    value_bytes: usize,
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// There is none.
    #[default]
    Nothing,
    /// `[topic, value]`.
    Pair,
    /// The content of a value that is a bin.
    Content,
    /// Nothing is to be retained any more.
    Cleared,
}

#[derive(Debug, Default)]
struct Rest {
    /// The buffer of its own, which outboxes share.
    shared: Option<Bytes>,
    /// Where its options are in the input of the batch.
    reply: Option<Range<usize>>,
    headers: Option<Range<usize>>,
    key: Option<Range<usize>>,
    ttl_ms: Option<u64>,
    /// The headers are a block of NATS.
    is_block: bool,
}

impl Kept {
    /// `[topic, value]` in the input.
    #[inline]
    pub(super) fn pair(input: &[u8], pair: &[u8], value_bytes: usize) -> Self {
        Kept::in_input(Form::Pair, input, pair, value_bytes)
    }

    /// The content of a bin in the input.
    #[inline]
    pub(super) fn content(input: &[u8], content: &[u8], value_bytes: usize) -> Self {
        Kept::in_input(Form::Content, input, content, value_bytes)
    }

    #[inline]
    fn in_input(form: Form, input: &[u8], part: &[u8], value_bytes: usize) -> Self {
        match range_in(input, part) {
            Some(range) => Kept { form, range, value_bytes, rest: None },
            None => Kept::default(),
        }
    }

    /// `[topic, value]` in a buffer of its own.
    pub(super) fn shared_pair(pair: Bytes, value_bytes: usize) -> Self {
        let rest = Rest { shared: Some(pair), ..Rest::default() };
        Kept { form: Form::Pair, range: 0..0, value_bytes, rest: Some(Box::new(rest)) }
    }

    /// The content of a bin in a buffer of its own.
    pub(super) fn shared_content(content: Bytes, value_bytes: usize) -> Self {
        let rest = Rest { shared: Some(content), ..Rest::default() };
        Kept { form: Form::Content, range: 0..0, value_bytes, rest: Some(Box::new(rest)) }
    }

    /// A message that clears.
    #[cold]
    pub(super) fn cleared() -> Self {
        Kept { form: Form::Cleared, ..Kept::default() }
    }

    /// With the options of a native message.
    #[cold]
    pub(super) fn with_meta(mut self, input: &[u8], meta: &MetaParts<'_>) -> Self {
        if !meta.is_empty() {
            let rest = self.rest.get_or_insert_default();
            rest.reply = meta.reply.and_then(|reply| range_in(input, reply.as_bytes()));
            rest.headers = meta.headers.and_then(|headers| range_in(input, headers));
            rest.key = meta.key.and_then(|key| range_in(input, key));
            rest.ttl_ms = meta.ttl_ms;
        }
        self
    }

    /// With the headers of a NATS message.
    #[cold]
    pub(super) fn with_block(mut self, input: &[u8], block: &[u8]) -> Self {
        let rest = self.rest.get_or_insert_default();
        rest.headers = range_in(input, block);
        rest.is_block = true;
        self
    }

    /// What it does, if there is one. Headers of NATS are written to `map`.
    pub(super) fn retention<'k>(&'k self, input: &'k [u8], map: &'k mut Vec<u8>) -> Option<Retention<'k>> {
        let rest = self.rest.as_deref();
        let pair = match (self.form, rest.and_then(|rest| rest.shared.as_ref())) {
            (Form::Nothing, _) => return None,
            (Form::Cleared, _) => return Some(Retention::Clear),
            (Form::Pair, Some(shared)) => Pair::Shared(shared),
            (Form::Content, Some(shared)) => Pair::SharedContent(shared),
            (Form::Pair, None) => Pair::Copied(input.get(self.range.clone())?),
            (Form::Content, None) => Pair::Content(input.get(self.range.clone())?),
        };
        let part = |range: &Option<Range<usize>>| input.get(range.clone()?);
        let meta = rest.map(|rest| {
            let mut headers = part(&rest.headers);
            if rest.is_block
                && let Some(block) = headers
            {
                headers_to_map(block, map);
                headers = Some(&*map);
            }
            let reply = part(&rest.reply).and_then(|reply| std::str::from_utf8(reply).ok());
            MetaParts { reply, headers, key: part(&rest.key), ttl_ms: rest.ttl_ms }
        });
        Some(Retention::Keep(Retained { pair, value_bytes: self.value_bytes, meta }))
    }
}

/// Where `part` lies in `input`, if it does.
#[inline]
pub(super) fn range_in(input: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(input.as_ptr().addr())?;
    let end = start + part.len();
    (end <= input.len()).then_some(start..end)
}
