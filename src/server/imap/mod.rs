//! `IMAP4rev1` (RFC 3501) with IDLE (RFC 2177), UIDPLUS (RFC 4315), MOVE (RFC 6851), LITERAL+ (RFC
//! 7888), NAMESPACE (RFC 2342), UNSELECT (RFC 3691), SASL-IR (RFC 4959) and ID (RFC 2971).

mod answer;
mod arguments;
mod command;
mod decoded;
mod envelope;
mod fetch;
mod login;
mod mailboxes;
mod messages;
mod refusal;
mod search;
mod section;
mod sets;
mod structure;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

use answer::Answer;
use arguments::Arguments;
use command::Command;
use refusal::{Done, Refusal, bad, no};
use view::View;

use super::auth::{Exchange, MECHANISMS};
use super::dialogue::{Dialogue, LARGEST, LARGEST_OF_STRANGERS, Next, Said};
use super::site::Site;
use super::store::Account;
use crate::proto::imap::{Value, announced};

/// How many errors get their own reply; the next error ends the connection.
const MOST_ERRORS: usize = 20;
/// The most bytes that one FETCH or SEARCH looks at, beyond which it is refused: a few for each item
/// or key and message, and those of the message for what is searched or read in it. The server has
/// one thread, so that other clients wait meanwhile.
const MOST_READ: usize = if cfg!(test) { 8 << 20 } else { 256 << 20 };
/// What an item or a key costs that looks only at what is known of a message.
const LEAST_READ: usize = 32;

/// The server's side of one IMAP connection.
#[derive(Debug)]
pub(super) struct Imap {
    site: Arc<Site>,
    tls: bool,
    errors: usize,
    user: Option<String>,
    view: Option<View>,
    /// The command so far, up to the literal that is awaited.
    command: Command,
    /// The tag of the current command; AUTHENTICATE and IDLE need it after their first line.
    tag: String,
    exchange: Option<Exchange>,
    idling: bool,
    /// The untagged responses of the current command.
    untagged: Answer,
}

impl Imap {
    pub(super) fn new(site: Arc<Site>) -> Self {
        let (untagged, command) = (Answer::new(&site.spool), Command::new(&site.spool));
        Self {
            site,
            tls: false,
            errors: 0,
            user: None,
            view: None,
            command,
            tag: String::new(),
            exchange: None,
            idling: false,
            untagged,
        }
    }

    fn capabilities(&self) -> String {
        let mut capabilities = "IMAP4rev1 LITERAL+ SASL-IR ID NAMESPACE".to_owned();
        if self.user.is_some() {
            capabilities += " IDLE UIDPLUS MOVE UNSELECT CHILDREN";
            return capabilities;
        }
        if !self.tls {
            capabilities += " STARTTLS";
        }
        for mechanism in MECHANISMS.split(' ') {
            capabilities += " AUTH=";
            capabilities += mechanism;
        }
        capabilities
    }

