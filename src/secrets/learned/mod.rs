//! All secrets of a run, and the masking of them in everything that is shown.

mod short;
mod wording;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use self::short::Short;
use super::encoded::Decoded;
use super::form::{self, Form};
use super::grams::{self, Grams, PART, SHARES_BEFORE};
use super::grouped::Grouped;
use super::spans::{self, end_part, joined, replace, widened, without};
use super::token::{SECRET, SHORTEST};
use super::whole::{self, Whole};
use crate::quoted;

/// The longest secret that is searched for, in bytes. If a longer one is learned, everything that
/// is shown is masked.
pub(super) const LONGEST: usize = 1 << 20;
/// The longest proof of a secret that is searched for as a whole.
const LONGEST_PROOF: usize = 1 << 10;
/// How much of the word before a short secret is searched for with it.
const LONGEST_PLACE: usize = 256;

/// How many times a secret may be in quotes within quotes.
const MOST_QUOTES: usize = 4;

/// The reason why everything is masked. It is shown itself.
pub(crate) const OVERFULL: &str = "the secrets of this script are too long or too many to be searched for (one of more than 1 MiB, or about 300 KiB \
in all), so everything that it shows is masked";

/// The secrets of a run, shared by its sessions and its transcript: a secret that one session
/// learns is masked in the lines of all of them.
///
/// A secret is found as it is, quoted, with escapes, URL-encoded, in hexadecimal, and in base64 at
/// any position of a longer text. Secrets of six characters or more are also found in any case and
/// in parts.
///
/// What the secrets take is bounded, however many and however long they are. If they are more,
/// everything is masked.
#[derive(Clone, Default)]
pub(crate) struct Learned(Arc<Mutex<Index>>);

