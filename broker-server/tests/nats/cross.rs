//! One topic space: what comes in by one protocol goes out by the other.

mod groups;
mod requests;
mod retained;
mod values;
