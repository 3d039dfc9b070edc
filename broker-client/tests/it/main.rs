//! The client against a scripted server on a real socket: what it says, and what it makes of what it hears.

// A frame that is not as it should be fails the test where it is looked at, in helpers too.
#![allow(clippy::indexing_slicing)]

mod blocking;
mod close;
mod connect;
mod fake;
mod publish;
mod reconnect;
mod request;
mod slow;
mod subscribe;
