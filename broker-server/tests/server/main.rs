//! The server over real sockets, checked against `docs/protocol.md` and the promises of the design by a client that shares no code
//! with it. One binary; each module is a chapter. No test looks at speeds, and none waits without a deadline.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod support;

mod closed;
mod forgetting;
mod golden;
mod hello;
mod lbroker;
mod limits;
mod policies;
mod promises;
mod retained;
mod rules;
mod shutdown;
mod slow;
mod system;
