//! `ManageSieve` (RFC 5804): scripts are stored, listed and returned, but never run.

mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use words::{End, Word, words};

use super::auth::{self, Exchange, MECHANISMS, Refusal, Step};
use super::dialogue::{Dialogue, LARGEST_OF_STRANGERS, Next, Said};
use super::site::Site;
use super::store::{Account, Refused, StoredScript};
use crate::quoted;

/// How many errors get their own reply; the next error ends the connection.
const MOST_ERRORS: usize = 20;
/// The most bytes of a command with its literals.
const LARGEST: usize = 1 << 20;
/// The Sieve extensions that are announced: those that clients may look for, because no script is
/// run.
const EXTENSIONS: &str =
    "fileinto reject envelope vacation imap4flags subaddress relational regex variables body";

/// The server's side of one `ManageSieve` connection.
#[derive(Debug)]
pub(super) struct Sieve {
    site: Arc<Site>,
    tls: bool,
    errors: usize,
    user: Option<String>,
    exchange: Option<Exchange>,
    /// The words of the command so far, if the command continues after a literal.
    command: Vec<Word>,
    size: usize,
}

impl Sieve {
    pub(super) fn new(site: Arc<Site>) -> Self {
        Self {
            site,
            tls: false,
            errors: 0,
            user: None,
            exchange: None,
            command: Vec::new(),
            size: 0,
        }
    }

    fn capabilities(&self) -> String {
        let may_start = !self.tls && self.user.is_none();
        let starttls = if may_start { "\"STARTTLS\"\r\n" } else { "" };
        let mechanisms = if self.user.is_some() { "" } else { MECHANISMS };
        format!(
            "\"IMPLEMENTATION\" \"mailexpect embedded test server\"\r\n\
             \"SASL\" \"{mechanisms}\"\r\n\
             \"SIEVE\" \"{EXTENSIONS}\"\r\n\
             {starttls}\"VERSION\" \"1.0\"\r\nOK \"Ready\"\r\n"
        )
    }

    fn take_line(&mut self, text: &[u8]) -> Said {
        self.size += text.len();
        let follows = !self.command.is_empty();
        let Ok((words, end)) = words(text, follows) else { return self.wrong("Syntax error") };
        self.command.extend(words);
        match end {
            End::Literal(octets)
                if octets.saturating_add(self.size as u64) > self.largest_command() as u64 =>
            {
                Said::nothing().then(Next::Skip(octets))
            }
            // The client sends the literal without waiting for a go-ahead (RFC 5804 section 4).
            End::Literal(octets) => {
                Said::nothing().then(Next::Literal(usize::try_from(octets).unwrap_or(LARGEST)))
            }
            End::Line => {
                self.size = 0;
                let command = std::mem::take(&mut self.command);
                self.run(&command)
            }
        }
    }

    /// The most bytes of a command. Less before a login, because only users have scripts to send.
    fn largest_command(&self) -> usize {
        if self.user.is_some() { LARGEST } else { LARGEST_OF_STRANGERS }
    }

    fn run(&mut self, command: &[Word]) -> Said {
        if let Some(exchange) = self.exchange.take() {
            let [Word::Text(response)] = command else { return self.wrong("A string is wanted") };
            let step = exchange.respond(response);
            return self.authenticate(step);
        }
        let Some((Word::Atom(verb), arguments)) = command.split_first() else {
            return self.wrong("A command is wanted");
        };
        let user = self.user.clone();
        let takes_none = ["CAPABILITY", "LOGOUT", "STARTTLS", "UNAUTHENTICATE"];
        if !arguments.is_empty() && takes_none.iter().any(|none| verb.eq_ignore_ascii_case(none)) {
            return self.no("The command takes no arguments");
        }
        match (&*verb.to_ascii_uppercase(), user) {
            ("CAPABILITY", _) => Said::new(self.capabilities()),
            ("LOGOUT", _) => Said::new("OK \"Goodbye\"\r\n").then(Next::Close),
            ("NOOP", _) => match arguments {
                [Word::Text(tag)] => {
                    Said::new([b"OK (TAG ", &*string(tag), b") \"Done\"\r\n"].concat())
                }
                [] => ok(),
                _ => self.no("NOOP takes one string"),
            },
            ("STARTTLS", user) if self.tls || user.is_some() => self.no("Too late for TLS"),
            ("STARTTLS", _) => Said::new("OK \"Begin TLS\"\r\n").then(Next::Tls),
            ("AUTHENTICATE", Some(_)) => self.no("Authenticated already"),
            ("AUTHENTICATE", None) => self.begin(arguments),
            ("UNAUTHENTICATE", Some(_)) => {
                self.user = None;
                ok()
            }
            (verb, Some(user)) => self.script(verb, arguments, &user),
            (_, None) => self.no("Authenticate first"),
        }
    }

