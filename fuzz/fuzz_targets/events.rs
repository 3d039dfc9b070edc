//! A stream of messages and events, as a server sends it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| broker_fuzz::targets::events(data));
