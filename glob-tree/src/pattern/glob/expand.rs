//! The second pass over a glob: one of its combinations of alternatives, written out.
//!
//! A combination is a number below their count. Each group takes its digit from it (its choice among its own
//! combinations) and hands the rest on, so that a combination costs one walk over the template and nothing is kept between two.

use crate::pattern::code::{
    ANY, Branch, Builder, CLASS, CLOSE, COMMA, DIRECTORIES, GROUP_BYTES, NUMBER_BYTES, OPEN, RUN, STAR,
    literal_length, number,
};

/// Writes the combination with this number, in normal form, in place of what is in `written`.
pub(in crate::pattern) fn expand(template: Branch<'_>, mut combination: usize, written: &mut Vec<u8>) {
    written.clear();
    let code = template.bytes;
    let mut builder = Builder::new(written);
    // What is left of the number for what stands behind each group that is open.
    let mut outer = Vec::new();
    let mut at = 0;
    while let Some(&first) = code.get(at) {
        match first {
            ANY => builder.any(),
            STAR => builder.star(),
            CLASS => {
                let class = number(code, at + 1);
                if let Some(set) = template.classes.get(class) {
                    builder.class(set, class);
                }
                at += NUMBER_BYTES;
            }
            RUN => {
                builder.run(number(code, at + 1));
                at += NUMBER_BYTES;
            }
            DIRECTORIES => {
                builder.directories(number(code, at + 1));
                at += NUMBER_BYTES;
            }
            OPEN => {
                let total = number(code, at + 1);
                outer.push(combination.checked_div(total).unwrap_or(0));
                let group = combination.checked_rem(total).unwrap_or(0);
                (at, combination) = choose(code, at, group);
                continue;
            }
            // The alternative that was chosen ends here: go on behind the group.
            COMMA => {
                at = number(code, at + 1 + 2 * NUMBER_BYTES);
                combination = outer.pop().unwrap_or(0);
            }
            CLOSE => combination = outer.pop().unwrap_or(0),
            _ => {
                let literal = code.get(at..).unwrap_or_default();
                let length = literal_length(literal);
                builder.literal(literal.get(..length).unwrap_or_default());
                at += length;
                continue;
            }
        }
        at += 1;
    }
    builder.finish();
}

/// Where the alternative begins that has the combination `number` of the group that opens at `open`, and that
/// combination's number in it.
fn choose(code: &[u8], open: usize, mut combination: usize) -> (usize, usize) {
    let mut at = open;
    let (mut combinations, mut end) =
        (number(code, open + 1 + NUMBER_BYTES), number(code, open + 1 + 2 * NUMBER_BYTES));
    while combination >= combinations && code.get(end) == Some(&COMMA) {
        combination -= combinations;
        at = end;
        (combinations, end) = (number(code, at + 1), number(code, at + 1 + NUMBER_BYTES));
    }
    (at + GROUP_BYTES, combination)
}
