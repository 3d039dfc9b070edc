//! The patterns that are a literal and one last wildcard of a subject, `orders.new.*` and `orders.>`, by that literal.
//!
//! Owns one hash lookup for each place of a text where such a literal, the *parent*, can end: behind a dot, at a depth at which there are
//! any. Deep ones stay in the trie, so that the lookups are few and a text is not hashed again and again. Only subjects have such wildcards, and they
//! write each meaning in one way: a parent has one pattern with a token at its end, and one with a tail.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::label::Label;
use super::node::{Link, Rest};
use crate::pattern::code::{Branch, Element};

/// Parents with more dots than this are not here. (Guessed: subjects of more tokens are rare.)
const DOTS_MAX: usize = 8;

#[derive(Clone, Debug, Default)]
pub(super) struct Families {
    table: HashTable<Family>,
    /// How many have a token, and a tail, by the number of their dots less one.
    tokens: [u32; DOTS_MAX],
    tails: [u32; DOTS_MAX],
}

/// Half a cache line, where the parent is short.
#[derive(Clone, Debug)]
struct Family {
    /// With its dot.
    parent: Label,
    /// The pattern with a token behind it.
    token: Link,
    /// The pattern with a tail.
    tail: Link,
}

/// Where a parent of a text may end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Behind its dot.
    end: usize,
    /// One token follows, and no more.
    is_last: bool,
}

impl Place {
    pub(super) fn hash(self, text: &str, hasher: &RandomState) -> u64 {
        hasher.hash_one(self.parent(text))
    }

    fn parent(self, text: &str) -> &[u8] {
        text.as_bytes().get(..self.end).unwrap_or_default()
    }
}

/// What the tables hold for a text.
#[derive(Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) text: &'a str,
    /// The first entry of those that are the text.
    pub(super) exact: Option<u32>,
    /// The entries of its families.
    pub(super) families: SmallVec<[u32; FAMILIES_MAX]>,
    /// How many families were looked for.
    pub(super) lookups: u64,
}

/// A tail behind each parent of a text, and a token behind one.
const FAMILIES_MAX: usize = DOTS_MAX + 1;

impl Known<'_> {
    #[inline]
    pub(super) fn look_up(&mut self, families: &Families, place: Place, hash: u64) {
        self.lookups += 1;
        self.families.extend(families.get(self.text, place, hash));
    }
}

/// What [`Families`] keeps a branch by, if it is for them.
pub(super) fn family_of(branch: Branch<'_>) -> Option<(&[u8], Rest)> {
    let (parent, wildcard) = branch.parent().filter(|(parent, _)| dots(parent) <= DOTS_MAX)?;
    Some((parent, if wildcard == Element::Token { Rest::Token } else { Rest::Something }))
}

fn dots(literal: &[u8]) -> usize {
    literal.split(|&byte| byte == b'.').skip(1).count()
}

impl Families {
    /// Where to look for families of `text`.
    #[inline]
    pub(super) fn places(&self, text: &str) -> impl Iterator<Item = Place> {
        let bytes = if self.table.is_empty() { &[] } else { text.as_bytes() };
        let last = bytes.iter().rposition(|&byte| byte == b'.').unwrap_or(0);
        let dots = bytes.iter().enumerate().filter(|&(at, &byte)| byte == b'.' && at + 1 < bytes.len());
        let counts = self.tokens.iter().zip(&self.tails);
        dots.zip(counts).filter_map(move |((at, _), (tokens, tails))| {
            let is_last = at == last;
            (*tails > 0 || is_last && *tokens > 0).then_some(Place { end: at + 1, is_last })
        })
    }

    /// The patterns of the family at a place of `text`, by its hash.
    #[inline]
    pub(super) fn get(&self, text: &str, place: Place, hash: u64) -> impl Iterator<Item = u32> {
        let parent = place.parent(text);
        let family = self.table.find(hash, |own| *own.parent == *parent);
        let token = family.filter(|_| place.is_last).and_then(|family| family.token.get());
        [token, family.and_then(|family| family.tail.get())].into_iter().flatten()
    }

    /// Adds a pattern that asks this of what stands behind its parent, a token or something.
    pub(super) fn insert(&mut self, parent: &[u8], rest: Rest, pattern: u32, hasher: &RandomState) {
        let entry = self.table.entry(
            hasher.hash_one(parent),
            |own| *own.parent == *parent,
            |own| hasher.hash_one(&*own.parent),
        );
        let none = || Family { parent: Label::from(parent), token: Link::NONE, tail: Link::NONE };
        *entry.or_insert_with(none).get_mut().end(rest) = Link::to(pattern);
        if let Some(count) = self.count(parent, rest) {
            *count += 1;
        }
    }

    pub(super) fn remove(&mut self, parent: &[u8], rest: Rest, hasher: &RandomState) {
        let found = self.table.find_entry(hasher.hash_one(parent), |own| *own.parent == *parent);
        let Ok(mut entry) = found else { return };
        let family = entry.get_mut();
        *family.end(rest) = Link::NONE;
        if (family.token, family.tail) == (Link::NONE, Link::NONE) {
            entry.remove();
        }
        if let Some(count) = self.count(parent, rest) {
            *count -= 1;
        }
    }

    fn count(&mut self, parent: &[u8], rest: Rest) -> Option<&mut u32> {
        let counts = if rest == Rest::Token { &mut self.tokens } else { &mut self.tails };
        counts.get_mut(dots(parent).saturating_sub(1))
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }
}

impl Family {
    fn end(&mut self, rest: Rest) -> &mut Link {
        if rest == Rest::Token { &mut self.token } else { &mut self.tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_half_a_cache_line() {
        assert_eq!(size_of::<Family>(), 32);
    }

    #[track_caller]
    fn check(families: &Families, text: &str, expected: &[u32]) {
        let hasher = crate::tree::hasher();
        let places = families.places(text);
        let mut found: Vec<u32> =
            places.flat_map(|place| families.get(text, place, place.hash(text, hasher))).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn families_are_found_where_a_parent_ends() {
        let hasher = crate::tree::hasher();
        let mut families = Families::default();
        let all = [(&b"a."[..], Rest::Token), (b"a.", Rest::Something), (b"a.b.", Rest::Token)];
        for (pattern, (parent, rest)) in (1..).zip(all) {
            families.insert(parent, rest, pattern, hasher);
        }
        for (text, expected) in [
            ("", &[][..]),
            ("a", &[]),
            (".", &[]),
            ("a.", &[]),
            ("a.x", &[1, 2]),
            ("a.b.", &[2]),
            ("a.b.x", &[2, 3]),
            ("a.b.x.y", &[2]),
            ("b.x", &[]),
            ("a..x", &[2]),
        ] {
            check(&families, text, expected);
        }
        families.remove(b"a.", Rest::Something, hasher);
        check(&families, "a.b.x", &[3]);
        check(&families, "a.x", &[1]);
        families.remove(b"a.", Rest::Token, hasher);
        families.remove(b"a.b.", Rest::Token, hasher);
        assert!(
            families.table.is_empty() && families.tokens == [0; DOTS_MAX] && families.tails == [0; DOTS_MAX]
        );
    }
}
