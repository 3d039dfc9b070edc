//! The dialects glob and path: from text to code.
//!
//! Owns its grammar, in two passes: `scan` reads the text into a template and counts the combinations of alternatives, and
//! their bytes, while it reads (numbers, checked at each bracket, before anything is multiplied out); `expand` writes one
//! combination by walking the template once. Neither recurses: depth is a stack on the heap, as long as the text at most.

mod expand;
mod scan;

use super::Body;
use super::code::Code;
use crate::error::{PatternError, PatternErrorKind};
use crate::pattern::{EXPANSION_FACTOR, PatternLimits, Separator};

pub(super) use self::expand::expand;

/// Parses a glob, or with a separator a path, whose length has been checked.
pub(super) fn parse(
    text: &str,
    separator: Option<Separator>,
    limits: &PatternLimits,
) -> Result<Body, PatternError> {
    let scan::Scanned { code, runs, written_out } = scan::scan(text, separator, limits)?;
    if super::code::literal_length(&code.bytes) == code.bytes.len() {
        let literal = String::from_utf8_lossy(&code.bytes);
        return Ok(if literal == text { Body::Itself } else { Body::Literal(literal.into()) });
    }
    let bytes_max = limits.bytes_max.saturating_mul(EXPANSION_FACTOR);
    if written_out.bytes > bytes_max {
        return Err(PatternError::new(PatternErrorKind::TooLongWrittenOut { bytes_max }, 0));
    }
    if written_out.combinations > 1 || runs {
        return Ok(Body::Template(code, written_out.combinations));
    }
    let mut bytes = Vec::new();
    expand(code.view(), 0, &mut bytes);
    Ok(Body::Branch(Code { bytes: bytes.into(), classes: code.classes }))
}

#[cfg(test)]
mod tests {
    use crate::PatternErrorKind::{
        EmptyClass, ReversedRange, TooManyAlternatives, TooManyStars, TrailingEscape, UnclosedAlternatives,
        UnclosedClass,
    };
    use crate::{Pattern, PatternErrorKind};

    #[track_caller]
    fn refused(text: &str, kind: PatternErrorKind, offset: usize) {
        let error = Pattern::glob(text).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{text:?}: {error}");
    }

    #[test]
    fn what_is_no_glob_is_refused_where_it_is_wrong() {
        refused("[", UnclosedClass, 0);
        refused("é[a", UnclosedClass, 2);
        refused("a[!", UnclosedClass, 1);
        refused("[a-", UnclosedClass, 0);
        refused(r"[\]", UnclosedClass, 0);
        refused("{[}", UnclosedClass, 1);
        refused("[]", EmptyClass, 0);
        refused("a[!]", EmptyClass, 1);
        refused("[]a]", EmptyClass, 0);
        refused("[az-a]", ReversedRange { first: 'z', last: 'a' }, 2);
        refused("{", UnclosedAlternatives, 0);
        refused("a{b,{c}", UnclosedAlternatives, 1);
        refused("{a{b", UnclosedAlternatives, 2);
        refused(r"{a\}", UnclosedAlternatives, 0);
        refused("\\", TrailingEscape, 0);
        refused("ab\\", TrailingEscape, 2);
        refused("[a\\", TrailingEscape, 2);
        refused("[a-\\", TrailingEscape, 3);
    }

    #[test]
    fn limits_are_the_last_value_that_is_allowed() {
        assert!(Pattern::glob(&"*a".repeat(16)).is_ok());
        refused(&"*a".repeat(17), TooManyStars { stars_max: 16 }, 32);
        assert!(Pattern::glob(&"*".repeat(1024)).is_ok(), "one run");
        assert!(Pattern::glob(&"{a,b}".repeat(6)).is_ok());
        refused(&"{a,b}".repeat(7), TooManyAlternatives { alternatives_max: 64 }, 30);
        let list = format!("{{{}}}", "a,".repeat(64));
        refused(&list, TooManyAlternatives { alternatives_max: 64 }, 0);
        assert!(Pattern::glob(&list.replacen("a,", "a", 1)).is_ok());
    }

