//! Bytes that a session has received and no operation has taken yet.

use bytes::buf::Limit;
use bytes::{BufMut as _, Bytes, BytesMut};

/// How many bytes a session may hold unread before that is an error, unless set.
pub(crate) const DEFAULT_LIMIT: usize = 32 << 20;
/// The size of the first read of a session. A greeting and most EHLO replies fit, and ten thousand
/// sessions at once have one such allocation each.
const FIRST_READ: usize = 1 << 9;
/// The largest size of a read; reads grow up to it while bytes keep coming.
const LARGEST_READ: usize = 64 << 10;

/// Received bytes, which are taken from the front. Their number never exceeds a limit.
#[derive(Debug)]
pub(crate) struct Buffer {
    held: BytesMut,
    limit: usize,
    next_read: usize,
}

impl Buffer {
    pub(crate) fn new(limit: usize) -> Self {
        Self { held: BytesMut::new(), limit, next_read: FIRST_READ }
    }

    pub(crate) fn held(&self) -> &[u8] {
        &self.held
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes exactly this many bytes from the front, without a copy.
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        self.take_mut(count).freeze()
    }

    /// Takes exactly this many bytes from the front, without a copy, to be changed in place.
    pub(crate) fn take_mut(&mut self, count: usize) -> BytesMut {
        self.held.split_to(count)
    }

    /// Space for the next read, or `None` at the limit. Call [`Buffer::filled`] with the number of
    /// bytes that were read into it.
    pub(crate) fn room(&mut self) -> Option<Limit<&mut BytesMut>> {
        if self.held.len() >= self.limit {
            return None;
        }
        if self.held.capacity() - self.held.len() < self.next_read / 2 {
            self.held.reserve(self.next_read);
        }
        let left = self.limit - self.held.len();
        Some((&mut self.held).limit(left))
    }

    /// How many more bytes fit until the limit.
    pub(crate) fn left(&self) -> usize {
        self.limit.saturating_sub(self.held.len())
    }

    /// Appends bytes that were read elsewhere, at most [`Buffer::left`].
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Records that a read returned this many bytes. If the read was large, the next may be larger.
    pub(crate) fn filled(&mut self, count: usize) {
        if count >= self.next_read / 2 {
            self.next_read = (self.next_read * 2).min(LARGEST_READ);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_taken_exactly_from_the_front() {
        let mut buffer = Buffer::new(100);
        buffer.room().unwrap().put_slice(b"220 hi\r\n250");
        assert_eq!(buffer.take(8), "220 hi\r\n");
        assert_eq!(buffer.held(), b"250");
    }

    #[test]
    fn there_is_no_room_at_the_limit() {
        let mut buffer = Buffer::new(4);
        buffer.room().unwrap().put_slice(b"2200");
        assert!(buffer.room().is_none());
        buffer.take(1);
        assert!(buffer.room().is_some());
    }

    #[test]
    fn reads_grow_while_bytes_keep_coming() {
        let mut buffer = Buffer::new(1 << 30);
        for _ in 0..20 {
            let mut room = buffer.room().unwrap();
            let spare = room.get_ref().capacity() - room.get_ref().len();
            room.put_bytes(0, spare);
            buffer.filled(spare);
            buffer.take(buffer.held().len());
        }
        assert_eq!(buffer.next_read, LARGEST_READ);
    }
}
