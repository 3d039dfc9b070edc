//! The NATS protocol over real sockets. Transcripts with the answers of nats-server 2.9, which are played to our server always, and to
//! nats-server itself where `NATS_SERVER` gives its path; then clients that were not written here, and both protocols on one topic
//! space. One binary; no test waits without a deadline.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod support;
mod transcript;

mod clients;
mod conformance;
mod cross;
mod groups;
mod life;
