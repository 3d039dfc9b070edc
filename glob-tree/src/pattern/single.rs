//! One branch against one text, without a tree.
//!
//! Owns the algorithm with a single place to go back to: a later star makes an earlier one's choice final, because
//! what stands between them has matched as early as it could. Neither recursive nor exponential.

use super::element::Element;

/// Whether `elements` match the whole of `text`. At most (length of the text) × (length of the pattern) comparisons.
pub(super) fn matches(elements: &[Element], text: &str) -> bool {
    let (mut at, mut position) = (0, 0);
    // The element behind the last star, and where the text for it begins.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match elements.get(at) {
            Some(Element::Star) => {
                at += 1;
                if at == elements.len() {
                    return true;
                }
                retry = Some((at, position));
                continue;
            }
            Some(element) => {
                if let Some(next) = consume(element, text, position) {
                    (at, position) = (at + 1, next);
                    continue;
                }
            }
            None if position == text.len() => return true,
            None => {}
        }
        let Some((behind_star, from)) = retry else { return false };
        let Some(skipped) = character_at(text, from) else { return false };
        (at, position) = (behind_star, from + skipped.len_utf8());
        retry = Some((at, position));
    }
}

/// Where the text goes on behind `element`, if that matches at `position`.
fn consume(element: &Element, text: &str, position: usize) -> Option<usize> {
    let rest = text.get(position..)?;
    match element {
        Element::Literal(literal) => rest.starts_with(&**literal).then_some(position + literal.len()),
        Element::Any => rest.chars().next().map(|found| position + found.len_utf8()),
        Element::Class(class) => rest
            .chars()
            .next()
            .filter(|&found| class.contains(found))
            .map(|found| position + found.len_utf8()),
        Element::Star => Some(position),
        Element::Token => match rest.find('.').unwrap_or(rest.len()) {
            0 => None,
            length => Some(position + length),
        },
        Element::Tail => (!rest.is_empty()).then_some(text.len()),
    }
}

fn character_at(text: &str, position: usize) -> Option<char> {
    text.get(position..)?.chars().next()
}