#[derive(Clone, Default)]
struct Index {
    /// The hashes of all values learned.
    known: HashSet<u64>,
    hasher: RandomState,
    grams: Grams,
    /// Forms that are searched for as a whole.
    whole: Whole,
    /// Secrets that are too short to be searched for.
    short: Short,
    /// Whether there were more secrets than can be searched for, so that everything is masked.
    is_overfull: bool,
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
        !index.is_overfull && index.grams.is_empty() && index.whole.is_empty()
    }

    /// Whether everything is masked, for the reason [`OVERFULL`].
    pub(crate) fn is_overfull(&self) -> bool {
        self.index().is_overfull
    }

    /// Learns a secret in all its forms.
    pub(crate) fn learn(&self, value: &[u8]) {
        let mut index = self.index();
        index.learn(value);
        let mut inner = within_quotes(value).map(Zeroizing::new);
        for _ in 1..MOST_QUOTES {
            let Some(value) = inner else { break };
            index.learn(&value);
            inner = within_quotes(&value).map(Zeroizing::new);
        }
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
        let word = word.max(span.end.saturating_sub(LONGEST_PLACE));
        let mut index = self.index();
        index.note_short(&bytes[span.clone()]);
        index.add_whole(Form::plain(&bytes[word..span.end]));
    }

    /// Learns a value that proves a secret once, such as the digest of APOP. Parts of it are not
    /// searched for: they are of no use to anybody, and the base64 of hexadecimal digits looks like
    /// that of any number.
    pub(crate) fn learn_proof(&self, proof: &[u8]) {
        let (mut index, proof) = (self.index(), proof.trim_ascii());
        if proof.len() > LONGEST_PROOF {
            return index.learn(proof);
        }
        Form::of_proof(proof).for_each(|form| index.add_whole(form));
    }

    /// Learns a SASL response that carries secrets, so that it is masked as a whole wherever it is
    /// shown again, not only its secret part.
    pub(crate) fn learn_whole(&self, payload: &[u8]) {
        let mut index = self.index();
        if payload.len() > LONGEST {
            return index.overfill();
        }
        index.add_whole(Form::plain(payload));
    }

    /// The length of a secret too short to be searched for that stands in the text as a word of its
    /// own.
    #[cfg(feature = "script")]
    pub(crate) fn short_in(&self, text: &str) -> Option<usize> {
        self.index().short.first_in(text.as_bytes())
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
        // Even if everything is masked, words of the tool say what happened.
        let spans = if self.is_overfull() {
            spans::words(text.as_bytes()).collect()
        } else {
            self.spans(text.as_bytes())
        };
        let spans = wording::without_ours(text, spans);
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
        if value.len() < SHORTEST || self.is_overfull {
            return;
        }
        if value.len() > LONGEST {
            return self.overfill();
        }
        if !self.known.insert(self.hasher.hash_one(value)) {
            return;
        }
        if value.len() == PART {
            // In hexadecimal, a secret as short as a part is searched for as a whole.
            self.add_whole(Form::plain(value));
        }
        for form in form::pieces(value).flat_map(Form::all) {
            if form.bytes.len() < PART {
                self.add_whole(form);
            } else {
                self.add_parts(&form);
            }
            if self.is_overfull {
                return;
            }
        }
    }

    fn note_short(&mut self, value: &[u8]) {
        if !self.is_overfull && !self.short.add(value) {
            self.overfill();
        }
    }

    fn add_whole(&mut self, form: Form) {
        match self.whole.add(form) {
            Ok(()) => {}
            Err(form) if form.bytes.len() >= PART => self.add_parts(&form),
            Err(_) => self.overfill(),
        }
    }

    fn add_parts(&mut self, form: &Form) {
        self.grams.add(&form.bytes, form.shares);
        if self.grams.is_full() {
            self.overfill();
        }
    }

    /// From now on, everything is masked.
    fn overfill(&mut self) {
        *self = Self { is_overfull: true, ..Self::default() };
    }

    /// The secret spans of the bytes, in addition to `found`, in one pass however many secrets
    /// there are.
    fn spans(&self, bytes: &[u8], mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
        if self.is_overfull {
            if bytes != OVERFULL.as_bytes() {
                found.extend(spans::lines(bytes));
            }
        } else if !self.grams.is_empty() || !self.whole.is_empty() {
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
        let plain = self.scan(bytes, PART);
        let mut add = |spans: Vec<Range<usize>>| {
            for span in spans {
                // `password=34abcdef` is no encoded text: the secret begins after the sign and was
                // found as it is.
                let before = plain.partition_point(|plain| plain.start <= span.start + 1);
                if plain[..before].last().is_none_or(|plain| plain.end < span.end) {
                    found.push(offset + span.start..offset + span.end);
                }
            }
        };
        for decoded in Decoded::all(bytes) {
            let spans = self.scan(&decoded.bytes, PART);
            add(decoded.places(bytes, &spans));
        }
        for grouped in Grouped::all(bytes) {
            for reading in grouped.readings(bytes) {
                let spans = self.scan(&reading.bytes, grouped.part());
                add(grouped.places(bytes, &reading, &spans));
            }
        }
        found.extend(plain.iter().map(|span| offset + span.start..offset + span.end));
    }

    /// The spans of secrets, and of parts of them that are not shorter than `shortest`.
    fn scan(&self, bytes: &[u8], shortest: usize) -> Vec<Range<usize>> {
        let (mut parts, mut wholes) = (Vec::new(), Vec::new());
        let mut end_part = |part: (Range<usize>, u64)| {
            if part.0.len() >= shortest {
                spans::push(&mut parts, end_part(bytes, part));
            }
        };
        let mut gram = 0;
        let mut allowed = whole::allowed(bytes.len());
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
                        before.into_iter().for_each(&mut end_part);
                        (widened(bytes, (start..end, shares & SHARES_BEFORE)).start..end, shares)
                    }
                });
            }
            if !self.whole.is_empty()
                && let Some(span) = self.whole.ending(bytes, end, &mut allowed)
            {
                spans::push(&mut wholes, span);
            }
        }
        part.into_iter().for_each(&mut end_part);
        parts.append(&mut wholes);
        joined(parts)
    }
}

/// What a quoted string holds, if the value is one.
fn within_quotes(value: &[u8]) -> Option<Vec<u8>> {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inner.filter(|inner| inner.len() <= LONGEST).map(quoted::unescaped)
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
