//! All secrets of a run, and the masking of them in everything that is shown.

mod wording;

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

/// The secrets of a run, shared by its sessions and its transcript: a secret that one session
/// learns is masked in the lines of all of them.
///
/// A secret is found as it is, quoted, with escapes, URL-encoded, in hexadecimal, and in base64 at
/// any position of a longer text. Secrets of six characters or more are also found in any case and in parts.
#[derive(Clone, Default)]
pub(crate) struct Learned(Arc<Mutex<Index>>);

/// The number of forms with the same last bytes that are searched for as a whole. With more, a
/// hostile text could make the search slow. Parts of the secrets are found in any case.
const MOST_ALIKE: usize = 64;

#[derive(Clone, Default)]
struct Index {
    /// The hashes of all values learned.
    known: HashSet<u64>,
    hasher: RandomState,
    grams: Grams,
    /// Forms that are searched for as a whole, by their last four bytes.
    whole: HashMap<[u8; SHORTEST], Vec<Form>>,
    /// Which last four bytes may be in `whole`.
    ends: Ends,
    /// Secrets that are too short to be searched for.
    short: Vec<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned").field("secrets", &self.index().known.len()).finish()
    }
}

impl Learned {
    /// A copy with the same secrets that learns independently.
    #[cfg(feature = "script")]
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.index().clone())))
    }

    /// Learns a password or a token. A value too short to be searched for is noted, so that no
    /// golden transcript contains it.
    pub(crate) fn keep(&self, value: &[u8]) {
        self.learn(value);
        self.index().note_short(value);
    }

    /// Whether there is nothing to mask.
    pub(crate) fn is_empty(&self) -> bool {
        let index = self.index();
        index.grams.is_empty() && index.whole.is_empty()
    }

    /// Learns a secret in all its forms.
    pub(crate) fn learn(&self, value: &[u8]) {
        if let Some(inner) = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")) {
            self.learn(&Zeroizing::new(quoted::unescaped(inner)));
        }
        self.index().learn(value);
    }

    /// Learns a secret that is too short to be searched for alone, together with the word before
    /// it, because a server may echo both.
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

    /// Learns a value that proves a secret once, such as the digest of APOP. Parts of it are not
    /// searched for: they are of no use to anybody, and the base64 of hexadecimal digits looks like
    /// that of any number.
    pub(crate) fn learn_proof(&self, proof: &[u8]) {
        let mut index = self.index();
        Form::of_proof(proof.trim_ascii()).for_each(|form| index.add_whole(form));
    }

    /// Learns a SASL response that carries secrets, so that it is masked as a whole wherever it is
    /// shown again, not only its secret part.
    pub(crate) fn learn_whole(&self, payload: &[u8]) {
        self.index().add_whole(Form::plain(payload));
    }

    /// The length of a secret too short to be searched for that stands in the text as a word of its
    /// own.
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

    /// Whether a secret, or a part of one, is in the text.
    #[cfg(feature = "script")]
    pub(crate) fn is_in(&self, text: &str) -> bool {
        !self.spans(text.as_bytes()).is_empty()
    }

    /// The bytes with the given spans and every known secret masked.
    pub(crate) fn mask<'a>(&self, bytes: &'a [u8], spans: &[Range<usize>]) -> Cow<'a, [u8]> {
        let spans = self.index().spans(bytes, spans.to_vec());
        if spans.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(without(bytes, &spans)) }
    }

    /// The spans of the bytes that are secret, in order and without overlaps.
    pub(crate) fn spans(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.index().spans(bytes, Vec::new())
    }

    /// Masks every known secret in a text.
    pub(crate) fn mask_text(&self, text: &mut String) {
        let spans = self.spans(text.as_bytes());
        replace(text, &spans);
    }

    /// Masks secrets in a text that the tool words itself, with data in it. A secret may equal a
    /// word that the tool uses: to mask `reply` in "the reply is not the one that was expected"
    /// would reveal the secret. So such a word is masked only within quotes.
    pub(crate) fn mask_data(&self, text: &mut String) {
        let mut spans = self.spans(text.as_bytes());
        spans.retain(|span| !wording::is_ours(text, span));
        replace(text, &spans);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // If a thread panics with the lock held, at most one form is missing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn learn(&mut self, value: &[u8]) {
        // Blanks at the ends say nothing about the secret, and masking them would remove blanks
        // from the text around it.
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
        for form in Form::hexadecimal(value) {
            self.add_whole(form);
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
        self.ends.add(*end);
        let forms = self.whole.entry(*end).or_default();
        if forms.len() < MOST_ALIKE && !forms.iter().any(|known| known.bytes == form.bytes) {
            forms.push(form);
        }
    }

    /// The secret spans of the bytes, in addition to `found`, in one pass however many secrets
    /// there are.
    fn spans(&self, bytes: &[u8], mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
        if !self.grams.is_empty() || !self.whole.is_empty() {
            let mut start = 0;
            // A mask from an earlier pass is our own text.
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
        let mut plain = found[first..].to_vec();
        plain.sort_unstable_by_key(|span| span.start);
        for decoded in Decoded::all(bytes) {
            self.scan(&decoded.bytes, |span| {
                let span = decoded.span(&span);
                let span = offset + span.start..offset + span.end;
                // `password=34abcdef` is no encoded text: the secret begins after the sign and was
                // found as it is.
                let before = plain.partition_point(|plain| plain.start <= span.start + 1);
                if plain[..before].last().is_none_or(|plain| plain.end < span.end) {
                    found.push(span);
                }
            });
        }
    }

    fn scan(&self, bytes: &[u8], mut found: impl FnMut(Range<usize>)) {
        let mut gram = 0;
        // The part that is being matched, and whether the base64 digits beside its last run share
        // bits with it.
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

    /// Reports the short forms that end at `end`.
    fn scan_whole(&self, bytes: &[u8], end: usize, found: &mut impl FnMut(Range<usize>)) {
        let Some(last) = bytes[..end].last_chunk::<SHORTEST>() else { return };
        if !self.ends.may_hold(*last) {
            return;
        }
        for form in self.whole.get(last).into_iter().flatten() {
            if bytes[..end].ends_with(&form.bytes) {
                found(widened(bytes, (end - form.bytes.len()..end, form.shares)));
            }
        }
    }
}

/// A set of hashes that rules most bytes out without a look into a map, because each byte that a
/// server sends is looked up.
#[derive(Clone)]
struct Ends([u64; 64]);

impl Default for Ends {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Ends {
    fn add(&mut self, end: [u8; SHORTEST]) {
        let (word, bit) = Self::place(end);
        self.0[word] |= bit;
    }

    fn may_hold(&self, end: [u8; SHORTEST]) -> bool {
        let (word, bit) = Self::place(end);
        self.0[word] & bit != 0
    }

    fn place(end: [u8; SHORTEST]) -> (usize, u64) {
        // The top 12 bits of the product: 6 for the word, 6 for the bit.
        let hash = u32::from_le_bytes(end).wrapping_mul(0x9e37_79b1) >> 20;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}

/// The span of a part that has ended.
fn end_part(bytes: &[u8], (part, shares): (Range<usize>, u64)) -> Range<usize> {
    widened(bytes, (part, shares & SHARES_AFTER))
}

/// A span, extended by the base64 digits beside it that share bits with it, and by the padding.
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

/// The spans in order; those that overlap or touch are joined.
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

/// The bytes with only these spans masked.
pub(crate) fn mask_spans<'a>(bytes: &'a [u8], spans: &[Range<usize>]) -> Cow<'a, [u8]> {
    let spans = joined(spans.to_vec());
    if spans.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(without(bytes, &spans)) }
}

/// The bytes with a mask in place of each span. The spans are in order and do not overlap.
pub(super) fn without(bytes: &[u8], spans: &[Range<usize>]) -> Vec<u8> {
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

#[cfg(test)]
mod tests;
