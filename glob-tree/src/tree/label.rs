//! The bytes between a node and its parent.
//!
//! Owns their memory: a short label is in the node itself; a longer one is counted, because the branches of a pattern with
//! alternatives have the same bytes behind their last choice, and one copy is enough for all of them.

use std::ops::Deref;
use std::sync::Arc;

use crate::pattern::code;

/// As many bytes as fit beside the length into what the other form takes.
const INLINE_BYTES: usize = 15;
/// How many long labels of one pattern are remembered: as many as its last choices are different, in most patterns. (Guessed.)
const REMEMBERED: usize = 16;

const WORD_BYTES: usize = size_of::<u64>();

/// Of up to a word.
fn bits(bytes: usize) -> u32 {
    u32::try_from(8 * bytes).unwrap_or(u32::MAX)
}

/// A label: a slice of bytes.
#[derive(Clone, Debug)]
pub(super) enum Label {
    Inline { length: u8, bytes: [u8; INLINE_BYTES] },
    Shared { bytes: Arc<[u8]>, start: u32, end: u32 },
}

impl Label {
    fn inline(bytes: &[u8]) -> Option<Self> {
        let mut inline = [0; INLINE_BYTES];
        inline.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self::Inline { length: u8::try_from(bytes.len()).ok()?, bytes: inline })
    }

    /// Of a node that a star leads to: no bytes, like that of all nodes that are not reached over bytes, but known apart.
    pub(super) const STAR: Self = Self::Inline { length: 0, bytes: [code::STAR; INLINE_BYTES] };

    pub(super) fn is_star(&self) -> bool {
        matches!(self, Self::Inline { length: 0, bytes: [code::STAR, ..] })
    }

    fn shared(bytes: Arc<[u8]>) -> Self {
        let end = u32::try_from(bytes.len()).expect("a pattern is shorter than 2^32 bytes");
        Self::Shared { bytes, start: 0, end }
    }

    /// Whether it stands in `text` at `position`.
    #[expect(
        clippy::inline_always,
        reason = "a call for each label costs as much as what it does (measured)"
    )]
    #[inline(always)]
    pub(super) fn stands_in(&self, text: &[u8], position: usize) -> bool {
        let rest = text.get(position..).unwrap_or_default();
        let Self::Inline { length, bytes } = self else { return rest.starts_with(self) };
        let length = usize::from(*length);
        let Some(own) = bytes.first_chunk() else { return rest.starts_with(self) };
        // Eight bytes at once, without a call: nearly all labels differ in these. Near its end those of the text are the upper ones of its last
        // eight.
        let word = match (rest.first_chunk(), text.last_chunk()) {
            (Some(first), _) => u64::from_le_bytes(*first),
            (None, _) if length > rest.len() => return false,
            (None, Some(last)) => u64::from_le_bytes(*last).unbounded_shr(bits(WORD_BYTES - rest.len())),
            (None, None) => return rest.iter().zip(self.iter()).all(|(text, own)| text == own),
        };
        let differences = word ^ u64::from_le_bytes(*own);
        if let Some(unused) = WORD_BYTES.checked_sub(length) {
            return differences.unbounded_shl(bits(unused)) == 0;
        }
        differences == 0 && rest.starts_with(self)
    }

    /// A label without its first bytes. Shares the memory of the whole.
    pub(super) fn without_first(self, count: usize) -> Self {
        let rest = self.get(count..).unwrap_or_default();
        if let Some(inline) = Self::inline(rest) {
            return inline;
        }
        match self {
            Self::Shared { bytes, start, end } => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                Self::Shared { bytes, start: start.saturating_add(count).min(end), end }
            }
            Self::Inline { .. } => Self::default(),
        }
    }
}

impl Default for Label {
    fn default() -> Self {
        Self::Inline { length: 0, bytes: [0; INLINE_BYTES] }
    }
}

impl From<&[u8]> for Label {
    fn from(bytes: &[u8]) -> Self {
        Self::inline(bytes).unwrap_or_else(|| Self::shared(bytes.into()))
    }
}

impl Deref for Label {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => bytes.get(..usize::from(*length)),
            Self::Shared { bytes, start, end } => bytes.get(*start as usize..*end as usize),
        }
        .unwrap_or_default()
    }
}

/// The long labels that were made last, so that the same bytes are not kept twice. For the branches of one pattern.
#[derive(Debug, Default)]
pub(super) struct Labels {
    made: Vec<Arc<[u8]>>,
    oldest: usize,
}

impl Labels {
    pub(super) fn label(&mut self, bytes: &[u8]) -> Label {
        if let Some(inline) = Label::inline(bytes) {
            return inline;
        }
        if let Some(made) = self.made.iter().find(|made| ***made == *bytes) {
            return Label::shared(Arc::clone(made));
        }
        let label: Arc<[u8]> = bytes.into();
        if self.made.len() < REMEMBERED {
            self.made.push(Arc::clone(&label));
        } else if let Some(slot) = self.made.get_mut(self.oldest) {
            *slot = Arc::clone(&label);
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
        Label::shared(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_takes_three_words() {
        assert_eq!(size_of::<Label>(), 24);
    }

    #[test]
    fn a_label_is_its_bytes_however_it_is_kept() {
        let text: Vec<u8> = (0..100).collect();
        for length in [0, 1, 15, 16, 17, 100] {
            let label = Label::from(&text[..length]);
            assert_eq!(*label, text[..length]);
            for count in 0..=text.len() {
                for before in [0, 3, 20] {
                    let text = [&[b'x'; 20][..before], &text[..count]].concat();
                    let context = format!("{length} of {count} behind {before}");
                    assert_eq!(label.stands_in(&text, before), count >= length, "{context}");
                }
                let other: Vec<u8> =
                    text.iter().map(|byte| byte + u8::from(usize::from(*byte) == count)).collect();
                assert_eq!(label.stands_in(&other, 0), count >= length, "{length}, another byte at {count}");
            }
            for count in 0..=length {
                assert_eq!(*label.clone().without_first(count), text[count..length], "{count} of {length}");
            }
        }
        assert_eq!(*Label::from(&text[..]).without_first(20).without_first(30), text[50..]);
    }

    #[test]
    fn equal_long_labels_of_one_pattern_are_one() {
        let mut labels = Labels::default();
        let mut copies = Vec::new();
        for number in 0..64 {
            let text = [[b'a' + number % 8; 40], [b'x'; 40]].concat();
            copies.push(labels.label(&text));
            assert_eq!(*copies[copies.len() - 1], text);
        }
        assert_eq!(labels.made.len(), 8);
        assert_eq!(Arc::strong_count(&labels.made[0]), 9);
        for number in 0..100 {
            assert_eq!(*labels.label(&[number; 20]), [number; 20]);
        }
        assert_eq!(labels.made.len(), REMEMBERED);
    }
}
