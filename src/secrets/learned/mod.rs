//! All secrets of a run, and their masking in whatever is shown of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::encoded::Decoded;
use super::form::Form;
use super::grams::{self, Grams, PART, SHARES_AFTER, SHARES_BEFORE};
use super::token::{SECRET, SHORTEST};
use crate::quoted;

/// The secrets of a run, shared by its sessions and its transcript: what one session learns is
/// masked in the lines of all of them.
///
/// A secret is found as it is, in quotes, with escapes, in base64 at any place of a longer text,
/// and URL-encoded; from six characters on in any case and in parts.
#[derive(Clone, Default)]
pub(crate) struct Learned(Arc<Mutex<Index>>);

/// How many forms with the same end are looked for as a whole. Beyond that, a hostile text could
/// make the search slow; parts of the secrets are found all the same.
const MOST_ALIKE: usize = 64;

#[derive(Clone, Default)]
struct Index {
    /// All that has been learned, by its hash.
    known: HashSet<u64>,
    hasher: RandomState,
    grams: Grams,
    /// Forms that are looked for as a whole, by their last four bytes.
    whole: HashMap<[u8; SHORTEST], Vec<Form>>,
    /// Secrets too short to be looked for at all.
    short: Vec<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned").field("secrets", &self.index().known.len()).finish()
    }
}

impl Learned {
    /// Another set that holds the same and goes on by itself.
    #[cfg(feature = "script")]
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.index().clone())))
    }

    /// Remembers a password or a token. One that is too short to be looked for must not get into a
    /// golden transcript.
    pub(crate) fn keep(&self, value: &[u8]) {
        self.learn(value);
        self.index().note_short(value);
    }

    /// Whether there is nothing to be masked.
    pub(crate) fn is_empty(&self) -> bool {
        let index = self.index();
        index.grams.is_empty() && index.whole.is_empty()
    }

    /// Remembers a secret in all forms that it may take.
    pub(crate) fn learn(&self, value: &[u8]) {
        if let Some(inner) = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")) {
            self.learn(&Zeroizing::new(quoted::unescaped(inner)));
        }
        self.index().learn(value);
    }

    /// Remembers a secret that is too short to be looked for alone together with the word before
    /// it, as a server may echo it.
    pub(crate) fn learn_in_place(&self, bytes: &[u8], span: &Range<usize>) {
        if span.len() >= SHORTEST {
            return;
        }
        let before = &bytes[..span.start];
        let line = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let word =
            memchr::memrchr(b' ', before[line..].trim_ascii_end()).map_or(line, |at| line + at + 1);
        let mut index = self.index();
        index.note_short(&bytes[span.clone()]);
        index.add_whole(Form::plain(&bytes[word..span.end]));
    }

    /// Remembers what proves a secret once, such as the digest of APOP. Parts of it are not looked
    /// for: they are of use to nobody, and the base64 of hexadecimal digits is like that of any
    /// number.
    pub(crate) fn learn_proof(&self, proof: &[u8]) {
        let mut index = self.index();
        Form::all(proof.trim_ascii()).for_each(|form| index.add_whole(form));
    }

    /// Remembers a SASL response that carries secrets: shown again, it is masked as a whole, and
    /// not only the part that is secret.
    pub(crate) fn learn_whole(&self, payload: &[u8]) {
        self.index().add_whole(Form::plain(payload));
    }

    /// A secret too short to be looked for that stands in a text as a word of its own.
    #[cfg(feature = "script")]
    pub(crate) fn short_in(&self, text: &str) -> Option<usize> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let bytes = text.as_bytes();
        self.index()
            .short
            .iter()
            .find(|short| {
                memchr::memmem::find_iter(bytes, short.as_slice()).any(|at| {
                    let (before, after) = (&bytes[..at], &bytes[at + short.len()..]);
                    !before.last().is_some_and(is_word) && !after.first().is_some_and(is_word)
                })
            })
            .map(|short| short.len())
    }

    /// The bytes with the given spans and every known secret masked.
    pub(crate) fn mask<'a>(&self, bytes: &'a [u8], spans: &[Range<usize>]) -> Cow<'a, [u8]> {
        let spans = self.index().spans(bytes, spans.to_vec());
        if spans.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(without(bytes, &spans)) }
    }

    /// The spans of the bytes that are secret, in order; none overlaps another.
    pub(crate) fn spans(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.index().spans(bytes, Vec::new())
    }

    /// Text with every known secret masked.
    pub(crate) fn mask_text(&self, text: &mut String) {
        let spans = self.spans(text.as_bytes());
        replace(text, &spans);
    }

    /// The same in a text of the tool's own with data in quotes. A secret may be a word that the
    /// tool uses itself: to mask `reply` in "the reply is not the one that was expected" would
    /// tell it. Outside of quotes, only what holds more than letters is taken for a secret.
    pub(crate) fn mask_data(&self, text: &mut String) {
        let mut spans = self.spans(text.as_bytes());
        if !spans.is_empty() {
            let quoted = quoted(text);
            spans.retain(|span| {
                quoted.iter().any(|quoted| quoted.start <= span.start && span.end <= quoted.end)
                    || text.as_bytes()[span.clone()].iter().any(|byte| !byte.is_ascii_alphabetic())
            });
            replace(text, &spans);
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // A panic elsewhere leaves at most a form out.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn learn(&mut self, value: &[u8]) {
        // Blanks at its ends tell nothing, and would be taken off its neighbours.
        let value = value.trim_ascii();
        if value.len() < SHORTEST {
            return;
        }
        if !self.known.insert(self.hasher.hash_one(value)) {
            return;
        }
        for form in Form::all(value) {
            if form.bytes.len() < PART {
                self.add_whole(form);
            } else {
                self.grams.add(&form.bytes, form.shares);
            }
        }
    }

    fn note_short(&mut self, value: &[u8]) {
        if !value.is_empty()
            && value.len() < SHORTEST
            && !self.short.iter().any(|short| **short == value)
        {
            self.short.push(Zeroizing::new(value.to_vec()));
        }
    }

    fn add_whole(&mut self, form: Form) {
        let Some(end) = form.bytes.last_chunk::<SHORTEST>() else { return };
        let forms = self.whole.entry(*end).or_default();
        if forms.len() < MOST_ALIKE && !forms.iter().any(|known| known.bytes == form.bytes) {
            forms.push(form);
        }
    }

    /// What is secret in the bytes, besides these spans: one pass, however many secrets there are.
    fn spans(&self, bytes: &[u8], mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
        if !self.grams.is_empty() || !self.whole.is_empty() {
            let mut start = 0;
            // What was masked before is text of ours.
            for mask in memchr::memmem::find_iter(bytes, SECRET) {
                self.search(&bytes[start..mask], start, &mut found);
                start = mask + SECRET.len();
            }
            self.search(&bytes[start..], start, &mut found);
        }
        joined(found)
    }

    fn search(&self, bytes: &[u8], offset: usize, found: &mut Vec<Range<usize>>) {
        let first = found.len();
        self.scan(bytes, |span| found.push(offset + span.start..offset + span.end));
        let Some(decoded) = Decoded::of(bytes) else { return };
        let mut plain = found[first..].to_vec();
        plain.sort_unstable_by_key(|span| span.start);
        self.scan(&decoded.bytes, |span| {
            let span = decoded.span(&span);
            let span = offset + span.start..offset + span.end;
            // In `password=34abcdef`, the secret begins after the sign, and nothing is encoded.
            let before = plain.partition_point(|plain| plain.start <= span.start + 1);
            if plain[..before].last().is_none_or(|plain| plain.end < span.end) {
                found.push(span);
            }
        });
    }

    fn scan(&self, bytes: &[u8], mut found: impl FnMut(Range<usize>)) {
        let mut gram = 0;
        // The part that is being found, and what its last run shares with the digits after it.
        let mut part: Option<(Range<usize>, u64)> = None;
        for (at, byte) in bytes.iter().enumerate() {
            gram = grams::slide(gram, *byte);
            let end = at + 1;
            if end >= PART
                && let Some(shares) = self.grams.get(gram)
            {
                let start = end - PART;
                part = Some(match part {
                    Some((part, _)) if part.end >= start => (part.start..end, shares),
                    before => {
                        if let Some(part) = before {
                            found(end_part(bytes, part));
                        }
                        (widened(bytes, (start..end, shares & SHARES_BEFORE)).start..end, shares)
                    }
                });
            }
            if !self.whole.is_empty() {
                self.scan_whole(bytes, end, &mut found);
            }
        }
        if let Some(part) = part {
            found(end_part(bytes, part));
        }
    }

    /// The short forms that end there.
    fn scan_whole(&self, bytes: &[u8], end: usize, found: &mut impl FnMut(Range<usize>)) {
        let Some(last) = bytes[..end].last_chunk::<SHORTEST>() else { return };
        for form in self.whole.get(last).into_iter().flatten() {
            if bytes[..end].ends_with(&form.bytes) {
                found(widened(bytes, (end - form.bytes.len()..end, form.shares)));
            }
        }
    }
}

