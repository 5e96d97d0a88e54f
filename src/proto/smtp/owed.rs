//! Which replies are owed: one for each command, and sometimes several for a message.

use std::collections::VecDeque;

/// What a reply will be the answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    Greeting,
    /// What drops a transaction: EHLO and its kin, RSET.
    Anew,
    /// MAIL, and whether it asked for a reply for each recipient.
    Mail {
        prdr: bool,
    },
    Rcpt,
    Data,
    /// A chunk that is not the last one (RFC 3030).
    Chunk,
    /// The end of a message, by its dot or by its last chunk; how many replies are left of it,
    /// where one came already.
    Message {
        left: Option<usize>,
    },
    Quit,
    Auth {
        mechanism: String,
        step: usize,
    },
    Other,
}

/// The replies that the peer owes, in their order.
///
/// In LMTP the end of a message is answered once for each recipient that was accepted (RFC 2033
/// section 4.2). In SMTP it is so where MAIL asked for PRDR and the first reply is 353; one more
/// for the whole message follows then (Exim's extension, after draft-hall-prdr). How many those are
/// is known once all that was sent before has been answered.
#[derive(Clone, Debug)]
pub(super) struct Owing {
    queue: VecDeque<Owed>,
    /// It is LMTP.
    by_recipient: bool,
    /// How many recipients the transaction has.
    accepted: usize,
    prdr: bool,
}

impl Owing {
    /// The greeting is owed.
    pub(super) fn new(by_recipient: bool) -> Self {
        Self { queue: VecDeque::from([Owed::Greeting]), by_recipient, accepted: 0, prdr: false }
    }

    pub(super) fn push(&mut self, owed: Owed) {
        self.queue.push_back(owed);
    }

    /// What the next reply will be the answer to.
    pub(super) fn first(&self) -> Option<&Owed> {
        self.queue.front()
    }

    /// What was sent last of all that is not answered.
    pub(super) fn last(&self) -> Option<&Owed> {
        self.queue.back()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    /// How many commands have not been answered to their end.
    pub(super) fn commands(&self) -> usize {
        self.queue.len()
    }

    /// How many replies are owed; of a message that other commands stand before, one, for want of
    /// better knowledge.
    pub(super) fn replies(&self) -> usize {
        let more = match self.queue.front() {
            Some(Owed::Message { left }) => left.unwrap_or(self.by_message(None)) - 1,
            _ => 0,
        };
        self.queue.len() + more
    }

    /// How many replies a message has in all, before the first of them or with its code. A server
    /// that takes a message for nobody will answer once, if at all.
    fn by_message(&self, first: Option<[u8; 3]>) -> usize {
        match first {
            _ if self.by_recipient => self.accepted.max(1),
            Some([b'3', b'5', b'3']) if self.prdr => self.accepted + 2,
            _ => 1,
        }
    }

    /// A reply came: what it is the answer to.
    pub(super) fn replied(&mut self, code: [u8; 3]) -> Option<Owed> {
        let owed = self.queue.pop_front()?;
        match (&owed, code[0]) {
            (Owed::Anew, b'2') => self.accepted = 0,
            (Owed::Mail { prdr }, b'2') => (self.accepted, self.prdr) = (0, *prdr),
            (Owed::Rcpt, b'2') => self.accepted += 1,
            (Owed::Message { left }, _) => match left.unwrap_or(self.by_message(Some(code))) - 1 {
                0 => self.accepted = 0,
                left => self.queue.push_front(Owed::Message { left: Some(left) }),
            },
            _ => {}
        }
        Some(owed)
    }
}
