//! Taking: replies, lines and matches come off the front of the session's buffer.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::near::{Before, Told};
use super::role::Role;
use super::wait::Arrival;
use super::waiting::Wait;
use super::{Session, hint, near, slip};
use crate::error::{Error, Kind, Result};
use crate::pattern::{Found, Match, Pattern, Progress, Search};
use crate::proto::{Malformed, chomp};
use crate::reply::Reply;

/// The greatest effort of a search that runs on the thread of the session. It takes about 10 ms in
/// the worst case; see [`Pattern::effort`].
pub(super) const AT_ONCE: usize = 1 << 20;

/// For how long after the deadline a search goes on in bytes that came in time.
const TO_SEARCH: Duration = Duration::from_millis(100);

impl Session {
    /// Returns the pattern if replies of this protocol can match it, and a usage error otherwise.
    pub(super) fn pattern(&self, pattern: Pattern) -> Result<Pattern> {
        let Some(success) = self.turn.speech().facts().codeless().filter(|_| pattern.has_code())
        else {
            return Ok(pattern);
        };
        let speech = self.turn.speech();
        let error =
            Error::usage(format!("{speech} has no reply codes: nothing can ever match {pattern}"));
        let error = error.with_session(self.name());
        Err(error.hint(format!(
            "say how the reply begins, as in expect(\"{success}\"), or look into it with re(...)"
        )))
    }

    /// The next whole reply. If the pattern expects the close and the peer closed, the reply is
    /// empty.
    pub(super) async fn next_reply(&mut self, pattern: &Pattern, wait: Wait) -> Result<Bytes> {
        match self.next_frame(pattern, wait).await? {
            Some(reply) => Ok(reply),
            None if pattern.eof_index().is_some() => {
                self.turn.waive();
                self.note_end();
                Ok(Bytes::new())
            }
            None => Err(self.closed(wait, pattern, None)),
        }
    }

