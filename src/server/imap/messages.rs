//! Commands about messages (RFC 3501 section 6.4, UIDPLUS, MOVE).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::SystemTime;

use super::answer::Answer;
use super::arguments::Arguments;
use super::sets::{Set, shown};
use super::view::View;
use super::{Done, Imap, MOST_READ, Refusal, bad, fetch, no, search};
use crate::proto::imap::Value;
use crate::server::date;
use crate::server::store::{Flags, Mailbox, Message, Refused};

/// What STORE does with the flags.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set,
    Add,
    Remove,
}

impl Imap {
    pub(super) fn message_command(
        &mut self,
        verb: &str,
        mut arguments: Arguments,
        by_uid: bool,
    ) -> Done {
        let mut view = self.view.take().ok_or_else(|| bad("SELECT a mailbox first"))?;
        let done = match verb {
            "CLOSE" | "UNSELECT" if !by_uid => {
                if verb == "CLOSE" && !view.read_only {
                    self.expunge(&view, None);
                }
                return Ok(format!("{verb} completed"));
            }
            "FETCH" => self.fetch(&mut view, arguments, by_uid),
            "STORE" => self.store(&mut view, arguments, by_uid),
            "SEARCH" => self.search(&view, arguments, by_uid),
            "COPY" | "MOVE" => self.copy(&view, arguments, by_uid, verb == "MOVE"),
            "EXPUNGE" if view.read_only => Err(read_only()),
            "EXPUNGE" if by_uid => arguments
                .word()
                .and_then(|set| arguments.end().and_then(|()| Set::read(&set)))
                .map(|set| {
                    let uids = view.chosen(&set, true).into_iter().map(|(_, uid)| uid).collect();
                    self.expunge(&view, Some(&uids));
                    String::new()
                }),
            "EXPUNGE" => {
                self.expunge(&view, None);
                Ok(String::new())
            }
            _ => Err(bad("Unknown command")),
        };
        self.view = Some(view);
        done.map(|text| if text.is_empty() { format!("{verb} completed") } else { text })
    }

    /// APPEND (section 6.3.11).
    pub(super) fn append(&mut self, mut arguments: Arguments) -> Done {
        let name = arguments.text()?;
        let mut flags = Flags::default();
        if let Some(Value::List(_)) = arguments.peek() {
            flags = flags_of(&arguments.list()?)?;
        }
        let mut data = arguments.string()?;
        let mut time = SystemTime::now();
        if !arguments.is_empty() {
            let text = String::from_utf8_lossy(&data).into_owned();
            time = date::read(&text).ok_or_else(|| bad("A date is wanted"))?;
            data = arguments.string()?;
        }
        arguments.end()?;
        if data.is_empty() {
            return Err(no("An empty message is none"));
        }
        let message = Message::new(data.into(), time).with_flags(flags);
        let appended = self.change(|account| account.append(&name, message));
        let (validity, uid) = appended.map_err(|refused| try_create(refused.into()))?;
        Ok(format!("[APPENDUID {validity} {uid}] APPEND completed"))
    }

    /// FETCH (section 6.4.5).
    fn fetch(&mut self, view: &mut View, mut arguments: Arguments, by_uid: bool) -> Done {
        let set = Set::read(&arguments.word()?)?;
        let items = fetch::Items::read(&arguments.next()?, by_uid)?;
        arguments.end()?;
        let chosen = view.chosen(&set, by_uid);
        let marks = items.see() && !view.read_only;
        let seen = Flags::of(["\\Seen"]);
        let (mut read, mut answer) = (0, Answer::new(&self.site.spool));
        let fetched = self.account(|account| {
            let Some(mailbox) = view.mailbox(account) else { return Ok(()) };
            let mut shown = Vec::new();
            for (number, uid) in chosen {
                let Some(message) = mailbox.get(uid) else { continue };
                read += items.cost(message);
                if read > MOST_READ {
                    return Err(no("[LIMIT] The answer takes too much reading"));
                }
                let is_news = marks && !message.flags().has("\\Seen");
                let now =
                    if is_news { message.flags().with(&seen) } else { message.flags().clone() };
                let flags = view.flags(uid, &now);
                let shown_flags = (&*flags, is_news);
                answer.push(format!("* {number} FETCH "));
                read = items.show(&mut answer, message, shown_flags, read);
                if read > MOST_READ {
                    return Err(no("[LIMIT] The answer takes too much reading"));
                }
                if answer.is_given_up() {
                    return Err(no("[LIMIT] There is no memory for the answer"));
                }
                shown.push((uid, now));
            }
            for (uid, now) in shown {
                if let Some(version) = mailbox.set_flags(uid, now) {
                    view.knows(uid, version);
                }
            }
            Ok(())
        });
        if marks {
            self.change(|_| ());
        }
        fetched?;
        self.untagged = answer;
        Ok(String::new())
    }

