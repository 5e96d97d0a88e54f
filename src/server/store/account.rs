//! The account of one user: mailboxes, subscriptions, Sieve scripts.

use std::collections::{BTreeMap, BTreeSet};

use super::mailbox::{self, Mailbox, Message};
use crate::server::budget::{Budget, Held};

/// Separates the levels of mailbox names.
pub(in crate::server) const DELIMITER: char = '/';
/// The most mailboxes, the most subscriptions and the most scripts of one user.
const MOST: usize = 1000;
/// The most bytes of a mailbox name.
const LONGEST_NAME: usize = 500;
/// The most messages of one user, because each costs more memory than its bytes.
const MOST_MESSAGES: usize = 100_000;
/// The most bytes of all scripts of one user.
const MOST_SCRIPTS: usize = 1 << 20;

/// The account of one user. INBOX is always among the mailboxes.
#[derive(Debug)]
pub(in crate::server) struct Account {
    mailboxes: BTreeMap<String, Mailbox>,
    pub(in crate::server) subscribed: BTreeSet<String>,
    pub(in crate::server) scripts: BTreeMap<String, StoredScript>,
    limit: usize,
    budget: Budget,
    next_validity: u32,
}

/// A Sieve script.
#[derive(Debug)]
pub(in crate::server) struct StoredScript {
    pub(in crate::server) text: Vec<u8>,
    pub(in crate::server) active: bool,
    _held: Held,
}

/// Why a change was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Refused {
    /// There is no such mailbox or script.
    Missing,
    /// The mailbox exists already.
    Exists,
    /// The name is not allowed, or INBOX is not allowed here.
    Name,
    /// A limit of the account would be exceeded.
    Full,
    /// The script is active and cannot be removed.
    Active,
}

impl Account {
    pub(super) fn new(limit: usize, validity: u32, budget: &Budget) -> Self {
        let inbox = Mailbox::new(validity, budget);
        let mailboxes = BTreeMap::from([("INBOX".to_owned(), inbox)]);
        Self {
            mailboxes,
            subscribed: BTreeSet::new(),
            scripts: BTreeMap::new(),
            limit,
            budget: budget.clone(),
            next_validity: validity.wrapping_add(1).max(1),
        }
    }

    pub(in crate::server) fn names(&self) -> impl Iterator<Item = &str> {
        self.mailboxes.keys().map(String::as_str)
    }

    /// The mailbox of this name; INBOX is found in upper and lower case.
    pub(in crate::server) fn mailbox(&mut self, name: &str) -> Option<&mut Mailbox> {
        self.mailboxes.get_mut(&canonical(name))
    }

    /// Creates a mailbox, and the missing mailboxes above it.
    pub(in crate::server) fn create(&mut self, name: &str) -> Result<(), Refused> {
        let name = canonical(name.trim_end_matches(DELIMITER));
        let parts_empty = name.split(DELIMITER).any(str::is_empty);
        if parts_empty || name.len() > LONGEST_NAME || name.contains(['*', '%', '\r', '\n', '\0']) {
            return Err(Refused::Name);
        }
        if self.mailboxes.contains_key(&name) {
            return Err(Refused::Exists);
        }
        let above = name.match_indices(DELIMITER).map(|(end, _)| name[..end].to_owned());
        let missing = above.chain([name.clone()]);
        let missing: Vec<_> = missing.filter(|name| !self.mailboxes.contains_key(name)).collect();
        let is_too_much = missing.len() * mailbox::EMPTY > self.budget.left();
        if is_too_much || self.mailboxes.len() + missing.len() > MOST {
            return Err(Refused::Full);
        }
        for name in missing {
            self.mailboxes.insert(name, Mailbox::new(self.next_validity, &self.budget));
            self.next_validity = self.next_validity.wrapping_add(1).max(1);
        }
        Ok(())
    }

    pub(in crate::server) fn delete(&mut self, name: &str) -> Result<(), Refused> {
        let name = canonical(name);
        if name == "INBOX" {
            return Err(Refused::Name);
        }
        self.mailboxes.remove(&name).map(drop).ok_or(Refused::Missing)
    }

