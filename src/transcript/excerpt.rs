//! Bytes worth keeping: all of a short run of them, the ends of a long one.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// How much of the beginning of a long run is kept.
const HEAD: usize = 16 << 10;
/// How much of its end.
const TAIL: usize = 4 << 10;

/// Bytes as a transcript keeps them: whole up to 20 KiB, else the first 16 KiB, the last 4, and the
/// count and a digest of what lay between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt(Kept);

/// Long runs are rare, and events are many: what only those need is apart.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    Whole(Bytes),
    Ends(Box<Ends>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ends {
    head: Bytes,
    omitted: u64,
    /// The start of the SHA-256 of what was left out: enough to notice any change. Nothing if
    /// whoever received it had not kept it.
    digest: Option<u64>,
    tail: Bytes,
    meaning: Option<Bytes>,
}

impl Excerpt {
    /// The start of a run whose other bytes, this many, were not kept by whoever received them.
    pub(crate) fn cut(head: Bytes, omitted: u64) -> Self {
        Self(Kept::Ends(Box::new(Ends {
            head,
            omitted,
            digest: None,
            tail: Bytes::new(),
            meaning: None,
        })))
    }

    /// The same, with what its last line says where that is in base64.
    pub(crate) fn with_meaning(self, meaning: Option<Vec<u8>>) -> Self {
        match (self.0, meaning) {
            (Kept::Whole(head), Some(meaning)) => {
                let meaning = Some(meaning.into());
                Self(Kept::Ends(Box::new(Ends {
                    head,
                    omitted: 0,
                    digest: None,
                    tail: Bytes::new(),
                    meaning,
                })))
            }
            (kept, _) => Self(kept),
        }
    }

    /// An excerpt of bytes that somebody else goes on with: a copy of what it keeps.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut gathering = Gathering::default();
        gathering.push(bytes);
        gathering.finish()
    }

    /// The same run with other bytes in place of those that were kept, and another meaning.
    pub(crate) fn keeping(&self, head: Bytes, tail: Bytes, meaning: Option<Bytes>) -> Self {
        Self(match (self.omitted(), meaning) {
            (0, None) => Kept::Whole(head),
            (omitted, meaning) => {
                let digest = match &self.0 {
                    Kept::Ends(ends) => ends.digest,
                    Kept::Whole(_) => None,
                };
                Kept::Ends(Box::new(Ends { head, omitted, digest, tail, meaning }))
            }
        })
    }

    /// The bytes from the start.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        match &self.0 {
            Kept::Whole(bytes) => bytes,
            Kept::Ends(ends) => &ends.head,
        }
    }

    /// How many bytes were left out after the head.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        match &self.0 {
            Kept::Whole(_) => 0,
            Kept::Ends(ends) => ends.omitted,
        }
    }

    /// The start of the SHA-256 of the bytes that were left out, in hex.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        let Kept::Ends(ends) = &self.0 else { return None };
        ends.digest.map(|digest| format!("{digest:016x}"))
    }

    /// The last bytes, where some were left out.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        match &self.0 {
            Kept::Whole(_) => &[],
            Kept::Ends(ends) => &ends.tail,
        }
    }
}

impl Excerpt {
    /// What the last line says, out of its base64 and with its secret masked, if it is a
    /// challenge or a response of SASL.
    #[must_use]
    pub fn decoded(&self) -> Option<&[u8]> {
        match &self.0 {
            Kept::Whole(_) => None,
            Kept::Ends(ends) => ends.meaning.as_deref(),
        }
    }
}

impl From<Bytes> for Excerpt {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() <= HEAD + TAIL { Self(Kept::Whole(bytes)) } else { Self::of(&bytes) }
    }
}

/// An excerpt in the making, of a stream that is never held whole.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    head: Vec<u8>,
    /// What came after the head, cut back to the last bytes now and then.
    rest: Vec<u8>,
    /// What was cut off there.
    omitted: Option<Box<Sha256>>,
    total: u64,
}

impl Gathering {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        let (before, last) = rest.split_at(rest.len().saturating_sub(TAIL));
        if !before.is_empty() {
            self.omit(self.rest.len());
            self.omitted.get_or_insert_default().update(before);
        }
        self.rest.extend_from_slice(last);
        if self.rest.len() > 4 * TAIL {
            self.omit(self.rest.len() - TAIL);
        }
    }

    /// Leaves out so many bytes of what came after the head.
    fn omit(&mut self, count: usize) {
        let omitted = self.omitted.get_or_insert_default();
        omitted.update(&self.rest[..count]);
        self.rest.drain(..count);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(crate) fn finish(mut self) -> Excerpt {
        if self.total <= (HEAD + TAIL) as u64 {
            self.head.extend_from_slice(&self.rest);
            return Excerpt(Kept::Whole(self.head.into()));
        }
        self.omit(self.rest.len() - TAIL);
        let tail = self.rest;
        let omitted = self.total - (self.head.len() + tail.len()) as u64;
        let digest = self.omitted.unwrap_or_default().finalize();
        let digest = digest.first_chunk().map(|start| u64::from_be_bytes(*start));
        Excerpt(Kept::Ends(Box::new(Ends {
            head: self.head.into(),
            omitted,
            digest,
            tail: tail.into(),
            meaning: None,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_is_kept_whole_and_a_long_one_by_its_ends() {
        let stream: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        for length in [0, 1, HEAD, HEAD + 1, HEAD + TAIL, HEAD + TAIL + 1, 100_000] {
            let whole = Excerpt::from(Bytes::copy_from_slice(&stream[..length]));
            for piece in [1, 7, 4096, 50_000] {
                let mut gathering = Gathering::default();
                stream[..length].chunks(piece).for_each(|bytes| gathering.push(bytes));
                assert_eq!(gathering.finish(), whole, "{length} bytes in pieces of {piece}");
            }
            assert_eq!(
                whole.head().len() as u64 + whole.omitted() + whole.tail().len() as u64,
                length as u64
            );
            assert!(stream[..length].ends_with(whole.tail()));
            let mut changed = stream[..length].to_vec();
            if let Some(byte) = changed.get_mut(length / 2) {
                *byte ^= 1;
                assert_ne!(Excerpt::of(&changed), whole, "a change in the middle of {length}");
            }
        }
    }
}
