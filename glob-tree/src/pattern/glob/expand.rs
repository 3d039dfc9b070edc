//! The second pass over a glob: its combinations of alternatives, written out.
//!
//! A combination is a number below their count. Each group takes its digit from it (its choice among its own
//! combinations) and hands the rest on, so that a combination costs one walk over the items and nothing is kept between two.

use super::scan::{Alternative, Item};
use crate::pattern::element::{Branch, Builder};

/// Every combination, each once; `None` if they have more than `bytes_max` bytes together.
pub(super) fn expand(items: &[Item], combinations: usize, bytes_max: usize) -> Option<Box<[Branch]>> {
    let mut left = bytes_max;
    let mut branches: Vec<Branch> =
        (0..combinations).map(|number| branch(items, number, &mut left)).collect::<Option<_>>()?;
    branches.sort_unstable();
    branches.dedup();
    Some(branches.into_boxed_slice())
}

/// The combination with this number, if it is no longer than what is `left`.
fn branch(items: &[Item], mut number: usize, left: &mut usize) -> Option<Branch> {
    let mut builder = Builder::default();
    // What is left of the number for the items behind each group that is open.
    let mut outer = Vec::new();
    let mut at = 0;
    while let Some(item) = items.get(at) {
        at += 1;
        let bytes = match item {
            Item::Character(character) => character.len_utf8(),
            Item::Any | Item::Star | Item::Class(_) => 1,
            Item::Open(..) | Item::Comma(_) | Item::Close => 0,
        };
        *left = left.checked_sub(bytes)?;
        match item {
            Item::Character(character) => builder.character(*character),
            Item::Any => builder.any(),
            Item::Star => builder.star(),
            Item::Class(class) => builder.class(class),
            Item::Open(total, first) => {
                outer.push(number.checked_div(*total).unwrap_or(0));
                (at, number) = choose(items, at, first, number.checked_rem(*total).unwrap_or(0));
            }
            // The alternative that was chosen ends here: go on behind the group.
            Item::Comma(next) => {
                at = group_end(items, next) + 1;
                number = outer.pop().unwrap_or(0);
            }
            Item::Close => number = outer.pop().unwrap_or(0),
        }
    }
    Some(builder.finish())
}

/// Where the alternative begins that has the combination `number` of its group, and that combination's number in it.
fn choose(items: &[Item], mut at: usize, first: &Alternative, mut number: usize) -> (usize, usize) {
    let mut alternative = first;
    while number >= alternative.combinations {
        let Some(Item::Comma(next)) = items.get(alternative.end) else { break };
        number -= alternative.combinations;
        at = alternative.end + 1;
        alternative = next;
    }
    (at, number)
}

/// The index of the `Close` of the group that `alternative` is in.
fn group_end(items: &[Item], alternative: &Alternative) -> usize {
    let mut end = alternative.end;
    while let Some(Item::Comma(next)) = items.get(end) {
        end = next.end;
    }
    end
}
