//! How a client begins: what it says of itself, and who it is where the server asks.

use super::{Client, Pen};
use crate::sim::effect::Effect;
use crate::sim::operator::{PASSWORD, TOKEN, USER};
use crate::sim::wire;

impl Client {
    /// Says who it is, or the wrong thing, or something else.
    pub(super) fn log_in(&mut self, pen: &mut Pen<'_>) -> Effect {
        if pen.rng.u32(..8) > 0 {
            let by_name = pen.rng.bool();
            if !self.native {
                let who = if by_name {
                    format!(",\"user\":\"{USER}\",\"pass\":\"{PASSWORD}\"")
                } else {
                    format!(",\"auth_token\":\"{TOKEN}\"")
                };
                return self.connect(pen, &who);
            }
            let who = if by_name { user_and_password(USER, PASSWORD) } else { right_token() };
            return self.hello(pen, Some(&who));
        }
        match (self.native, pen.rng.u32(..5)) {
            (true, 0) => drop(self.hello(pen, None)),
            (true, 1) => drop(self.hello(pen, Some(&wire::text("let-me-out")))),
            (true, 2) => drop(self.hello(pen, Some(&user_and_password(USER, TOKEN)))),
            (true, 3) => drop(self.subscribe(pen)),
            (true, _) => drop(self.publish(pen)),
            (false, 0) => drop(self.connect(pen, "")),
            (false, 1) => drop(self.connect(pen, &format!(",\"auth_token\":\"{PASSWORD}\""))),
            (false, 2) => drop(self.connect(pen, &format!(",\"user\":\"{USER}\",\"pass\":\"1\""))),
            (false, 3) => pen.text("SUB > 1\r\n"),
            (false, _) => drop(self.nats_publish(pen)),
        }
        // What comes behind it is not handled: it writes no more.
        (self.finished, self.barred) = (true, true);
        Effect::Barred
    }

    pub(super) fn hello(&mut self, pen: &mut Pen<'_>, auth: Option<&[u8]>) -> Effect {
        self.introduced = true;
        hello(&mut pen.frame, auth);
        Effect::Hello
    }

    /// `more` stands behind what it says in any case.
    pub(super) fn connect(&mut self, pen: &mut Pen<'_>, more: &str) -> Effect {
        let headers = pen.rng.u32(..4) > 0;
        // What is said to such a request ends the batch; where the store is bounded it matters which messages came in one.
        let may_ask = pen.config.adorned && !pen.config.operator.bounds_store();
        let no_responders = headers && may_ask && pen.rng.u32(..4) > 0;
        self.headers = headers;
        pen.text(&format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":{headers},\"no_responders\":{no_responders}{more}}}\r\n"
        ));
        Effect::Connect { headers, no_responders }
    }
}

/// A `Hello` with these credentials.
pub(super) fn hello(out: &mut Vec<u8>, auth: Option<&[u8]>) {
    let mut hello = vec![if auth.is_some() { 0x82 } else { 0x81 }];
    wire::str(&mut hello, "version");
    hello.push(1);
    if let Some(auth) = auth {
        wire::str(&mut hello, "auth");
        hello.extend_from_slice(auth);
    }
    wire::command(out, "Hello", Some(&hello), &wire::Options::new());
}

pub(super) fn right_token() -> Vec<u8> {
    wire::text(TOKEN)
}

fn user_and_password(user: &str, password: &str) -> Vec<u8> {
    let mut out = vec![0x82];
    for (name, text) in [("user", user), ("password", password)] {
        wire::str(&mut out, name);
        wire::str(&mut out, text);
    }
    out
}