    /// Renames a mailbox and all mailboxes below it. INBOX instead moves its messages to the new
    /// mailbox, and stays (RFC 3501 section 6.3.5).
    pub(in crate::server) fn rename(&mut self, from: &str, to: &str) -> Result<(), Refused> {
        let from = canonical(from);
        if !self.mailboxes.contains_key(&from) {
            return Err(Refused::Missing);
        }
        let to = canonical(to.trim_end_matches(DELIMITER));
        if to.starts_with(&format!("{from}{DELIMITER}")) {
            return Err(Refused::Name);
        }
        let below = format!("{from}{DELIMITER}");
        let inside =
            self.mailboxes.keys().filter(|name| from != "INBOX" && name.starts_with(&below));
        let longest = inside.map(|name| to.len() + name.len() - from.len()).max();
        if longest.is_some_and(|longest| longest > LONGEST_NAME) {
            return Err(Refused::Name);
        }
        let mut inside = self.mailboxes.keys().filter(|name| name.starts_with(&below));
        let is_there = |name: &String| {
            self.mailboxes.contains_key(&format!("{to}{DELIMITER}{}", &name[below.len()..]))
        };
        if from != "INBOX" && inside.any(is_there) {
            return Err(Refused::Exists);
        }
        self.create(&to)?;
        let mut moved = vec![(from.clone(), to.clone())];
        if from == "INBOX" {
            let empty = self.mailboxes.get(&to).map_or(self.next_validity, |new| new.uid_validity);
            let inbox = self.mailboxes.insert(from, Mailbox::new(self.next_validity, &self.budget));
            self.next_validity = self.next_validity.wrapping_add(1).max(1);
            if let Some(mut inbox) = inbox {
                inbox.uid_validity = empty;
                self.mailboxes.insert(to, inbox);
            }
            return Ok(());
        }
        let inside = self.mailboxes.keys().filter(|name| name.starts_with(&below));
        moved.extend(inside.map(|name| (name.clone(), format!("{to}/{}", &name[below.len()..]))));
        for (from, to) in moved {
            if let Some(mailbox) = self.mailboxes.remove(&from) {
                self.mailboxes.insert(to, mailbox);
            }
        }
        Ok(())
    }

    pub(in crate::server) fn subscribe(&mut self, name: &str) -> Result<(), Refused> {
        if self.subscribed.len() >= MOST || name.len() > LONGEST_NAME {
            return Err(Refused::Full);
        }
        self.subscribed.insert(canonical(name));
        Ok(())
    }

    /// Adds a message to a mailbox, and returns the mailbox's UIDVALIDITY and the message's UID.
    pub(in crate::server) fn append(
        &mut self,
        name: &str,
        message: Message,
    ) -> Result<(u32, u32), Refused> {
        let has_room = self.has_room_of(1, message.size());
        let mailbox = self.mailbox(name).ok_or(Refused::Missing)?;
        if !has_room {
            return Err(Refused::Full);
        }
        Ok((mailbox.uid_validity, mailbox.push(message)))
    }

    /// Adds copies of messages to a mailbox, all of them or none (RFC 3501 section 6.4.7). Returns
    /// the mailbox's UIDVALIDITY and the UIDs of the copies, in order.
    pub(in crate::server) fn append_all(
        &mut self,
        name: &str,
        messages: Vec<Message>,
    ) -> Result<(u32, Vec<u32>), Refused> {
        let octets = messages.iter().map(Message::size).sum();
        let has_room = self.has_room_of(messages.len(), octets);
        let mailbox = self.mailbox(name).ok_or(Refused::Missing)?;
        if !has_room {
            return Err(Refused::Full);
        }
        let uids = messages.into_iter().map(|message| mailbox.push(message)).collect();
        Ok((mailbox.uid_validity, uids))
    }

    pub(super) fn deliver(&mut self, message: Message) {
        while !self.has_room_of(1, message.size())
            && self.mailbox("INBOX").is_some_and(Mailbox::remove_oldest)
        {}
        // If other mailboxes use up the room, the message is in the list of accepted mail only.
        let _ = self.append("INBOX", message);
    }

    pub(in crate::server) fn put_script(&mut self, name: &str, text: &[u8]) -> Result<(), Refused> {
        if !self.has_room_for(name, text.len()) {
            return Err(Refused::Full);
        }
        let active = self.scripts.get(name).is_some_and(|script| script.active);
        let held = Held::new(&self.budget, text.len() + mailbox::EMPTY);
        let script = StoredScript { text: text.to_owned(), active, _held: held };
        self.scripts.insert(name.to_owned(), script);
        Ok(())
    }

    /// Whether there is room for a script of this size under this name.
    pub(in crate::server) fn has_room_for(&self, name: &str, size: usize) -> bool {
        let others = self.scripts.iter().filter(|(known, _)| *known != name);
        let taken: usize = others.map(|(_, script)| script.text.len()).sum();
        let is_new = !self.scripts.contains_key(name);
        let is_within = size + mailbox::EMPTY <= self.budget.left();
        is_within && taken + size <= MOST_SCRIPTS && (!is_new || self.scripts.len() < MOST)
    }

    /// How many more bytes messages and their keywords may have.
    pub(in crate::server) fn left(&self) -> usize {
        let size = self.mailboxes.values().map(Mailbox::size).sum();
        self.limit.saturating_sub(size).min(self.budget.left())
    }

    /// Whether there is room for this many more messages of this size together.
    fn has_room_of(&self, messages: usize, octets: usize) -> bool {
        let count: usize = self.mailboxes.values().map(|mailbox| mailbox.messages().len()).sum();
        let held = octets + messages * mailbox::MESSAGE;
        count + messages <= MOST_MESSAGES && octets <= self.left() && held <= self.budget.left()
    }
}

