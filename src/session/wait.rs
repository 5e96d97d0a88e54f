//! Waiting for bytes: one deadline for each operation, and the errors when it runs out.
//!
//! An operation reads in one of three ways, until the buffer has what it takes:
//!
//! ```text
//!     read_for(wanted, wait, until)    waits, and records what is wanted
//!     read(until)                      waits
//!     read_ready()                     does not wait: only what has come already
//!
//!     read, read_for                                read_ready
//!         |                                             |
//!     is_overdue    the clock; after 10 ms, a       try_read           what the system holds
//!         |         turn for the runtime                |
//!     read_soon     blocks for a moment, if         try_read_in_turn   what the runtime reports in
//!         |         the thread is the session's         |              its next turn: TLS, DEFLATE,
//!     read_later    by the runtime                      |              children
//!         |                                             |
//!         +----------------- received ------------------+
//!                 into the buffer, the record and the ending: an Arrival
//! ```
//!
//! From the buffer, `take` gives an operation its replies, lines and matches, and `skip_bytes` drops
//! bytes that no operation keeps.

use std::fmt::{Display, Write as _};
use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout_at};

use super::call::Call;
use super::role::Role;
use super::waiting::Wait;
use super::{SHOWN, Session, slip};
use crate::buffer::Buffer;
use crate::error::{Error, Kind, Result};
use crate::transcript::What;
use crate::transport::Transport;

/// The result of waiting for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Bytes,
    End,
    Late,
}

/// The most that `read_ready` reads of what has arrived, because an error shows no more.
const GLANCE: usize = SHOWN;

/// For how long a peer that always has data is read before the runtime gets a turn.
const TURN: Duration = Duration::from_millis(10);

impl Session {
    /// Begins an operation: its deadline counts from here.
    pub(super) fn begin(&mut self, call: &Call, operation: &str) -> Result<Wait> {
        call.check_spent(operation)?;
        let wait = Wait::new(call.timeout.unwrap_or(self.stream.timeout()));
        let waiting = self.stream.waiting_mut();
        (waiting.since, waiting.overdue, waiting.turn) = (None, false, Some(wait.started));
        Ok(wait)
    }

    /// Reads once, and waits no longer than `until`.
    pub(super) async fn read(&mut self, until: Instant) -> Result<Arrival> {
        if self.is_overdue(until).await {
            return Ok(Arrival::Late);
        }
        match self.read_soon(until) {
            Some(read) => read,
            None => self.read_later(until).await,
        }
    }

    /// Reads once, and waits no longer than `until`. Records what is wanted, in case the wait is
    /// cut off from outside.
    pub(super) async fn read_for(
        &mut self,
        wanted: &(dyn Display + Sync),
        wait: Wait,
        until: Instant,
    ) -> Result<Arrival> {
        if self.is_overdue(until).await {
            return Ok(Arrival::Late);
        }
        if let Some(read) = self.read_soon(until) {
            return read;
        }
        self.await_for(wanted, wait);
        self.read_later(until).await
    }

    /// Whether the clock has passed the deadline. A peer that always has data is always ready to be
    /// read, and then the timers of the runtime would never fire. So the clock is checked before
    /// each read, and the runtime gets a turn after a while, for interrupts and the script's
    /// deadline. Its own count of reads is no measure: one of them may bring a megabyte. One read
    /// after the deadline is allowed: bytes that came in time count, however late this thread was
    /// scheduled.
    async fn is_overdue(&mut self, until: Instant) -> bool {
        let now = Instant::now();
        let turn = *self.stream.waiting_mut().turn.get_or_insert(now);
        if now.saturating_duration_since(turn) >= TURN {
            tokio::task::yield_now().await;
            self.stream.waiting_mut().turn = Some(Instant::now());
        }
        let late = now >= until;
        std::mem::replace(&mut self.stream.waiting_mut().overdue, late) && late
    }

    /// Reads if that is possible without waiting for the runtime.
    fn read_soon(&mut self, until: Instant) -> Option<Result<Arrival>> {
        if self.ending.is_seen() {
            return Some(Ok(Arrival::End));
        }
        if self.stream.pace().is_some() {
            return None;
        }
        let (transport, buffer) = self.stream.reading();
        let read = transport?.read_soon(&mut buffer.room()?, until)?;
        Some(self.received(read))
    }

    async fn read_later(&mut self, until: Instant) -> Result<Arrival> {
        self.transport()?;
        let pace = self.stream.pace();
        if let Some(pace) = pace {
            let next = pace.next().unwrap_or(until).min(until);
            // Boxed, because it would make the future of every operation larger, and hardly any
            // session has a limited rate.
            Box::pin(tokio::time::sleep_until(next)).await;
            if next == until {
                return Ok(Arrival::Late);
            }
        }
        let at_once = pace.map_or(usize::MAX, |pace| pace.at_once());
        let (transport, buffer) = self.stream.reading();
        let (Some(transport), Some(mut room)) = (transport, buffer.room()) else {
            return Err(self.too_long());
        };
        room.set_limit(room.limit().min(at_once));
        match timeout_at(until, transport.read_buf(&mut room)).await {
            Err(_) => Ok(Arrival::Late),
            Ok(read) => self.received(read),
        }
    }

