//! The stream of a session: its transport, what came by it and was not taken, and its deadlines.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::waiting::Waiting;
use crate::buffer::Buffer;
use crate::tls::{self, Established};
use crate::transport::{Segment, Transport, Unheard};

/// How much room lines to be sent are given at a time: some of them share it.
const LINES: usize = 256;

/// The bytes of one connection, in and out.
#[derive(Debug)]
pub(super) struct Stream {
    /// `None` once we have closed it.
    transport: Option<Transport>,
    buffer: Buffer,
    /// Room for the next lines to be sent.
    outgoing: BytesMut,
    /// The deadline of each operation.
    timeout: Duration,
    settle: Duration,
    waiting: Waiting,
    /// A byte has come at least once.
    heard: bool,
    /// Held until then, so that others do not connect too fast.
    unheard: Option<Unheard>,
    /// How TLS is put on.
    tls_options: tls::Options,
    /// TLS as it is spoken, once it is.
    tls: Option<Box<Established>>,
}

/// What holds on a stream, however long it lasts.
#[derive(Debug)]
pub(super) struct Terms {
    /// The deadline of each operation.
    pub(super) timeout: Duration,
    /// How long a match that could still grow is held back.
    pub(super) settle: Duration,
    /// How many bytes may be held.
    pub(super) limit: usize,
    /// How TLS is put on.
    pub(super) tls: tls::Options,
}

impl Stream {
    pub(super) fn new(transport: Transport, terms: Terms) -> Self {
        Self {
            transport: Some(transport),
            buffer: Buffer::new(terms.limit),
            outgoing: BytesMut::new(),
            timeout: terms.timeout,
            settle: terms.settle,
            waiting: Waiting::default(),
            heard: false,
            unheard: None,
            tls_options: terms.tls,
            tls: None,
        }
    }

    /// The same, of which the peer's first byte is waited for before others connect.
    pub(super) fn hold(&mut self, unheard: Unheard) {
        self.unheard = Some(unheard);
    }

    /// Whether we have not closed the connection.
    pub(super) fn is_open(&self) -> bool {
        self.transport.is_some()
    }

    pub(super) fn transport(&self) -> Option<&Transport> {
        self.transport.as_ref()
    }

    pub(super) fn transport_mut(&mut self) -> Option<&mut Transport> {
        self.transport.as_mut()
    }

    /// The transport and what it is read into.
    pub(super) fn reading(&mut self) -> (Option<&mut Transport>, &mut Buffer) {
        (self.transport.as_mut(), &mut self.buffer)
    }

    pub(super) fn take_transport(&mut self) -> Option<Transport> {
        self.transport.take()
    }

    /// Puts back what was taken, after a handshake that failed.
    pub(super) fn put_back(&mut self, transport: Transport) {
        self.transport = Some(transport);
    }

    /// From here on, TLS is spoken.
    pub(super) fn secure(&mut self, transport: Transport, segment: Segment) {
        self.transport = Some(transport.cut(segment));
        self.unheard = None;
    }

    pub(super) fn establish(&mut self, established: Established) {
        self.tls = Some(Box::new(established));
    }

    /// TLS as it is spoken, once it is.
    pub(super) fn tls(&self) -> Option<&Established> {
        self.tls.as_deref()
    }

    /// The connection was closed without the end of TLS.
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

    /// What came and was not taken.
    pub(super) fn held(&self) -> &[u8] {
        self.buffer.held()
    }

    /// So many bytes were read into the buffer's room, or pushed.
    pub(super) fn arrived(&mut self, count: usize) {
        self.buffer.filled(count);
        self.heard = true;
    }

    /// A read is over, whatever it brought.
    pub(super) fn was_read(&mut self) {
        self.unheard = None;
        self.waiting.since = None;
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

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub(super) fn settle(&self) -> Duration {
        self.settle
    }

    /// A line as it is sent: CRLF added.
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
