//! What became of the messages of a run, as it is reported: the one list of what can go wrong with a message.
//!
//! Also a part of the tests of the command, which read back what it reports.

use serde::{Deserialize, Serialize};

/// What became of all messages, from the first to the last, the warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checks {
    /// Messages published.
    pub(crate) sent: u64,
    /// Messages that subscribers were to get, all together.
    pub(crate) expected: u64,
    /// Messages that subscribers got, each once.
    pub(crate) delivered: u64,
    /// Messages that the broker said (`Lagged`) it had left out because a subscriber was slow.
    pub(crate) skipped: u64,
    /// Messages that never came, and that the broker did not own up to.
    pub(crate) lost: u64,
    /// Messages that came twice.
    pub(crate) duplicated: u64,
    /// Messages that came after a later one of the same publisher.
    pub(crate) reordered: u64,
    /// Messages that were changed on the way, or that were not asked for.
    pub(crate) corrupt: u64,
    /// Messages that the broker said it had left out, but did not.
    pub(crate) miscounted: u64,
}

impl Checks {
    /// Whether the peer kept its promises. What a policy skipped, and told, is no breach.
    pub(crate) fn hold(&self) -> bool {
        self.lost + self.duplicated + self.reordered + self.corrupt + self.miscounted == 0
    }
}
