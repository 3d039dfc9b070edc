//! What a pattern is made of, packed: a literal is its own bytes, everything else an opcode that UTF-8 never has.
//!
//! Owns the layout, and the rules that make different writings of one meaning the same path in the tree: characters in a row are
//! one literal, a class of one character is that character, a class of all is `?`, and a run of `*` and `?` has its `?` first and
//! then one `*`. So in a branch a star is never followed by a star or by `?`; nor by a run, which it contains.
//!
//! A *branch* has no alternatives. A *template* has them between `OPEN`, `COMMA` and `CLOSE`, and is not in normal form: what
//! stands on both sides of a bracket comes together only when a branch is written out.

use std::sync::Arc;

use super::class::Class;

/// Any run of characters of a set, of all but the separator; the number of the set follows.
pub(crate) const RUN: u8 = 0xf5;
/// Any number of whole directories, each with its separator; the number of the set of all but the separator follows.
pub(crate) const DIRECTORIES: u8 = 0xf6;
/// Any one character.
pub(crate) const ANY: u8 = 0xf8;
/// Any run of characters.
pub(crate) const STAR: u8 = 0xf9;
/// One token of a subject: at least one character, none of them a dot, up to a dot or the end.
pub(crate) const TOKEN: u8 = 0xfa;
/// The rest of a subject: at least one character.
pub(crate) const TAIL: u8 = 0xfb;
/// One character of a set; the number of the set follows.
pub(crate) const CLASS: u8 = 0xfc;
/// `{` of a template; three numbers follow: the combinations of the group, those of its first alternative, where that ends.
pub(crate) const OPEN: u8 = 0xfd;
/// `,` of a template; three numbers follow: the combinations of the next alternative, where it ends, where the group does.
pub(crate) const COMMA: u8 = 0xfe;
/// `}` of a template.
pub(crate) const CLOSE: u8 = 0xff;
/// The lowest opcode.
pub(crate) const OPCODES: u8 = RUN;

/// A number behind an opcode takes this many bytes.
pub(crate) const NUMBER_BYTES: usize = 4;
/// The opcodes `OPEN` and `COMMA` with their numbers.
pub(crate) const GROUP_BYTES: usize = 1 + 3 * NUMBER_BYTES;

/// The elements of a branch or a template, and the classes that they name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) classes: Box<[Arc<Class>]>,
}

impl Code {
    pub(crate) fn view(&self) -> Branch<'_> {
        Branch { bytes: &self.bytes, classes: &self.classes }
    }
}

/// What is left of a branch to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch<'p> {
    pub(crate) bytes: &'p [u8],
    pub(crate) classes: &'p [Arc<Class>],
}

/// One element of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element<'p> {
    /// These bytes, whole characters; never empty.
    Literal(&'p [u8]),
    Any,
    Class(&'p Arc<Class>),
    Run(&'p Arc<Class>),
    Directories(&'p Arc<Class>),
    Star,
    Token,
    Tail,
}

impl<'p> Branch<'p> {
    /// Reads the next element.
    pub(crate) fn read(&mut self) -> Option<Element<'p>> {
        let &first = self.bytes.first()?;
        let (length, element) = match first {
            ANY => (1, Element::Any),
            STAR => (1, Element::Star),
            TOKEN => (1, Element::Token),
            TAIL => (1, Element::Tail),
            CLASS | RUN | DIRECTORIES => {
                let class = self.classes.get(number(self.bytes, 1))?;
                let element = match first {
                    CLASS => Element::Class(class),
                    RUN => Element::Run(class),
                    _ => Element::Directories(class),
                };
                (1 + NUMBER_BYTES, element)
            }
            _ => {
                let length = literal_length(self.bytes);
                (length, Element::Literal(self.bytes.get(..length)?))
            }
        };
        self.bytes = self.bytes.get(length..).unwrap_or_default();
        Some(element)
    }

    /// The literal of a branch that is a star and one literal.
    pub(crate) fn suffix(&self) -> Option<&'p [u8]> {
        let (&STAR, literal) = self.bytes.split_first()? else { return None };
        (!literal.is_empty() && literal_length(literal) == literal.len()).then_some(literal)
    }

    /// The literal of a branch that is one literal and a token or a tail, and that one.
    pub(crate) fn parent(&self) -> Option<(&'p [u8], Element<'static>)> {
        let (&last, literal) = self.bytes.split_last()?;
        let wildcard = match last {
            TOKEN => Element::Token,
            TAIL => Element::Tail,
            _ => return None,
        };
        (!literal.is_empty() && literal_length(literal) == literal.len()).then_some((literal, wildcard))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// How many of the first bytes are characters.
pub(crate) fn literal_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte >= OPCODES).unwrap_or(bytes.len())
}

/// The number that stands at `at`.
pub(crate) fn number(bytes: &[u8], at: usize) -> usize {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    u32::from_le_bytes(bytes) as usize
}

/// Adds a number. Patterns are too short for one that does not fit.
pub(crate) fn push_number(bytes: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// Writes a number over the one that stands at `at`.
pub(crate) fn set_number(bytes: &mut [u8], at: usize, number: usize) {
    if let Some(place) = bytes.get_mut(at..at + NUMBER_BYTES) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        place.copy_from_slice(&number.to_le_bytes());
    }
}

/// Writes a branch in normal form, behind what is in `bytes`.
pub(crate) struct Builder<'b> {
    bytes: &'b mut Vec<u8>,
    /// What was read and not yet written, because what follows may go before it or into it.
    pending: Option<Pending>,
}

