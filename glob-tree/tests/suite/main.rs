//! The crate as its users see it: the vectors, a model, and patterns made to hurt.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod adversarial;
mod basics;
mod beside;
mod differential;
mod model;
mod oracle;
mod random;
mod script;
mod vectors;