/// The name in the spelling in which it is stored: INBOX in capitals, all others unchanged.
pub(in crate::server) fn canonical(name: &str) -> String {
    let (first, rest) = name.split_at(name.find(DELIMITER).unwrap_or(name.len()));
    if first.eq_ignore_ascii_case("INBOX") { format!("INBOX{rest}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn message(size: usize) -> Message {
        Message::new(vec![b'x'; size].into(), SystemTime::now())
    }

    fn account() -> Account {
        Account::new(100, 7, &Budget::default())
    }

    #[test]
    fn mailboxes_are_created_with_those_above_them_and_renamed_with_those_below() {
        let mut account = account();
        account.create("a/b/c").unwrap();
        assert_eq!(account.create("A/../"), Ok(()));
        assert_eq!(account.create("a/b"), Err(Refused::Exists));
        assert_eq!(account.create("a//b"), Err(Refused::Name));
        assert_eq!(account.create("inbox"), Err(Refused::Exists));
        account.rename("a", "z").unwrap();
        assert_eq!(
            account.names().collect::<Vec<_>>(),
            ["A", "A/..", "INBOX", "z", "z/b", "z/b/c"]
        );
        assert_eq!(account.rename("z", "z/x"), Err(Refused::Name));
        // One of those below would take the place of another.
        account.create("y/b").unwrap();
        account.delete("y").unwrap();
        assert_eq!(account.rename("z", "y"), Err(Refused::Exists));
        // The names of those below would be too long.
        assert_eq!(account.rename("z", &"n".repeat(LONGEST_NAME - 2)), Err(Refused::Name));
        assert_eq!(account.delete("inbox"), Err(Refused::Name));
        assert_eq!(account.delete("q"), Err(Refused::Missing));
    }

    #[test]
    fn a_renamed_inbox_gives_its_messages_and_stays() {
        let mut account = account();
        account.append("inbox", message(1)).unwrap();
        account.rename("INBOX", "old").unwrap();
        assert_eq!(account.mailbox("old").unwrap().messages().len(), 1);
        assert_eq!(account.mailbox("INBOX").unwrap().messages().len(), 0);
    }

    #[test]
    fn mail_beyond_the_limit_replaces_the_oldest() {
        let mut account = account();
        for _ in 0..3 {
            account.deliver(message(40));
        }
        let uids = account.mailbox("INBOX").unwrap().messages().iter().map(|message| message.uid);
        assert_eq!(uids.collect::<Vec<_>>(), [2, 3]);
        assert_eq!(account.append("INBOX", message(40)), Err(Refused::Full));
    }

    #[test]
    fn accounts_hold_no_more_than_their_servers_may() {
        let budget = Budget::of(10_000);
        let mut account = Account::new(10_000, 7, &budget);
        account.append("INBOX", message(3000)).unwrap();
        account.create("a").unwrap();
        account.put_script("s", &[b'x'; 2000]).unwrap();
        assert_eq!(account.put_script("t", &[b'x'; 2000]), Err(Refused::Full));
        assert_eq!(account.append("INBOX", message(2000)), Err(Refused::Full));
        account.delete("a").unwrap();
        account.scripts.remove("s");
        account.deliver(message(8000));
        assert_eq!(account.mailbox("INBOX").unwrap().get(2).unwrap().data.len(), 8000);
        assert_eq!(account.create("b"), Err(Refused::Full));
        drop(account);
        assert_eq!(budget.left(), 10_000);
    }

    #[test]
    fn copies_are_added_all_or_none() {
        let mut account = account();
        account.append("INBOX", message(40)).unwrap();
        assert_eq!(account.append_all("INBOX", vec![message(40); 2]), Err(Refused::Full));
        assert_eq!(account.mailbox("INBOX").unwrap().messages().len(), 1);
        assert_eq!(account.append_all("INBOX", vec![message(30); 2]).unwrap().1, [2, 3]);
        assert_eq!(account.append_all("missing", vec![]), Err(Refused::Missing));
    }

    #[test]
    fn a_mailbox_beyond_the_limit_leaves_none_above_it() {
        let mut account = account();
        for number in 1..MOST - 1 {
            account.create(&number.to_string()).unwrap();
        }
        assert_eq!(account.create("a/b"), Err(Refused::Full));
        assert_eq!(account.create("a"), Ok(()));
    }

    #[test]
    fn messages_without_octets_are_counted_too_and_those_that_go_make_room() {
        let mut account = account();
        for _ in 0..MOST_MESSAGES {
            account.append("INBOX", message(0)).unwrap();
        }
        assert_eq!(account.append("INBOX", message(0)), Err(Refused::Full));
        account.deliver(message(0));
        let inbox = account.mailbox("INBOX").unwrap();
        assert_eq!(inbox.messages().len(), MOST_MESSAGES);
        inbox.remove(&BTreeSet::from([2, 3]));
        account.append("INBOX", message(99)).unwrap();
        assert_eq!(account.append("INBOX", message(2)), Err(Refused::Full));
        account.mailbox("INBOX").unwrap().remove(&(100_000..100_003).collect());
        account.append("INBOX", message(2)).unwrap();
    }
}
