//! Sets of messages, by number or UID (`sequence-set` in RFC 3501 section 9).

use super::{Refusal, bad};

/// A set. A client may name thousands of ranges, and compare them with thousands of messages.
#[derive(Debug)]
pub(super) struct Set {
    /// The ranges without `*`, in order and apart from each other.
    ranges: Vec<(u32, u32)>,
    /// The least and the greatest number of the ranges with `*`, all of which meet in it.
    open: Option<(u32, u32)>,
}

impl Set {
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let parts = text.split(',').map(|part| {
            let (from, to) = part.split_once(':').unwrap_or((part, part));
            let (from, to) = (number(from)?, number(to)?);
            Some((from.min(to), from.max(to)))
        });
        let parts =
            parts.collect::<Option<Vec<_>>>().ok_or_else(|| bad("A set of messages is wanted"))?;
        let (open, mut closed): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(_, to)| *to == LAST);
        let froms = || open.iter().map(|(from, _)| *from);
        let greatest = froms().filter(|from| *from != LAST).max();
        let open = froms().min().map(|least| (least, greatest.unwrap_or_default()));
        closed.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for (from, to) in closed {
            match ranges.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => ranges.push((from, to)),
            }
        }
        Ok(Self { ranges, open })
    }

    /// Whether the set contains a message; `last` is the number of the last message, for `*`.
    pub(super) fn has(&self, number: u32, last: u32) -> bool {
        let is_open = self.open.is_some_and(|(least, greatest)| {
            (least.min(last)..=greatest.max(last)).contains(&number)
        });
        let place = self.ranges.partition_point(|(_, to)| *to < number);
        is_open || self.ranges.get(place).is_some_and(|(from, _)| *from <= number)
    }
}

/// `*`.
const LAST: u32 = u32::MAX;

fn number(text: &str) -> Option<u32> {
    if text == "*" {
        return Some(LAST);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number > 0)
}

/// Numbers in their shortest form, such as `1:3,7`.
pub(super) fn shown(numbers: &[u32]) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => parts.push((*number, *number)),
        }
    }
    let parts = parts
        .iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}:{to}") });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_it_names_and_an_asterisk_is_the_last() {
        for (set, has) in [
            ("1", &[1][..]),
            ("2:3,5", &[2, 3, 5]),
            ("4:2", &[2, 3, 4]),
            ("*", &[5]),
            ("4:*", &[4, 5]),
            ("9:*", &[5]),
            ("1:*", &[1, 2, 3, 4, 5]),
            ("*:3,*", &[3, 4, 5]),
            ("9:*,4:*,*", &[4, 5]),
            ("4,1,2:3,1:2,4", &[1, 2, 3, 4]),
        ] {
            let read = Set::read(set).unwrap();
            let found: Vec<_> = (1..=5).filter(|number| read.has(*number, 5)).collect();
            assert_eq!(found, has, "{set}");
        }
        for wrong in ["", "0", "x", "1,,2", "+1", "1:", "4294967296"] {
            assert!(Set::read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(shown(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
    }
}
