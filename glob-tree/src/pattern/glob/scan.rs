//! The first pass over a glob: its text as a template, with every mistake found and every limit kept.
//!
//! Owns the lexical grammar and the count of combinations and of their bytes. Invariant of what it returns: groups are balanced,
//! and each alternative knows where it ends and how many combinations it has.

use std::sync::Arc;

use crate::error::{PatternError, PatternErrorKind};
use crate::pattern::class::Class;
use crate::pattern::code::{
    self, ANY, CLASS, CLOSE, COMMA, Code, DIRECTORIES, NUMBER_BYTES, OPEN, RUN, STAR,
};
use crate::pattern::{PatternLimits, Separator};

/// A glob, read.
pub(super) struct Scanned {
    /// A template; if there is nothing in it but characters, these.
    pub(super) code: Code,
    /// Whether there are elements in it that only a simulation of states can match.
    pub(super) runs: bool,
    /// How many branches it stands for, and their bytes.
    pub(super) written_out: WrittenOut,
}

/// What a sequence takes when its combinations are written out.
#[derive(Clone, Copy)]
pub(super) struct WrittenOut {
    pub(super) combinations: usize,
    /// Of all of them together; a wildcard or a class counts as one.
    pub(super) bytes: usize,
}

impl WrittenOut {
    /// The one empty combination.
    const EMPTY: Self = Self { combinations: 1, bytes: 0 };
    /// None at all.
    const NONE: Self = Self { combinations: 0, bytes: 0 };

    /// Of the sequence with one more element of this length.
    fn with(self, bytes: usize) -> Self {
        self.then(Self { combinations: 1, bytes })
    }

    /// Of each followed by each of `next`.
    fn then(self, next: Self) -> Self {
        let bytes = self.bytes.saturating_mul(next.combinations);
        Self {
            combinations: self.combinations.saturating_mul(next.combinations),
            bytes: bytes.saturating_add(next.bytes.saturating_mul(self.combinations)),
        }
    }

