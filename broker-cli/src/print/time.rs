//! Moments in UTC, from milliseconds since 1970: the time of day, and the date where it is not today's.
//!
//! UTC because a pipe, a log and two people in different places then read the same; the `Z` says so.

use std::time::{SystemTime, UNIX_EPOCH};

const MS_PER_DAY: u64 = 86_400_000;

/// Milliseconds since 1970-01-01 UTC; 0 if the clock stands before that.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `12:34:56.789Z` on the day of `now_ms`, else `2026-01-31T12:34:56.789Z`.
pub(crate) fn clock(time_ms: u64, now_ms: u64) -> String {
    let ms = time_ms % MS_PER_DAY;
    let (hour, minute, second, milli) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000);
    let of_day = format!("{hour:02}:{minute:02}:{second:02}.{milli:03}Z");
    if time_ms / MS_PER_DAY == now_ms / MS_PER_DAY {
        of_day
    } else {
        let (year, month, day) = date(time_ms / MS_PER_DAY);
        format!("{year:04}-{month:02}-{day:02}T{of_day}")
    }
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar. The year begins in March here, so that the
/// leap day is its last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn today_is_a_time_of_day() {
        assert_eq!(clock(45_296_789, 0), "12:34:56.789Z");
    }

    #[test]
    fn another_day_has_its_date() {
        for (time_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_798_761_599_001, "2026-12-31T23:59:59.001Z"),
        ] {
            assert_eq!(clock(time_ms, 1_600_000_000_000), expected);
        }
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        assert!(clock(u64::MAX, 0).ends_with('Z'));
    }
}
