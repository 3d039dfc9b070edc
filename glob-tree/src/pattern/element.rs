//! What a pattern is made of once its alternatives are chosen, and the normal form of such a sequence.
//!
//! Owns the rules that make different writings of one meaning the same path in the tree: characters in a row are one
//! literal, a class of one character is that character, a class of all is `?`, and a run of `*` and `?` has its `?`
//! first and then one `*`. So a star is never followed by a star or by `?`.

use std::sync::Arc;

use super::class::Class;

/// One element of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// These characters; never empty.
    Literal(Box<str>),
    /// Any one character.
    Any,
    /// One character of a set.
    Class(Arc<Class>),
    /// Any run of characters.
    Star,
    /// One token of a subject: at least one character, none of them a dot, up to a dot or the end.
    Token,
    /// The rest of a subject: at least one character.
    Tail,
}

/// One way through a pattern: its elements in order.
pub(crate) type Branch = Box<[Element]>;

/// Builds a branch in normal form.
#[derive(Default)]
pub(crate) struct Builder {
    elements: Vec<Element>,
    literal: String,
    /// A star that was read and not yet written, because `?` may follow and goes before it.
    star: bool,
}

impl Builder {
    pub(crate) fn character(&mut self, character: char) {
        self.end_star();
        self.literal.push(character);
    }

    pub(crate) fn any(&mut self) {
        self.end_literal();
        self.elements.push(Element::Any);
    }

    pub(crate) fn class(&mut self, class: &Arc<Class>) {
        if let Some(character) = class.single() {
            self.character(character);
        } else if class.is_all() {
            self.any();
        } else {
            self.end_literal();
            self.end_star();
            self.elements.push(Element::Class(Arc::clone(class)));
        }
    }

    pub(crate) fn star(&mut self) {
        self.end_literal();
        self.star = true;
    }

    pub(crate) fn token(&mut self) {
        self.end_literal();
        self.elements.push(Element::Token);
    }

    pub(crate) fn tail(&mut self) {
        self.end_literal();
        self.elements.push(Element::Tail);
    }

    pub(crate) fn finish(mut self) -> Branch {
        self.end_literal();
        self.end_star();
        self.elements.into_boxed_slice()
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.elements.push(Element::Literal(self.literal.as_str().into()));
            self.literal.clear();
        }
    }

    fn end_star(&mut self) {
        if std::mem::take(&mut self.star) {
            self.elements.push(Element::Star);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_goes_before_star_and_stars_are_one() {
        let mut builder = Builder::default();
        builder.character('a');
        builder.star();
        builder.any();
        builder.star();
        builder.any();
        builder.character('b');
        builder.class(&Arc::new(Class::new(vec![('c'.into(), 'c'.into())], false)));
        builder.star();
        builder.class(&Arc::new(Class::new(vec![(0, char::MAX.into())], false)));
        assert_eq!(
            *builder.finish(),
            [
                Element::Literal("a".into()),
                Element::Any,
                Element::Any,
                Element::Star,
                Element::Literal("bc".into()),
                Element::Any,
                Element::Star,
            ]
        );
    }
}
