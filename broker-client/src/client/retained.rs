//! Clearing retained messages.

use broker_core::wire::native::encode;

use super::{Client, settled};
use crate::{ClearError, link::Failure, subscription::parse_pattern};

impl Client {
    /// Has the server forget the retained messages of all topics that match `pattern`, and waits until it has. Returns how many there
    /// were. Subscribers are not told; what they have, they keep.
    ///
    /// One topic is cleared, and its subscribers told, by publishing nil with
    /// [`PublishOptions::retain(true)`](crate::PublishOptions::retain).
    ///
    /// # Errors
    ///
    /// The pattern does not parse, the server refuses it, the client is closed; or the connection broke before the answer, and then nobody
    /// knows. It is not asked again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the messages may be forgotten or not.
    pub async fn clear(&self, pattern: &str) -> Result<u64, ClearError> {
        let pattern = parse_pattern(pattern).map_err(ClearError::Pattern)?;
        let clear = |out: &mut Vec<u8>, id| encode::clear(out, pattern.as_str(), Some(id));
        let answer = self.shared().offer(|link| link.offer_call(clear)).await.map_err(ClearError::Closed)?;
        settled(answer).await.map_err(|failure| match failure {
            Failure::Refused { code, text } => ClearError::Refused { code, text },
            Failure::Disconnected => ClearError::Disconnected,
            Failure::Closed(reason) => ClearError::Closed(reason),
        })
    }
}