/// A part that has come to its end.
fn end_part(bytes: &[u8], (part, shares): (Range<usize>, u64)) -> Range<usize> {
    widened(bytes, (part, shares & SHARES_AFTER))
}

/// A span with the digits beside it that share bits with it, and the padding.
fn widened(bytes: &[u8], (mut span, shares): (Range<usize>, u64)) -> Range<usize> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    if shares & SHARES_BEFORE != 0 && bytes[..span.start].last().is_some_and(is_digit) {
        span.start -= 1;
    }
    if shares & SHARES_AFTER != 0 && bytes.get(span.end).is_some_and(is_digit) {
        span.end += 1;
        span.end += bytes[span.end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    }
    span
}

/// Spans in order, those that overlap or touch as one.
fn joined(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_unstable_by_key(|span| span.start);
    spans.dedup_by(|next, span| {
        let overlaps = next.start <= span.end;
        if overlaps {
            span.end = span.end.max(next.end);
        }
        overlaps
    });
    spans
}

/// The bytes with a mask in place of these spans, which are in order and do not overlap.
fn without(bytes: &[u8], spans: &[Range<usize>]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(bytes.len() + SECRET.len());
    let mut from = 0;
    for span in spans {
        masked.extend_from_slice(&bytes[from..span.start]);
        masked.extend_from_slice(SECRET);
        from = span.end;
    }
    masked.extend_from_slice(&bytes[from..]);
    masked
}

fn replace(text: &mut String, spans: &[Range<usize>]) {
    if !spans.is_empty() {
        *text = String::from_utf8_lossy(&without(text.as_bytes(), spans)).into_owned();
    }
}

/// The parts of a text that stand in quotes, or as a regex between slashes. A quote that is not
/// closed goes on to the end.
fn quoted(text: &str) -> Vec<Range<usize>> {
    let mut quoted = Vec::new();
    if text.starts_with('/') {
        quoted.push(0..text.len());
        return quoted;
    }
    let mut open: Option<(usize, char)> = None;
    for (at, c) in text.char_indices() {
        match open {
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

#[cfg(test)]
mod tests;
