//! Expecting: each operation takes what it names off the front of what came, and fails at once
//! where something else came.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::wait::{Arrival, Wait};
use super::{Session, hint};
use crate::error::{Error, Kind, Result};
use crate::pattern::{Found, IntoPattern, Match, Pattern, Progress, Search};
use crate::proto::{Malformed, chomp};
use crate::reply::Reply;
use crate::transcript::What;

impl Session {
    /// Takes the next whole reply and holds it against the pattern; on a plain stream, searches for
    /// it.
    ///
    /// An integer is the code, or the class of codes, of the whole reply; text is how the reply
    /// begins; a [`Regex`](crate::Regex) is found somewhere in it. Nothing is skipped.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: EHLO client.example
    ///     S: 250-mail.example
    ///     S: 250 PIPELINING
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("EHLO client.example").await?;
    /// let reply = session.expect(250).await?;
    /// assert_eq!(reply.lines(), ["250-mail.example", "250 PIPELINING"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A mismatch at once where another reply came; a time-out; a close; malformed bytes; more than
    /// the limit.
    pub async fn expect(&mut self, pattern: impl IntoPattern) -> Result<Reply> {
        let wait = self.begin();
        let pattern = self.pattern(pattern)?;
        if !self.is_framed() {
            return self.search_stream(&pattern, wait, true).await;
        }
        let reply = self.next_reply(&pattern, wait).await?;
        self.hold(reply, &pattern, wait)
    }

