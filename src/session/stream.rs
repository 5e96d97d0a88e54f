//! The stream of a session: its transport, the bytes that arrived and were not taken, and its
//! deadlines.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::reading::Reading;
use super::waiting::Waiting;
use crate::buffer::Buffer;
use crate::tls::{self, Established};
use crate::transport::{Segment, Transport, Unheard};

/// How many bytes are allocated at a time for lines to be sent; short lines share an allocation.
const LINES: usize = 256;

/// The bytes of one connection, in both directions.
#[derive(Debug)]
pub(super) struct Stream {
    /// `None` once we have closed it.
    transport: Option<Transport>,
    buffer: Buffer,
    /// Allocated space for the next lines to be sent.
    outgoing: BytesMut,
    /// The deadline of each operation.
    timeout: Duration,
    /// The deadline of all operations together, if there is one.
    until: Option<Instant>,
    settle: Duration,
    waiting: Waiting,
    /// The limit on how fast the peer's bytes are read; `None` for no limit.
    pace: Option<Reading>,
    /// A byte has come at least once.
    heard: bool,
    /// A permit, held until the peer's first byte. It limits how many connections open at once.
    unheard: Option<Unheard>,
    /// How TLS is set up.
    tls_options: tls::Options,
    /// The TLS parameters, once TLS is on.
    tls: Option<Box<Established>>,
}

/// The limits of a stream, for its whole life.
#[derive(Debug)]
pub(super) struct Terms {
    /// The deadline of each operation.
    pub(super) timeout: Duration,
    /// How long a match that more bytes could still extend is held back.
    pub(super) settle: Duration,
    /// How many bytes may arrive and stay unread.
    pub(super) limit: usize,
    /// How TLS is set up.
    pub(super) tls: tls::Options,
}

impl Stream {
    pub(super) fn new(transport: Transport, terms: Terms) -> Self {
        Self {
            transport: Some(transport),
            buffer: Buffer::new(terms.limit),
            outgoing: BytesMut::new(),
            timeout: terms.timeout,
            until: None,
            settle: terms.settle,
            waiting: Waiting::default(),
            pace: None,
            heard: false,
            unheard: None,
            tls_options: terms.tls,
            tls: None,
        }
    }

    /// Keeps `unheard` until the peer's first byte has come, because others connect only after
    /// that.
    pub(super) fn hold(&mut self, unheard: Unheard) {
        self.unheard = Some(unheard);
    }

    /// Whether we have not closed the connection yet.
    pub(super) fn is_open(&self) -> bool {
        self.transport.is_some()
    }

    pub(super) fn transport(&self) -> Option<&Transport> {
        self.transport.as_ref()
    }

    pub(super) fn transport_mut(&mut self) -> Option<&mut Transport> {
        self.transport.as_mut()
    }

    /// The transport, and the buffer that it is read into.
    pub(super) fn reading(&mut self) -> (Option<&mut Transport>, &mut Buffer) {
        (self.transport.as_mut(), &mut self.buffer)
    }

    pub(super) fn take_transport(&mut self) -> Option<Transport> {
        self.transport.take()
    }

    /// Puts back the transport that was taken for a handshake, after the handshake failed.
    pub(super) fn put_back(&mut self, transport: Transport) {
        self.transport = Some(transport);
    }

    /// Replaces the transport by one that speaks TLS.
    pub(super) fn secure(&mut self, transport: Transport, segment: Segment) {
        self.transport = Some(transport.cut(segment));
        self.unheard = None;
    }

    /// Compresses both directions from here on. Bytes that came and were not taken are compressed
    /// already.
    pub(super) fn deflate(&mut self) {
        let came = self.buffer.take(self.buffer.held().len()).to_vec();
        self.transport = self.transport.take().map(|transport| transport.deflated(came));
    }

    pub(super) fn establish(&mut self, established: Established) {
        self.tls = Some(Box::new(established));
    }

    /// The TLS parameters, once TLS is on.
    pub(super) fn tls(&self) -> Option<&Established> {
        self.tls.as_deref()
    }

    /// Records that the connection was closed without a `close_notify`.
    pub(super) fn was_cut(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.cut = true;
        }
    }

    pub(super) fn tls_options(&self) -> &tls::Options {
        &self.tls_options
    }

    pub(super) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(super) fn buffer_mut(&mut self) -> &mut Buffer {
        &mut self.buffer
    }

    /// The bytes that arrived and were not taken.
    pub(super) fn held(&self) -> &[u8] {
        self.buffer.held()
    }

    /// Records that this number of bytes were read into the buffer's room, or pushed.
    pub(super) fn received(&mut self, count: usize) {
        self.buffer.filled(count);
        self.heard = true;
        if let Some(pace) = &mut self.pace {
            pace.took(count);
        }
    }

    /// Records that a read is over, whatever its result.
    pub(super) fn was_read(&mut self) {
        self.unheard = None;
        self.waiting.since = None;
    }

    /// Limits how many bytes a second are read from now on.
    pub(super) fn slow_down(&mut self, bytes_per_second: u32) {
        if let Some(transport) = &mut self.transport {
            transport.narrow();
        }
        self.pace = Some(Reading::new(bytes_per_second));
    }

    /// The limit on how fast the peer's bytes are read, if there is one.
    pub(super) fn pace(&self) -> Option<Reading> {
        self.pace
    }

    /// Whether a byte has come at least once.
    pub(super) fn has_heard(&self) -> bool {
        self.heard
    }

    pub(super) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    pub(super) fn waiting_mut(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    /// The deadline of the next operation, which ends before that of the whole dialogue. An
    /// operation without any time could not say what it had waited for.
    pub(super) fn timeout(&self) -> Duration {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.map_or(self.timeout, |left| self.timeout.min(left.max(Duration::from_millis(1))))
    }

    /// Sets the deadline of the whole dialogue.
    #[cfg(feature = "script")]
    pub(super) fn set_until(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub(super) fn settle(&self) -> Duration {
        self.settle
    }

    /// A line as it is sent, with CRLF added.
    pub(super) fn line(&mut self, line: &[u8]) -> Bytes {
        let length = line.len() + 2;
        if self.outgoing.capacity() < length {
            self.outgoing.reserve(length.max(LINES));
        }
        self.outgoing.extend_from_slice(line);
        self.outgoing.extend_from_slice(b"\r\n");
        self.outgoing.split().freeze()
    }
}