#[derive(Clone, Copy)]
enum Pending {
    Star,
    /// With the number of its class.
    Run(usize),
    Directories(usize),
}

impl<'b> Builder<'b> {
    pub(crate) fn new(bytes: &'b mut Vec<u8>) -> Self {
        Self { bytes, pending: None }
    }

    /// Characters, whole ones or the bytes of one after another.
    pub(crate) fn literal(&mut self, literal: &[u8]) {
        if !literal.is_empty() {
            self.flush();
            self.bytes.extend_from_slice(literal);
        }
    }

    pub(crate) fn any(&mut self) {
        if !matches!(self.pending, Some(Pending::Star)) {
            self.flush();
        }
        self.bytes.push(ANY);
    }

    /// A class, by its number.
    pub(crate) fn class(&mut self, class: &Class, number: usize) {
        if let Some(character) = class.single() {
            self.literal(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else if class.is_all() {
            self.any();
        } else {
            self.flush();
            self.numbered(CLASS, number);
        }
    }

    pub(crate) fn star(&mut self) {
        if let Some(Pending::Directories(_)) = self.pending {
            self.flush();
        }
        self.pending = Some(Pending::Star);
    }

    /// A run of the class with this number. A pattern has only one such class.
    pub(crate) fn run(&mut self, class: usize) {
        if !matches!(self.pending, Some(Pending::Star | Pending::Run(_))) {
            self.flush();
            self.pending = Some(Pending::Run(class));
        }
    }

    /// Directories between characters that are not in the class with this number.
    pub(crate) fn directories(&mut self, class: usize) {
        if !matches!(self.pending, Some(Pending::Directories(_))) {
            self.flush();
            self.pending = Some(Pending::Directories(class));
        }
    }

    pub(crate) fn token(&mut self) {
        self.bytes.push(TOKEN);
    }

    pub(crate) fn tail(&mut self) {
        self.bytes.push(TAIL);
    }

    pub(crate) fn finish(mut self) {
        self.flush();
    }

    fn flush(&mut self) {
        match self.pending.take() {
            None => {}
            Some(Pending::Star) => self.bytes.push(STAR),
            Some(Pending::Run(class)) => self.numbered(RUN, class),
            Some(Pending::Directories(class)) => self.numbered(DIRECTORIES, class),
        }
    }

    fn numbered(&mut self, opcode: u8, number: usize) {
        self.bytes.push(opcode);
        push_number(self.bytes, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_goes_before_star_and_stars_are_one() {
        let classes = [
            Arc::new(Class::new(vec![('c'.into(), 'c'.into())], false)),
            Arc::new(Class::new(vec![(0, char::MAX.into())], false)),
            Arc::new(Class::new(vec![('x'.into(), 'é'.into())], false)),
        ];
        let mut bytes = Vec::new();
        let mut builder = Builder::new(&mut bytes);
        builder.literal(b"a");
        builder.star();
        builder.any();
        builder.star();
        builder.any();
        builder.literal(b"b");
        builder.class(&classes[0], 0);
        builder.star();
        builder.class(&classes[1], 1);
        builder.class(&classes[2], 2);
        builder.star();
        builder.finish();
        let mut branch = Branch { bytes: &bytes, classes: &classes };
        assert_eq!(
            std::iter::from_fn(|| branch.read()).collect::<Vec<_>>(),
            [
                Element::Literal(b"a"),
                Element::Any,
                Element::Any,
                Element::Star,
                Element::Literal(b"bc"),
                Element::Any,
                Element::Star,
                Element::Class(&classes[2]),
                Element::Star,
            ]
        );
    }
}