    /// Records what is waited for, in case the wait is cut off from outside.
    pub(super) fn await_for(&mut self, wanted: &dyn Display, wait: Wait) {
        if self.stream.waiting().since.is_none() {
            let waiting = self.stream.waiting_mut();
            waiting.since = Some(wait);
            waiting.wanted.clear();
            // Writing to memory does not fail.
            let _ = write!(waiting.wanted, "{wanted}");
        }
    }

    /// Makes the error for an operation that was cut off, with what it was waiting for.
    #[cfg(feature = "script")]
    pub(crate) fn cut_off(&self) -> Option<Error> {
        let wait = self.stream.waiting().since?;
        Some(
            self.fault(Kind::Timeout, "")
                .with_expected(&self.stream.waiting().wanted)
                .with_got(self.shown_held())
                .with_waited(wait.waited()),
        )
    }

    /// Records the result of a read.
    pub(super) fn received(&mut self, read: io::Result<usize>) -> Result<Arrival> {
        self.stream.was_read();
        let peer = self.turn.role().peer();
        match read {
            Ok(0) => self.ending.seen(peer.closes()),
            Ok(count) => {
                self.stream.received(count);
                let held = self.stream.held();
                self.record.read(&held[held.len().saturating_sub(count)..]);
                return Ok(Arrival::Bytes);
            }
            Err(error) if is_reset(&error) => self.ending.seen(peer.resets()),
            // The peer closed the connection without ending TLS first (no close_notify).
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.ending.seen(peer.closes());
                self.stream.was_cut();
            }
            Err(error) => {
                let broke = self.tls_broke(&error).or_else(|| self.deflate_broke(&error));
                return Err(broke
                    .unwrap_or_else(|| self.fault(Kind::Io, format!("reading failed: {error}"))));
            }
        }
        Ok(Arrival::End)
    }

    /// Reads what has arrived already, without waiting for more.
    pub(super) async fn read_ready(&mut self) -> Result<()> {
        if self.stream.pace().is_some() {
            return Ok(());
        }
        let left = self.stream.buffer().left().min(GLANCE);
        let (transport, buffer) = self.stream.reading();
        let (Some(transport), true) = (transport, !self.ending.is_seen() && left > 0) else {
            return Ok(());
        };
        let read = match try_read(transport, buffer, left) {
            Some(read) => read,
            None => try_read_in_turn(transport.uncut(), buffer, left).await,
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => drop(self.received(read)?),
        }
        Ok(())
    }

    /// Acknowledges received data at once if an answer has begun: the peer may hold back the rest
    /// until its first bytes are acknowledged.
    pub(super) fn acknowledge(&self) {
        if let (Some(transport), false) = (self.stream.transport(), self.stream.buffer().is_empty())
        {
            transport.acknowledge();
        }
    }

    fn too_long(&self) -> Error {
        let limit = self.stream.buffer().limit();
        let error =
            self.fault(Kind::TooLong, format!("more than {limit} bytes came without an end"));
        let error = match self.stream.waiting().since {
            Some(wait) => {
                error.with_expected(&self.stream.waiting().wanted).with_waited(wait.waited())
            }
            None => error,
        };
        error
            .with_got(format!("{} ...", self.shown(&self.stream.held()[..100.min(limit)])))
            .hint(match self.turn.role() {
                Role::Client => "raise the session's limit (connect(url, #{limit: bytes})) if the server is right to send so much",
                Role::Server => "raise the limit of its sessions (listen(url, #{limit: bytes})) if the client is right to send so much",
            })
    }

    /// Makes the error for a deadline that ran out.
    pub(super) fn timed_out(&mut self, wait: Wait, wanted: impl Display) -> Error {
        self.record.note(What::TimedOut(wait.allowed));
        let (kind, message) = if self.stream.has_heard() || self.turn.role() == Role::Server {
            (Kind::Timeout, "nothing that was expected came in time")
        } else {
            (
                Kind::Unreachable,
                if self.is_of_command() {
                    "the command was started and never said a word"
                } else {
                    "the server accepted the connection and never said a word"
                },
            )
        };
        let error = self
            .fault(kind, message)
            .with_expected(wanted)
            .with_got(self.shown_held())
            .with_waited(wait.waited());
        if let Some(slip) = self.turn.last_sent().and_then(|sent| slip::of_line(sent)) {
            return error.hint(slip);
        }
        if self.turn.role() == Role::Client && self.is_framed() && self.turn.owed_to_us() == 0 {
            return error.hint("no reply is owed: everything sent so far has been answered");
        }
        if self.turn.role() == Role::Client
            && !self.stream.has_heard()
            && self.stream.tls().is_none()
            && self.turn.last_sent().is_none()
            && self.is_framed()
            && !self.is_of_command()
        {
            return error.hint(format!(
                "a port that has TLS from the start is silent like this: try {}://; else give the server longer with --timeout",
                self.turn.speech().facts().tls_scheme()
            ));
        }
        error.hint(format!(
            "give the {} longer with #{{timeout: \"{}\"}} as the last argument, or --timeout",
            self.turn.role().peer(),
            wait.longer()
        ))
    }

    /// Makes the error for a deadline that ran out before a reply came, or in the middle of one.
    pub(super) fn late_reply(&mut self, wait: Wait, wanted: impl Display) -> Error {
        match self.missing() {
            Some(missing) => {
                let begun = format!("the {}", self.unit());
                self.unfinished(wait, wanted, &begun, &missing)
            }
            None => self.timed_out(wait, wanted),
        }
    }

    /// Makes the error for a peer that closed in the middle of a reply.
    pub(super) fn cut_reply(&mut self, wait: Wait, wanted: impl Display) -> Error {
        let begun = format!("a {}", self.unit());
        let lacks = self.missing().map(|missing| format!("{begun}; it lacks {missing}"));
        self.closed(wait, wanted, Some(lacks.as_ref().unwrap_or(&begun)))
    }

    /// What errors call one message of the peer: a reply of a server, a command of a client.
    fn unit(&self) -> &'static str {
        match self.turn.role() {
            Role::Client => "reply",
            Role::Server => "command",
        }
    }

    /// Says what the reply that has begun still lacks. Call it after its framing was asked for the
    /// end of the reply.
    fn missing(&mut self) -> Option<String> {
        let held = self.stream.held();
        self.turn.framing().and_then(|framing| framing.missing(held))
    }

    /// Makes the error for a deadline that ran out in the middle of something that still lacks
    /// `missing`.
    pub(super) fn unfinished(
        &mut self,
        wait: Wait,
        wanted: impl Display,
        begun: &str,
        missing: &str,
    ) -> Error {
        self.record.note(What::TimedOut(wait.allowed));
        let message = format!("{begun} was not whole in time; it lacks {missing}");
        let error = self.fault(Kind::Timeout, message);
        let error = error.with_expected(wanted).with_got(self.shown_held());
        error.with_waited(wait.waited()).hint(format!(
            "if the {} is only slow, give it longer with #{{timeout: \"{}\"}} as the last argument, or --timeout; \
             if this is all that it sends, take it with expect_bytes(...)",
            self.turn.role().peer(),
            wait.longer()
        ))
    }

    /// Makes the error for a peer that closed while something else was expected.
    pub(super) fn closed(&mut self, wait: Wait, wanted: impl Display, cut: Option<&str>) -> Error {
        self.note_end();
        let peer = self.turn.role().peer();
        let how = if self.ending.of_peer() == Some(peer.resets()) { "reset" } else { "closed" };
        let (kind, message) = match cut {
            Some(cut) => {
                (Kind::Malformed, format!("the connection was {how} in the middle of {cut}"))
            }
            None if self.stream.has_heard() => {
                (Kind::Closed, format!("the {peer} {how} the connection and nobody expected it"))
            }
            None if self.turn.role() == Role::Server => {
                (Kind::Closed, format!("the client {how} the connection and never said a word"))
            }
            None => (
                Kind::Unreachable,
                format!("the {peer} {how} the connection and never said a word"),
            ),
        };
        let error = self
            .fault(kind, message)
            .with_expected(wanted)
            .with_got(self.shown_held())
            .with_waited(wait.waited());
        // Nothing more can come. A caller that takes this error must not get another one at the end
        // for the same reply.
        self.turn.settle_all();
        error.hint(if cut.is_some() {
            "if the close is right, take what there is with expect_bytes(...), then say expect_close()"
        } else {
            "if the close is right, say so with expect_close()"
        })
    }

    /// Writes the end of the peer's side into the transcript, once.
    pub(super) fn note_end(&mut self) {
        if let Some(end) = self.ending.note() {
            if self.stream.tls().is_some_and(|tls| tls.cut) {
                self.record.note(What::Tls(
                    "cut off: closed without a close_notify, so something may be missing"
                        .to_owned(),
                ));
            }
            self.record.note(What::Closed(end));
        }
    }
}

/// Reads what the system holds already, if the transport can do so without the runtime.
fn try_read(transport: &Transport, buffer: &mut Buffer, left: usize) -> Option<io::Result<usize>> {
    let mut glance = [0; GLANCE];
    let read = transport.try_read(&mut glance[..left])?;
    Some(read.inspect(|count| buffer.push(&glance[..*count])))
}

/// Gives the runtime one turn, in which the system reports what has come, then tries one read
/// without waiting. A timer of zero length is no replacement: it would wait for the next
/// millisecond.
async fn try_read_in_turn(
    transport: &mut Transport,
    buffer: &mut Buffer,
    left: usize,
) -> io::Result<usize> {
    tokio::task::yield_now().await;
    let mut glance = vec![0; left];
    let count = tokio::select! {
        biased;
        read = transport.read(&mut glance) => read?,
        () = std::future::ready(()) => return Err(io::ErrorKind::WouldBlock.into()),
    };
    buffer.push(&glance[..count]);
    Ok(count)
}

pub(super) fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected)
}
