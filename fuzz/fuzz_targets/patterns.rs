//! Patterns, one a line, and a text to match on the last.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| broker_fuzz::targets::patterns(data));