    fn begin(&mut self, arguments: &[Word]) -> Said {
        let (mechanism, initial) = match arguments {
            [Word::Text(mechanism)] => (mechanism, None),
            [Word::Text(mechanism), Word::Text(initial)] if initial.is_empty() => {
                (mechanism, Some(&b"="[..]))
            }
            [Word::Text(mechanism), Word::Text(initial)] => (mechanism, Some(&**initial)),
            _ => return self.wrong("AUTHENTICATE \"mechanism\" [\"response\"]"),
        };
        let mechanism = String::from_utf8_lossy(mechanism);
        let step = auth::begin(&self.site.accounts, &mechanism, initial);
        self.authenticate(step)
    }

    fn authenticate(&mut self, step: Step) -> Said {
        match step {
            Step::Ask(exchange, challenge) => {
                self.exchange = Some(exchange);
                Said::new(format!("\"{challenge}\"\r\n"))
            }
            Step::Granted(user) => {
                self.user = Some(user);
                Said::new("OK \"Logged in\"\r\n")
            }
            Step::Refused(Refusal::Invalid) => self.no("Wrong user or password"),
            Step::Refused(Refusal::Malformed) => self.no("Cannot decode the response"),
            Step::Refused(Refusal::Cancelled) => self.no("Authentication cancelled"),
            Step::Refused(Refusal::Unknown) => self.no("Unknown mechanism"),
            Step::Refused(Refusal::Unavailable) => self.coded("TRYLATER", "Try again"),
        }
    }

    /// Runs a command about the scripts of a user.
    fn script(&mut self, verb: &str, arguments: &[Word], user: &str) -> Said {
        let site = Arc::clone(&self.site);
        let texts = arguments.iter().map(|word| match word {
            Word::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Word::Atom(text) => text.clone(),
        });
        let texts = texts.collect::<Vec<_>>();
        let done = site.store.with(user, |account| match verb {
            "PUTSCRIPT" => put(account, arguments),
            "LISTSCRIPTS" | "GETSCRIPT" | "CHECKSCRIPT" | "HAVESPACE" => {
                read(account, verb, &texts)
            }
            _ => change(&mut account.scripts, verb, &texts),
        });
        match done {
            Ok(data) => Said::new([data, b"OK\r\n".to_vec()].concat()),
            Err(Refused::Missing) => self.coded("NONEXISTENT", "There is no such script"),
            Err(Refused::Exists) => self.coded("ALREADYEXISTS", "There is such a script"),
            Err(Refused::Full) => self.coded("QUOTA/MAXSIZE", "There is no room for it"),
            Err(Refused::Active) => self.coded("ACTIVE", "The script is active"),
            Err(Refused::Name) => self.no("Unknown command, or wrong arguments"),
        }
    }

    /// The answer to an invalid line; forgets the command so far.
    fn wrong(&mut self, why: &str) -> Said {
        self.command.clear();
        self.size = 0;
        self.exchange = None;
        self.no(why)
    }

    fn no(&mut self, why: &str) -> Said {
        self.counted(format!("NO \"{}\"\r\n", why.replace('"', "'")))
    }

    fn coded(&mut self, code: &str, why: &str) -> Said {
        self.counted(format!("NO ({code}) \"{why}\"\r\n"))
    }

    fn counted(&mut self, refusal: String) -> Said {
        self.errors += 1;
        if self.errors > MOST_ERRORS {
            return Said::new("BYE \"Too many errors\"\r\n").then(Next::Close);
        }
        Said::new(refusal)
    }
}

/// PUTSCRIPT (RFC 5804 section 2.6).
fn put(account: &mut Account, arguments: &[Word]) -> Result<Vec<u8>, Refused> {
    let [Word::Text(name), Word::Text(text)] = arguments else { return Err(Refused::Name) };
    let name = String::from_utf8_lossy(name);
    if !is_name(&name) {
        return Err(Refused::Name);
    }
    account.put_script(&name, text).map(|()| Vec::new())
}