    /// Like [`Session::expect`] with alternatives; [`Reply::index`] says which one it was.
    ///
    /// # Errors
    /// As [`Session::expect`].
    pub async fn expect_any<P: IntoPattern>(
        &mut self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Reply> {
        let patterns =
            patterns.into_iter().map(IntoPattern::into_pattern).collect::<Result<Vec<_>>>()?;
        self.expect(Pattern::any(patterns)?).await
    }

    /// Takes replies up to and with the first that matches, which it returns; on a plain stream,
    /// searches for it.
    ///
    /// # Errors
    /// A time-out or a close before a matching reply came; malformed bytes; more than the limit.
    pub async fn expect_until(&mut self, pattern: impl IntoPattern) -> Result<Reply> {
        let wait = self.begin();
        let pattern = self.pattern(pattern)?;
        if !self.is_framed() {
            return self.search_stream(&pattern, wait, true).await;
        }
        loop {
            let reply = self.next_reply(&pattern, wait).await?;
            if let Some(found) = self.held_against(&reply, &pattern) {
                self.expectations += 1;
                return Ok(Reply::whole(reply, found));
            }
        }
    }

    /// Takes one reply for each pattern, in whatever order they come; returns them in the order of
    /// the patterns.
    ///
    /// # Errors
    /// A mismatch at once where a reply matches none of the patterns left; else as
    /// [`Session::expect`].
    pub async fn expect_unordered<P: IntoPattern>(
        &mut self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Vec<Reply>> {
        let wait = self.begin();
        let patterns = patterns
            .into_iter()
            .map(|pattern| self.pattern(pattern))
            .collect::<Result<Vec<_>>>()?;
        if patterns.is_empty() {
            return Err(Error::usage("no pattern to expect").hint("give at least one"));
        }
        let mut left: Vec<usize> = (0..patterns.len()).collect();
        let mut replies = vec![None; patterns.len()];
        while !left.is_empty() {
            let any = Pattern::any(left.iter().map(|place| patterns[*place].clone()))?;
            let reply = if self.is_framed() {
                let reply = self.next_reply(&any, wait).await?;
                self.hold(reply, &any, wait)?
            } else {
                self.search_stream(&any, wait, true).await?
            };
            let place = left.remove(reply.index());
            replies[place] = Some(reply);
        }
        Ok(replies.into_iter().flatten().collect())
    }

    /// Takes one line, whatever it is.
    ///
    /// # Errors
    /// A time-out or a close before the line's end; more than the limit.
    pub async fn line(&mut self) -> Result<Reply> {
        let wait = self.begin();
        let line = self.next_line(&"a line", wait).await?;
        self.expectations += 1;
        Ok(Reply::whole(line, Match::default()))
    }

    /// Takes one line, up to its LF, and holds it against the pattern.
    ///
    /// # Errors
    /// A mismatch at once where it is another line; a time-out or a close before its end.
    pub async fn expect_line(&mut self, pattern: impl IntoPattern) -> Result<Reply> {
        let wait = self.begin();
        let pattern = pattern.into_pattern()?;
        let line = self.next_line(&pattern, wait).await?;
        self.hold(line, &pattern, wait)
    }

    /// Searches the raw stream and takes it to the end of the match, whatever the protocol.
    ///
    /// # Errors
    /// A time-out or a close before a match; more than the limit without one.
    pub async fn expect_bytes(&mut self, pattern: impl IntoPattern) -> Result<Reply> {
        let wait = self.begin();
        let pattern = pattern.into_pattern()?;
        self.search_stream(&pattern, wait, true).await
    }

    /// Like [`Session::expect_bytes`], without keeping what came before the match: however long the
    /// stream, only what could still be part of a match is held.
    ///
    /// # Errors
    /// As [`Session::expect_bytes`].
    pub async fn skip_to(&mut self, pattern: impl IntoPattern) -> Result<Reply> {
        let wait = self.begin();
        let pattern = pattern.into_pattern()?;
        self.search_stream(&pattern, wait, false).await
    }

    /// Takes the next reply (on a plain stream the next line), which must be another one.
    ///
    /// # Errors
    /// Unexpected where it matches; else as [`Session::expect`].
    pub async fn refute(&mut self, pattern: impl IntoPattern) -> Result<Reply> {
        let wait = self.begin();
        let pattern = self.pattern(pattern)?;
        let wanted = format!("anything but {pattern}");
        let taken = if self.is_framed() {
            let taken = self.next_frame(&wanted, wait).await?;
            taken.ok_or_else(|| self.closed(wait, &wanted, None))?
        } else {
            self.next_line(&wanted, wait).await?
        };
        if pattern.matches_with(chomp(&taken), self.protocol.verdict(&taken)).is_none() {
            self.expectations += 1;
            return Ok(Reply::whole(taken, Match::default()));
        }
        let error = self.fault(Kind::Unexpected, "the reply is the one that must not come");
        Err(hint::add(
            self.protocol.speech(),
            error
                .with_expected(wanted)
                .with_got(self.shown_lines(&taken))
                .with_waited(wait.waited()),
            &taken,
        ))
    }

    /// Makes sure that nothing comes for that long. Replies still owed are no longer waited for
    /// afterwards.
    ///
    /// # Errors
    /// Unexpected where something comes or is there already; closed where the peer closes.
    pub async fn expect_silence(&mut self, span: Duration) -> Result<()> {
        self.within = None;
        let wait = Wait::new(span);
        let wanted = format!("silence for {}", crate::duration::show(span));
        if self.buffer.is_empty() {
            match self.fill(wait.deadline()).await? {
                Arrival::Late => {
                    self.waive();
                    self.record(What::Silent(span));
                    self.expectations += 1;
                    return Ok(());
                }
                Arrival::End => return Err(self.closed(wait, wanted, None)),
                Arrival::Bytes => {}
            }
        }
        // All of it is shown, however it came; what a failed read means is for the next operation
        // to say.
        drop(self.look().await);
        let error = self.fault(Kind::Unexpected, "something came where silence was wanted");
        Err(error.with_expected(wanted).with_got(self.shown_held()).with_waited(wait.waited()))
    }

    /// Waits for the peer's close, or reset.
    ///
    /// # Errors
    /// Unexpected where bytes come instead; a time-out.
    pub async fn expect_close(&mut self) -> Result<()> {
        let wait = self.begin();
        let wanted = "the close";
        while self.buffer.is_empty() {
            match self.more(&wanted, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.timed_out(wait, wanted)),
                Arrival::End => {
                    self.waive();
                    self.note_end();
                    self.expectations += 1;
                    // The dialogue is over; a script that opens many has its descriptors back.
                    self.hang_up();
                    return Ok(());
                }
            }
        }
        // All of it is shown, however it came; what a failed read means is for the next operation
        // to say.
        drop(self.look().await);
        let error = self.fault(Kind::Unexpected, "something came where the close was wanted");
        Err(error.with_expected(wanted).with_got(self.shown_held()).with_waited(wait.waited()))
    }

    /// The pattern, which must be one that replies can match here.
    pub(super) fn pattern(&self, pattern: impl IntoPattern) -> Result<Pattern> {
        let pattern = pattern.into_pattern()?;
        let Some(success) = self.protocol.codeless().filter(|_| pattern.has_code()) else {
            return Ok(pattern);
        };
        let speech = self.protocol.speech();
        let error =
            Error::usage(format!("{speech} has no reply codes: nothing can ever match {pattern}"));
        let error = error.with_session(format!("{}, {}", self.id, self.peer));
        Err(error.hint(format!(
            "say how the reply begins, as in expect(\"{success}\"), or look into it with re(...)"
        )))
    }

    /// The next whole reply, or nothing where the pattern wants the close and it came.
    pub(super) async fn next_reply(&mut self, pattern: &Pattern, wait: Wait) -> Result<Bytes> {
        match self.next_frame(pattern, wait).await? {
            Some(reply) => Ok(reply),
            None if pattern.eof_index().is_some() => {
                self.waive();
                self.note_end();
                Ok(Bytes::new())
            }
            None => Err(self.closed(wait, pattern, None)),
        }
    }

    /// The next whole reply, or `None` at the peer's close between two.
    pub(super) async fn next_frame(
        &mut self,
        wanted: &(dyn Display + Sync),
        wait: Wait,
    ) -> Result<Option<Bytes>> {
        if self.protocol.owes_block() {
            return Err(self.block_first(wanted));
        }
        loop {
            let held = self.buffer.held();
            match self.protocol.framing().map_or(Ok(None), |framing| framing.frame(held)) {
                Ok(Some(length)) => {
                    let reply = self.take(length);
                    self.note_capabilities(&reply);
                    return Ok(Some(reply));
                }
                Ok(None) => {}
                Err(malformed) => return Err(self.malformed(&malformed, wanted, wait)),
            }
            self.check_length(wanted, wait)?;
            self.acknowledge();
            match self.more(&wanted, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.late_reply(wait, wanted)),
                Arrival::End if self.buffer.is_empty() => return Ok(None),
                Arrival::End => return Err(self.cut_reply(wait, wanted)),
            }
        }
    }

