//! A stream of operations of the NATS protocol, as a client sends it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| broker_fuzz::targets::nats(data));
