//! Accepted mail, in memory.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::budget::Budget;
use super::date;

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The reverse-path without its brackets; empty for the null path.
    pub from: String,
    /// The recipients without brackets, in the order in which they were accepted.
    pub to: Vec<String>,
    /// A Received field (RFC 5321 section 4.4), then the content as the client sent it, without the
    /// dot-stuffing.
    pub data: Vec<u8>,
    /// The user, if the client had authenticated.
    pub authenticated: Option<String>,
}

impl Mail {
    fn size(&self) -> usize {
        self.from.len() + self.to.iter().map(String::len).sum::<usize>() + self.data.len()
    }
}

/// The most bytes of messages in transfer, over all connections. The server reads the rest of a
/// message beyond that, discards it, and tells the client to try again later.
pub(super) const INCOMING: usize = 128 << 20;

/// The most bytes of answers that clients have not taken yet, over all connections: more than the
/// longest answer has.
pub(super) const OUTGOING: usize = 160 << 20;

/// The accepted mail, up to a limit; beyond it, the oldest mail is dropped.
#[derive(Debug)]
pub(super) struct Spool {
    held: Mutex<Held>,
    limit: usize,
    budget: Budget,
    incoming: AtomicUsize,
    outgoing: AtomicUsize,
}

/// What memory is reserved for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transfer {
    /// A message or a literal of a client.
    Incoming,
    /// Answers of the server.
    Outgoing,
}

impl Transfer {
    fn limit(self) -> usize {
        match self {
            Self::Incoming => INCOMING,
            Self::Outgoing => OUTGOING,
        }
    }
}

/// Memory reserved for a transfer, released when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    spool: Arc<Spool>,
    transfer: Transfer,
    bytes: usize,
}

impl Room {
    pub(super) fn new(spool: Arc<Spool>, transfer: Transfer) -> Self {
        Self { spool, transfer, bytes: 0 }
    }

