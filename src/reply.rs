//! The result of an expectation.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Result;
use crate::pattern::{Captures, Enhanced, Match, Pattern, Progress, Search};
use crate::proto::{chomp, pop3, sieve};

/// A reply, a line or a piece of a stream that met an expectation.
///
/// On a session that speaks a protocol, this is the whole reply. On a plain stream, it is
/// everything up to the end of the match: [`Reply::text`] is the match, and [`Reply::before`] the
/// bytes before it.
#[derive(Clone, Debug)]
pub struct Reply {
    bytes: Bytes,
    matched: Range<usize>,
    found: Match,
    octets: u64,
    took: Duration,
}

/// The lines of the text of a reply, without their line ends.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
}

impl Reply {
    pub(crate) fn new(bytes: Bytes, matched: Range<usize>, found: Match) -> Self {
        let octets = bytes.len() as u64;
        Self { bytes, matched, found, octets, took: Duration::ZERO }
    }

    /// A whole reply or line, all of which matched, except its last line end.
    pub(crate) fn whole(bytes: Bytes, found: Match) -> Self {
        let matched = 0..chomp(&bytes).len();
        Self::new(bytes, matched, found)
    }

    /// Returns this reply with its size in octets, of which not all were kept.
    pub(crate) fn of_octets(self, octets: u64) -> Self {
        Self { octets, ..self }
    }

    /// Returns this reply with the time that the operation waited for it.
    pub(crate) fn after(self, took: Duration) -> Self {
        Self { took, ..self }
    }

    /// How long the reply took to come, from the start of the operation that took it.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// All bytes that the operation took from the session, exactly as they came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The reply, or the match in a stream, without the last line end. Bytes that are not UTF-8
    /// become U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.matched())
    }

    /// The bytes of [`Reply::text`].
    pub(crate) fn matched(&self) -> &[u8] {
        chomp(&self.bytes[self.matched.clone()])
    }

    /// The number of octets that were taken, whether or not they were kept. For a multi-line block,
    /// its size without its last line and with doubled dots made single, which POP3 calls the size
    /// of a message (RFC 1939 section 11).
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The bytes before a match in a stream; empty for a whole reply.
    #[must_use]
    pub fn before(&self) -> &[u8] {
        &self.bytes[..self.matched.start]
    }

    /// The lines of [`Reply::text`], without their line ends; empty if nothing was kept or the
    /// block was empty.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.bytes.is_empty() {
            return Vec::new();
        }
        lines(&self.text()).map(str::to_owned).collect()
    }

    /// The reply code (RFC 5321 section 4.2), if there is one.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        let digits = self.bytes.get(self.matched.start..self.matched.start + 3)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
    }

    /// The enhanced status code (RFC 2034), if there is one.
    #[must_use]
    pub fn enhanced(&self) -> Option<Enhanced> {
        self.code()?;
        Enhanced::of_reply(&self.bytes[self.matched.clone()])
    }

    /// The response code, without its brackets: in POP3 the code after `+OK` or `-ERR` (`IN-USE`,
    /// RFC 2449 section 8), in ManageSieve the code after OK, NO or BYE (`QUOTA/MAXSIZE`, `TAG
    /// "x"`, RFC 5804 section 1.3); `None` if there is none. The code is for software; the text
    /// after it is for people.
    #[must_use]
    pub fn response_code(&self) -> Option<Cow<'_, str>> {
        let reply = &self.bytes[self.matched.start..];
        if let Some(code) = pop3::response_code(reply) {
            return Some(String::from_utf8_lossy(code));
        }
        let code = sieve::response_code(reply)?;
        Some(String::from_utf8_lossy(&code).into_owned().into())
    }

    /// The index of the alternative that matched, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.found.index
    }

    /// The text that a regex's group matched; group 0 is the whole match. `None` for a group that
    /// took no part, and if there was no regex.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<&[u8]> {
        self.found.captures.as_ref()?.get(group).map(|range| &self.bytes[range])
    }

    /// The text that the group of this name matched.
    #[must_use]
    pub fn name(&self, name: &str) -> Option<&[u8]> {
        self.found.captures.as_ref()?.named(name).map(|range| &self.bytes[range])
    }

    /// The names of the regex's groups.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.found.captures.as_ref().map_or_else(Vec::new, Captures::names)
    }

    /// The number of the regex's groups, counting the whole match; 0 without a regex.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.found.captures.as_ref().map_or(0, Captures::len)
    }
}

impl Pattern {
    /// Finds the first match of the pattern in these bytes, with the rules of an expectation on a
    /// stream.
    ///
    /// ```
    /// use mailexpect::Pattern;
    ///
    /// let id = Pattern::regex(r"queued as (?P<id>\w+)")?;
    /// let found = id.find("250 2.0.0 Ok: queued as 4F2A1")?.expect("an id");
    /// assert_eq!((found.text(), found.name("id")), ("queued as 4F2A1".into(), Some(&b"4F2A1"[..])));
    /// assert!(id.find("250 ok")?.is_none());
    /// # Ok::<(), mailexpect::Error>(())
    /// ```
    ///
    /// # Errors
    /// Too long, if the regex needs more memory for these bytes than its limit.
    pub fn find(&self, text: impl AsRef<[u8]>) -> Result<Option<Reply>> {
        let text = text.as_ref();
        let Progress::Found(found) = Search::new(self)?.advance(text, true)? else {
            return Ok(None);
        };
        let taken = Bytes::copy_from_slice(&text[..found.range.end]);
        let matched = Match { index: found.index, captures: found.captures };
        Ok(Some(Reply::new(taken, found.range, matched)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pattern;

    #[test]
    fn a_reply_shows_its_parts() {
        let bytes = Bytes::from_static(b"550-5.7.1 one\r\n550 5.7.1 two\r\n");
        let found = Pattern::regex("5.7.1 (?P<word>t..)").unwrap().matches(&bytes).unwrap();
        let reply = Reply::whole(bytes, found);
        assert_eq!(reply.text(), "550-5.7.1 one\r\n550 5.7.1 two");
        assert_eq!(reply.lines(), ["550-5.7.1 one", "550 5.7.1 two"]);
        assert_eq!(reply.code(), Some(550));
        assert_eq!(reply.enhanced().unwrap().to_string(), "5.7.1");
        assert_eq!(reply.name("word"), Some(&b"two"[..]));
        assert_eq!((reply.names(), reply.groups()), (vec!["word"], 2));
        assert_eq!((reply.get(2), reply.name("nobody")), (None, None));
    }

    #[test]
    fn a_stretch_of_a_stream_shows_the_match_and_what_came_before() {
        let reply = Reply::new(Bytes::from_static(b"noise login: "), 6..13, Match::default());
        assert_eq!((reply.before(), &*reply.text()), (&b"noise "[..], "login: "));
        assert_eq!((reply.code(), reply.enhanced()), (None, None));
    }
}