    /// STORE (section 6.4.6).
    fn store(&mut self, view: &mut View, mut arguments: Arguments, by_uid: bool) -> Done {
        let set = Set::read(&arguments.word()?)?;
        let what = arguments.word()?;
        let (what, silent) =
            what.strip_suffix(".SILENT").map_or((&*what, false), |what| (what, true));
        let change = match what {
            "FLAGS" => Change::Set,
            "+FLAGS" => Change::Add,
            "-FLAGS" => Change::Remove,
            _ => return Err(bad("FLAGS, +FLAGS or -FLAGS is wanted")),
        };
        let flags = flags_of(&arguments.last_values()?)?;
        if view.read_only {
            return Err(read_only());
        }
        let chosen = view.chosen(&set, by_uid);
        let mut answer = Answer::new(&self.site.spool);
        self.change(|account| {
            let left = account.left();
            let Some(mailbox) = view.mailbox(account) else { return Ok(()) };
            let changed = changed(mailbox, chosen, (change, &flags), left)?;
            for (number, uid, now) in changed.iter().filter(|_| !silent) {
                let shown = view.flags(*uid, now);
                let uid = if by_uid { format!("UID {uid} ") } else { String::new() };
                answer.push(format!("* {number} FETCH ({uid}FLAGS ({shown}))\r\n"));
            }
            if answer.is_given_up() {
                return Err(no(
                    "[LIMIT] There is no memory for the answer; FLAGS.SILENT needs none",
                ));
            }
            for (_, uid, now) in changed {
                if let Some(version) = mailbox.set_flags(uid, now) {
                    view.knows(uid, version);
                }
            }
            Ok::<_, Refusal>(())
        })?;
        self.untagged = answer;
        Ok(String::new())
    }

    /// SEARCH (section 6.4.4).
    fn search(&mut self, view: &View, mut arguments: Arguments, by_uid: bool) -> Done {
        let search = search::Search::read(&mut arguments)?;
        let read = Cell::new(0);
        let found: Vec<_> = self.account(|account| {
            let Some(mailbox) = view.mailbox(account) else { return Vec::new() };
            let last_uid = mailbox.messages().last().map_or(0, |message| message.uid);
            let last = (u32::try_from(view.count()).unwrap_or(u32::MAX), last_uid);
            let found = view.all().filter(|(number, uid)| {
                mailbox.get(*uid).is_some_and(|message| {
                    search.finds((*number, message), view.is_recent(*uid), last, &read)
                })
            });
            found.map(|(number, uid)| if by_uid { uid } else { number }).collect()
        });
        if read.get() > MOST_READ {
            return Err(no("[LIMIT] The search takes too much reading"));
        }
        let mut line = "* SEARCH".to_owned();
        for number in found {
            let _ = write!(line, " {number}");
        }
        self.untagged.push(format!("{line}\r\n"));
        Ok(String::new())
    }