    /// The next whole reply, or `None` if the peer closed and left no part of one.
    pub(super) async fn next_frame(
        &mut self,
        wanted: &(dyn Display + Sync),
        wait: Wait,
    ) -> Result<Option<Bytes>> {
        if self.turn.role() == Role::Client && self.turn.protocol().owes_block() {
            return Err(self.block_first(wanted));
        }
        loop {
            let held = self.stream.held();
            match self.turn.framing().map_or(Ok(None), |framing| framing.frame(held)) {
                Ok(Some(length)) => {
                    return Ok(Some(self.take_reply(length)));
                }
                Ok(None) => {}
                Err(malformed) => return Err(self.malformed(&malformed, wanted, wait)),
            }
            self.check_length(wanted, wait)?;
            self.acknowledge();
            match self.read_for(&wanted, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.late_reply(wait, wanted)),
                Arrival::End if self.stream.buffer().is_empty() => return Ok(None),
                Arrival::End => return Err(self.cut_reply(wait, wanted)),
            }
        }
    }

    /// Takes a whole reply, and notes what it says of the peer.
    pub(super) fn take_reply(&mut self, length: usize) -> Bytes {
        let before = self.turn.protocol().selected();
        let reply = self.take(length);
        self.note_capabilities(&reply);
        self.note_contradiction(before, &reply);
        reply
    }

    /// Fails at once for a reply that announces a length over the limit, instead of waiting for it.
    fn check_length(&mut self, wanted: &(dyn Display + Sync), wait: Wait) -> Result<()> {
        let limit = self.stream.buffer().limit();
        let announced = self.turn.framing().map_or(0, |framing| framing.at_least());
        if announced <= limit as u64 {
            return Ok(());
        }
        let what = match self.turn.role() {
            Role::Client => "the reply",
            Role::Server => "the client's command",
        };
        let error = self.fault(
            Kind::TooLong,
            format!("{what} announces {announced} bytes, and {limit} may be held"),
        );
        let error =
            error.with_expected(wanted).with_got(self.shown_held()).with_waited(wait.waited());
        Err(error.hint(self.larger_limit(usize::try_from(announced).unwrap_or(usize::MAX))))
    }

    pub(super) async fn next_line(
        &mut self,
        wanted: &(dyn Display + Sync),
        wait: Wait,
    ) -> Result<Bytes> {
        let mut searched = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.stream.held()[searched..]) {
                return Ok(self.take(searched + at + 1));
            }
            searched = self.stream.held().len();
            self.acknowledge();
            match self.read_for(&wanted, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.timed_out(wait, wanted)),
                Arrival::End if self.stream.buffer().is_empty() => {
                    return Err(self.closed(wait, wanted, None));
                }
                Arrival::End => return Err(self.closed(wait, wanted, Some("a line"))),
            }
        }
    }

    /// Searches the stream and takes it up to the end of the match; `keep` says whether to keep the
    /// bytes before the match.
    pub(super) async fn search_stream(
        &mut self,
        pattern: &Pattern,
        wait: Wait,
        keep: bool,
    ) -> Result<Reply> {
        let mut search = Search::new(pattern)?;
        loop {
            let held = self.stream.held();
            let is_open = match search.advance_a_while(held, self.ending.is_seen())? {
                Some(Progress::Found(found)) => {
                    let reply = self.take_found(found, search.gone(), keep);
                    return Ok(reply.after(wait.started.elapsed()));
                }
                Some(Progress::Absent) => return Err(self.closed(wait, pattern, None)),
                Some(Progress::More) => false,
                Some(Progress::Open) => true,
                None if Instant::now() >= wait.deadline() + TO_SEARCH => {
                    return Err(self.timed_out(wait, pattern));
                }
                None => {
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            if !keep {
                self.skip_spare(&mut search);
            }
            self.acknowledge();
            let until = if is_open {
                wait.deadline().min(Instant::now() + self.stream.settle())
            } else {
                wait.deadline()
            };
            match (self.read_for(pattern, wait, until).await?, search.settle(self.stream.held())) {
                (Arrival::Late, Some(found)) => {
                    let reply = self.take_found(found, search.gone(), keep);
                    return Ok(reply.after(wait.started.elapsed()));
                }
                (Arrival::Late, None) => return Err(self.timed_out(wait, pattern)),
                (Arrival::Bytes | Arrival::End, _) => {}
            }
        }
    }

    fn skip_spare(&mut self, search: &mut Search<'_>) {
        let spare = search.spare();
        self.skip_bytes(spare);
        search.dropped(spare);
    }

    /// Takes bytes that no operation keeps. They are written into the transcript once the operation
    /// is over.
    pub(super) fn skip_bytes(&mut self, count: usize) {
        if count > 0 {
            let bytes = self.stream.buffer_mut().take(count);
            let spans = self.count_received(&bytes);
            self.record.skip(&bytes, &spans);
        }
    }

    /// Takes a match; `gone` bytes of the stream were dropped before. What is not kept does not
    /// depend on how the stream was cut.
    fn take_found(&mut self, mut found: Found, gone: u64, keep: bool) -> Reply {
        self.turn.expected();
        let octets = gone + found.range.end as u64;
        if !keep {
            self.skip_bytes(found.range.start);
            found = found.without_before();
        }
        let bytes = if self.record.has_skipped() {
            let bytes = self.stream.buffer_mut().take(found.range.end);
            let spans = self.count_received(&bytes);
            self.record.skip(&bytes, &spans);
            self.record.note_skipped();
            bytes
        } else {
            self.take(found.range.end)
        };
        if found.is_eof {
            self.turn.waive();
            self.note_end();
        }
        Reply::new(bytes, found.range, Match { index: found.index, captures: found.captures })
            .of_octets(octets)
    }

    /// Matches what was taken against the pattern of a verb, and makes the error if it does not
    /// match.
    pub(super) async fn check(
        &mut self,
        taken: Bytes,
        pattern: &Pattern,
        wait: Wait,
    ) -> Result<Reply> {
        let found = self.matched_in_time(&taken, pattern, wait).await?;
        // `judge` checks the codes itself if the pattern has some.
        if found.is_some() && !pattern.has_enhanced() {
            self.check_enhanced(&taken, pattern, wait)?;
        }
        self.judge(taken, found, pattern, wait)
    }

    /// Makes the reply from the bytes that were taken, or the error if the pattern did not match
    /// them.
    pub(super) fn judge(
        &mut self,
        taken: Bytes,
        found: Option<Match>,
        pattern: &Pattern,
        wait: Wait,
    ) -> Result<Reply> {
        if let Some(found) = found {
            if pattern.has_enhanced() {
                self.check_enhanced(&taken, pattern, wait)?;
            }
            self.turn.expected();
            self.before = Some(Before::of(&taken, pattern));
            return Ok(Reply::whole(taken, found).after(wait.started.elapsed()));
        }
        let mut error = self.fault(Kind::Mismatch, "the reply is not the one that was expected");
        let speech = self.turn.speech();
        if let Some(advice) = slip::of_mismatch(speech, pattern, error.sent(), &taken) {
            error = error.hint(advice);
        } else if pattern.effort(taken.len()) < AT_ONCE {
            let advice = near::of_mismatch(
                pattern,
                &taken,
                self.before.as_ref(),
                &Told {
                    fits: &|reply| self.matched(reply, pattern).is_some(),
                    shown: &|bytes| self.shown_lines(bytes),
                },
            );
            if let Some(advice) = advice {
                error = error.hint(advice);
            }
        }
        Err(hint::add(
            speech,
            error
                .with_expected(pattern)
                .with_got(self.shown_lines(&taken))
                .with_waited(wait.waited()),
            &taken,
        ))
    }

    pub(super) fn malformed(
        &self,
        malformed: &Malformed,
        wanted: &dyn Display,
        wait: Wait,
    ) -> Error {
        let line = self.shown(&self.stream.held()[malformed.line.clone()]);
        let error = self
            .fault(Kind::Malformed, malformed.why.clone())
            .with_expected(wanted)
            .with_got(line)
            .with_waited(wait.waited());
        let speech = self.turn.speech();
        let other = speech
            .greeting_of_another(self.stream.held())
            .filter(|_| self.turn.expectations() == 0);
        match other {
            Some(other) => {
                error.hint(format!("this greeting is one of {other}, and the session speaks {speech}: mind scheme and port"))
            }
            None => error.hint("take what is no reply with expect_line(...) or expect_bytes(...)"),
        }
    }

    /// Does the same as [`matched`](Self::matched). A match that may take long runs on
    /// another thread, because it would delay the deadlines of the script and of other sessions.
    pub(super) async fn matched_in_time(
        &mut self,
        taken: &Bytes,
        pattern: &Pattern,
        wait: Wait,
    ) -> Result<Option<Match>> {
        if pattern.effort(taken.len()) < AT_ONCE {
            return Ok(self.matched(taken, pattern));
        }
        let verdict = self.turn.protocol().verdict(taken);
        let (bytes, tried) = (taken.clone(), pattern.clone());
        let matching = move || tried.matches_with(chomp(&bytes), &verdict);
        self.aside(matching, pattern, wait).await
    }

    /// Tries what was expected on another thread. If that takes too long, the thread goes on alone
    /// until it is done or the process ends, because nothing can stop it.
    ///
    /// # Errors
    /// Timeout, if the deadline passes first.
    pub(super) async fn aside<T: Send + 'static>(
        &mut self,
        matching: impl FnOnce() -> T + Send + 'static,
        wanted: impl Display,
        wait: Wait,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        // A runtime that ends would wait for its own threads.
        let thread = std::thread::Builder::new().name("search".to_owned());
        let spawned = thread.spawn(move || drop(sender.send(matching())));
        let untried = |why: &dyn Display| {
            self.fault(Kind::Io, format!("no thread to search what came for the pattern: {why}"))
        };
        spawned.map_err(|error| untried(&error))?;
        match timeout_at(wait.deadline() + TO_SEARCH, receiver).await {
            // The sender is dropped without a result only after a panic, which has been reported.
            Ok(done) => done.map_err(|_| untried(&"it died")),
            Err(_) => Err(self.late_search(wait, wanted)),
        }
    }

    /// Returns how the pattern matches what was taken, if it does. No bytes at all stand for the
    /// close.
    pub(super) fn matched(&self, taken: &[u8], pattern: &Pattern) -> Option<Match> {
        match (taken.is_empty(), pattern.eof_index()) {
            (true, Some(index)) => Some(Match { index, captures: None }),
            _ => pattern.matches_with(chomp(taken), &self.turn.protocol().verdict(taken)),
        }
    }
}