    #[test]
    fn alternatives_do_not_multiply_memory() {
        let long = format!("{}{}", "{a,b}".repeat(6), "x".repeat(900));
        refused(&long, PatternErrorKind::TooLongWrittenOut { bytes_max: 8192 }, 0);
        assert!(
            Pattern::glob(&format!("{}{}", "{a,b}".repeat(6), "x".repeat(122))).is_ok(),
            "64 of 128 bytes"
        );
    }

    #[test]
    fn hostile_alternatives_are_refused_before_they_are_built() {
        // 2^200 combinations in a row, and 2^(2^…) by nesting: a number that saturates, not a list.
        refused(&"{a,b}".repeat(200), TooManyAlternatives { alternatives_max: 64 }, 30);
        let nested = format!("{}{}", "{{a,b}{c,d}".repeat(60), "}".repeat(60));
        assert!(matches!(Pattern::glob(&nested).unwrap_err().kind, TooManyAlternatives { .. }));
        // As deep as the text allows, and harmless.
        let deep = format!("{}a*{}", "{".repeat(511), "}".repeat(511));
        assert!(Pattern::glob(&deep).unwrap().matches("ab"));
        refused(&"{".repeat(1024), UnclosedAlternatives, 1023);
    }

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let parsed = Pattern::glob(pattern).unwrap();
        for text in matching {
            assert!(parsed.matches(text), "{pattern} on {text}");
        }
        for text in others {
            assert!(!parsed.matches(text), "{pattern} not on {text}");
        }
    }

    #[test]
    fn classes() {
        check("[a-c]", &["a", "b", "c"], &["", "d", "-", "ab"]);
        check("[-a]", &["-", "a"], &["b"]);
        check("[a-]", &["-", "a"], &["b"]);
        check("[!-a]", &["b"], &["-", "a"]);
        check("[--0]", &["-", ".", "/", "0"], &["1", ","]);
        check("[a-c-e]", &["b", "-", "e"], &["d"]);
        check(r"[\]\\\-a]", &["]", "\\", "-", "a"], &["b"]);
        check(r"[\!a]", &["!", "a"], &["b"]);
        check("[a!]", &["!", "a"], &["b"]);
        check("[^a]", &["^", "a"], &["b"]);
        check("[{,}*?[]", &["{", ",", "}", "*", "?", "["], &["a"]);
        check("[а-яé]x", &["бx", "éx"], &["ax", "x"]);
        check("[!a]x", &["éx", "😀x"], &["ax", "x", "ééx"]);
        check(r"[\a-\c]", &["b"], &["\\"]);
    }

    #[test]
    fn alternatives() {
        check("{a,b{c,d*},}x", &["ax", "bcx", "bdx", "bdddx", "x"], &["bx", "a", ""]);
        check("{}a{}", &["a"], &["{}a"]);
        check("{,a}{,b}", &["", "a", "b", "ab"], &["ba"]);
        check(r"{a\,b,c\}}", &["a,b", "c}"], &["a", "b", "c"]);
        check("{[,}],a}", &[",", "}", "a"], &["[,}]"]);
        check("{{a,b},{c,{d,e}}}{1,2}", &["a1", "b2", "c1", "d2", "e1", "e2"], &["a", "f1"]);
        check("a,b}]", &["a,b}]"], &["a"]);
    }

    #[test]
    fn runs_of_wildcards() {
        check("*?*?", &["ab", "éé", "abc"], &["", "a", "é"]);
        check("a{*,?}*b", &["ab", "axb", "axxb"], &["a"]);
        check("?*é", &["aé", "éé", "xxé"], &["é", "aèé "]);
        check("*aab", &["aaab", "aab", "baab"], &["aaba", "ab"]);
    }
}
