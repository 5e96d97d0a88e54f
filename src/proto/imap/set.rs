//! Sets of numbers, such as `2,10:11` (`sequence-set` in RFC 3501 section 9).

use std::collections::BTreeSet;

use super::selected::Count;
use super::value::Value;
use crate::error::{Error, Kind, Result};

/// The most numbers that the sets in a response, or in an answer, are expanded to; more are an
/// error. A line of 10 kB has room for a thousand sets, and each can name all messages there are.
const MOST_NUMBERS: u64 = 1 << 20;

/// How many more numbers the sets of a response, or of an answer, may be expanded to.
pub(super) struct Spare(u64);

impl Default for Spare {
    fn default() -> Self {
        Self(MOST_NUMBERS)
    }
}

impl Spare {
    fn take(&mut self, count: u64) -> Result<()> {
        self.0 = self.0.checked_sub(count).ok_or_else(|| {
            let message = format!("the sets of messages have more than {MOST_NUMBERS} numbers");
            Error::new(Kind::TooLong, message)
        })?;
        Ok(())
    }
}

/// A set by which a command names messages.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    /// The ranges of numbers in order, of which none overlap.
    ranges: Vec<(u64, u64)>,
    /// The smallest of the other ends of the ranges that have `*`, which is the last message. All of
    /// them reach to that message, so this one has the others in it. `*` itself is `u64::MAX` here.
    starred: Option<u64>,
    /// Whether the text says which messages are in the set. `$` does not (RFC 5182).
    is_known: bool,
}

impl Set {
    /// Parses the set of a command.
    pub(crate) fn of(text: &str) -> Self {
        let all: Option<Vec<_>> = text.split(',').map(range).collect();
        let is_known = all.is_some();
        let (starred, ranges): (Vec<_>, Vec<_>) =
            all.unwrap_or_default().into_iter().partition(|(_, to)| *to == u64::MAX);
        let starred = starred.into_iter().map(|(from, _)| from).min();
        Self { ranges: merged(ranges), starred, is_known }
    }

    /// Whether a message with this number may be in the set. This is asked for each message of a
    /// mailbox, with sets of as many ranges.
    pub(crate) fn may_have(&self, number: u64) -> bool {
        !self.is_known || self.starred.is_some() || self.end_of_range(number).is_some()
    }

    /// The number of messages in the set; `None` if only the server knows it.
    pub(super) fn count(&self) -> Option<u64> {
        let is_counted = self.is_known && self.starred.is_none();
        is_counted.then(|| self.ranges.iter().map(|(from, to)| to - from + 1).sum())
    }

    /// The first number of this set that cannot be in the other one.
    pub(super) fn first_outside(&self, other: &Self) -> Option<u64> {
        if !other.is_known || other.starred.is_some() {
            return None;
        }
        self.ranges.iter().find_map(|&(from, to)| {
            let mut next = from;
            while next <= to {
                next = match other.end_of_range(next) {
                    Some(end) => end + 1,
                    None => return Some(next),
                };
            }
            None
        })
    }

    /// The last number of the range that has this number.
    fn end_of_range(&self, number: u64) -> Option<u64> {
        let begun = self.ranges.partition_point(|(from, _)| *from <= number);
        let (_, end) = self.ranges[begun.checked_sub(1)?];
        (number <= end).then_some(end)
    }

    /// How many messages of a mailbox with `count` messages the set has at least.
    pub(super) fn at_least(&self, count: Count) -> u64 {
        let Count::Known(last) = count else { return 0 };
        let within = self.ranges.iter().filter(|(from, _)| *from <= last);
        within.map(|(from, to)| (*to).min(last) - from + 1).sum()
    }

    /// The first message of the set that exists and is not among `found`. The first number of a
    /// range counts as existing, as do all numbers up to the last one found in the range. None is
    /// missing if the set is not known.
    pub(super) fn first_missing(&self, found: &BTreeSet<u64>, exists: Count) -> Option<u64> {
        let last_of = |from: u64, to: u64| {
            let last_found = found.range(from..=to).next_back().map_or(from, |last| *last);
            match exists {
                Count::Unknown => to,
                Count::Known(count) => last_found.max(to.min(count)),
                Count::Outdated => last_found,
            }
        };
        let starred = self.starred.and_then(|other| match exists {
            // In an empty mailbox, `*` names no message.
            Count::Known(last) if last > 0 => Some((last.min(other), last)),
            _ => None,
        });
        self.ranges.iter().copied().chain(starred).find_map(|(from, to)| {
            (from..=last_of(from, to)).find(|number| !found.contains(number))
        })
    }
}

/// Whether a number can be the number or the unique identifier of a message: 32 bits, and not 0
/// (`nz-number` in RFC 3501 section 9).
pub(super) fn is_message(number: u64) -> bool {
    (1..=u64::from(u32::MAX)).contains(&number)
}

