//! What cannot be meant is refused before anything runs, in words that say what is wrong.

use crate::fake::{Fake, Protocol, Script};
use crate::support::{for_each, start, start_at, with_usual};

/// Arguments, and words of the refusal.
type Row = (&'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    (&["--rate", "0"], "rate"),
    (&["--rate", "-5"], "rate"),
    (&["--rate", "NaN"], "rate"),
    (&["--rate", "fast"], "invalid value 'fast'"),
    (&["--rate", "1000", "--max"], "--max"),
    (&["--size", "15"], "16 bytes"),
    (&["--size", "23", "--checksum"], "24 bytes"),
    (&["--pubs", "0"], "publisher"),
    (&["--topics", "0"], "topic"),
    (&["--clients", "70000"], "65535"),
    (&["--duration", "-1"], "0 to 168 hours"),
    (&["--duration", "1x"], "invalid value '1x'"),
    (&["--duration", "0"], "duration"),
    (&["--subscribe", "["], "pattern"),
    (&["--subscribe", "nothing/*"], "nothing/*"),
    (&["--clients", "3", "--pubs", "3"], "cannot be used with"),
    (&["--pairs", "2", "--topics", "2"], "cannot be used with"),
    (&["--protocol", "smtp"], "invalid value 'smtp'"),
    (&["p2q"], "p2p"),
    (&["--nonsense"], "unexpected argument '--nonsense'"),
    (&["--assert", "p99<"], "a number is expected"),
    (&["--assert", "p99<2"], "us, ms or s"),
    (&["--assert", "p98<2ms"], "did you mean"),
    (&["--assert", "lost=0"], "one of < <= =="),
    (&["--assert", ""], "name of a metric"),
    (&["--save", "../escape"], "letters, digits"),
    (&["--save", ""], "name"),
    (
        &["--baseline", "nobody-saved-this-for-the-tests"],
        "no baseline is called nobody-saved-this-for-the-tests",
    ),
    (&["--html", "/nonexistent/page.html"], "no such directory"),
    (&["--csv", "/"], "directory"),
    (&["--threads", "0"], "threads"),
    (&["--window", "0"], "window"),
];

#[test]
fn what_cannot_be_meant_is_refused() {
    for_each(
        ROWS,
        |(args, _)| args.join(" "),
        |(args, words)| {
            let fake = Fake::start(Protocol::Native, Script::honest());
            let ran =
                start_at(fake.address(), &with_usual(&["--duration", "0.2", "--rate", "1000"], args)).end();
            assert!(matches!(ran.code(), 1 | 2), "exit code {}\n{}\n{}", ran.code(), ran.out, ran.err);
            assert!(ran.err.contains(words), "no {words:?} in: {}", ran.err);
            assert!(ran.err.contains("error: "), "{}", ran.err);
            assert_eq!(fake.finish().published, 0, "nothing has run");
        },
    );
}

#[test]
fn an_address_that_is_none_is_refused() {
    for address in ["nowhere", "127.0.0.1", "127.0.0.1:99999", ""] {
        let ran = start(&["--addr", address]).end();
        assert_eq!(ran.code(), 2, "{address}: {}", ran.err);
        assert!(ran.err.contains(&format!("invalid value '{address}'")) || address.is_empty(), "{}", ran.err);
    }
}
