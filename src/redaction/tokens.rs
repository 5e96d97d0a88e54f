//! The tokens that replace values: `[DATE]`, or `[QUEUE_ID#1]` with a number for each value.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::spared;

/// The maximum length of a token's name. It is bounded so that looking for tokens stays cheap.
pub(super) const LONGEST: usize = 40;

/// The minimum length of a value that is looked for in client lines: a shorter one could be any
/// number.
const SHORTEST: usize = 5;

/// The values seen in a run, numbered for each token in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    numbers: HashMap<Box<str>, HashMap<Box<[u8]>, usize>>,
    /// The token names of the values that are distinctive enough to be looked for in client lines.
    telling: HashMap<Box<[u8]>, Box<str>>,
}

impl Tokens {
    /// The token for a value. The same value always gets the same number.
    pub(super) fn numbered(&mut self, name: &str, value: &[u8]) -> String {
        if !self.numbers.contains_key(name) {
            self.numbers.insert(name.into(), HashMap::new());
        }
        let Some(values) = self.numbers.get_mut(name) else { return plain(name) };
        let next = values.len() + 1;
        let number = *values.entry(value.into()).or_insert(next);
        if number == next && is_telling(value) {
            self.telling.entry(value.into()).or_insert_with(|| name.into());
        }
        format!("[{name}#{number}]")
    }

    /// The places where values stand as whole words that already have tokens, each with the token's
    /// name. This is for client lines, which seldom show by their form what a value is.
    pub(super) fn again(&self, text: &[u8]) -> Vec<(Range<usize>, &str)> {
        if self.telling.is_empty() {
            return Vec::new();
        }
        // A value may contain dots and signs, or stand between them.
        let parts: [fn(&u8) -> bool; 2] = [
            |byte| byte.is_ascii_graphic() && !b"\"'<>()[]{},;:".contains(byte),
            u8::is_ascii_alphanumeric,
        ];
        let spans = parts.into_iter().flat_map(|is_part| words(text, is_part));
        spans.filter_map(|span| Some((span.clone(), &**self.telling.get(&text[span])?))).collect()
    }

    pub(super) fn knows(&self, name: &str, value: &[u8]) -> bool {
        self.numbers.get(name).is_some_and(|values| values.contains_key(value))
    }
}

/// Whether a value is long enough, and of such characters, that another word hardly equals it by
/// chance.
fn is_telling(value: &[u8]) -> bool {
    let is_number_or_id = value.iter().any(u8::is_ascii_digit) || spared::may_be_id(value);
    value.len() >= SHORTEST && is_number_or_id && !value.contains(&b' ')
}

/// The words of a text that consist of bytes for which `is_part` is true.
fn words(text: &[u8], is_part: fn(&u8) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].iter().position(is_part).map(|before| at + before) {
        let length = text[start..].iter().position(|byte| !is_part(byte));
        at = length.map_or(text.len(), |length| start + length);
        found.push(start..at);
    }
    found
}

/// The token for values without numbers.
pub(super) fn plain(name: &str) -> String {
    format!("[{name}]")
}

pub(super) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(fits)
}

/// The places where tokens with these names stand, and the names. No name contains a bracket, so
/// the search for the end of a token goes no further than the next bracket.
pub(super) fn standing<'a>(
    text: &'a [u8],
    names: &HashSet<Box<str>>,
) -> Vec<(Range<usize>, &'a str)> {
    memchr::memchr_iter(b'[', text)
        .filter_map(|start| {
            let inside = &text[start + 1..text.len().min(start + LONGEST + 24)];
            let end = memchr::memchr2(b'[', b']', inside).filter(|end| inside[*end] == b']')?;
            let inside = &inside[..end];
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
