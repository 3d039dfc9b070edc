//! The promises of the design, each under many interleavings: the tests bear their numbers and names.

mod bad_input;
mod order;
mod state;
mod visibility;
