//! A set of characters: what `[a-z]` stands for.
//!
//! Owns the canonical form: two classes are equal if and only if they hold the same characters, however they were
//! written. Knows no syntax.
//!
//! Invariant: `ranges` are sorted, apart from each other, and begin at U+0080; `ascii` has the rest, one bit each.

/// The first character that `ascii` has no bit for.
const ASCII_END: u32 = 0x80;
const LAST: u32 = char::MAX as u32;

/// A set of characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    ascii: u128,
    ranges: Box<[(u32, u32)]>,
}

impl Class {
    /// The characters in one of `ranges` (both ends included), or those in none of them.
    pub(crate) fn new(mut ranges: Vec<(u32, u32)>, negated: bool) -> Self {
        merge(&mut ranges);
        if negated {
            ranges = complement(&ranges);
        }
        let mut class = Self { ascii: 0, ranges: Box::default() };
        for &(first, last) in &ranges {
            for bit in first..last.saturating_add(1).min(ASCII_END) {
                class.ascii |= 1 << bit;
            }
        }
        class.ranges = ranges
            .into_iter()
            .filter(|&(_, last)| last >= ASCII_END)
            .map(|(first, last)| (first.max(ASCII_END), last))
            .collect();
        class
    }

    /// Those that are left without an ASCII character.
    pub(crate) fn without(mut self, character: u8) -> Self {
        self.ascii &= !1_u128.unbounded_shl(character.into());
        self
    }

    /// One bit for each ASCII character.
    pub(crate) fn ascii(&self) -> u128 {
        self.ascii
    }

    /// Whether `character` is in it.
    pub(crate) fn contains(&self, character: char) -> bool {
        let code = u32::from(character);
        if code < ASCII_END {
            return self.ascii >> code & 1 == 1;
        }
        let after = self.ranges.partition_point(|&(first, _)| first <= code);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|&(_, last)| code <= last)
    }

    /// The character, if there is exactly one.
    pub(crate) fn single(&self) -> Option<char> {
        match (self.ascii.count_ones(), &*self.ranges) {
            (1, []) => char::from_u32(self.ascii.trailing_zeros()),
            (0, &[(first, last)]) if first == last => char::from_u32(first),
            _ => None,
        }
    }

    /// Whether every character is in it.
    pub(crate) fn is_all(&self) -> bool {
        self.ascii == u128::MAX && *self.ranges == [(ASCII_END, LAST)]
    }
}

/// Sorts the ranges and joins those that overlap or touch.
fn merge(ranges: &mut Vec<(u32, u32)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let joins = next.0 <= kept.1.saturating_add(1);
        if joins {
            kept.1 = kept.1.max(next.1);
        }
        joins
    });
}

/// The ranges between merged ones.
fn complement(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut gaps = Vec::with_capacity(ranges.len() + 1);
    let mut start = 0;
    for &(first, last) in ranges {
        if first > start {
            gaps.push((start, first - 1));
        }
        start = last.saturating_add(1);
    }
    if start <= LAST {
        gaps.push((start, LAST));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(ranges: &[(char, char)], negated: bool) -> Class {
        Class::new(ranges.iter().map(|&(first, last)| (first.into(), last.into())).collect(), negated)
    }

    #[track_caller]
    fn check(ranges: &[(char, char)]) {
        let (class, negated) = (class(ranges, false), class(ranges, true));
        for character in ('\0'..='\u{500}').chain(['\u{d7ff}', '\u{e000}', '\u{10fffe}', char::MAX]) {
            let inside = ranges.iter().any(|&(first, last)| (first..=last).contains(&character));
            assert_eq!(class.contains(character), inside, "{character:?} in {ranges:?}");
            assert_eq!(negated.contains(character), !inside, "{character:?} not in {ranges:?}");
        }
    }

    #[test]
    fn holds_what_its_ranges_hold() {
        check(&[('a', 'a')]);
        check(&[('a', 'z'), ('A', 'Z'), ('0', '9')]);
        check(&[('c', 'f'), ('a', 'd'), ('g', 'h')]);
        check(&[('z', 'é'), ('б', 'я')]);
        check(&[('\0', '\0'), (char::MAX, char::MAX)]);
        check(&[('\0', char::MAX)]);
        check(&[('\u{7f}', '\u{80}')]);
    }

    #[test]
    fn is_equal_however_it_is_written() {
        assert_eq!(
            class(&[('a', 'b'), ('c', 'd')], false),
            class(&[('b', 'd'), ('a', 'a'), ('a', 'c')], false)
        );
        assert_eq!(class(&[('\0', '`'), ('b', char::MAX)], true), class(&[('a', 'a')], false));
        assert_eq!(class(&[('a', 'a')], false).single(), Some('a'));
        assert_eq!(class(&[('é', 'é')], false).single(), Some('é'));
        assert_eq!(class(&[('a', 'a'), ('é', 'é')], false).single(), None);
        assert_eq!(class(&[('a', 'b')], false).single(), None);
        assert!(class(&[('\0', 'm'), ('n', char::MAX)], false).is_all());
        assert!(!class(&[('a', 'a')], true).is_all());
    }
}