    /// Of either one or the other.
    fn or(self, other: Self) -> Self {
        Self {
            combinations: self.combinations.saturating_add(other.combinations),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// Reads a glob, or with a separator a path.
pub(super) fn scan(
    text: &str,
    separator: Option<Separator>,
    limits: &PatternLimits,
) -> Result<Scanned, PatternError> {
    let mut scanner = Scanner {
        text,
        position: 0,
        separator: separator.map(Separator::byte),
        limits,
        code: Vec::with_capacity(text.len()),
        classes: Vec::new(),
        not_separator: None,
        begins_component: true,
        runs: false,
        stars: 0,
        groups: Vec::new(),
        written_out: WrittenOut::EMPTY,
    };
    while let Some((offset, found)) = scanner.next() {
        scanner.element(offset, found)?;
    }
    match scanner.groups.last() {
        Some(group) => Err(PatternError::new(PatternErrorKind::UnclosedAlternatives, group.offset)),
        None => Ok(Scanned {
            code: Code { bytes: scanner.code.into(), classes: scanner.classes.into() },
            runs: scanner.runs,
            written_out: scanner.written_out,
        }),
    }
}

struct Scanner<'p> {
    text: &'p str,
    position: usize,
    /// Of a path.
    separator: Option<u8>,
    limits: &'p PatternLimits,
    code: Vec<u8>,
    classes: Vec<Arc<Class>>,
    /// The number of the class of all but the separator.
    not_separator: Option<usize>,
    /// Whether a component of a path begins here.
    begins_component: bool,
    runs: bool,
    stars: usize,
    /// The groups that are open, outermost first.
    groups: Vec<Group>,
    /// Of what was read of the sequence at hand: the innermost open alternative, or the pattern.
    written_out: WrittenOut,
}

struct Group {
    /// The byte of its `{`.
    offset: usize,
    /// Where its `OPEN` is.
    open: usize,
    /// Where the numbers of the alternative at hand are: its combinations, its end.
    alternative: usize,
    /// Of the alternatives that have ended.
    ended: WrittenOut,
    /// Of the sequence around it, up to it.
    outer: WrittenOut,
    /// Whether a component of a path begins with each alternative: with all of them or with none, so that `**/` is never reached in the middle of one.
    begins_component: bool,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<(usize, char)> {
        let offset = self.position;
        let found = self.text.get(offset..)?.chars().next()?;
        self.position += found.len_utf8();
        Some((offset, found))
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.position..)?.chars().next()
    }

    fn element(&mut self, offset: usize, found: char) -> Result<(), PatternError> {
        let begins_component = std::mem::take(&mut self.begins_component);
        match found {
            '*' => return self.star(offset, begins_component),
            '{' => self.open(offset, begins_component),
            ',' if !self.groups.is_empty() => return self.comma(),
            '}' if !self.groups.is_empty() => return self.close(),
            '?' if self.separator.is_some() => {
                let class = self.not_separator();
                self.numbered(CLASS, class);
            }
            '?' => self.opcode(ANY),
            '[' => {
                let class = self.class(offset)?;
                self.numbered(CLASS, self.classes.len());
                self.classes.push(Arc::new(match self.separator {
                    Some(separator) => class.without(separator),
                    None => class,
                }));
            }
            '\\' => {
                let escaped = self.escaped(offset)?;
                self.character(escaped);
            }
            _ => self.character(found),
        }
        Ok(())
    }

    fn character(&mut self, character: char) {
        self.code.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.written_out = self.written_out.with(character.len_utf8());
        self.begins_component = self.is_separator(character);
    }

    fn opcode(&mut self, opcode: u8) {
        self.code.push(opcode);
        self.written_out = self.written_out.with(1);
    }

    fn numbered(&mut self, opcode: u8, number: usize) {
        self.opcode(opcode);
        code::push_number(&mut self.code, number);
    }

    fn is_separator(&self, character: char) -> bool {
        self.separator.is_some_and(|separator| char::from(separator) == character)
    }

    /// The number of the class of all but the separator.
    fn not_separator(&mut self) -> usize {
        *self.not_separator.get_or_insert_with(|| {
            let class = Class::new(vec![(0, char::MAX.into())], false);
            self.classes.push(Arc::new(self.separator.map_or(class.clone(), |byte| class.without(byte))));
            self.classes.len() - 1
        })
    }

    /// Reads a run of `*` whose first one has been read.
    fn star(&mut self, offset: usize, begins_component: bool) -> Result<(), PatternError> {
        self.stars += 1;
        let PatternLimits { stars_max, .. } = *self.limits;
        if self.stars > stars_max {
            return Err(PatternError::new(PatternErrorKind::TooManyStars { stars_max }, offset));
        }
        let mut several = false;
        while self.peek() == Some('*') {
            self.next();
            several = true;
        }
        if self.separator.is_none() {
            self.opcode(STAR);
            return Ok(());
        }
        let behind = self.peek();
        if several && begins_component && behind.is_some_and(|behind| self.is_separator(behind)) {
            self.next();
            let class = self.not_separator();
            self.numbered(DIRECTORIES, class);
            self.runs = true;
            self.begins_component = true;
        } else if several && begins_component && self.ends_sequence(behind) {
            self.opcode(STAR);
        } else {
            let class = self.not_separator();
            self.numbered(RUN, class);
            self.runs = true;
        }
        Ok(())
    }

    /// Whether an alternative or the pattern ends before `behind`.
    fn ends_sequence(&self, behind: Option<char>) -> bool {
        behind.is_none() || (!self.groups.is_empty() && matches!(behind, Some(',' | '}')))
    }

    /// Writes an opcode of a group with room for its three numbers.
    fn group_opcode(&mut self, opcode: u8) {
        self.code.push(opcode);
        self.code.extend_from_slice(&[0; 3 * NUMBER_BYTES]);
    }

    fn open(&mut self, offset: usize, begins_component: bool) {
        let open = self.code.len();
        self.group_opcode(OPEN);
        self.groups.push(Group {
            offset,
            open,
            alternative: open + 1 + NUMBER_BYTES,
            ended: WrittenOut::NONE,
            outer: self.written_out,
            begins_component,
        });
        self.written_out = WrittenOut::EMPTY;
        self.begins_component = begins_component;
    }

    /// Ends the alternative at hand, where the code is now.
    fn end_alternative(&mut self) -> Result<Option<Group>, PatternError> {
        let Some(mut group) = self.groups.pop() else { return Ok(None) };
        let end = self.code.len();
        code::set_number(&mut self.code, group.alternative, self.written_out.combinations);
        code::set_number(&mut self.code, group.alternative + NUMBER_BYTES, end);
        group.ended = self.checked(group.ended.or(self.written_out), group.offset)?;
        Ok(Some(group))
    }

    fn comma(&mut self) -> Result<(), PatternError> {
        if let Some(group) = self.end_alternative()? {
            let alternative = self.code.len() + 1;
            self.group_opcode(COMMA);
            self.written_out = WrittenOut::EMPTY;
            self.begins_component = group.begins_component;
            self.groups.push(Group { alternative, ..group });
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), PatternError> {
        if let Some(group) = self.end_alternative()? {
            let close = self.code.len();
            self.code.push(CLOSE);
            code::set_number(&mut self.code, group.open + 1, group.ended.combinations);
            // Each comma learns where the group ends.
            let mut end = code::number(&self.code, group.open + 1 + 2 * NUMBER_BYTES);
            while self.code.get(end) == Some(&COMMA) {
                code::set_number(&mut self.code, end + 1 + 2 * NUMBER_BYTES, close);
                end = code::number(&self.code, end + 1 + NUMBER_BYTES);
            }
            self.written_out = self.checked(group.outer.then(group.ended), group.offset)?;
        }
        Ok(())
    }

    /// No part of a pattern has more combinations than the whole, so each part can be held against the limit.
    fn checked(&self, written_out: WrittenOut, offset: usize) -> Result<WrittenOut, PatternError> {
        let PatternLimits { alternatives_max, .. } = *self.limits;
        if written_out.combinations > alternatives_max {
            return Err(PatternError::new(
                PatternErrorKind::TooManyAlternatives { alternatives_max },
                offset,
            ));
        }
        Ok(written_out)
    }

    fn escaped(&mut self, offset: usize) -> Result<char, PatternError> {
        self.next().map(|(_, found)| found).ok_or(PatternError::new(PatternErrorKind::TrailingEscape, offset))
    }

    /// Reads a class whose `[` has been read.
    fn class(&mut self, open: usize) -> Result<Class, PatternError> {
        let unclosed = PatternError::new(PatternErrorKind::UnclosedClass, open);
        let negated = self.peek() == Some('!');
        if negated {
            self.next();
        }
        let mut ranges = Vec::new();
        loop {
            let (offset, found) = self.next().ok_or(unclosed)?;
            if found == ']' {
                break;
            }
            let first = if found == '\\' { self.escaped(offset)? } else { found };
            let last = self.range_end(first)?;
            if last < first {
                return Err(PatternError::new(PatternErrorKind::ReversedRange { first, last }, offset));
            }
            ranges.push((first.into(), last.into()));
        }
        if ranges.is_empty() {
            return Err(PatternError::new(PatternErrorKind::EmptyClass, open));
        }
        Ok(Class::new(ranges, negated))
    }

    /// The last character of a range that begins with `first`: itself unless a `-` follows that does not end the class.
    fn range_end(&mut self, first: char) -> Result<char, PatternError> {
        let mut ahead = self.text.get(self.position..).unwrap_or_default().chars();
        if ahead.next() != Some('-') || matches!(ahead.next(), None | Some(']')) {
            return Ok(first);
        }
        self.next();
        match self.next() {
            Some((offset, '\\')) => self.escaped(offset),
            Some((_, last)) => Ok(last),
            None => Ok(first),
        }
    }
}
