//! The first pass over a glob: its text as items, with every mistake found and every limit kept.
//!
//! Owns the lexical grammar and the count of combinations. Invariant of what it returns: groups are balanced, and each
//! alternative knows where it ends and how many combinations it has.

use std::sync::Arc;

use crate::error::{PatternError, PatternErrorKind};
use crate::pattern::PatternLimits;
use crate::pattern::class::Class;

/// A glob, read.
pub(super) struct Scanned {
    pub(super) items: Vec<Item>,
    /// The combinations of all its alternatives; 1 without any.
    pub(super) combinations: usize,
}

/// One item of a glob.
pub(super) enum Item {
    Character(char),
    Any,
    Star,
    Class(Arc<Class>),
    /// `{`: a group of this many combinations, and its first alternative.
    Open(usize, Alternative),
    /// `,` in a group: the next alternative.
    Comma(Alternative),
    /// `}`.
    Close,
}

/// One alternative of a group.
#[derive(Clone, Copy, Default)]
pub(super) struct Alternative {
    /// How many combinations there are in it.
    pub(super) combinations: usize,
    /// The index of the `Comma` or `Close` that ends it.
    pub(super) end: usize,
}

impl Scanned {
    /// The text that the glob stands for, if it is made of characters alone.
    pub(super) fn literal(&self) -> Option<String> {
        self.items
            .iter()
            .map(|item| if let Item::Character(found) = item { Some(*found) } else { None })
            .collect()
    }
}

/// Reads a glob.
pub(super) fn scan(text: &str, limits: &PatternLimits) -> Result<Scanned, PatternError> {
    let mut scanner = Scanner {
        text,
        position: 0,
        limits,
        items: Vec::new(),
        stars: 0,
        groups: Vec::new(),
        combinations: 1,
    };
    while let Some((offset, found)) = scanner.next() {
        scanner.item(offset, found)?;
    }
    match scanner.groups.last() {
        Some(group) => Err(PatternError::new(PatternErrorKind::UnclosedAlternatives, group.offset)),
        None => Ok(Scanned { items: scanner.items, combinations: scanner.combinations }),
    }
}

struct Scanner<'p> {
    text: &'p str,
    position: usize,
    limits: &'p PatternLimits,
    items: Vec<Item>,
    stars: usize,
    /// The groups that are open, outermost first.
    groups: Vec<Group>,
    /// Of what was read of the sequence at hand: the innermost open alternative, or the pattern.
    combinations: usize,
}

struct Group {
    /// The byte of its `{`.
    offset: usize,
    /// The index of its `Open`.
    open: usize,
    /// The index of the `Open` or `Comma` that begins the alternative at hand.
    alternative: usize,
    /// Of the alternatives that have ended.
    combinations: usize,
    /// Of the sequence around it, up to it.
    outer: usize,
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

    fn item(&mut self, offset: usize, found: char) -> Result<(), PatternError> {
        let item = match found {
            '*' => return self.star(offset),
            '{' => {
                self.open(offset);
                return Ok(());
            }
            ',' if !self.groups.is_empty() => {
                return self.end_alternative(Item::Comma(Alternative::default()));
            }
            '}' if !self.groups.is_empty() => return self.end_alternative(Item::Close),
            '?' => Item::Any,
            '[' => self.class(offset)?,
            '\\' => Item::Character(self.escaped(offset)?),
            _ => Item::Character(found),
        };
        self.items.push(item);
        Ok(())
    }

    fn star(&mut self, offset: usize) -> Result<(), PatternError> {
        if !matches!(self.items.last(), Some(Item::Star)) {
            self.stars += 1;
            let PatternLimits { stars_max, .. } = *self.limits;
            if self.stars > stars_max {
                return Err(PatternError::new(PatternErrorKind::TooManyStars { stars_max }, offset));
            }
            self.items.push(Item::Star);
        }
        Ok(())
    }

    fn open(&mut self, offset: usize) {
        let open = self.items.len();
        self.items.push(Item::Open(0, Alternative::default()));
        self.groups.push(Group {
            offset,
            open,
            alternative: open,
            combinations: 0,
            outer: self.combinations,
        });
        self.combinations = 1;
    }

    /// Ends the alternative at hand with `mark`, a `Comma` or a `Close`.
    fn end_alternative(&mut self, mark: Item) -> Result<(), PatternError> {
        let Some(mut group) = self.groups.pop() else { return Ok(()) };
        let ended = Alternative { combinations: self.combinations, end: self.items.len() };
        if let Some(Item::Open(_, alternative) | Item::Comma(alternative)) =
            self.items.get_mut(group.alternative)
        {
            *alternative = ended;
        }
        group.combinations =
            self.checked(group.combinations.saturating_add(ended.combinations), group.offset)?;
        group.alternative = ended.end;
        if matches!(mark, Item::Comma(_)) {
            self.combinations = 1;
            self.groups.push(group);
        } else {
            if let Some(Item::Open(total, _)) = self.items.get_mut(group.open) {
                *total = group.combinations;
            }
            self.combinations = self.checked(group.outer.saturating_mul(group.combinations), group.offset)?;
        }
        self.items.push(mark);
        Ok(())
    }

    /// No part of a pattern has more combinations than the whole, so each part can be held against the limit.
    fn checked(&self, combinations: usize, offset: usize) -> Result<usize, PatternError> {
        let PatternLimits { alternatives_max, .. } = *self.limits;
        if combinations > alternatives_max {
            return Err(PatternError::new(
                PatternErrorKind::TooManyAlternatives { alternatives_max },
                offset,
            ));
        }
        Ok(combinations)
    }

    fn escaped(&mut self, offset: usize) -> Result<char, PatternError> {
        self.next().map(|(_, found)| found).ok_or(PatternError::new(PatternErrorKind::TrailingEscape, offset))
    }

    /// Reads a class whose `[` has been read.
    fn class(&mut self, open: usize) -> Result<Item, PatternError> {
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
        Ok(Item::Class(Arc::new(Class::new(ranges, negated))))
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