    /// A reply that says itself that it will be too long need not be waited for.
    fn check_length(&mut self, wanted: &(dyn Display + Sync), wait: Wait) -> Result<()> {
        let limit = self.buffer.limit();
        let announced = self.protocol.framing().map_or(0, |framing| framing.at_least());
        if announced <= limit as u64 {
            return Ok(());
        }
        let error = self.fault(
            Kind::TooLong,
            format!("the reply announces {announced} bytes, and {limit} may be held"),
        );
        let error =
            error.with_expected(wanted).with_got(self.shown_held()).with_waited(wait.waited());
        Err(error.hint("raise the session's limit (connect(url, #{limit: bytes})) if the server is right to send so much"))
    }

    async fn next_line(&mut self, wanted: &(dyn Display + Sync), wait: Wait) -> Result<Bytes> {
        let mut searched = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer.held()[searched..]) {
                return Ok(self.take(searched + at + 1));
            }
            searched = self.buffer.held().len();
            self.acknowledge();
            match self.more(&wanted, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.timed_out(wait, wanted)),
                Arrival::End if self.buffer.is_empty() => {
                    return Err(self.closed(wait, wanted, None));
                }
                Arrival::End => return Err(self.closed(wait, wanted, Some("a line"))),
            }
        }
    }

    /// Searches the stream and takes it to the end of the match; `keep` says whether what came
    /// before is wanted.
    async fn search_stream(&mut self, pattern: &Pattern, wait: Wait, keep: bool) -> Result<Reply> {
        let mut search = Search::new(pattern)?;
        loop {
            let is_open = match search.advance(self.buffer.held(), self.ended.is_some())? {
                Progress::Found(found) => return Ok(self.take_found(found, &search)),
                Progress::Absent => return Err(self.closed(wait, pattern, None)),
                Progress::More => false,
                Progress::Open => true,
            };
            if !keep {
                self.let_go(&mut search);
            }
            self.acknowledge();
            let until = if is_open {
                wait.deadline().min(Instant::now() + self.settle)
            } else {
                wait.deadline()
            };
            match (self.more(pattern, wait, until).await?, search.settle(self.buffer.held())) {
                (Arrival::Late, Some(found)) => return Ok(self.take_found(found, &search)),
                (Arrival::Late, None) => return Err(self.timed_out(wait, pattern)),
                (Arrival::Bytes | Arrival::End, _) => {}
            }
        }
    }

    fn let_go(&mut self, search: &mut Search<'_>) {
        let spare = search.spare();
        self.let_go_of(spare);
        search.dropped(spare);
    }

    /// Takes bytes that nobody wants to keep; the transcript has them once the operation is over.
    pub(super) fn let_go_of(&mut self, count: usize) {
        if count > 0 {
            let bytes = self.release(count);
            self.skipped.push(&self.masked(bytes));
        }
    }

    fn take_found(&mut self, found: Found, search: &Search<'_>) -> Reply {
        self.expectations += 1;
        let octets = search.gone() + found.range.end as u64;
        let bytes = if self.skipped.is_empty() {
            self.take(found.range.end)
        } else {
            let bytes = self.release(found.range.end);
            self.skipped.push(&self.masked(bytes.clone()));
            self.record_skipped();
            bytes
        };
        if found.is_eof {
            self.waive();
            self.note_end();
        }
        Reply::new(bytes, found.range, Match { index: found.index, captures: found.captures })
            .of_octets(octets)
    }

    /// Holds what was taken against the pattern.
    pub(super) fn hold(&mut self, taken: Bytes, pattern: &Pattern, wait: Wait) -> Result<Reply> {
        if let Some(found) = self.held_against(&taken, pattern) {
            self.expectations += 1;
            return Ok(Reply::whole(taken, found));
        }
        let error = self.fault(Kind::Mismatch, "the reply is not the one that was expected");
        Err(hint::add(
            self.protocol.speech(),
            error
                .with_expected(pattern)
                .with_got(self.shown_lines(&taken))
                .with_waited(wait.waited()),
            &taken,
        ))
    }

    fn malformed(&self, malformed: &Malformed, wanted: &dyn Display, wait: Wait) -> Error {
        let line = self.shown(&self.buffer.held()[malformed.line.clone()]);
        let error = self
            .fault(Kind::Malformed, malformed.why.clone())
            .with_expected(wanted)
            .with_got(line)
            .with_waited(wait.waited());
        let speech = self.protocol.speech();
        let other =
            speech.greeting_of_another(self.buffer.held()).filter(|_| self.expectations == 0);
        match other {
            Some(other) => {
                error.hint(format!("this greeting is one of {other}, and the session speaks {speech}: mind scheme and port"))
            }
            None => error.hint("take what is no reply with expect_line(...) or expect_bytes(...)"),
        }
    }

    /// How the pattern holds for what was taken, if it does; no bytes at all stand for the close.
    fn held_against(&self, taken: &[u8], pattern: &Pattern) -> Option<Match> {
        match (taken.is_empty(), pattern.eof_index()) {
            (true, Some(index)) => Some(Match { index, captures: None }),
            _ => pattern.matches_with(chomp(taken), self.protocol.verdict(taken)),
        }
    }
}
