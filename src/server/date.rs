//! The dates of messages (RFC 5322 section 3.3, RFC 3501 section 9), in UTC.

use std::time::{Duration, SystemTime};

use time::format_description::well_known::Rfc2822;
use time::{Date, Month, OffsetDateTime};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The time, as `Thu, 01 Jan 1970 00:00:00 +0000`.
pub(super) fn show(time: SystemTime) -> String {
    let shown = calendar(time).format(&Rfc2822);
    shown.unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())
}

/// The time by the calendar. 1 January 1970 replaces times that the formats cannot express, before
/// 1970 and after 9999, which only a wrong clock gives.
fn calendar(time: SystemTime) -> OffsetDateTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok();
    since.and_then(|since| of_seconds(since.as_secs())).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The time at this number of seconds after the start of 1970. `None` after the year 9999.
fn of_seconds(seconds: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()
}

/// The time as IMAP shows it: ` 1-Jan-1970 00:00:00 +0000`.
pub(super) fn internal(time: SystemTime) -> String {
    let time = calendar(time);
    let month = MONTHS[usize::from(u8::from(time.month())) - 1];
    let (hour, minute, second) = time.to_hms();
    format!("{:>2}-{month}-{:04} {hour:02}:{minute:02}:{second:02} +0000", time.day(), time.year())
}

/// Reads a time in the format of [`internal`], in any time zone. `None` also if the time is after
/// the year 9999 in UTC, because it could not be shown.
pub(super) fn read(text: &str) -> Option<SystemTime> {
    let mut words = text.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut parts = time.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let (sign, zone) = zone.split_at_checked(1)?;
    let zone = zone.parse::<u64>().ok().filter(|zone| *zone < 10_000 && "+-".contains(sign))?;
    let offset = (zone / 100 * 60 + zone % 100) * 60;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = day(date)?.checked_mul(86_400)? + hour * 3600 + minute * 60 + second;
    let seconds =
        if sign == "+" { seconds.saturating_sub(offset) } else { seconds.checked_add(offset)? };
    of_seconds(seconds)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The days from 1 January 1970 to a time.
pub(super) fn day_of(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
}

/// The days from 1 January 1970 to `17-Jul-1996`, or to the date in
/// `Wed, 17 Jul 1996 02:23:25 -0700`.
pub(super) fn day(text: &str) -> Option<u64> {
    let text = text.split_once(',').map_or(text, |(_, date)| date);
    let mut words = text.split(['-', ' ']).filter(|word| !word.is_empty());
    let day = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = (1..).zip(MONTHS).find(|(_, known)| known.eq_ignore_ascii_case(month))?.0;
    let year = words.next()?.parse().ok()?;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    u64::try_from(date.to_julian_day() - UNIX_EPOCH_JULIAN).ok()
}

/// The Julian day of 1 January 1970.
const UNIX_EPOCH_JULIAN: i32 = 2_440_588;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

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
    fn dates_of_imap_read_back_as_they_were_shown() {
        for seconds in [0, 951_782_400, 951_868_799, 1_709_210_096, 4_107_542_400] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(read(&internal(time)), Some(time));
            assert_eq!(day(&show(time)), Some(seconds / 86_400));
        }
        let zoned = UNIX_EPOCH + Duration::from_secs(837_595_405);
        assert_eq!(read("17-Jul-1996 02:23:25 -0700"), Some(zoned));
        for wrong in [
            "",
            "17-Jul-1996",
            "32-Jul-1996 02:23:25 +0000",
            "1-Foo-1996 1:1:1 +0000",
            "31-Dec-9999 23:59:59 -0100",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_clock_that_is_centuries_off_is_no_reason_to_fail() {
        let epoch = show(UNIX_EPOCH);
        assert_eq!(show(UNIX_EPOCH - Duration::from_hours(100 * 366 * 24)), epoch);
        let late = UNIX_EPOCH + Duration::from_hours(9000 * 366 * 24);
        assert_eq!(show(late), epoch);
        assert_eq!(internal(late), internal(UNIX_EPOCH));
    }
}