/// Whether a number can be a modification sequence: 63 bits, and not 0 (`mod-sequence-value` in RFC
/// 7162 section 7).
pub(super) fn is_modseq(number: u64) -> bool {
    (1..=i64::MAX.unsigned_abs()).contains(&number)
}

/// Whether the words after VANISHED are a set of unique identifiers without `*`, after `(EARLIER)`
/// or nothing (`known-uids` in RFC 7162 section 7).
pub(super) fn are_known<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut uids = words.next();
    if uids.is_some_and(|word| word.eq_ignore_ascii_case(b"(EARLIER)")) {
        uids = words.next();
    }
    let is_known = |part: &str| range(part).is_some_and(|(_, to)| to < u64::MAX);
    let uids = uids.and_then(|uids| std::str::from_utf8(uids).ok());
    uids.is_some_and(|uids| uids.split(',').all(is_known)) && words.next().is_none()
}

/// Sorts ranges, and makes one of ranges that overlap.
fn merged(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    ranges.dedup_by(|(from, to), before| {
        let overlaps = *from <= before.1;
        if overlaps {
            before.1 = before.1.max(*to);
        }
        overlaps
    });
    ranges
}

/// How many numbers a set of a response has, each as often as it stands there; `None` if the text
/// is not a set.
pub(super) fn length(text: &str) -> Option<u64> {
    Some(ranges(text)?.iter().map(|(from, to)| to - from + 1).sum())
}

/// The first number that stands in a set of a response more than once.
pub(super) fn repeated(text: &str) -> Option<u64> {
    let mut ranges = ranges(text)?;
    ranges.sort_unstable();
    let twice = ranges.windows(2).find(|pair| pair[1].0 <= pair[0].1)?;
    Some(twice[1].0)
}

/// The largest number of a set in a response; `None` if the value is not a set.
pub(super) fn largest(value: &Value) -> Option<u64> {
    ranges(&text(value)?)?.iter().map(|(_, to)| *to).max()
}

/// The text of a value that can be a set, which is never a string.
fn text(value: &Value) -> Option<String> {
    value.text().filter(|_| !matches!(value, Value::Text(_) | Value::Literal(_)))
}

/// The ranges of a set in a response, which never has `*`.
fn ranges(text: &str) -> Option<Vec<(u64, u64)>> {
    let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
    ranges.filter(|all| all.iter().all(|(_, to)| *to < u64::MAX))
}

/// The numbers of a set, one by one; `None` if the text is not a set.
///
/// # Errors
/// Too long if the set has more numbers than there are to spare.
fn numbers(text: &str, spare: &mut Spare) -> Result<Option<Vec<u64>>> {
    let Some(ranges) = ranges(text) else { return Ok(None) };
    spare.take(ranges.iter().map(|(from, to)| to - from + 1).sum())?;
    Ok(Some(ranges.into_iter().flat_map(|(from, to)| from..=to).collect()))
}

/// The set that names these messages, with ranges where possible: `1:3,7`.
///
/// ```
/// assert_eq!(mailexpect::imap::set(&[1, 2, 3, 7, 5]), "1:3,7,5");
/// ```
#[must_use]
pub fn set(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(number) => *to = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown = ranges
        .into_iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}:{to}") });
    shown.collect::<Vec<_>>().join(",")
}

/// Replaces a set in a response by the list of its numbers, even if it has only one. Other values
/// stay unchanged.
///
/// # Errors
/// See [`numbers`].
pub(super) fn spell_out(value: &mut Value, spare: &mut Spare) -> Result<()> {
    let Some(text) = text(value) else { return Ok(()) };
    if let Some(all) = numbers(&text, spare)? {
        *value = Value::List(all.into_iter().map(Value::Number).collect());
    }
    Ok(())
}

/// Replaces the sets in an ESEARCH response: after `ALL` (RFC 4731 section 3.1), after the range of
/// `PARTIAL`, and after each position in `ADDTO` and `REMOVEFROM` (RFC 5267 section 4).
///
/// # Errors
/// See [`numbers`].
pub(super) fn spell_out_results(values: &mut [Value], spare: &mut Spare) -> Result<()> {
    let mut name = String::new();
    for value in values {
        match (name.as_str(), value) {
            ("ALL", value) => spell_out(value, spare)?,
            ("PARTIAL" | "ADDTO" | "REMOVEFROM", Value::List(parts)) => {
                let mut sets = parts.iter_mut().skip(1).step_by(2);
                sets.try_for_each(|set| spell_out(set, spare))?;
            }
            (_, Value::Atom(atom)) => {
                name = String::from_utf8_lossy(atom).to_ascii_uppercase();
                continue;
            }
            _ => {}
        }
        name.clear();
    }
    Ok(())
}

