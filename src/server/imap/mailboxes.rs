//! Commands about mailboxes (RFC 3501 section 6.3).

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::Arguments;
use super::view::View;
use super::{Done, Imap, Refusal, bad, no};
use crate::proto::imap::Value;
use crate::proto::imap::wildcard::{LONGEST, Wildcards};
use crate::quoted;
use crate::server::store::{Account, DELIMITER, canonical};

/// The system flags that can be stored; keywords are allowed too.
const FLAGS: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

impl Imap {
    pub(super) fn mailbox_command(&mut self, verb: &str, mut arguments: Arguments) -> Done {
        match verb {
            "SELECT" | "EXAMINE" => {
                let name = canonical(&arguments.last_text()?);
                return self.select(name, verb == "EXAMINE");
            }
            "LIST" | "LSUB" => self.list(verb, arguments)?,
            "STATUS" => {
                let (name, items) = (arguments.text()?, arguments.list()?);
                arguments.end()?;
                self.status(&name, &items)?;
            }
            "NAMESPACE" => {
                self.untagged.push(b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
            }
            "CREATE" => {
                let name = arguments.last_text()?;
                self.change(|account| account.create(&name))?;
            }
            "DELETE" => {
                let name = arguments.last_text()?;
                self.change(|account| account.delete(&name))?;
            }
            "RENAME" => {
                let (from, to) = (arguments.text()?, arguments.last_text()?);
                self.change(|account| account.rename(&from, &to))?;
            }
            "SUBSCRIBE" => {
                let name = arguments.last_text()?;
                self.account(|account| account.subscribe(&name))?;
            }
            "UNSUBSCRIBE" => {
                let name = canonical(&arguments.last_text()?);
                self.account(|account| account.subscribed.remove(&name));
            }
            _ => return Err(bad("Unknown command")),
        }
        Ok(format!("{verb} completed"))
    }

    /// SELECT and EXAMINE (sections 6.3.1 and 6.3.2).
    fn select(&mut self, name: String, read_only: bool) -> Done {
        self.view = None;
        let selected = self.account(|account| {
            let mailbox = account.mailbox(&name)?;
            let (validity, next) = (mailbox.uid_validity, mailbox.uid_next);
            let mut view = View::new(name, validity, read_only, self.site.spool.budget());
            view.learn(account.mailbox(&view.name)?);
            let mailbox = view.mailbox(account)?;
            let unseen = view.all().find(|(_, uid)| {
                mailbox.get(*uid).is_some_and(|message| !message.flags().has("\\Seen"))
            });
            let is_whole = view.count() == mailbox.messages().len();
            Some((view, (validity, next), unseen, is_whole))
        });
        let (view, (validity, next), unseen, is_whole) =
            selected.ok_or_else(|| no("[NONEXISTENT] No such mailbox"))?;
        if !is_whole {
            return Err(no("[LIMIT] There is no memory for so many messages"));
        }
        let (exists, recent) = (view.count(), view.recent());
        let unseen = unseen
            .map(|(number, _)| format!("* OK [UNSEEN {number}] The first that is unseen\r\n"));
        let (permanent, access) = if read_only {
            (String::new(), "READ-ONLY")
        } else {
            (format!("{FLAGS} \\*"), "READ-WRITE")
        };
        let text = format!(
            "* FLAGS ({FLAGS})\r\n\
             * OK [PERMANENTFLAGS ({permanent})] What can be changed\r\n\
             * {exists} EXISTS\r\n* {recent} RECENT\r\n{}\
             * OK [UIDVALIDITY {validity}] UIDs are valid\r\n\
             * OK [UIDNEXT {next}] The next UID\r\n",
            unseen.unwrap_or_default()
        );
        self.untagged.push(text.as_bytes());
        self.view = Some(view);
        Ok(format!("[{access}] Selected"))
    }

    /// LIST and LSUB (sections 6.3.8 and 6.3.9).
    fn list(&mut self, verb: &str, mut arguments: Arguments) -> Result<(), Refusal> {
        let (reference, pattern) = (arguments.text()?, arguments.last_text()?);
        let pattern = format!("{reference}{pattern}");
        let wildcards = Wildcards::of(pattern.as_bytes())
            .ok_or_else(|| no(format!("[LIMIT] A pattern has at most {LONGEST} octets")))?;
        let lines = self.account(|account| match pattern.as_str() {
            "" => format!("* {verb} (\\Noselect) \"{DELIMITER}\" \"\"\r\n"),
            pattern => listed(account, verb, pattern, &wildcards),
        });
        self.untagged.push(lines.as_bytes());
        Ok(())
    }

    /// STATUS (section 6.3.10).
    fn status(&mut self, name: &str, items: &[Value]) -> Result<(), Refusal> {
        if items.is_empty() || !items.iter().all(|item| matches!(item, Value::Atom(_))) {
            return Err(bad("Items of STATUS are wanted"));
        }
        let shown = self.account(|account| {
            let mailbox =
                account.mailbox(name).ok_or_else(|| no("[NONEXISTENT] No such mailbox"))?;
            let messages = mailbox.messages();
            let count = |is: &dyn Fn(&&crate::server::store::Message) -> bool| {
                messages.iter().filter(is).count().to_string()
            };
            let shown = items.iter().map(|item| {
                let item = item.text().unwrap_or_default().to_ascii_uppercase();
                let value = match &*item {
                    "MESSAGES" => messages.len().to_string(),
                    "RECENT" => count(&|message| message.recent),
                    "UIDNEXT" => mailbox.uid_next.to_string(),
                    "UIDVALIDITY" => mailbox.uid_validity.to_string(),
                    "UNSEEN" => count(&|message| !message.flags().has("\\Seen")),
                    "DELETED" => count(&|message| message.flags().has("\\Deleted")),
                    "SIZE" => {
                        messages.iter().map(|message| message.data.len()).sum::<usize>().to_string()
                    }
                    _ => return Err(bad(format!("STATUS has no {}", printable(&item)))),
                };
                Ok(format!("{item} {value}"))
            });
            shown.collect::<Result<Vec<_>, _>>()
        })?;
        let line = format!("* STATUS {} ({})\r\n", string(name), shown.join(" "));
        self.untagged.push(line.as_bytes());
        Ok(())
    }
}

fn listed(account: &Account, verb: &str, pattern: &str, wildcards: &Wildcards) -> String {
    let names: BTreeSet<&str> = if verb == "LSUB" {
        account.subscribed.iter().map(String::as_str).collect()
    } else {
        account.names().collect()
    };
    // Levels above a mailbox that are no mailboxes themselves are shown where a `%` ends at them.
    let levels = names.iter().flat_map(|name| {
        name.match_indices(DELIMITER).map(|(end, _)| &name[..end]).filter(|level| !level.is_empty())
    });
    let levels = levels.filter(|level| pattern.ends_with('%') && !names.contains(level));
    let shown: BTreeMap<&str, bool> =
        levels.map(|level| (level, false)).chain(names.iter().map(|name| (*name, true))).collect();
    let delimiter = u8::try_from(DELIMITER).ok();
    let matching = shown.into_iter().filter(|(name, _)| {
        wildcards.match_name(name.as_bytes(), delimiter)
            || (pattern.eq_ignore_ascii_case("INBOX") && *name == "INBOX")
    });
    let lines = matching.map(|(name, is_mailbox)| {
        let below = format!("{name}{DELIMITER}");
        let attributes = match is_mailbox {
            false => "\\Noselect \\HasChildren",
            true if account.names().any(|other| other.starts_with(&below)) => "\\HasChildren",
            true => "\\HasNoChildren",
        };
        format!("* {verb} ({attributes}) \"{DELIMITER}\" {}\r\n", string(name))
    });
    lines.collect()
}

/// A string as it is sent: quoted, or as a literal if quotes do not allow its bytes.
pub(super) fn string(text: &str) -> String {
    if text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) || !text.is_ascii() {
        return format!("{{{}}}\r\n{text}", text.len());
    }
    String::from_utf8_lossy(&quoted::write(text.as_bytes())).into_owned()
}

/// A word of the client, if it can be shown in a line.
fn printable(word: &str) -> &str {
    if word.bytes().all(|byte| byte.is_ascii_graphic()) { word } else { "such item" }
}
