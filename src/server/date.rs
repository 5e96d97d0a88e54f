//! The date of a Received field (RFC 5322 section 3.3), in UTC.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The time as `Thu, 01 Jan 1970 00:00:00 +0000`. That one stands for all that the format has not,
/// which only a wrong clock says: before 1970 and after 9999.
pub(super) fn show(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let shown = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc2822).ok());
    shown.unwrap_or_else(|| "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 +0000"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 +0000"),
        ] {
            assert_eq!(show(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_clock_that_is_centuries_off_is_no_reason_to_fail() {
        let epoch = show(UNIX_EPOCH);
        assert_eq!(show(UNIX_EPOCH - Duration::from_hours(100 * 366 * 24)), epoch);
        assert_eq!(show(UNIX_EPOCH + Duration::from_hours(9000 * 366 * 24)), epoch);
    }
}