/// The commands that change nothing.
fn read(account: &Account, verb: &str, texts: &[String]) -> Result<Vec<u8>, Refused> {
    let scripts = &account.scripts;
    match (verb, texts) {
        ("LISTSCRIPTS", []) => {
            let lines = scripts.iter().map(|(name, script)| {
                let active: &[u8] = if script.active { b" ACTIVE" } else { b"" };
                [&string(name.as_bytes()), active, b"\r\n"].concat()
            });
            Ok(lines.flatten().collect())
        }
        ("GETSCRIPT", [name]) => {
            let script = scripts.get(name).ok_or(Refused::Missing)?;
            Ok([&string(&script.text), &b"\r\n"[..]].concat())
        }
        ("CHECKSCRIPT", [_]) => Ok(Vec::new()),
        ("HAVESPACE", [name, size]) => {
            let octets = size.parse().unwrap_or(usize::MAX);
            let has_room = octets <= LARGEST && account.has_room_for(name, octets);
            has_room.then(Vec::new).ok_or(Refused::Full)
        }
        _ => Err(Refused::Name),
    }
}

/// The commands that change the list of scripts, or the active script.
fn change(
    scripts: &mut BTreeMap<String, StoredScript>,
    verb: &str,
    texts: &[String],
) -> Result<Vec<u8>, Refused> {
    match (verb, texts) {
        ("SETACTIVE", [name]) => {
            if !name.is_empty() && !scripts.contains_key(name) {
                return Err(Refused::Missing);
            }
            for (known, script) in scripts.iter_mut() {
                script.active = known == name;
            }
        }
        ("DELETESCRIPT", [name]) => match scripts.get(name) {
            None => return Err(Refused::Missing),
            Some(script) if script.active => return Err(Refused::Active),
            Some(_) => drop(scripts.remove(name)),
        },
        ("RENAMESCRIPT", [from, to]) => {
            if !is_name(to) {
                return Err(Refused::Name);
            }
            if scripts.contains_key(to) {
                return Err(Refused::Exists);
            }
            let script = scripts.remove(from).ok_or(Refused::Missing)?;
            scripts.insert(to.clone(), script);
        }
        _ => return Err(Refused::Name),
    }
    Ok(Vec::new())
}

fn ok() -> Said {
    Said::new("OK\r\n")
}

/// Whether a name can name a script: no control characters (RFC 5804 section 1.6).
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 512 && !name.chars().any(char::is_control)
}

/// A string as it is sent: quoted, or as a literal if it is long or has line ends.
fn string(text: &[u8]) -> Vec<u8> {
    if text.len() > 1024 || text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return [format!("{{{}}}\r\n", text.len()).as_bytes(), text].concat();
    }
    quoted::write(text)
}

impl Dialogue for Sieve {
    fn greeting(&mut self) -> Said {
        Said::new(self.capabilities())
    }

    fn idle(&mut self) -> Said {
        Said::new("BYE \"Idle for too long\"\r\n").then(Next::Close)
    }

    fn line(&mut self, text: &[u8]) -> Said {
        self.take_line(text)
    }

    fn malformed(&mut self, why: &str) -> Said {
        self.wrong(why)
    }

    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said {
        match octets {
            Some(octets) => {
                self.size += octets.len();
                self.command.push(Word::Text(octets));
            }
            // The literal was discarded. This command is unknown, so it is refused when its line
            // ends.
            None => self.command = vec![Word::Atom("TOO-LARGE".to_owned())],
        }
        Said::nothing()
    }

    fn crowded(&mut self) -> Said {
        self.octets(None)
    }

    /// Long answers are those to commands that change nothing.
    fn unaffordable(&mut self) -> Option<Said> {
        Some(self.coded("TRYLATER", "Clients have not taken too many answers"))
    }

    /// Announces the capabilities again (RFC 5804 section 2.2).
    fn secured(&mut self) -> Said {
        self.tls = true;
        self.user = None;
        self.exchange = None;
        Said::new(self.capabilities())
    }

    fn longest_line(&self) -> usize {
        8192
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::auth::{PASSWORD, USER};

    #[test]
    fn only_users_may_send_large_literals() {
        let mut sieve = Sieve::new(Arc::default());
        let large = LARGEST_OF_STRANGERS + 1;
        let announced = format!("PUTSCRIPT \"a\" {{{large}+}}");
        assert_eq!(sieve.line(announced.as_bytes()).next, Next::Skip(large as u64));
        sieve.octets(None);
        assert!(sieve.line(b"").bytes.starts_with(b"NO "));
        let token = data_encoding::BASE64.encode(format!("\0{USER}\0{PASSWORD}").as_bytes());
        let said = sieve.line(format!("AUTHENTICATE \"PLAIN\" \"{token}\"").as_bytes());
        assert!(said.bytes.starts_with(b"OK"), "{said:?}");
        assert!(sieve.line(b"STARTTLS").bytes.starts_with(b"NO "), "a password was sent in clear");
        assert_eq!(sieve.line(announced.as_bytes()).next, Next::Literal(large));
    }
}
