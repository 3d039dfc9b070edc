//! Clients that mean harm, over real sockets. Beside each of them an honest pair exchanges messages, every one of which has to arrive in
//! time, and new subscribers come and are answered. One binary; the tests take turns, because they look at the process's memory and handles.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "what a test that fails has to say")]

mod honest;
mod support;

mod churn;
mod garbage;
mod half_frames;
mod headers;
mod nats;
mod never_reads;
mod patterns;
mod slow_bytes;
mod topics;
