//! Sending: in lock-step by [`Session::send`]; ahead of replies, on purpose, by
//! [`Session::pipeline`] and [`Session::send_raw`].

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::timeout_at;

use super::multiline::{BLOCK, TAKE_IT};
use super::role::Role;
use super::slip::EMPTY_LINE;
use super::turn::is_one_line;
use super::wait::{Arrival, is_reset};
use super::waiting::Wait;
use super::{Operation, Payload, SHOWN, Session, hint};
use crate::error::{Error, Kind, Result};
use crate::proto::smtp::dot_stuff;
use crate::proto::{Speech, chomp};
use crate::transcript::{Excerpt, What};
use crate::transport::Transport;
use crate::visible;

impl Session {
    /// Sends a line with CRLF added.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// assert!(session.send("QUIT").await.unwrap_err().is_out_of_step(), "a reply is owed");
    /// session.expect(250).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Out of step while a reply is owed or anything that came is unread; closed; a time-out if the
    /// peer does not read.
    pub fn send(&mut self, line: impl AsRef<[u8]>) -> Operation<'_, ()> {
        let bytes = self.stream.line(line.as_ref());
        self.operation(move |session, call| {
            Box::pin(async move {
                let wait = session.begin(&call, "send")?;
                session.send_in_turn(bytes, wait).await
            })
        })
    }

    /// Sends a line with CRLF added, if it is our turn, as part of an operation that has begun.
    pub(super) async fn send_line(&mut self, line: &[u8], wait: Wait) -> Result<()> {
        let bytes = self.stream.line(line);
        self.send_in_turn(bytes, wait).await
    }

    /// Sends bytes in one write, if it is our turn, as part of an operation that has begun.
    pub(super) async fn send_in_turn(&mut self, bytes: impl Into<Bytes>, wait: Wait) -> Result<()> {
        let bytes = bytes.into();
        self.check_turn(&bytes).await?;
        self.write(bytes, wait).await
    }

    /// Sends a message in one write: leading dots doubled, the last line ended, and the final dot.
    /// This is the part of DATA that follows 354.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: DATA\nS: 354 go on\nC: ..hidden\nC: .\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("DATA").await?;
    /// session.expect(354).await?;
    /// session.send_message(".hidden\n").await?;
    /// session.expect(250).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`].
    pub fn send_message<'a>(&mut self, message: impl Into<Payload<'a>>) -> Operation<'_, ()> {
        let bytes = dot_stuff(message.into().bytes());
        self.operation(move |session, call| {
            Box::pin(async move {
                let wait = session.begin(&call, "send_message")?;
                session.send_in_turn(bytes, wait).await
            })
        })
    }

    /// Sends several lines in one write, with CRLF added to each, without waiting for replies in
    /// between (RFC 2920). Afterwards the peer owes a reply for each line.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nC: HELP\nS: 250 ok\nS: 214 RFC 5321")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.pipeline(["NOOP", "HELP"]).await?;
    /// assert_eq!(session.owed(), 2);
    /// session.expect(250).await?;
    /// session.expect(214).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Closed; a time-out if the peer does not read.
    pub fn pipeline<L: AsRef<[u8]>>(
        &mut self,
        lines: impl IntoIterator<Item = L>,
    ) -> Operation<'_, ()> {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(line.as_ref());
            bytes.extend_from_slice(b"\r\n");
        }
        self.operation(move |session, call| {
            Box::pin(async move {
                let wait = session.begin(&call, "pipeline")?;
                session.write(bytes.into(), wait).await
            })
        })
    }

    /// Sends bytes as they are, whoever's turn it is. On the server's side, [`Operation::fault`] says
    /// what goes wrong meanwhile.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send_raw("NO").await?;
    /// session.send_raw("OP\r\n").await?;
    /// session.expect(250).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Closed; a time-out if the peer does not read.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) -> Operation<'_, ()> {
        let bytes = Bytes::copy_from_slice(bytes.as_ref());
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let fault = if session.is_server() { call.fault.take() } else { None };
                let wait = session.begin(&call, "send_raw")?;
                match fault.filter(|fault| session.happens(fault)) {
                    Some(fault) => session.utter_with(bytes, &fault, wait).await,
                    None => session.write(bytes, wait).await,
                }
            })
        })
    }

    /// Closes our side for sending; the peer can still speak.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// session.shutdown().await?;
    /// session.expect(250).await?;
    /// session.expect_close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Closed, or i/o if the connection is gone.
    pub async fn shutdown(&mut self) -> Result<()> {
        let transport = self.transport()?;
        let shut = poll_fn(|cx| Pin::new(&mut *transport).poll_shutdown(cx)).await;
        shut.map_err(|error| self.fault(Kind::Io, format!("the half-close failed: {error}")))?;
        self.ending.half_close();
        self.record.note(What::Closed(self.turn.role().half_closes()));
        Ok(())
    }

    /// Fails unless it is our turn: no reply is owed, and nothing is unread.
    pub(super) async fn check_turn(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.stream.transport().is_some_and(Transport::is_drained) {
            self.look().await?;
        }
        if self.turn.role() == Role::Server {
            return self.check_answer(bytes);
        }
        let held = self.stream.held();
        // Data that a server sends unasked may stay unread until the next answer.
        if self.turn.owed_to_us() == 0 && (held.is_empty() || self.turn.protocol().is_unasked(held))
        {
            return Ok(());
        }
        let spans = self.turn.protocol().secrets(bytes);
        for span in &spans {
            self.record.secrets().learn(&bytes[span.clone()]);
            self.record.secrets().learn_in_place(bytes, span);
        }
        let line = match chomp(&self.record.secrets().mask(bytes, &spans)) {
            [] => "an empty line".to_owned(),
            line => format!("`{}`", visible::excerpt(line, SHOWN)),
        };
        let owed = match (self.turn.last_sent(), self.turn.owed_to_us()) {
            _ if self.turn.protocol().owes_block() => TAKE_IT.to_owned(),
            (_, 0) => "an expect for what came, first".to_owned(),
            (None, _) if self.turn.expectations() == 0 => {
                "an expect for the greeting, first".to_owned()
            }
            (_, 1) => "an expect for the reply, first".to_owned(),
            (_, owed) => format!("expects for the {owed} replies, first"),
        };
        let why = match self.turn.owed_to_us() {
            0 => "input is unread".to_owned(),
            _ if self.turn.protocol().owes_block() => format!("{BLOCK} is owed"),
            _ => "a reply is owed".to_owned(),
        };
        let mut error =
            self.fault(Kind::OutOfStep, format!("{line} was about to be sent while {why}"));
        if self.owes_to_an_empty_line() {
            error = error.hint(EMPTY_LINE);
        }
        if hint::is_proxy_header(bytes) {
            error = error.hint(hint::PROXY_BY_HAND);
        }
        Err(error
            .with_expected(owed)
            .with_got(self.shown_unread())
            .hint("send ahead on purpose with pipeline([...]) or send_raw(...)"))
    }

    /// Writes all bytes, and reads what the peer says in the meantime. Otherwise a peer that
    /// answers while it reads would block, and we with it (RFC 2920 section 3.1).
    pub(super) async fn write(&mut self, bytes: Bytes, wait: Wait) -> Result<()> {
        let meant = bytes.clone();
        self.write_for(&meant, bytes, wait).await
    }

    /// Writes `bytes` in place of `meant`, for a fault on purpose. The turn goes on as if `meant`
    /// had been sent.
    pub(super) async fn write_for(
        &mut self,
        meant: &Bytes,
        bytes: Bytes,
        wait: Wait,
    ) -> Result<()> {
        self.transport()?;
        if self.ending.is_half_closed() {
            let error = self.fault(Kind::Usage, "nothing can be sent after shutdown()");
            return Err(
                error.hint("shutdown() says that no more will be sent; the server may still speak")
            );
        }
        // The transcript is written while the bytes are on their way. A failure of this first write
        // is ignored, because `write_rest` tries again and reports it.
        let at = self.write_now(&bytes).await;
        self.note_sent(meant, &bytes);
        self.write_rest(&bytes, at, wait).await
    }

    /// Writes the bytes from `at` on.
    pub(super) async fn write_rest(
        &mut self,
        bytes: &Bytes,
        mut at: usize,
        wait: Wait,
    ) -> Result<()> {
        // Only TLS and DEFLATE buffer bytes that need a flush.
        let mut flushed = !self.stream.transport().is_some_and(Transport::holds_back);
        while at < bytes.len() || !flushed {
            match timeout_at(wait.deadline(), self.write_or_read(&bytes[at..])).await {
                Ok(Ok(written)) => {
                    flushed |= at == bytes.len();
                    at += written;
                }
                Ok(Err(error)) if is_reset(&error) => return Err(self.cannot_send(wait).await),
                Ok(Err(error)) => {
                    return Err(self.fault(Kind::Io, format!("writing failed: {error}")));
                }
                Err(_) => return Err(self.stuck(wait, bytes.len() - at)),
            }
        }
        Ok(())
    }

    /// Records that `bytes` were sent, and updates the turn as for `meant`.
    pub(super) fn note_sent(&mut self, meant: &Bytes, bytes: &Bytes) {
        let before = self.turn.commands();
        let spans = self.turn.sent(meant, self.record.secrets_mut());
        let masked = self.record.masked(bytes.clone(), &spans);
        self.turn.note_sent(&masked);
        if self.turn.role() == Role::Client {
            self.turn.note_owed(&masked, before);
        }
        let is_line = self.turn.framing().is_some() && is_one_line(bytes);
        let meaning = match self.turn.role() {
            Role::Client => self.record.secrets_mut().take_meaning(),
            Role::Server => self
                .turn
                .protocol()
                .challenge(bytes)
                .and_then(|challenge| self.record.secrets_mut().overhear(challenge)),
        };
        self.record.wrote(&masked);
        self.record.sent(Excerpt::from(masked).with_meaning(meaning.filter(|_| is_line)));
    }

    /// Writes as many bytes as the system takes without waiting.
    async fn write_now(&mut self, bytes: &[u8]) -> usize {
        poll_fn(|cx| {
            let transport = self.stream.transport_mut().map(Pin::new);
            Poll::Ready(match transport.map(|transport| transport.poll_write(cx, bytes)) {
                Some(Poll::Ready(Ok(written))) => written,
                _ => 0,
            })
        })
        .await
    }

    /// Writes some bytes, or flushes if `bytes` is empty. While neither is possible, reads what the
    /// peer says.
    async fn write_or_read(&mut self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| {
            let Some(transport) = self.stream.transport_mut() else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            let transport = Pin::new(&mut *transport);
            if bytes.is_empty() {
                if let Poll::Ready(flushed) = transport.poll_flush(cx) {
                    return Poll::Ready(flushed.map(|()| 0));
                }
            } else if let Poll::Ready(written) = transport.poll_write(cx, bytes) {
                return Poll::Ready(written.and_then(|count| {
                    if count == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(count) }
                }));
            }
            let reads = !self.ending.is_seen() && self.stream.pace().is_none();
            while reads && self.stream.buffer().left() > 0 {
                let mut room = [0; 4096];
                let limit = self.stream.buffer().left().min(room.len());
                let mut room = ReadBuf::new(&mut room[..limit]);
                let Some(transport) = self.stream.transport_mut() else { break };
                match Pin::new(transport).poll_read(cx, &mut room) {
                    Poll::Pending => break,
                    Poll::Ready(read) => {
                        let count = room.filled().len();
                        self.stream.buffer_mut().push(room.filled());
                        // The next expectation reports what the failed read means; the writing goes
                        // on.
                        if self.arrived(read.map(|()| count)).is_err() {
                            break;
                        }
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Makes the error for a peer that no longer takes anything, with what it said last.
    async fn cannot_send(&mut self, wait: Wait) -> Error {
        // What the peer said before it closed may still be readable, up to the end of the stream or
        // the limit.
        while !self.ending.is_seen() {
            match self.fill(wait.deadline()).await {
                Ok(Arrival::Bytes) => {}
                // A TLS alert gives the reason, which the closed connection does not.
                Err(error) if error.is_tls() => return error,
                _ => break,
            }
        }
        self.ending.seen(self.turn.role().peer().resets());
        self.closed(wait, "a peer that still listens", None)
    }

    /// Whether a reply is owed to an empty line, which is rarely sent on purpose.
    pub(super) fn owes_to_an_empty_line(&self) -> bool {
        // Before the first expectation the greeting is owed, which is recorded under an empty line
        // too.
        let has_begun = self.turn.expectations() > 0;
        has_begun
            && self.turn.speech() != Speech::Imap
            && self.turn.unanswered().any(Bytes::is_empty)
    }

    fn stuck(&mut self, wait: Wait, left: usize) -> Error {
        self.record.note(What::TimedOut(wait.allowed));
        self.fault(
            Kind::Timeout,
            format!(
                "the {} does not read: {left} bytes could not be sent in time",
                self.turn.role().peer()
            ),
        )
        .with_expected("all bytes to be taken")
        .with_got(self.shown_held())
        .with_waited(wait.waited())
    }
}
