//! Tells the words of the tool from data, in a text that has both.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

/// The manual. Errors and hints are worded like it.
const MANUAL: &str = include_str!("../../../docs/reference.md");

/// The words of the manual's prose, in small letters. What stands in its examples is data.
static WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let mut words = HashSet::new();
    let mut is_example = false;
    for line in MANUAL.lines() {
        if line.starts_with("```") {
            is_example = !is_example;
        } else if !is_example && !line.starts_with("    ") {
            let mut from = 0;
            for quoted in quoted(line) {
                words.extend(words_of(&line[from..quoted.start]));
                from = quoted.end;
            }
            words.extend(words_of(&line[from..]));
        }
    }
    words
});

fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase)
}

/// More letters than a word of the manual has.
const LONGEST: usize = 40;

/// The spans, which are in order, without those outside of quotes that are words of the tool or
/// belong to one.
pub(super) fn without_ours(text: &str, mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if !spans.is_empty() {
        let quoted = quoted(text);
        spans.retain(|span| !is_ours(text, span, &quoted));
    }
    spans
}

fn is_ours(text: &str, span: &Range<usize>, quoted: &[Range<usize>]) -> bool {
    let is_letter = |byte: &&u8| byte.is_ascii_alphabetic();
    let bytes = text.as_bytes();
    if !bytes[span.clone()].iter().all(|byte| is_letter(&byte)) {
        return false;
    }
    let before = bytes[..span.start].iter().rev().take(LONGEST).take_while(is_letter).count();
    let after = bytes[span.end..].iter().take(LONGEST).take_while(is_letter).count();
    let (start, end) = (span.start - before, span.end + after);
    let around = quoted.partition_point(|quoted| quoted.end < span.end);
    WORDS.contains(&text[start..end].to_ascii_lowercase())
        && quoted.get(around).is_none_or(|quoted| quoted.start > span.start)
}

/// The parts of a text in quotes, or the whole text if it is a regex between slashes. A quote that
/// is not closed extends to the end. Between double quotes, a backslash escapes what follows it.
fn quoted(text: &str) -> Vec<Range<usize>> {
    let mut quoted = Vec::new();
    if text.starts_with('/') {
        quoted.push(0..text.len());
        return quoted;
    }
    let mut open: Option<(usize, char)> = None;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match open {
            Some((_, '"')) if is_escaped || c == '\\' => is_escaped = !is_escaped,
            Some((start, quote)) if c == quote => {
                quoted.push(start..at);
                open = None;
            }
            None if c == '`' || c == '"' => open = Some((at + 1, c)),
            _ => {}
        }
    }
    quoted.extend(open.map(|(start, _)| start..text.len()));
    quoted
}