fn range(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| match text {
        "*" => Some(u64::MAX),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().filter(|number| is_message(*number))
        }
        _ => None,
    };
    let (from, to) = (number(from)?, number(to)?);
    Some((from.min(to), from.max(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_that_exists_has_to_be_found() {
        use Count::{Known, Outdated, Unknown};
        for (set, found, exists, missing) in [
            ("1", &[][..], Unknown, Some(1)),
            ("1", &[1], Unknown, None),
            ("1:3", &[], Unknown, Some(1)),
            ("1:3", &[1, 2], Unknown, Some(3)),
            ("1:3", &[1, 2], Known(3), Some(3)),
            ("1:3", &[1, 2], Known(2), None),
            ("1:3", &[1, 2], Outdated, None),
            ("1:3", &[1, 3], Outdated, Some(2)),
            ("1:4", &[1, 4], Known(1), Some(2)),
            ("9", &[], Known(3), Some(9)),
            ("7,2:3", &[2, 3], Unknown, Some(7)),
            ("3:1", &[2, 3], Unknown, Some(1)),
            ("1:2,9:*", &[1], Unknown, Some(2)),
            ("1:*", &[], Unknown, None),
            ("1:*", &[], Known(0), None),
            ("1:*", &[1, 2, 3], Known(3), None),
            ("1:*", &[3], Known(3), Some(1)),
            ("*:2", &[2], Known(3), Some(3)),
            ("7:*", &[], Known(3), Some(3)),
            ("*", &[2], Known(3), Some(3)),
            ("*", &[3], Known(3), None),
            ("*", &[], Unknown, None),
            ("*", &[], Outdated, None),
            ("*,2:*,*:3", &[3], Known(3), Some(2)),
            ("*,9:*", &[3], Known(3), None),
            ("1:4294967295", &[1], Known(1), None),
            ("$", &[], Known(3), None),
        ] {
            let found = found.iter().copied().collect();
            let first = Set::of(set).first_missing(&found, exists);
            assert_eq!(first, missing, "{set} {found:?} {exists:?}");
        }
    }

    #[test]
    fn of_many_ranges_up_to_the_last_message_one_is_kept() {
        let set = Set::of(&["7:*"; 1000].join(","));
        assert_eq!((set.starred, set.ranges.len()), (Some(7), 0));
        assert_eq!(Set::of("*,9:*,*:3,5").starred, Some(3));
    }

    #[test]
    fn a_set_is_spelt_out() {
        let numbers = |text: &str| numbers(text, &mut Spare::default());
        assert_eq!(numbers("2,12:10,7").unwrap(), Some(vec![2, 10, 11, 12, 7]));
        for hostile in ["", "x", "0", "1:", "+1", "1,,2", "*", "1:*", "1:18446744073709551615"] {
            assert_eq!(numbers(hostile).unwrap(), None, "{hostile}");
        }
        for (excessive, count) in
            [("1:4294967295", 4_294_967_295), ("1:1000000,1:1000000", 2_000_000)]
        {
            assert_eq!(length(excessive), Some(count));
            let error = numbers(excessive).unwrap_err();
            assert_eq!(error.message(), "the sets of messages have more than 1048576 numbers");
        }
    }

    #[test]
    fn a_number_stands_in_a_set_once_or_more_often() {
        for (set, twice) in [
            ("1:3,5", None),
            ("1:4294967295", None),
            ("1:3,3", Some(3)),
            ("5,1:9,2", Some(2)),
            ("7,7", Some(7)),
            ("x", None),
        ] {
            assert_eq!(repeated(set), twice, "{set}");
        }
    }

    #[test]
    fn the_first_number_outside_of_another_set_is_found() {
        for (set, other, first) in [
            ("1:4294967295", "1:4294967295", None),
            ("1:4294967295", "1:4294967294", Some(4_294_967_295)),
            ("2:4,7", "1:5", Some(7)),
            ("2:9", "1:5,6:9", None),
            ("2:9", "3:9", Some(2)),
            ("2:9", "7:*", None),
            ("2:9", "$", None),
        ] {
            assert_eq!(Set::of(set).first_outside(&Set::of(other)), first, "{set} {other}");
        }
    }

    #[test]
    fn a_message_is_one_of_a_set_or_is_not() {
        for (set, number, expected) in [
            ("1", 1, true),
            ("1", 5, false),
            ("2:4,7", 3, true),
            ("4:2", 3, true),
            ("9,2:7,3,5:6", 7, true),
            ("9,2:7,3,5:6", 8, false),
            ("9,2:7,3,5:6", 1, false),
            ("2:4,7", 5, false),
            ("*", 5, true),
            ("7:*", 5, true),
            ("$", 5, true),
        ] {
            assert_eq!(Set::of(set).may_have(number), expected, "{number} in {set}");
        }
    }
}