    /// Runs a complete command; `is_whole` is false if some of it was too large to be kept.
    fn run(&mut self, (command, is_whole): (&[u8], bool)) -> Said {
        let text = String::from_utf8_lossy(command);
        let tag = text.split(' ').next().unwrap_or_default();
        let is_tag = !tag.is_empty()
            && tag.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(&byte));
        if !is_tag {
            return self.malformed("A command begins with a tag");
        }
        let (tag, rest) = (tag.to_owned(), &command[command.len().min(tag.len() + 1)..]);
        let (verb, arguments) = split_word(rest);
        let (verb, arguments, by_uid) = if verb == "UID" {
            let (verb, arguments) = split_word(arguments);
            (verb, arguments, true)
        } else {
            (verb, arguments, false)
        };
        drop(text);
        self.tag = tag;
        if !is_whole {
            return self.tagged(&Err(no("[TOOBIG] The literal is too large")));
        }
        if arguments.is_empty() && rest.ends_with(b" ") {
            return self.tagged(&Err(bad("There is a space too many")));
        }
        if let Some(why) = misused(&verb, arguments, by_uid) {
            return self.tagged(&Err(bad(why)));
        }
        match &*verb {
            "STARTTLS" if self.tls => self.tagged(&Err(bad("TLS is on already"))),
            "STARTTLS" if self.user.is_some() => self.tagged(&Err(bad("Too late for TLS"))),
            "STARTTLS" => self.tagged(&Ok("Begin TLS".to_owned())).then(Next::Tls),
            "LOGOUT" => {
                self.untagged.push(b"* BYE Goodbye\r\n");
                self.tagged(&Ok("Logged out".to_owned())).then(Next::Close)
            }
            "AUTHENTICATE" if !by_uid => self.authenticate_command(arguments),
            "IDLE" if !by_uid && self.user.is_some() => {
                self.idling = true;
                let mut news = self.news().unwrap_or_default();
                news.splice(0..0, *b"+ idling\r\n");
                Said::new(news)
            }
            _ => {
                let done = Arguments::read(arguments)
                    .map_err(|why| bad(why.to_owned()))
                    .and_then(|arguments| self.do_command(&verb, arguments, by_uid));
                // No EXPUNGE response may be sent during these commands, because the client's
                // message numbers would change (RFC 3501 section 7.4.1).
                let keeps = !by_uid && ["FETCH", "STORE", "SEARCH"].contains(&&*verb);
                self.refresh(!keeps);
                self.tagged(&done)
            }
        }
    }

    fn do_command(&mut self, verb: &str, mut arguments: Arguments, by_uid: bool) -> Done {
        match verb {
            "CAPABILITY" => {
                let line = format!("* CAPABILITY {}\r\n", self.capabilities());
                self.untagged.push(line.as_bytes());
                return Ok("Capability completed".to_owned());
            }
            "NOOP" | "CHECK" => return Ok(format!("{verb} completed")),
            "ID" => {
                let id = arguments.next()?;
                arguments.end()?;
                if !is_id(&id) {
                    return Err(bad("NIL or a list of names and values is wanted"));
                }
                let id = b"* ID (\"name\" \"mailexpect embedded test server\")\r\n";
                self.untagged.push(id);
                return Ok("ID completed".to_owned());
            }
            "LOGIN" => return self.login(arguments),
            _ => {}
        }
        if self.user.is_none() {
            return Err(bad("Log in first"));
        }
        match verb {
            "FETCH" | "STORE" | "COPY" | "MOVE" | "SEARCH" | "EXPUNGE" | "CLOSE" | "UNSELECT" => {
                self.message_command(verb, arguments, by_uid)
            }
            _ if by_uid => Err(bad("Unknown command")),
            "APPEND" => self.append(arguments),
            _ => self.mailbox_command(verb, arguments),
        }
    }

    /// Reads the account of the user, or changes it without telling other sessions.
    fn account<T>(&self, use_it: impl FnOnce(&mut Account) -> T) -> T {
        self.site.store.with(self.user.as_deref().unwrap_or_default(), use_it)
    }

    /// Changes the account of the user, and tells other sessions.
    fn change<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        self.site.store.change(self.user.as_deref().unwrap_or_default(), change)
    }

    /// Adds the changes of the selected mailbox to the untagged responses.
    fn refresh(&mut self, expunges: bool) {
        let Some(mut view) = self.view.take() else { return };
        let mut news = std::mem::replace(&mut self.untagged, Answer::new(&self.site.spool));
        self.account(|account| view.refresh(account, expunges, &mut news));
        (self.untagged, self.view) = (news, Some(view));
    }

    /// The untagged responses, then the tagged response.
    fn tagged(&mut self, done: &Done) -> Said {
        let given_up = Err(no("[LIMIT] There is no memory for the answer"));
        let done = if done.is_ok() && self.untagged.is_given_up() { &given_up } else { done };
        let (word, text) = match done {
            Ok(text) => ("OK", text),
            Err(Refusal::No(text)) => ("NO", text),
            Err(Refusal::Bad(text)) => ("BAD", text),
        };
        let mut bytes = self.untagged.take();
        bytes.extend_from_slice(format!("{} {word} {text}\r\n", self.tag).as_bytes());
        if matches!(done, Err(Refusal::Bad(_))) {
            return self.counted(bytes);
        }
        Said::new(bytes)
    }

    fn counted(&mut self, bytes: Vec<u8>) -> Said {
        self.errors += 1;
        if self.errors > MOST_ERRORS {
            return Said::new("* BYE Too many errors\r\n").then(Next::Close);
        }
        Said::new(bytes)
    }

    /// Reads a literal that a line has announced, or refuses the literal if it is too large.
    fn literal(&mut self, octets: u64, waits: bool) -> Said {
        let limit = if self.user.is_some() { LARGEST } else { LARGEST_OF_STRANGERS };
        if self.command.has_room_for(octets, limit) {
            let said = if waits { Said::new("+ Go ahead\r\n") } else { Said::nothing() };
            return said.then(Next::Literal(usize::try_from(octets).unwrap_or(limit)));
        }
        self.command.cut();
        if !waits {
            return Said::nothing().then(Next::Skip(octets));
        }
        let (command, is_whole) = self.command.take();
        self.run((&command, is_whole))
    }
}