    /// How many bytes are reserved.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reserves this many more bytes, if the limit holds then. Returns whether it does.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.reserved().fetch_add(bytes, Ordering::Relaxed);
        let is_within = before + bytes <= self.transfer.limit() && self.spool.budget.take(bytes);
        if is_within {
            self.bytes += bytes;
        } else {
            self.reserved().fetch_sub(bytes, Ordering::Relaxed);
        }
        is_within
    }

    /// Releases what was reserved.
    pub(super) fn clear(&mut self) {
        self.reserved().fetch_sub(self.bytes, Ordering::Relaxed);
        self.spool.budget.give(self.bytes);
        self.bytes = 0;
    }

    fn reserved(&self) -> &AtomicUsize {
        match self.transfer {
            Transfer::Incoming => &self.spool.incoming,
            Transfer::Outgoing => &self.spool.outgoing,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What is dropped with its server counts no more.
impl Drop for Spool {
    fn drop(&mut self) {
        self.budget.give(self.held().size);
    }
}

#[derive(Debug, Default)]
struct Held {
    mails: VecDeque<Mail>,
    size: usize,
}

impl Spool {
    pub(super) fn new(limit: usize, budget: &Budget) -> Self {
        let (incoming, outgoing) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let limit = budget.at_most(limit);
        Self { held: Mutex::default(), limit, budget: budget.clone(), incoming, outgoing }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Keeps a message, in place of the oldest if there are too many. Returns whether there is room
    /// for it.
    pub(super) fn deposit(&self, mail: Mail) -> bool {
        let (mut held, size) = (self.held(), mail.size());
        while held.size + size > self.limit || !self.budget.take(size) {
            let Some(oldest) = held.mails.pop_front() else { return false };
            held.size -= oldest.size();
            self.budget.give(oldest.size());
        }
        held.size += size;
        held.mails.push_back(mail);
        true
    }

    /// The first mail that fits.
    pub(super) fn find(&self, fits: impl Fn(&Mail) -> bool) -> Option<Mail> {
        self.held().mails.iter().find(|mail| fits(mail)).cloned()
    }

    pub(super) fn list(&self) -> Vec<Mail> {
        self.held().mails.iter().cloned().collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // After a panic elsewhere, at worst the size is wrong by one message.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of a message, and when and from where it arrived.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) id: String,
    peer: SocketAddr,
    time: SystemTime,
}

impl Stamp {
    /// A stamp with the current time and an id that is unique in this process.
    pub(super) fn new(peer: SocketAddr) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = format!("{:014}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { id, peer, time: SystemTime::now() }
    }

    /// The Received field: the name that the client gave, its address, and the protocol (RFC 3848).
    pub(super) fn received(&self, client: &str, protocol: &str) -> String {
        let address = match self.peer {
            SocketAddr::V4(peer) => format!("[{}]", peer.ip()),
            SocketAddr::V6(peer) => format!("[IPv6:{}]", peer.ip()),
        };
        let (id, date) = (&self.id, date::show(self.time));
        format!(
            "Received: from {} ({address})\r\n\tby localhost with {protocol} id {id};\r\n\t{date}\r\n",
            presentable(client)
        )
    }
}

/// The name that the client gave; `unknown` if the name cannot stand in a field unchanged.
fn presentable(client: &str) -> &str {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if client.len() <= 255 && client.bytes().all(allowed) { client } else { "unknown" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(from: &str, size: usize) -> Mail {
        Mail {
            from: from.into(),
            to: Vec::new(),
            data: vec![b'x'; size - from.len()],
            authenticated: None,
        }
    }

    #[test]
    fn the_oldest_mail_goes_when_there_is_too_much() {
        let spool = Spool::new(100, &Budget::default());
        for from in ["a", "b", "c", "d", "e"] {
            spool.deposit(mail(from, 30));
        }
        let kept: Vec<_> = spool.list().into_iter().map(|mail| mail.from).collect();
        assert_eq!(kept, ["c", "d", "e"]);
        spool.deposit(mail("f", 100));
        assert_eq!(spool.list(), [mail("f", 100)]);
    }

    #[test]
    fn answers_that_nobody_takes_are_bounded_over_all_connections() {
        let spool = Arc::new(Spool::new(100, &Budget::default()));
        let room = || Room::new(Arc::clone(&spool), Transfer::Outgoing);
        let (mut first, mut second) = (room(), room());
        assert!(first.grow(OUTGOING) && !second.grow(1));
        first.clear();
        assert!(second.grow(1) && room().grow(OUTGOING - 2));
        drop(second);
        assert!(first.grow(OUTGOING));
    }

    #[test]
    fn what_servers_hold_together_is_bounded() {
        let budget = Budget::of(100);
        let spool = Arc::new(Spool::new(100, &budget));
        let mut room = Room::new(Arc::clone(&spool), Transfer::Outgoing);
        assert!(room.grow(90) && !room.grow(20));
        // The mail has a quarter of the room at most, and not even that now.
        assert!(!spool.deposit(mail("a", 20)) && !spool.deposit(mail("b", 26)));
        assert!(spool.deposit(mail("c", 5)) && spool.deposit(mail("d", 10)));
        assert_eq!(spool.list(), [mail("d", 10)]);
        assert_eq!(budget.left(), 0);
        room.clear();
        assert!(Spool::new(100, &budget).deposit(mail("e", 25)));
        assert_eq!(budget.left(), 90);
    }

    #[test]
    fn the_received_field_holds_nothing_that_could_end_it() {
        let stamp = Stamp::new(([127, 0, 0, 1], 25).into());
        for (client, shown) in [
            ("client.example", "client.example"),
            ("[IPv6:::1]", "[IPv6:::1]"),
            ("a (b", "unknown"),
            ("a\r\nX: y", "unknown"),
            (&"a".repeat(256), "unknown"),
        ] {
            let field = stamp.received(client, "ESMTP");
            let start = format!(
                "Received: from {shown} ([127.0.0.1])\r\n\tby localhost with ESMTP id {};\r\n\t",
                stamp.id
            );
            assert!(field.starts_with(&start), "{field}");
            assert!(field.ends_with(" +0000\r\n"), "{field}");
        }
    }

    #[test]
    fn no_two_messages_have_the_same_id() {
        let peer = ([127, 0, 0, 1], 25).into();
        assert_ne!(Stamp::new(peer).id, Stamp::new(peer).id);
    }
}
