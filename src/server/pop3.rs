//! POP3 (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595) and AUTH (RFC 5034).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::auth::{self, Exchange, MECHANISMS, Refusal, Step};
use super::budget::Held;
use super::dialogue::{Dialogue, Next, Said};
use super::site::Site;
use super::store::Octets;
use crate::dot_stuff;
use crate::sasl;

/// How many errors get their own reply; the next error ends the connection.
const MOST_ERRORS: usize = 20;

/// The server's side of one POP3 connection.
#[derive(Debug)]
pub(super) struct Pop3 {
    site: Arc<Site>,
    /// The timestamp of the greeting, which the digest of APOP includes (RFC 1939 section 7).
    timestamp: String,
    tls: bool,
    errors: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Stranger {
        /// The name that USER gave.
        name: Option<String>,
        exchange: Option<Exchange>,
    },
    User(Maildrop),
}

/// The messages as they were when the session began, and the deletion marks.
#[derive(Debug)]
struct Maildrop {
    site: Arc<Site>,
    user: String,
    /// The UIDVALIDITY of INBOX: after a RENAME of it, the UIDs are those of other messages.
    validity: u32,
    /// The UID and the number of octets of each message. The octets stay in the mailbox: sessions
    /// would keep what the mailbox has no more room for.
    messages: Vec<(u32, usize)>,
    deleted: BTreeSet<usize>,
    _held: Held,
}

impl Pop3 {
    pub(super) fn new(site: Arc<Site>) -> Self {
        let nonce = sasl::random_nonce().unwrap_or_default();
        let timestamp = format!("<{}@localhost>", nonce.replace(['+', '/', '='], ""));
        Self { site, timestamp, tls: false, errors: 0, state: State::stranger(None) }
    }

    fn command(&mut self, line: &str) -> Said {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        let takes_none = ["QUIT", "STLS", "CAPA", "STAT", "RSET", "NOOP"];
        if !argument.is_empty() && takes_none.contains(&&*verb) {
            return self.refused(&format!("{verb} takes no arguments"));
        }
        match &*verb {
            "QUIT" => return self.quit(),
            "STLS" if self.tls => return self.refused("TLS is on already"),
            "STLS" if matches!(self.state, State::User(_)) => {
                return self.refused("too late for TLS");
            }
            "STLS" => return Said::new("+OK Begin TLS\r\n").then(Next::Tls),
            "CAPA" => return ok("Capabilities", Some(self.capabilities().as_bytes())),
            _ => {}
        }
        if let State::Stranger { .. } = self.state {
            return self.stranger(&verb, argument);
        }
        let State::User(drop) = &mut self.state else { return Said::nothing() };
        match drop.command(&verb, argument) {
            Ok((text, block)) => ok(&text, block.as_deref()),
            Err(why) => self.refused(&why),
        }
    }

    fn capabilities(&self) -> String {
        let stls = if self.tls { "" } else { "STLS\r\n" };
        format!("TOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nUSER\r\n{stls}SASL {MECHANISMS}\r\n")
    }

    /// A command of a client that has not logged in.
    fn stranger(&mut self, verb: &str, argument: &str) -> Said {
        let State::Stranger { name, .. } = &mut self.state else { return Said::nothing() };
        match verb {
            "USER" if argument.is_empty() => self.refused("USER name"),
            "USER" => {
                *name = Some(argument.to_owned());
                ok("Password?", None)
            }
            "PASS" => match name.take() {
                Some(name) if self.site.accounts.has(name.as_bytes(), argument.as_bytes()) => {
                    self.enter(name)
                }
                Some(_) => self.refused("[AUTH] Wrong user or password"),
                None => self.refused("USER first"),
            },
            "APOP" => self.apop(argument),
            "AUTH" if argument.is_empty() => {
                let mechanisms = MECHANISMS.replace(' ', "\r\n") + "\r\n";
                ok("Mechanisms", Some(mechanisms.as_bytes()))
            }
            "AUTH" => {
                let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
                let initial = (!initial.is_empty()).then_some(initial.as_bytes());
                let step = auth::begin(&self.site.accounts, mechanism, initial);
                self.authenticate(step)
            }
            _ => self.refused("Log in first"),
        }
    }

    fn apop(&mut self, argument: &str) -> Said {
        let (user, digest) = argument.rsplit_once(' ').unwrap_or((argument, ""));
        let proved = self.site.accounts.password(user).is_some_and(|password| {
            digest == sasl::apop_digest(self.timestamp.as_bytes(), password.as_bytes())
        });
        if proved { self.enter(user.to_owned()) } else { self.refused("[AUTH] Wrong digest") }
    }