    /// COPY (section 6.4.7) and MOVE (RFC 6851).
    fn copy(&mut self, view: &View, mut arguments: Arguments, by_uid: bool, moves: bool) -> Done {
        let (set, to) = (Set::read(&arguments.word()?)?, arguments.last_text()?);
        if moves && view.read_only {
            return Err(read_only());
        }
        let chosen = view.chosen(&set, by_uid);
        let copied = self.change(|account| {
            if account.mailbox(&to).is_none() {
                return Err(no("[TRYCREATE] No such mailbox"));
            }
            let Some(mailbox) = view.mailbox(account) else {
                return Ok((Vec::new(), Vec::new(), 0));
            };
            let messages = chosen.into_iter().filter_map(|(_, uid)| mailbox.get(uid).cloned());
            let messages: Vec<_> = messages.collect();
            let from: Vec<_> = messages.iter().map(|message| message.uid).collect();
            if moves {
                // Removed first, because moved messages need no more room than they had.
                mailbox.remove(&from.iter().copied().collect());
            }
            let (validity, into) = account.append_all(&to, messages)?;
            Ok((from, into, validity))
        });
        let (from, into, validity) = copied?;
        if from.is_empty() {
            return Ok(String::new());
        }
        let code = format!("[COPYUID {validity} {} {}]", shown(&from), shown(&into));
        if moves {
            // The messages have moved, whether the client is told where to or not.
            self.untagged.offer(format!("* OK {code} Moved\r\n"));
            return Ok(String::new());
        }
        Ok(format!("{code} COPY completed"))
    }

    /// Removes the messages marked as deleted; of these UIDs only, if some are given.
    fn expunge(&mut self, view: &View, only: Option<&BTreeSet<u32>>) {
        self.change(|account| {
            let Some(mailbox) = view.mailbox(account) else { return };
            let is_removed = |message: &&Message| {
                message.flags().has("\\Deleted")
                    && only.is_none_or(|only| only.contains(&message.uid))
            };
            let removed = mailbox.messages().iter().filter(is_removed);
            let removed = removed.map(|message| message.uid).collect();
            mailbox.remove(&removed);
        });
    }
}

/// The flags that STORE gives the messages of these numbers and UIDs. Refused if the keywords take
/// more bytes than the account has left: of all messages or of none.
fn changed(
    mailbox: &Mailbox,
    chosen: Vec<(u32, u32)>,
    (change, flags): (Change, &Flags),
    left: usize,
) -> Result<Vec<(u32, u32, Flags)>, Refused> {
    let (mut changed, mut taken, mut freed) = (Vec::new(), 0, 0);
    // Messages that have the same flags share the new ones.
    let mut last: Option<(&Flags, Flags)> = None;
    for (number, uid) in chosen {
        let Some(before) = mailbox.get(uid).map(Message::flags) else { continue };
        let now = match (change, &last) {
            (Change::Set, _) => flags.clone(),
            (_, Some((same, now))) if *same == before => now.clone(),
            (Change::Add, _) => before.with(flags),
            (Change::Remove, _) => before.without(flags),
        };
        (taken, freed) = (taken + now.size(), freed + before.size());
        if taken > freed + left {
            return Err(Refused::Full);
        }
        last = Some((before, now.clone()));
        changed.push((number, uid, now));
    }
    Ok(changed)
}

/// The flags that a client names (`flag` in RFC 3501 section 9).
fn flags_of(values: &[Value]) -> Result<Flags, Refusal> {
    let words = values.iter().map(|value| match value {
        Value::Atom(_) => value.text().filter(|word| Flags::can_set(word)),
        _ => None,
    });
    let words = words.collect::<Option<Vec<_>>>();
    let words = words.ok_or_else(|| bad("Flags that a client can set are wanted"))?;
    Ok(Flags::of(words.iter().map(String::as_str)))
}

fn read_only() -> Refusal {
    no("[READ-ONLY] The mailbox was opened by EXAMINE")
}

/// If a mailbox does not exist, tells the client that it may create it (section 6.3.11).
fn try_create(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::No(text) if text.starts_with("[NONEXISTENT]") => no("[TRYCREATE] No such mailbox"),
        other => other,
    }
}
