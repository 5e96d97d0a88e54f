//! Waiting for bytes: one deadline for each operation.
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
use super::turn::MOST_LINES;
use super::waiting::Wait;
use super::{SHOWN, Session};
use crate::buffer::Buffer;
use crate::error::{Error, Kind, Result};
use crate::runtime;
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
    /// Begins an operation that sends or reads: its deadline counts from here.
    pub(super) fn begin(&mut self, call: &Call, operation: &str) -> Result<Wait> {
        self.check_open()?;
        self.begin_end(call, operation)
    }

    /// Begins an operation that may find the connection closed already.
    pub(super) fn begin_end(&mut self, call: &Call, operation: &str) -> Result<Wait> {
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
        self.ending.awaits();
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
        self.ending.heard();
        let peer = self.turn.role().peer();
        match read {
            Ok(0) => self.ending.seen(peer.closes()),
            Ok(count) => {
                self.stream.received(count);
                let held = self.stream.held();
                self.record.read(&held[held.len().saturating_sub(count)..]);
                self.check_flood(count)?;
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
                let failed = || self.fault(Kind::Io, format!("reading failed: {error}"));
                return Err(broke.unwrap_or_else(|| runtime::explained(failed(), &error)));
            }
        }
        Ok(Arrival::End)
    }

    /// Fails if a client has sent more lines than can be taken at once. Looks again each time that
    /// so many more bytes have come.
    fn check_flood(&mut self, count: usize) -> Result<()> {
        let held = self.stream.held();
        let is_due = held.len() / MOST_LINES > (held.len() - count) / MOST_LINES;
        if self.turn.role() == Role::Client || !is_due || !self.turn.is_flood(held) {
            return Ok(());
        }
        let error = self.fault(Kind::TooLong, "the client sends too many lines at once");
        Err(error
            .with_expected(format!("at most {MOST_LINES}"))
            .hint("take what a client floods with on a plain listener: listen(\"tcp\")"))
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