    fn authenticate(&mut self, step: Step) -> Said {
        match step {
            Step::Ask(exchange, challenge) => {
                self.state = State::stranger(Some(exchange));
                Said::new(format!("+ {challenge}\r\n"))
            }
            Step::Granted(user) => self.enter(user),
            Step::Refused(Refusal::Invalid) => self.refused("[AUTH] Wrong user or password"),
            Step::Refused(Refusal::Malformed) => self.refused("Cannot decode the response"),
            Step::Refused(Refusal::Cancelled) => self.refused("Authentication cancelled"),
            Step::Refused(Refusal::Unknown) => self.refused("Unknown mechanism"),
            Step::Refused(Refusal::Unavailable) => self.refused("[SYS/TEMP] Try again"),
        }
    }

    fn enter(&mut self, user: String) -> Said {
        let (validity, messages) = self.site.store.with(&user, |account| {
            let Some(inbox) = account.mailbox("INBOX") else { return (0, Vec::new()) };
            let sizes = inbox.messages().iter().map(|message| (message.uid, message.data.len()));
            (inbox.uid_validity, sizes.collect())
        });
        let count = messages.len();
        let site = Arc::clone(&self.site);
        let (budget, bytes) = (site.spool.budget(), count * size_of::<(u32, usize)>());
        if bytes > budget.left() {
            return self.refused("[SYS/TEMP] There is no memory for so many messages");
        }
        let (deleted, held) = (BTreeSet::new(), Held::new(budget, bytes));
        self.state = State::User(Maildrop { site, user, validity, messages, deleted, _held: held });
        ok(&format!("Logged in, {count} messages"), None)
    }

    /// QUIT deletes the marked messages (RFC 1939 section 6).
    fn quit(&mut self) -> Said {
        if let State::User(drop) = &self.state {
            let uids = drop.deleted.iter().map(|place| drop.messages[*place].0).collect();
            self.site.store.change(&drop.user, |account| {
                let inbox = account.mailbox("INBOX");
                if let Some(inbox) = inbox.filter(|inbox| inbox.uid_validity == drop.validity) {
                    inbox.remove(&uids);
                }
            });
        }
        ok("Goodbye", None).then(Next::Close)
    }

    fn refused(&mut self, why: &str) -> Said {
        self.errors += 1;
        if self.errors > MOST_ERRORS {
            return Said::new("-ERR Too many errors\r\n").then(Next::Close);
        }
        Said::new(format!("-ERR {why}\r\n"))
    }
}

impl State {
    fn stranger(exchange: Option<Exchange>) -> Self {
        Self::Stranger { name: None, exchange }
    }
}

impl Maildrop {
    /// Runs a command; returns the text of the reply, and the block of lines after the reply if
    /// any.
    fn command(&mut self, verb: &str, argument: &str) -> Result<(String, Option<Vec<u8>>), String> {
        let alone = |text: String| Ok((text, None));
        match (verb, argument.is_empty()) {
            ("STAT", _) => {
                let (count, size) = self.total();
                alone(format!("{count} {size}"))
            }
            ("LIST", true) => {
                let (count, size) = self.total();
                let text = format!("{count} messages ({size} octets)");
                Ok((text, Some(self.lines(|_, size| size.to_string()))))
            }
            ("UIDL", true) => Ok((String::new(), Some(self.lines(|uid, _| uid.to_string())))),
            ("LIST", false) => {
                let place = self.place(argument)?;
                alone(format!("{} {}", place + 1, self.messages[place].1))
            }
            ("UIDL", false) => {
                let place = self.place(argument)?;
                alone(format!("{} {}", place + 1, self.messages[place].0))
            }
            ("RETR", _) => {
                let data = self.octets(self.place(argument)?)?;
                Ok((format!("{} octets", data.len()), Some(data.to_vec())))
            }
            ("TOP", _) => self.top(argument).map(|top| (String::new(), Some(top))),
            ("DELE", _) => {
                let place = self.place(argument)?;
                self.deleted.insert(place);
                alone(format!("Message {} deleted", place + 1))
            }
            ("RSET", _) => {
                self.deleted.clear();
                alone(format!("{} messages", self.messages.len()))
            }
            ("NOOP", _) => alone(String::new()),
            _ => Err("Unknown command".to_owned()),
        }
    }

    fn total(&self) -> (usize, usize) {
        let left = self.left().collect::<Vec<_>>();
        (left.len(), left.iter().map(|(_, (_, size))| size).sum())
    }

    /// The messages that are not marked as deleted.
    fn left(&self) -> impl Iterator<Item = (usize, &(u32, usize))> {
        let all = self.messages.iter().enumerate();
        all.filter(|(place, _)| !self.deleted.contains(place))
    }

    fn lines(&self, shown: impl Fn(u32, usize) -> String) -> Vec<u8> {
        let lines = self.left().map(|(place, (uid, size))| {
            format!("{} {}\r\n", place + 1, shown(*uid, *size)).into_bytes()
        });
        lines.flatten().collect()
    }

