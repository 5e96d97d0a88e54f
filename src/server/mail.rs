//! Accepted mail, in memory.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::date;

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The reverse-path without its brackets; empty for the null path.
    pub from: String,
    /// The recipients without brackets, in the order in which they were accepted.
    pub to: Vec<String>,
    /// A Received field (RFC 5321 section 4.4), then the content as it was sent, dot-stuffing
    /// undone.
    pub data: Vec<u8>,
    /// The user, where the client had authenticated.
    pub authenticated: Option<String>,
}

impl Mail {
    fn size(&self) -> usize {
        self.from.len() + self.to.iter().map(String::len).sum::<usize>() + self.data.len()
    }
}

/// How much of messages that are still coming in is held, of all connections together. What a client
/// sends beyond that is read and not kept, and it is told to come again.
const INCOMING: usize = 128 << 20;

/// The mail that was accepted, up to a limit; the oldest goes first.
#[derive(Debug)]
pub(super) struct Spool {
    held: Mutex<Held>,
    limit: usize,
    incoming: AtomicUsize,
}

/// Room for a message that is coming in, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    spool: Arc<Spool>,
    bytes: usize,
}

impl Room {
    pub(super) fn new(spool: Arc<Spool>) -> Self {
        Self { spool, bytes: 0 }
    }

    /// Takes so much more; whether there is so much.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.spool.incoming.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        before + bytes <= INCOMING
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.spool.incoming.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Held {
    mails: VecDeque<Mail>,
    size: usize,
}

impl Spool {
    pub(super) fn new(limit: usize) -> Self {
        Self { held: Mutex::default(), limit, incoming: AtomicUsize::new(0) }
    }

    pub(super) fn deposit(&self, mail: Mail) {
        let mut held = self.held();
        held.size += mail.size();
        held.mails.push_back(mail);
        while held.size > self.limit
            && let Some(oldest) = held.mails.pop_front()
        {
            held.size -= oldest.size();
        }
    }

    /// The first that fits.
    pub(super) fn find(&self, fits: impl Fn(&Mail) -> bool) -> Option<Mail> {
        self.held().mails.iter().find(|mail| fits(mail)).cloned()
    }

    pub(super) fn list(&self) -> Vec<Mail> {
        self.held().mails.iter().cloned().collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A panic elsewhere leaves at worst a size that is off by one message.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What marks one message: its id, when it came and from where.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) id: String,
    peer: SocketAddr,
    time: SystemTime,
}

impl Stamp {
    /// A stamp for now, with an id that no other message of this process has.
    pub(super) fn new(peer: SocketAddr) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = format!("{:014}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { id, peer, time: SystemTime::now() }
    }

    /// The Received field: who the client said it was, its address, and how it came (RFC 3848).
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

/// What the client called itself, if that can stand in a field as it is.
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
        let spool = Spool::new(100);
        for from in ["a", "b", "c", "d", "e"] {
            spool.deposit(mail(from, 30));
        }
        let kept: Vec<_> = spool.list().into_iter().map(|mail| mail.from).collect();
        assert_eq!(kept, ["c", "d", "e"]);
        spool.deposit(mail("f", 100));
        assert_eq!(spool.list(), [mail("f", 100)]);
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
