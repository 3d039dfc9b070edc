//! A script of inserts, removes and queries on one tree, of all dialects: see `glob-tree/tests/suite/script.rs`. Each query is held against the
//! patterns one by one, and its steps against the documented ceiling.

#![no_main]

#[path = "../../glob-tree/tests/suite/beside.rs"]
mod beside;
#[path = "../../glob-tree/tests/suite/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // As long a text as makes a difference, and short enough for thousands of runs a second.
    script::run(data, 24, |pattern, text, reserved| {
        let hidden = reserved.is_some_and(|first| text.starts_with(first)) && pattern.begins_with_wildcard();
        !hidden && pattern.matches(text)
    });
});