    /// The octets of the message at this index, unless they had to leave the mailbox.
    fn octets(&self, place: usize) -> Result<Octets, String> {
        let uid = self.messages[place].0;
        let octets = self.site.store.with(&self.user, |account| {
            let inbox = account.mailbox("INBOX")?;
            let message = inbox.get(uid).filter(|_| inbox.uid_validity == self.validity)?;
            Some(message.data.clone())
        });
        octets.ok_or_else(|| "[SYS/TEMP] The message is gone".to_owned())
    }

    /// The index of the message with this number.
    fn place(&self, number: &str) -> Result<usize, String> {
        let place = number.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        place
            .filter(|place| *place < self.messages.len() && !self.deleted.contains(place))
            .ok_or_else(|| "No such message".to_owned())
    }

    /// The header and this many lines of the body (RFC 1939 section 7).
    fn top(&self, argument: &str) -> Result<Vec<u8>, String> {
        let (number, lines) = argument.trim().split_once(' ').ok_or("TOP number lines")?;
        let lines = lines.trim().parse::<usize>().map_err(|_| "TOP number lines")?;
        let data = self.octets(self.place(number)?)?;
        let mut left: Option<usize> = None;
        let shown = data.split_inclusive(|byte| *byte == b'\n').take_while(|line| {
            let is_in = left != Some(0);
            match &mut left {
                Some(left) => *left = left.saturating_sub(1),
                None if matches!(line, [b'\n'] | [b'\r', b'\n']) => left = Some(lines),
                None => {}
            }
            is_in
        });
        Ok(shown.flatten().copied().collect())
    }
}

/// A reply `+OK`, with a block of lines if any.
fn ok(text: &str, block: Option<&[u8]>) -> Said {
    let mut bytes = format!("+OK {text}").trim_end().to_owned().into_bytes();
    bytes.extend_from_slice(b"\r\n");
    if let Some(block) = block {
        bytes.extend_from_slice(&dot_stuff(block));
    }
    Said::new(bytes)
}

impl Dialogue for Pop3 {
    fn greeting(&mut self) -> Said {
        ok(&format!("mailexpect embedded test server {}", self.timestamp), None)
    }

    fn idle(&mut self) -> Said {
        Said::new("-ERR Idle for too long\r\n").then(Next::Close)
    }

    fn line(&mut self, text: &[u8]) -> Said {
        if let State::Stranger { exchange, .. } = &mut self.state
            && let Some(exchange) = exchange.take()
        {
            let step = exchange.respond(text);
            return self.authenticate(step);
        }
        self.command(&String::from_utf8_lossy(text))
    }

    fn malformed(&mut self, why: &str) -> Said {
        if let State::Stranger { exchange, .. } = &mut self.state {
            *exchange = None;
        }
        self.refused(why)
    }

    fn octets(&mut self, _: Option<Vec<u8>>) -> Said {
        Said::nothing()
    }

    fn crowded(&mut self) -> Said {
        Said::nothing()
    }

    /// Long answers are those to commands that change nothing.
    fn unaffordable(&mut self) -> Option<Said> {
        Some(self.refused("[SYS/TEMP] Clients have not taken too many answers; try again later"))
    }

    fn secured(&mut self) -> Said {
        self.tls = true;
        self.state = State::stranger(None);
        Said::nothing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::auth::{PASSWORD, USER};

    #[test]
    fn a_session_does_not_keep_what_has_left_the_mailbox() {
        let site = Arc::<Site>::default();
        site.store.deliver(USER, &b"Subject: hi\r\n\r\nHi.\r\n"[..]);
        let mut pop3 = Pop3::new(Arc::clone(&site));
        let mut say = |line: &str| String::from_utf8(pop3.line(line.as_bytes()).bytes).unwrap();
        say(&format!("USER {USER}"));
        assert!(say(&format!("PASS {PASSWORD}")).starts_with("+OK "));
        assert!(say("RETR 1").ends_with("Hi.\r\n.\r\n"));
        site.store.change(USER, |account| {
            let inbox = account.mailbox("INBOX").unwrap();
            let uids = inbox.messages().iter().map(|message| message.uid).collect();
            inbox.remove(&uids);
        });
        site.store.change(USER, |account| account.rename("INBOX", "old")).unwrap();
        site.store.deliver(USER, &b"Subject: another with the same UID\r\n\r\n"[..]);
        assert!(say("RETR 1").starts_with("-ERR [SYS/TEMP] "));
        assert!(say("TOP 1 0").starts_with("-ERR [SYS/TEMP] "));
        assert!(say("STAT").starts_with("+OK 1 "));
    }
}
