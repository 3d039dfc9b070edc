//! Transcripts: what clients send and what nats-server answers, as text files that a person reads and a test plays.
//!
//! ```text
//! == a name, of what is shown
//! -- flags: --user alice --pass secret      flags of the server
//! -- settings: max_payload=64               settings of its configuration file
//! -- ours: why nats-server's answer is another one
//! -- nats-server: why ours is another one
//! a> PING             the connection `a`, opened when it is first named, sends a line
//! a>> pin\x67\n       sends these bytes and no end of a line
//! a< PONG             this line, and nothing before it, has come
//! a<~ PONG            lines that stand together come in any order
//! a<!                 the server has closed the connection
//! a..                 the connection is in the middle of something: no PING at the end of the row
//! ```
//!
//! `\r \n \t \\ \xHH` are bytes, `\(100*ab)` is `ab` a hundred times. The first `INFO` of a connection is read when it is opened. At
//! the end of a row each connection that is still open sends a `PING`, and the `PONG` has to be all that comes.
//!
//! With `NATS_SERVER=path NATS_LEARN=1` the answers are not checked but written into the files, so that nobody has to guess them.

mod learn;
mod parse;
mod play;

pub(crate) use learn::learn;
pub(crate) use parse::{Only, Row, Step, parse};
pub(crate) use play::{Cut, play};
