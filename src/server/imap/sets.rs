//! Sets of messages, by number or UID (`sequence-set` in RFC 3501 section 9).

use super::{Refusal, bad};

/// The ranges of a set, with `*` as [`u32::MAX`].
#[derive(Debug)]
pub(super) struct Set(Vec<(u32, u32)>);

impl Set {
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let parts = text.split(',').map(|part| {
            let (from, to) = part.split_once(':').unwrap_or((part, part));
            Some((number(from)?, number(to)?))
        });
        parts.collect::<Option<_>>().map(Self).ok_or_else(|| bad("A set of messages is wanted"))
    }

    /// Whether the set contains a message; `last` is the number of the last message, for `*`.
    pub(super) fn has(&self, number: u32, last: u32) -> bool {
        self.0.iter().any(|(from, to)| {
            let (from, to) = (at_most(*from, last), at_most(*to, last));
            (from.min(to)..=from.max(to)).contains(&number)
        })
    }
}

fn at_most(number: u32, last: u32) -> u32 {
    if number == u32::MAX { last } else { number }
}

fn number(text: &str) -> Option<u32> {
    if text == "*" {
        return Some(u32::MAX);
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
