//! How often the screen is drawn: when something changed, and at most every [`FRAME`].
//!
//! Pure: the time comes in. What changes after a quiet while is drawn at once, so a key press is shown without delay; what
//! changes soon after a frame waits for the rest of the interval, and everything that came meanwhile is in one frame.

use std::time::Duration;

/// The least time between two frames: 16 a second.
pub const FRAME: Duration = Duration::from_micros(62_500);

/// When to draw.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    last: Option<Duration>,
    dirty: bool,
}

impl Pace {
    /// Something changed.
    pub fn mark(&mut self) {
        self.dirty = true;
    }

    /// When the next frame is due: `None` if nothing changed, `now` or earlier if at once.
    pub fn due(&self) -> Option<Duration> {
        self.dirty.then(|| self.last.map_or(Duration::ZERO, |last| last + FRAME))
    }

    /// Whether to draw at `now`; if so, the frame counts as drawn.
    pub fn take(&mut self, now: Duration) -> bool {
        let draw = self.due().is_some_and(|due| due <= now);
        if draw {
            (self.last, self.dirty) = (Some(now), false);
        }
        draw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn draws_only_what_changed() {
        let mut pace = Pace::default();
        assert!(!pace.take(ms(0)));
        assert_eq!(pace.due(), None);
        pace.mark();
        assert!(pace.take(ms(0)));
        assert!(!pace.take(ms(1_000)));
    }

    #[test]
    fn a_change_after_a_quiet_while_is_drawn_at_once() {
        let mut pace = Pace::default();
        pace.mark();
        assert!(pace.take(ms(10)));
        pace.mark();
        assert_eq!(pace.due(), Some(ms(10) + FRAME));
        assert!(pace.take(ms(500)));
    }

    #[test]
    fn never_more_than_sixteen_frames_a_second() {
        let mut pace = Pace::default();
        let mut frames = 0;
        // Something changes every millisecond for ten seconds.
        for now in 0..10_000 {
            pace.mark();
            frames += u32::from(pace.take(ms(now)));
        }
        assert!((150..=160).contains(&frames), "{frames}");
    }

    #[test]
    fn the_last_change_is_always_drawn() {
        let mut pace = Pace::default();
        pace.mark();
        pace.take(ms(0));
        pace.mark();
        assert!(!pace.take(ms(30)));
        let due = pace.due().unwrap();
        assert!(pace.take(due));
        assert_eq!(pace.due(), None);
    }
}