/// Says what is wrong if a command has arguments but takes none, or cannot follow UID.
fn misused(verb: &str, arguments: &[u8], by_uid: bool) -> Option<String> {
    if by_uid && !["FETCH", "STORE", "COPY", "MOVE", "SEARCH", "EXPUNGE"].contains(&verb) {
        return Some(format!("{verb} cannot follow UID"));
    }
    let takes_none = [
        "CAPABILITY",
        "NOOP",
        "LOGOUT",
        "STARTTLS",
        "CHECK",
        "CLOSE",
        "UNSELECT",
        "IDLE",
        "NAMESPACE",
    ];
    let takes_none = takes_none.contains(&verb) || (verb == "EXPUNGE" && !by_uid);
    (takes_none && !arguments.is_empty()).then(|| format!("{verb} takes no arguments"))
}

/// Whether this is what a client says of itself (`id_params_list` in RFC 2971 section 4).
fn is_id(value: &Value) -> bool {
    let is_nil =
        |value: &Value| matches!(value, Value::Atom(atom) if atom.eq_ignore_ascii_case(b"NIL"));
    let is_string = |value: &Value| matches!(value, Value::Text(_));
    let Value::List(fields) = value else { return is_nil(value) };
    fields.chunks(2).all(|field| match field {
        [name, value] => is_string(name) && (is_string(value) || is_nil(value)),
        _ => false,
    })
}

/// The first word in capitals, and the text after it.
fn split_word(text: &[u8]) -> (String, &[u8]) {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (String::from_utf8_lossy(word).to_ascii_uppercase(), rest.get(1..).unwrap_or_default())
}

impl Dialogue for Imap {
    fn greeting(&mut self) -> Said {
        let capabilities = self.capabilities();
        Said::new(format!("* OK [CAPABILITY {capabilities}] mailexpect embedded test server\r\n"))
    }

    fn idle(&mut self) -> Said {
        Said::new("* BYE Idle for too long\r\n").then(Next::Close)
    }

    fn line(&mut self, text: &[u8]) -> Said {
        if let Some(exchange) = self.exchange.take() {
            let step = exchange.respond(text);
            return self.authenticate(step);
        }
        if std::mem::take(&mut self.idling) {
            let done = if text.eq_ignore_ascii_case(b"DONE") {
                Ok("Idle completed".to_owned())
            } else {
                Err(bad("DONE ends IDLE"))
            };
            return self.tagged(&done);
        }
        self.command.push(text);
        if let Some((octets, waits)) = announced(text) {
            self.command.push(b"\r\n");
            return self.literal(octets, waits);
        }
        let (command, is_whole) = self.command.take();
        self.run((&command, is_whole))
    }

    fn malformed(&mut self, why: &str) -> Said {
        self.command.take();
        self.exchange = None;
        self.idling = false;
        self.counted(format!("* BAD {why}\r\n").into_bytes())
    }

    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said {
        match octets {
            Some(octets) => self.command.push(&octets),
            None => self.command.cut(),
        }
        Said::nothing()
    }

    fn crowded(&mut self) -> Said {
        self.octets(None)
    }

    /// The answer of a command was taken back already if there was no memory for it. What is left
    /// tells of changes, which the client cannot do without.
    fn unaffordable(&mut self) -> Option<Said> {
        Some(Said::new("* BYE [UNAVAILABLE] There is no memory for answers\r\n").then(Next::Close))
    }

    fn secured(&mut self) -> Said {
        *self = Self { tls: true, errors: self.errors, ..Self::new(Arc::clone(&self.site)) };
        Said::nothing()
    }

    fn news(&mut self) -> Option<Vec<u8>> {
        if !self.idling {
            return None;
        }
        self.refresh(true);
        let news = self.untagged.take();
        (!news.is_empty()).then_some(news)
    }

    /// Long, because clients may name thousands of messages in one line. RFC 7162 section 4
    /// requires at least 8192 octets.
    fn longest_line(&self) -> usize {
        64 << 10
    }
}
