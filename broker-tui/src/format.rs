//! Turning data into text for people: numbers, ages, msgpack values, names.
//!
//! Pure functions without a style or a screen in them. Whatever came from outside leaves this module
//! without a character that a terminal could obey (see [`text::clean`]).

pub mod msgpack;
pub mod number;
pub mod payload;
pub mod text;
pub mod value;
