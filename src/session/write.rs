//! Writing: bytes go out while what the peer says in the meantime is read.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::timeout_at;

use super::Session;
use super::role::Role;
use super::turn::{MOST_LINES, is_one_line};
use super::wait::{Arrival, is_reset};
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::runtime;
use crate::transcript::{Excerpt, What};
use crate::transport::Transport;

impl Session {
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
                error.hint("after shutdown() nothing can be sent; the server may still send")
            );
        }
        if self.turn.role() == Role::Client && self.turn.is_flood(meant) {
            let error = self.fault(Kind::TooLong, "these are too many lines to send at once");
            return Err(error
                .with_expected(format!("at most {MOST_LINES}"))
                .hint("send them in pieces, or flood with a session of tcp://"));
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
                Ok(Ok(Ok(written))) => {
                    flushed |= at == bytes.len();
                    at += written;
                }
                Ok(Err(broken)) => return Err(broken),
                Ok(Ok(Err(error))) if is_reset(&error) => return Err(self.cannot_send(wait).await),
                Ok(Ok(Err(error))) => {
                    let failed = self.fault(Kind::Io, format!("writing failed: {error}"));
                    return Err(runtime::explained(failed, &error));
                }
                Err(_) => return Err(self.stuck(wait, &format!("{} bytes", bytes.len() - at))),
            }
        }
        Ok(())
    }

    /// Records that `bytes` were sent, and updates the turn as for `meant`.
    pub(super) fn note_sent(&mut self, meant: &Bytes, bytes: &Bytes) {
        let spans = self.turn.sent(meant, self.record.secrets_mut());
        let masked = self.record.masked(bytes.clone(), &spans);
        self.turn.note_sent(&masked);
        if self.turn.role() == Role::Client {
            let record = &self.record;
            self.turn.note_owed(|part, own| record.masked_part(meant, &spans[own], part));
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
    ///
    /// # Errors
    /// If what the peer says breaks TLS or the compression.
    async fn write_or_read(&mut self, bytes: &[u8]) -> Result<io::Result<usize>> {
        poll_fn(|cx| {
            let Some(transport) = self.stream.transport_mut() else {
                return Poll::Ready(Ok(Err(io::ErrorKind::NotConnected.into())));
            };
            let transport = Pin::new(&mut *transport);
            if bytes.is_empty() {
                if let Poll::Ready(flushed) = transport.poll_flush(cx) {
                    return Poll::Ready(Ok(flushed.map(|()| 0)));
                }
            } else if let Poll::Ready(written) = transport.poll_write(cx, bytes) {
                return Poll::Ready(Ok(written.and_then(|count| {
                    if count == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(count) }
                })));
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
                        match self.received(read.map(|()| count)) {
                            Ok(Arrival::Bytes) => {}
                            // The next expectation reports what the end means; the writing goes on.
                            Ok(_) => break,
                            Err(broken) => return Poll::Ready(Err(broken)),
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
            match self.read(wait.deadline()).await {
                Ok(Arrival::Bytes) => {}
                // A TLS alert gives the reason, which the closed connection does not.
                Err(error) if error.is_tls() => return error,
                _ => break,
            }
        }
        self.ending.seen(self.turn.role().peer().resets());
        self.closed(wait, "a peer that still listens", None)
    }

    /// Makes the error for `what` that was to be sent and that the peer does not take.
    pub(super) fn stuck(&mut self, wait: Wait, what: &str) -> Error {
        self.record.note(What::TimedOut(wait.allowed));
        self.fault(
            Kind::Timeout,
            format!(
                "the {} does not read: {what} could not be sent in time",
                self.turn.role().peer()
            ),
        )
        .with_expected("all bytes to be taken")
        .with_got(self.shown_held())
        .with_waited(wait.waited())
    }
}
