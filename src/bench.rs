//! Entry points for `benches/hot` to private parts of the crate, and nothing more.
//!
//! A bench is a separate crate and sees only public items, but these parts are not meant for public
//! use. So they are in a feature that nothing depends on, wrapped as thinly as possible: each call
//! here is the call that a session makes.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{BufMut as _, Bytes};

use crate::buffer;
use crate::error::Result;
use crate::pattern::{self, Pattern, Progress};
use crate::proto::smtp::{Replies, Smtp};
use crate::proto::stream::Stream;
use crate::proto::{Framing as _, Protocol};
use crate::secrets::Secrets;
use crate::visible;

/// Whether the pattern matches a whole reply.
#[must_use]
pub fn holds(pattern: &Pattern, reply: &[u8]) -> bool {
    pattern.matches(reply).is_some()
}

/// The bytes as they are shown.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    visible::escape(bytes)
}

/// A search in a stream.
pub struct Search<'p>(pattern::Search<'p>);

impl<'p> Search<'p> {
    /// Begins a search.
    ///
    /// # Errors
    /// If a stream cannot be searched for the pattern.
    pub fn new(pattern: &'p Pattern) -> Result<Self> {
        pattern::Search::new(pattern).map(Self)
    }

    /// Searches the bytes that have come since the last call. Returns the end of the match, once no
    /// further byte can change it.
    ///
    /// # Errors
    /// If the regex engine gives up.
    pub fn advance(&mut self, held: &[u8]) -> Result<Option<usize>> {
        Ok(match self.0.advance(held, false)? {
            Progress::Found(found) => Some(found.range.end),
            _ => None,
        })
    }
}

/// The framing of SMTP replies.
#[derive(Default)]
pub struct Framing(Replies);

impl Framing {
    /// The length of the reply at the start of `held`; `None` while it is incomplete, or if it is
    /// not a reply.
    pub fn frame(&mut self, held: &[u8]) -> Option<usize> {
        self.0.frame(held).ok().flatten()
    }
}

/// One side of a dialogue, with the secrets that it has learned.
pub struct Dialogue {
    protocol: Box<dyn Protocol>,
    secrets: Secrets,
}

impl Dialogue {
    /// A submission session, before its greeting.
    #[must_use]
    pub fn submission() -> Self {
        Self { protocol: Box::new(Smtp::new("submission")), secrets: Secrets::default() }
    }

    /// A session whose protocol is not known.
    #[must_use]
    pub fn plain() -> Self {
        Self { protocol: Box::new(Stream::default()), secrets: Secrets::default() }
    }

    /// Follows bytes that are sent. Returns the spans of them that are secret.
    pub fn sent(&mut self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.protocol.sent(bytes, &mut self.secrets)
    }

    /// Follows bytes that are received.
    pub fn received(&mut self, bytes: &[u8]) {
        self.protocol.received(bytes);
    }

    /// The number of replies that are owed.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.protocol.owed()
    }

    /// The bytes with these spans and all known secrets masked.
    #[must_use]
    pub fn mask<'a>(&self, bytes: &'a [u8], spans: &[Range<usize>]) -> Cow<'a, [u8]> {
        self.secrets.mask(bytes, spans)
    }
}

/// The unread bytes of a session.
pub struct Buffer(buffer::Buffer);

impl Default for Buffer {
    fn default() -> Self {
        Self(buffer::Buffer::new(buffer::DEFAULT_LIMIT))
    }
}

impl Buffer {
    /// Appends the bytes of a read.
    pub fn fill(&mut self, bytes: &[u8]) {
        if let Some(mut room) = self.0.room() {
            room.put_slice(bytes);
            self.0.filled(bytes.len());
        }
    }

    /// Takes bytes off the front.
    pub fn take(&mut self, count: usize) -> Bytes {
        self.0.take(count)
    }
}
