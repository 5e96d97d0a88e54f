//! The replies that are owed: one for each command, and sometimes several for a message.

use std::collections::VecDeque;

/// What a reply will answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    Greeting,
    /// A command that drops the transaction: EHLO, HELO, LHLO, RSET.
    Anew,
    /// MAIL, with whether it asked for a reply for each recipient.
    Mail {
        prdr: bool,
    },
    Rcpt,
    Data,
    /// A chunk of a message that is not the last one (RFC 3030).
    Chunk,
    /// The end of a message, by its dot or by its last chunk. `left` is the number of its replies
    /// that are still to come, once the first reply has come.
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

/// The replies that the peer owes, in order.
///
/// In LMTP, the end of a message is answered once for each accepted recipient (RFC 2033 section
/// 4.2). In SMTP, the same happens if MAIL asked for PRDR and the first reply is 353; then one more
/// reply for the whole message follows (Exim's extension, after draft-hall-prdr). The number of
/// these replies is known once everything that was sent before has been answered.
#[derive(Clone, Debug)]
pub(super) struct Owing {
    queue: VecDeque<Owed>,
    /// Whether the protocol is LMTP.
    by_recipient: bool,
    /// The number of accepted recipients of the transaction.
    accepted: usize,
    prdr: bool,
}

impl Owing {
    /// The state at the beginning: the greeting is owed.
    pub(super) fn new(by_recipient: bool) -> Self {
        Self { queue: VecDeque::from([Owed::Greeting]), by_recipient, accepted: 0, prdr: false }
    }

    pub(super) fn push(&mut self, owed: Owed) {
        self.queue.push_back(owed);
    }

    /// What the next reply will answer.
    pub(super) fn first(&self) -> Option<&Owed> {
        self.queue.front()
    }

    /// The last of the commands and messages that are not answered.
    pub(super) fn last(&self) -> Option<&Owed> {
        self.queue.back()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    /// The number of commands that are not completely answered.
    pub(super) fn commands(&self) -> usize {
        self.queue.len()
    }

    /// The number of owed replies. A message that is not yet first in the queue counts as one
    /// reply, because the number of its replies is not known.
    pub(super) fn replies(&self) -> usize {
        let more = match self.queue.front() {
            Some(Owed::Message { left }) => left.unwrap_or(self.by_message(None)) - 1,
            _ => 0,
        };
        self.queue.len() + more
    }

    /// The number of replies to a message, before the first of them has come, or given the code of
    /// the first. A message without any accepted recipient is answered once, if at all.
    fn by_message(&self, first: Option<[u8; 3]>) -> usize {
        match first {
            _ if self.by_recipient => self.accepted.max(1),
            Some([b'3', b'5', b'3']) if self.prdr => self.accepted + 2,
            _ => 1,
        }
    }

    /// Records a reply, and returns what it answers.
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
