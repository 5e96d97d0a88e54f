//! The bytes of a dialogue that a transcript keeps: all of a short run, both ends of a long one.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// The number of bytes kept from the beginning of a long run.
const HEAD: usize = 16 << 10;
/// The number of bytes kept from the end of a long run.
const TAIL: usize = 4 << 10;

/// Bytes as a transcript keeps them: all of them up to 20 KiB; of a longer run the first 16 KiB,
/// the last 4 KiB, and the length and a digest of the bytes between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt(Kept);

/// Events are many and long runs are rare, so the fields that only long runs need are in a box.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    Whole(Bytes),
    Ends(Box<Ends>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ends {
    head: Bytes,
    omitted: u64,
    /// The start of the SHA-256 of the bytes left out, enough to notice any change. `None` if the
    /// receiver had dropped those bytes.
    digest: Option<u64>,
    tail: Bytes,
    meaning: Option<Bytes>,
}

impl Excerpt {
    /// The start of a run. The receiver did not keep its other bytes, `omitted` in number.
    pub(crate) fn cut(head: Bytes, omitted: u64) -> Self {
        Self(Kept::Ends(Box::new(Ends {
            head,
            omitted,
            digest: None,
            tail: Bytes::new(),
            meaning: None,
        })))
    }

    /// This excerpt with the decoded text of its last line, if that line ends in base64.
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

    /// An excerpt that copies the bytes it keeps, for a caller that goes on using them.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut gathering = Gathering::default();
        gathering.push(bytes);
        gathering.finish()
    }

    /// This excerpt with the kept bytes and the decoded text replaced.
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

    /// This excerpt with bytes of its own, which are no slices of larger ones.
    #[cfg(feature = "script")]
    pub(crate) fn detached(self) -> Self {
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        Self(match self.0 {
            Kept::Whole(bytes) => Kept::Whole(copy(&bytes)),
            Kept::Ends(ends) => Kept::Ends(Box::new(Ends {
                head: copy(&ends.head),
                tail: copy(&ends.tail),
                meaning: ends.meaning.as_ref().map(copy),
                ..*ends
            })),
        })
    }

    /// The bytes from the start of the run.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        match &self.0 {
            Kept::Whole(bytes) => bytes,
            Kept::Ends(ends) => &ends.head,
        }
    }

    /// The number of bytes left out after the head.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        match &self.0 {
            Kept::Whole(_) => 0,
            Kept::Ends(ends) => ends.omitted,
        }
    }

    /// The start of the SHA-256 of the bytes left out, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        let Kept::Ends(ends) = &self.0 else { return None };
        ends.digest.map(|digest| format!("{digest:016x}"))
    }

    /// The last bytes, if some before them were left out.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        match &self.0 {
            Kept::Whole(_) => &[],
            Kept::Ends(ends) => &ends.tail,
        }
    }
}

impl Excerpt {
    /// The decoded text of the last line if it is a SASL challenge or response, with secrets
    /// masked.
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

/// Builds an excerpt of a stream that is never held in memory as a whole.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    head: Vec<u8>,
    /// The bytes after the head, shortened to the last ones from time to time.
    rest: Vec<u8>,
    /// The hash of the bytes cut off from `rest`.
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

    /// Leaves out the first `count` bytes of `rest`.
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
