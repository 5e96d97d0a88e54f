//! What stands where a value stood: `[DATE]`, or `[QUEUE_ID#1]` with a number for each value.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// No token's name is longer, so that looking for one stays cheap.
pub(super) const LONGEST: usize = 40;

/// The values seen in a run, numbered in the order of their coming, token by token.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    numbers: HashMap<Box<str>, HashMap<Box<[u8]>, usize>>,
}

impl Tokens {
    /// The token for a value: the same number for the same value, wherever it comes again.
    pub(super) fn numbered(&mut self, name: &str, value: &[u8]) -> String {
        if !self.numbers.contains_key(name) {
            self.numbers.insert(name.into(), HashMap::new());
        }
        let Some(values) = self.numbers.get_mut(name) else { return plain(name) };
        let next = values.len() + 1;
        let number = match values.get(value) {
            Some(number) => *number,
            None => *values.entry(value.into()).or_insert(next),
        };
        format!("[{name}#{number}]")
    }

    pub(super) fn knows(&self, name: &str, value: &[u8]) -> bool {
        self.numbers.get(name).is_some_and(|values| values.contains_key(value))
    }
}

/// The token for values that are not told apart.
pub(super) fn plain(name: &str) -> String {
    format!("[{name}]")
}

pub(super) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(fits)
}

/// Where tokens of these names stand, and what they are called.
pub(super) fn standing<'a>(
    text: &'a [u8],
    names: &HashSet<Box<str>>,
) -> Vec<(Range<usize>, &'a str)> {
    memchr::memchr_iter(b'[', text)
        .filter_map(|start| {
            let inside = &text[start + 1..text.len().min(start + LONGEST + 24)];
            let inside = &inside[..memchr::memchr(b']', inside)?];
            let end = start + inside.len() + 2;
            let inside = std::str::from_utf8(inside).ok()?;
            let (name, number) = inside.split_once('#').unwrap_or((inside, "1"));
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && names.contains(name)).then_some((start..end, name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_number_and_each_token_counts_for_itself() {
        let mut tokens = Tokens::default();
        let shown = [("A", "x"), ("A", "y"), ("B", "y"), ("A", "x")]
            .map(|(name, value)| tokens.numbered(name, value.as_bytes()));
        assert_eq!(shown, ["[A#1]", "[A#2]", "[B#1]", "[A#1]"]);
        assert!(tokens.knows("B", b"y") && !tokens.knows("B", b"x"));
    }

    #[test]
    fn tokens_are_known_by_their_names() {
        let names = HashSet::from(["DATE".into(), "QUEUE_ID".into()]);
        let found = standing(b"[DATE] [ALERT] [QUEUE_ID#12] [QUEUE_ID#] [[DATE] [DATE", &names);
        assert_eq!(found, [(0..6, "DATE"), (15..28, "QUEUE_ID"), (42..48, "DATE")]);
    }
}
