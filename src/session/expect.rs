//! Expecting: each operation takes what it expects off the front of the received bytes, and fails
//! at once if something else came.

mod unordered;

use std::time::Duration;

use super::call::Call;
use super::operation::Operation;
use super::taken::Taken;
use super::wait::Arrival;
use super::waiting::Wait;
use super::{Session, hint};
use crate::error::{Error, Kind, Result};
use crate::pattern::{IntoPattern, Match, Pattern};
use crate::reply::Reply;
use crate::transcript::What;

/// Expecting what the peer sends, in any protocol.
impl Session {
    /// Takes the next whole reply and matches it against the pattern. On a plain stream, searches
    /// for the pattern.
    ///
    /// An integer is the code, or the class of codes, of the whole reply. Text is the beginning of
    /// the reply. A [`Regex`](crate::Regex) may match anywhere in it. Nothing is skipped.
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
    /// A mismatch at once if another reply came; a time-out; a close; malformed bytes; more bytes
    /// than the limit.
    pub fn expect(&mut self, pattern: impl IntoPattern) -> Operation<'_, Reply> {
        let pattern = pattern.into_pattern();
        self.operation(move |session, call| Box::pin(session.reply_matching(pattern, call)))
    }

    /// Like [`Session::expect`] with alternatives; [`Reply::index`] says which alternative matched.
    ///
    /// # Errors
    /// See [`Session::expect`].
    pub fn expect_any<P: IntoPattern>(
        &mut self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Operation<'_, Reply> {
        let patterns = patterns.into_iter().map(IntoPattern::into_pattern);
        let any = patterns.collect::<Result<Vec<_>>>().and_then(Pattern::any);
        self.operation(move |session, call| Box::pin(session.reply_matching(any, call)))
    }

    /// Takes replies up to and including the first that matches, and returns that reply. On a plain
    /// stream, searches for the pattern.
    ///
    /// # Errors
    /// A time-out or a close before a matching reply came; malformed bytes; more bytes than the
    /// limit.
    pub fn expect_until(&mut self, pattern: impl IntoPattern) -> Operation<'_, Reply> {
        let pattern = pattern.into_pattern();
        self.operation(move |session, call| Box::pin(session.reply_up_to(pattern, call)))
    }

    /// Takes one reply for each pattern, in whatever order the replies come. Returns them in the
    /// order of the patterns.
    ///
    /// # Errors
    /// A mismatch at once if a reply matches none of the remaining patterns; otherwise see
    /// [`Session::expect`].
    pub fn expect_unordered<P: IntoPattern>(
        &mut self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Operation<'_, Vec<Reply>> {
        let patterns = patterns.into_iter().map(IntoPattern::into_pattern).collect::<Vec<_>>();
        self.operation(move |session, call| Box::pin(session.replies_in_any_order(patterns, call)))
    }

    /// Takes one line, whatever it says.
    ///
    /// # Errors
    /// A time-out or a close before the end of the line; more bytes than the limit.
    #[cfg(feature = "script")]
    pub(crate) fn line(&mut self) -> Operation<'_, Reply> {
        self.operation(|session, call| {
            Box::pin(async move {
                let wait = session.begin(&call, "line")?;
                let line = session.next_line(&"a line", wait).await?;
                session.turn.expected();
                Ok(Reply::whole(line, Match::default()))
            })
        })
    }

    /// Takes one line, up to its LF, and matches it against the pattern.
    ///
    /// # Errors
    /// A mismatch at once if the line is another one; a time-out or a close before its end.
    pub fn expect_line(&mut self, pattern: impl IntoPattern) -> Operation<'_, Reply> {
        let pattern = pattern.into_pattern();
        self.operation(move |session, call| Box::pin(session.line_matching(pattern, call)))
    }

    /// Searches the raw stream, whatever the protocol, and takes it up to the end of the match.
    /// With [`keep(false)`](Operation::keep), the bytes before the match are not kept: however long
    /// the stream is, only bytes that could still be part of a match are held.
    ///
    /// # Errors
    /// A time-out or a close before a match; more bytes than the limit without a match.
    pub fn expect_bytes(&mut self, pattern: impl IntoPattern) -> Operation<'_, Reply> {
        let pattern = pattern.into_pattern();
        self.operation(move |session, call| Box::pin(session.bytes_matching(pattern, call)))
    }

    /// Takes a block of lines up to and including the line that is a lone dot. POP3 sends messages
    /// and lists in such blocks (RFC 1939 section 3).
    ///
    /// Returns the block without the last line, with doubled dots made single. Only CRLF, a dot and
    /// CRLF end the block. The block begins at the next unread byte, which has to be the start of a
    /// line. With [`keep(false)`](Operation::keep), almost nothing of the block is held in memory,
    /// however long it is, and [`Reply::octets`] is its size.
    ///
    /// ```
    /// use std::io::Write as _;
    /// use mailexpect::Session;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let url = format!("tcp://{}", listener.local_addr()?);
    /// std::thread::spawn(move || listener.accept()?.0.write_all(b"+OK\r\nSubject: hi\r\n\r\n..\r\n.\r\n"));
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&url).await?;
    /// session.expect_line("+OK").await?;
    /// let message = session.expect_multiline().await?;
    /// assert_eq!(message.bytes(), b"Subject: hi\r\n\r\n.\r\n");
    /// assert_eq!((message.lines().len(), message.octets()), (3, 18));
    /// session.expect_close().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A time-out or a close before the lone dot; more bytes than the limit.
    pub fn expect_multiline(&mut self) -> Operation<'_, Reply> {
        self.operation(|session, mut call| {
            Box::pin(async move {
                let keep = call.keeps();
                let wait = session.begin(&call, "expect_multiline")?;
                session.multiline(keep, wait).await
            })
        })
    }

    /// Takes the next reply (on a plain stream the next line), which must not match the pattern.
    ///
    /// # Errors
    /// Unexpected if it matches; otherwise see [`Session::expect`].
    pub fn refute(&mut self, pattern: impl IntoPattern) -> Operation<'_, Reply> {
        let pattern = pattern.into_pattern();
        self.operation(move |session, call| Box::pin(session.another_reply(pattern, call)))
    }

    /// Checks that nothing comes for this time span. Replies that were owed are not owed any more
    /// afterwards.
    ///
    /// # Errors
    /// Unexpected if something comes or is there already; closed if the peer closes.
    pub fn expect_silence(&mut self, span: Duration) -> Operation<'_, ()> {
        self.operation(move |session, call| {
            Box::pin(session.silence(Call { timeout: Some(span), ..call }))
        })
    }

    /// Waits until the peer closes or resets the connection. If the session speaks with a command,
    /// its exit status has to be 0, unless [`Session::expect_exit`] follows with another one.
    ///
    /// # Errors
    /// Unexpected if bytes come instead; a time-out.
    pub fn expect_close(&mut self) -> Operation<'_, ()> {
        self.operation(|session, call| Box::pin(session.end_of_stream(None, call)))
    }

    /// Waits until the command that the session speaks with exits. Its exit status has to be this
    /// one.
    ///
    /// ```
    /// # use mailexpect::Session;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let command = ["sh", "-c", "echo bye; exit 75"].map(str::to_owned);
    /// let mut session = Session::options().pipe(&command, "tcp")?;
    /// session.expect("bye\n").await?;
    /// session.expect_exit(75).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Unexpected if bytes come instead, or if the status is another one; a time-out; a
    /// usage error if the session speaks over a network.
    pub fn expect_exit(&mut self, status: i32) -> Operation<'_, ()> {
        self.operation(move |session, call| Box::pin(session.end_of_stream(Some(status), call)))
    }

    /// Takes `count` octets, whatever they are: data whose size another protocol has announced,
    /// such as a literal (RFC 3501 section 4.3).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: {5}\nS: hello\nS: bye")?;
    /// let mut session = Session::connect(&server.url("tcp")).await?;
    /// session.expect("{5}\r\n").await?;
    /// assert_eq!(session.expect_octets(5).await?.bytes(), b"hello");
    /// session.expect("\r\nbye\r\n").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Timeout and closed if fewer octets came, with those that came; a usage error for more octets
    /// than the session may hold.
    pub fn expect_octets(&mut self, count: usize) -> Operation<'_, Reply> {
        self.operation(move |session, call| Box::pin(session.octets(count, call)))
    }

    async fn reply_matching(&mut self, pattern: Result<Pattern>, call: Call) -> Result<Reply> {
        let wait = self.begin(&call, "expect")?;
        let pattern = self.pattern(pattern?)?;
        if !self.is_framed() {
            return self.search_stream(&pattern, wait, true).await;
        }
        let reply = self.next_reply(&pattern, wait).await?;
        let found = self.matched_in_time(&reply, &pattern, wait).await?;
        self.judge(reply, found, &pattern, wait)
    }

    async fn reply_up_to(&mut self, pattern: Result<Pattern>, call: Call) -> Result<Reply> {
        let wait = self.begin(&call, "expect_until")?;
        let pattern = self.pattern(pattern?)?;
        if !self.is_framed() {
            return self.search_stream(&pattern, wait, true).await;
        }
        let was_owed = self.turn.owed_to_us() > 0;
        let mut taken = Taken::default();
        loop {
            let reply = match self.next_reply(&pattern, wait).await {
                Ok(reply) => reply,
                Err(error) => return Err(taken.before(error)),
            };
            if let Some(found) = self.matched_in_time(&reply, &pattern, wait).await? {
                if pattern.has_enhanced() {
                    self.check_enhanced(&reply, &pattern, wait)?;
                }
                self.turn.expected();
                return Ok(Reply::whole(reply, found).after(wait.started.elapsed()));
            }
            taken.push(self.shown_lines(&reply));
            let may_end = was_owed || self.turn.protocol().is_closing();
            if may_end && self.turn.protocol().is_our_turn() {
                let error = self.over(wait, &pattern).with_got(taken.shown());
                return Err(hint::add(self.turn.speech(), error, &reply));
            }
        }
    }

    /// Makes the error for an expectation that no received bytes have met, if it is our turn and so
    /// no more will come.
    fn over(&self, wait: Wait, wanted: &Pattern) -> Error {
        let message = match self.turn.protocol().asks() {
            Some(asked) => format!(
                "the server asks for {asked}: it is our turn, and nothing that came was expected"
            ),
            None => "all that was owed has come, and nothing of it was expected".to_owned(),
        };
        let error = self.fault(Kind::Mismatch, message);
        error.with_expected(wanted).with_waited(wait.waited())
    }

    async fn line_matching(&mut self, pattern: Result<Pattern>, call: Call) -> Result<Reply> {
        let wait = self.begin(&call, "expect_line")?;
        let pattern = pattern?;
        let line = self.next_line(&pattern, wait).await?;
        let found = self.matched_in_time(&line, &pattern, wait).await?;
        self.judge(line, found, &pattern, wait)
    }

    async fn bytes_matching(&mut self, pattern: Result<Pattern>, mut call: Call) -> Result<Reply> {
        let keep = call.keeps();
        let wait = self.begin(&call, "expect_bytes")?;
        self.search_stream(&pattern?, wait, keep).await
    }

    async fn another_reply(&mut self, pattern: Result<Pattern>, call: Call) -> Result<Reply> {
        let wait = self.begin(&call, "refute")?;
        let pattern = self.pattern(pattern?)?;
        let wanted = format!("anything but {pattern}");
        let taken = if self.is_framed() {
            let taken = self.next_frame(&wanted, wait).await?;
            taken.ok_or_else(|| self.closed(wait, &wanted, None))?
        } else {
            self.next_line(&wanted, wait).await?
        };
        if self.matched_in_time(&taken, &pattern, wait).await?.is_none() {
            self.turn.expected();
            return Ok(Reply::whole(taken, Match::default()).after(wait.started.elapsed()));
        }
        let error = self.fault(Kind::Unexpected, "the reply that must not come came");
        Err(hint::add(
            self.turn.speech(),
            error
                .with_expected(wanted)
                .with_got(self.shown_lines(&taken))
                .with_waited(wait.waited()),
            &taken,
        ))
    }

    async fn silence(&mut self, call: Call) -> Result<()> {
        let wait = self.begin(&call, "expect_silence")?;
        let span = wait.allowed;
        let wanted = format!("silence for {}", crate::duration::show(span));
        if self.stream.buffer().is_empty() {
            match self.read(wait.deadline()).await? {
                Arrival::Late => {
                    self.turn.waive();
                    self.record.note(What::Silent(span));
                    self.turn.expected();
                    return Ok(());
                }
                Arrival::End => return Err(self.closed(wait, wanted, None)),
                Arrival::Bytes => {}
            }
        }
        // The error shows everything that has arrived by now. If this read fails, the next
        // operation reports it.
        drop(self.read_ready().await);
        let error = self.fault(Kind::Unexpected, "something came although silence was expected");
        Err(error.with_expected(wanted).with_got(self.shown_held()).with_waited(wait.waited()))
    }

    /// Waits until the peer closes and its command exits, whose exit status has to be this one.
    async fn end_of_stream(&mut self, exit: Option<i32>, call: Call) -> Result<()> {
        let name = if exit.is_some() { "expect_exit" } else { "expect_close" };
        let wait = self.begin_end(&call, name)?;
        if !self.ending.is_by_peer() {
            self.check_open()?;
        }
        if exit.is_some() && !self.is_of_command() {
            let error = Error::usage("this session does not speak with a command");
            return Err(error.hint("expect_exit(...) is for pipe(...), run(...) and start(...)"));
        }
        let wanted = "the close";
        while self.stream.buffer().is_empty() {
            match self.read_for(&wanted, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.late_end(wait, wanted)),
                Arrival::End => {
                    self.turn.settle_all();
                    self.note_end();
                    self.turn.expected();
                    return self.end_with(exit, wait).await;
                }
            }
        }
        // The error shows everything that has arrived by now. If this read fails, the next
        // operation reports it.
        drop(self.read_ready().await);
        let error = self.fault(Kind::Unexpected, "something came although the close was expected");
        Err(error.with_expected(wanted).with_got(self.shown_held()).with_waited(wait.waited()))
    }
}
