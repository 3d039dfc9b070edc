//! The connection to the broker, and how much of what is on the screen can be believed.

use std::time::Duration;

use crate::message::Clock;

/// A broker that says nothing for this long is not believed any more: it speaks every second.
pub const SILENCE_MAX: Duration = Duration::from_secs(4);

/// The connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// What it is now.
    pub state: LinkState,
    /// When the broker said something last; `None` if it never did.
    pub heard: Option<Duration>,
    /// The number of this session on the broker.
    pub session: Option<u64>,
}

/// Connected or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LinkState {
    /// The first attempt is under way.
    #[default]
    Connecting,
    /// There is a connection.
    Live {
        /// Since when.
        since: Duration,
    },
    /// There is none; attempts go on.
    Lost {
        /// Since when.
        since: Duration,
        /// Why.
        error: String,
    },
}

/// Why the screen is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// There was never a connection.
    NeverConnected {
        /// What the last attempt said.
        error: &'a str,
    },
    /// The connection is lost; the figures are this old.
    Lost {
        /// Since the broker said something.
        age: Duration,
        /// Why.
        error: &'a str,
    },
    /// There is a connection, but the broker says nothing.
    Silent {
        /// Since the broker said something.
        age: Duration,
    },
}

impl Link {
    /// There is a connection.
    pub fn connected(&mut self, now: Clock, session: Option<u64>) {
        self.state = LinkState::Live { since: now.up };
        self.session = session;
    }

    /// There is none. The time of the loss is that of the first report.
    pub fn disconnected(&mut self, now: Clock, error: String) {
        let since = if let LinkState::Lost { since, .. } = self.state { since } else { now.up };
        self.state = LinkState::Lost { since, error };
        self.session = None;
    }

    /// Whether there is a connection.
    pub fn is_live(&self) -> bool {
        matches!(self.state, LinkState::Live { .. })
    }

    /// What is wrong at `now`, if anything is.
    pub fn trouble(&self, now: Clock) -> Option<Trouble<'_>> {
        match (&self.state, self.heard) {
            (LinkState::Connecting, _) => None,
            (LinkState::Lost { error, .. }, None) => Some(Trouble::NeverConnected { error }),
            (LinkState::Lost { error, .. }, Some(heard)) => {
                Some(Trouble::Lost { age: now.up.saturating_sub(heard), error })
            }
            (LinkState::Live { since }, heard) => {
                let age = now.up.saturating_sub(heard.unwrap_or_default().max(*since));
                (age >= SILENCE_MAX).then_some(Trouble::Silent { age })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Clock {
        Clock { up: Duration::from_secs(seconds), unix_ms: 0 }
    }

    #[test]
    fn tells_what_is_wrong() {
        let mut link = Link::default();
        assert_eq!(link.trouble(at(1)), None);
        link.disconnected(at(1), "refused".to_owned());
        assert_eq!(link.trouble(at(1)), Some(Trouble::NeverConnected { error: "refused" }));
        link.connected(at(2), Some(7));
        assert_eq!(link.trouble(at(3)), None);
        assert_eq!(link.trouble(at(7)), Some(Trouble::Silent { age: Duration::from_secs(5) }));
        link.heard = Some(at(8).up);
        assert_eq!(link.trouble(at(9)), None);
        link.disconnected(at(10), "gone".to_owned());
        link.disconnected(at(12), "refused".to_owned());
        assert_eq!(link.state, LinkState::Lost { since: at(10).up, error: "refused".to_owned() });
        assert_eq!(
            link.trouble(at(13)),
            Some(Trouble::Lost { age: Duration::from_secs(5), error: "refused" })
        );
        assert_eq!(link.session, None);
    }
}
