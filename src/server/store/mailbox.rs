//! One mailbox: messages with their UIDs and flags.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::Octets;

/// The system flags (RFC 3501 section 2.3.2), in the spelling in which they are shown.
const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
/// The most flags of one message, beyond which some are dropped, and the most bytes of a keyword,
/// beyond which the keyword is ignored.
const MOST_KEYWORDS: usize = 50;
const LONGEST_KEYWORD: usize = 100;

/// The flags of a message. System flags are stored in one spelling, whatever case they were set in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct Flags(BTreeSet<String>);

impl Flags {
    /// The flags that these words name, without `\Recent`, which no client may set.
    pub(in crate::server) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |word: &str| {
            let system = SYSTEM.iter().find(|system| system.eq_ignore_ascii_case(word));
            match system {
                Some(system) => Some((*system).to_owned()),
                None if word.starts_with('\\') || word.len() > LONGEST_KEYWORD => None,
                None => Some(word.to_owned()),
            }
        };
        let mut flags = Self::default();
        words.into_iter().filter_map(known).for_each(|flag| flags.insert(flag));
        flags
    }

    /// Whether a client can set a flag of this name: a system flag except `\Recent`, or a keyword.
    pub(in crate::server) fn can_set(word: &str) -> bool {
        let is_atom = |word: &str| {
            word.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte))
        };
        SYSTEM.iter().any(|system| system.eq_ignore_ascii_case(word)) || is_atom(word)
    }

    pub(in crate::server) fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(flag))
    }

    pub(in crate::server) fn add(&mut self, flags: &Self) {
        flags.0.iter().cloned().for_each(|flag| self.insert(flag));
    }

    /// Adds a flag. A keyword beyond the limit is left out; a system flag always has room.
    fn insert(&mut self, flag: String) {
        let is_keyword = |flag: &String| !flag.starts_with('\\');
        let keywords = self.0.iter().filter(|flag| is_keyword(flag)).count();
        if !is_keyword(&flag) || keywords < MOST_KEYWORDS {
            self.0.insert(flag);
        }
    }

    pub(in crate::server) fn remove(&mut self, flags: &Self) {
        self.0.retain(|flag| !flags.has(flag));
    }

    /// The flags as a list without its parentheses.
    pub(in crate::server) fn shown(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// A message in a mailbox.
#[derive(Clone, Debug)]
pub(in crate::server) struct Message {
    pub(in crate::server) uid: u32,
    pub(in crate::server) flags: Flags,
    pub(in crate::server) data: Octets,
    /// When the message arrived.
    pub(in crate::server) date: SystemTime,
    /// Whether no session has been told of the message yet.
    pub(in crate::server) recent: bool,
}

impl Message {
    /// A message that is not in a mailbox yet, and therefore has no UID.
    pub(in crate::server) fn new(data: Octets, came: SystemTime) -> Self {
        Self { uid: 0, flags: Flags::default(), data, date: came, recent: true }
    }
}

/// A mailbox.
#[derive(Debug)]
pub(in crate::server) struct Mailbox {
    pub(in crate::server) uid_validity: u32,
    pub(in crate::server) uid_next: u32,
    messages: Vec<Message>,
    /// The bytes of all messages together.
    size: usize,
}

impl Mailbox {
    pub(super) fn new(uid_validity: u32) -> Self {
        Self { uid_validity, uid_next: 1, messages: Vec::new(), size: 0 }
    }

    /// All messages, in the order of their UIDs.
    pub(in crate::server) fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub(in crate::server) fn get(&self, uid: u32) -> Option<&Message> {
        self.place(uid).map(|place| &self.messages[place])
    }

    pub(in crate::server) fn get_mut(&mut self, uid: u32) -> Option<&mut Message> {
        self.place(uid).map(|place| &mut self.messages[place])
    }

    /// Adds a message, and returns its UID.
    pub(super) fn push(&mut self, message: Message) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        self.size += message.data.len();
        self.messages.push(Message { uid, recent: true, ..message });
        uid
    }

    /// Removes these messages.
    pub(in crate::server) fn remove(&mut self, uids: &BTreeSet<u32>) {
        self.messages.retain(|message| !uids.contains(&message.uid));
        self.size = self.messages.iter().map(|message| message.data.len()).sum();
    }

    pub(super) fn remove_oldest(&mut self) -> bool {
        if self.messages.is_empty() {
            return false;
        }
        self.size -= self.messages.remove(0).data.len();
        true
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    fn place(&self, uid: u32) -> Option<usize> {
        self.messages.binary_search_by_key(&uid, |message| message.uid).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_flag_has_room_beside_any_number_of_keywords() {
        let keywords: Vec<_> = (0..60).map(|number| format!("a{number}")).collect();
        let mut flags = Flags::of(keywords.iter().map(String::as_str).chain(["\\Seen"]));
        flags.add(&Flags::of(["\\deleted", "one more"]));
        assert!(flags.has("\\Seen") && flags.has("\\Deleted") && !flags.has("one more"));
        assert_eq!(flags.shown().split(' ').count(), MOST_KEYWORDS + 2);
    }
}
