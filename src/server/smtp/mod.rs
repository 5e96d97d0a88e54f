//! SMTP (RFC 5321), submission (RFC 6409) and LMTP (RFC 2033): the state machine of one connection.

mod answer;
mod authentication;
mod parameters;
mod path;
mod verb;

use std::net::SocketAddr;
use std::sync::Arc;

use super::accounts;
use super::auth::{self, Exchange};
use super::dialogue::{self, LARGEST, Next, Said};
use super::mail::{Mail, Stamp};
use super::site::Site;
use answer::{Answer, out_of_sequence, too_large};
use parameters::{alone, mail_parameter, unknown_parameter};
use verb::Verb;

/// The most recipients of one message; RFC 5321 section 4.5.3.1.8 requires at least this number.
const MOST_RECIPIENTS: usize = 100;
/// How many errors get their own reply; the next error ends the connection.
const MOST_ERRORS: usize = 20;

/// The purpose of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Accepts mail from anybody to local domains (RFC 5321).
    Smtp,
    /// Accepts mail from users to any domain (RFC 6409).
    Submission,
    /// Accepts mail for mailboxes, with a reply for each recipient (RFC 2033).
    Lmtp,
}

/// How the client introduced itself.
#[derive(Debug)]
struct Hello {
    name: String,
    extended: bool,
}

/// A mail transaction (RFC 5321 section 3.3): from MAIL to the end of the message.
#[derive(Debug)]
struct Transaction {
    from: String,
    to: Vec<String>,
}

/// The server's side of one connection.
#[derive(Debug)]
pub(super) struct Smtp {
    role: Role,
    site: Arc<Site>,
    peer: SocketAddr,
    hello: Option<Hello>,
    user: Option<String>,
    exchange: Option<Exchange>,
    transaction: Option<Transaction>,
    errors: usize,
    /// Whether TLS is on.
    tls: bool,
    /// Whether the current command succeeds without authentication, and for unknown recipients.
    granted: bool,
}

/// An answer; an error answer is in `Err`, so that `?` returns it. Both are sent.
type Answered = Result<Answer, Answer>;

impl Smtp {
    pub(super) fn new(role: Role, site: Arc<Site>, peer: SocketAddr) -> Self {
        Self {
            role,
            site,
            peer,
            hello: None,
            user: None,
            exchange: None,
            transaction: None,
            errors: 0,
            tls: false,
            granted: false,
        }
    }

    /// Forgets all that the client said, after TLS was started (RFC 3207 section 4.2).
    fn forget(&mut self) {
        self.hello = None;
        self.user = None;
        self.exchange = None;
        self.transaction = None;
        self.tls = true;
    }

    fn greet(&self) -> Answer {
        let protocol = if self.role == Role::Lmtp { "LMTP" } else { "ESMTP" };
        Answer::new(220, format!("localhost {protocol} mailexpect embedded test server"))
    }

    /// The answer to a line: a command, or a response if AUTH asked for one.
    fn answer(&mut self, text: &[u8]) -> Answer {
        let answer = match self.exchange.take() {
            Some(exchange) => self.authenticate(exchange.respond(text)),
            None => self.command(&String::from_utf8_lossy(text)).unwrap_or_else(|error| error),
        };
        self.counted(answer)
    }

    /// The answer to an invalid line.
    fn refuse(&mut self, why: &str) -> Answer {
        self.exchange = None;
        self.counted(Answer::new(500, format!("5.5.2 {why}")))
    }

    /// The answer to a complete message, whose content is `None` if it was too large; and the mail,
    /// if it was accepted.
    fn message(&mut self, content: Option<Vec<u8>>, stamp: &Stamp) -> (Answer, Option<Mail>) {
        let transaction = self.transaction.take();
        let (Some(content), Some(Transaction { from, to })) = (content, transaction) else {
            return (self.counted(too_large()), None);
        };
        let client = self.hello.as_ref().map_or("unknown", |hello| &hello.name);
        let mut data = stamp.received(client, self.protocol()).into_bytes();
        data.extend_from_slice(&content);
        let answer = Answer::new(250, format!("2.0.0 {} Message accepted for delivery", stamp.id));
        (answer, Some(Mail { from, to, data, authenticated: self.user.clone() }))
    }

    /// The protocol by which mail arrived, in the terms of RFC 3848.
    fn protocol(&self) -> &'static str {
        let extended = matches!(self.hello, Some(Hello { extended: true, .. }));
        let is_lmtp = self.role == Role::Lmtp;
        match (&self.user, self.tls) {
            (Some(_), true) if is_lmtp => "LMTPSA",
            (Some(_), false) if is_lmtp => "LMTPA",
            (None, true) if is_lmtp => "LMTPS",
            (None, false) if is_lmtp => "LMTP",
            (Some(_), true) => "ESMTPSA",
            (Some(_), false) => "ESMTPA",
            (None, true) if extended => "ESMTPS",
            (None, _) if extended => "ESMTP",
            _ => "SMTP",
        }
    }

    fn counted(&mut self, answer: Answer) -> Answer {
        if !answer.is_error() {
            return answer;
        }
        self.errors += 1;
        if self.errors <= MOST_ERRORS {
            answer
        } else {
            Answer::new(421, "4.7.0 Too many errors").then(Next::Close)
        }
    }

    fn command(&mut self, line: &str) -> Answered {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let argument = argument.trim_matches(' ');
        let verb = Verb::of(verb).ok_or(Answer::new(500, "5.5.2 Command not recognized"))?;
        match verb {
            Verb::Helo | Verb::Ehlo | Verb::Lhlo => self.hello(argument, verb),
            Verb::Auth => self.auth(argument),
            Verb::Mail => self.mail(argument),
            Verb::Rcpt => self.rcpt(argument),
            Verb::Data => self.data(argument),
            Verb::Rset => alone(argument).map(|()| self.reset()),
            Verb::Noop => Ok(Answer::new(250, "2.0.0 Ok")),
            Verb::Vrfy if argument.is_empty() => Err(Answer::new(501, "5.5.4 Syntax: VRFY string")),
            Verb::Vrfy => {
                Ok(Answer::new(252, "2.5.0 Cannot VRFY user, but will accept the message and try"))
            }
            Verb::Help => Ok(Answer::new(
                214,
                "2.0.0 HELO EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT",
            )),
            Verb::StartTls => self.starttls(argument),
            Verb::Expn => Err(Answer::new(502, "5.5.1 Command not implemented")),
            Verb::Quit => alone(argument)
                .map(|()| Answer::new(221, "2.0.0 localhost closing connection").then(Next::Close)),
        }
    }

    /// HELO and EHLO (RFC 5321 section 4.1.1.1); either ends a transaction (section 4.1.4). LMTP
    /// has only LHLO (RFC 2033 section 4.1).
    fn hello(&mut self, argument: &str, verb: Verb) -> Answered {
        if (verb == Verb::Lhlo) != (self.role == Role::Lmtp) {
            return Err(Answer::new(500, "5.5.1 Not a command of this protocol"));
        }
        let extended = verb != Verb::Helo;
        if argument.is_empty() || !argument.bytes().all(|byte| byte.is_ascii_graphic()) {
            let verb = format!("{verb:?}").to_ascii_uppercase();
            return Err(Answer::new(501, format!("5.5.4 Syntax: {verb} hostname")));
        }
        self.transaction = None;
        self.hello = Some(Hello { name: argument.to_owned(), extended });
        if !extended {
            return Ok(Answer::new(250, "localhost"));
        }
        let tls = if self.tls { "" } else { "\nSTARTTLS" };
        let auth = if self.role == Role::Submission {
            format!("\nAUTH {}", auth::MECHANISMS)
        } else {
            String::new()
        };
        Ok(Answer::new(
            250,
            format!(
                "localhost\nPIPELINING\nSIZE {LARGEST}\n8BITMIME{tls}{auth}\nENHANCEDSTATUSCODES"
            ),
        ))
    }

    /// STARTTLS (RFC 3207 section 4).
    fn starttls(&self, argument: &str) -> Answered {
        if self.tls {
            return Err(out_of_sequence("TLS is on already"));
        }
        alone(argument)?;
        Ok(Answer::new(220, "2.0.0 Ready to start TLS").then(Next::Tls))
    }

    /// MAIL (RFC 5321 section 4.1.1.2).
    fn mail(&mut self, argument: &str) -> Answered {
        self.greeted()?;
        if self.transaction.is_some() {
            return Err(out_of_sequence("A mail transaction is open already"));
        }
        if self.role == Role::Submission && self.user.is_none() && !self.granted {
            return Err(Answer::new(530, "5.7.0 Authentication required"));
        }
        let syntax = Answer::new(501, "5.5.4 Syntax: MAIL FROM:<address> [parameters]");
        let (path, mut parameters) = path::parse(argument, "FROM:").ok_or(syntax.clone())?;
        if path.is_bare() && !path.is_null() {
            return Err(syntax);
        }
        parameters.try_for_each(mail_parameter)?;
        self.transaction = Some(Transaction { from: path.address.to_owned(), to: Vec::new() });
        Ok(Answer::new(250, format!("2.1.0 <{}>... Sender ok", path.address)))
    }

    /// RCPT (RFC 5321 section 4.1.1.3).
    fn rcpt(&mut self, argument: &str) -> Answered {
        let transaction = self.transaction.as_mut().ok_or(out_of_sequence("MAIL first"))?;
        let syntax = Answer::new(501, "5.5.4 Syntax: RCPT TO:<address>");
        let (path, mut parameters) = path::parse(argument, "TO:").ok_or(syntax.clone())?;
        if path.is_null() {
            return Err(syntax);
        }
        if parameters.next().is_some() {
            return Err(unknown_parameter());
        }
        let address = path.address;
        let local = accounts::is_local(path.domain);
        if local && accounts::is_unknown(address) && !self.granted {
            return Err(Answer::new(550, format!("5.1.1 <{address}>... User unknown")));
        }
        if !local && self.user.is_none() && !self.granted {
            let why =
                format!("5.7.1 <{address}>... Relaying denied. Proper authentication required.");
            return Err(Answer::new(550, why));
        }
        if transaction.to.len() == MOST_RECIPIENTS {
            return Err(Answer::new(452, "4.5.3 Too many recipients"));
        }
        transaction.to.push(address.to_owned());
        Ok(Answer::new(250, format!("2.1.5 <{address}>... Recipient ok")))
    }

    /// DATA (RFC 5321 section 4.1.1.4).
    fn data(&mut self, argument: &str) -> Answered {
        match &self.transaction {
            None => Err(out_of_sequence("MAIL first")),
            Some(transaction) if transaction.to.is_empty() => Err(out_of_sequence("RCPT first")),
            Some(_) => {
                alone(argument)?;
                Ok(Answer::new(354, "End data with <CR><LF>.<CR><LF>").then(Next::Content))
            }
        }
    }

    fn reset(&mut self) -> Answer {
        self.transaction = None;
        Answer::new(250, "2.0.0 Ok")
    }

    fn greeted(&self) -> Result<(), Answer> {
        match self.role {
            _ if self.hello.is_some() => Ok(()),
            Role::Lmtp => Err(out_of_sequence("LHLO first")),
            Role::Smtp | Role::Submission => Err(out_of_sequence("EHLO or HELO first")),
        }
    }
}

impl dialogue::Dialogue for Smtp {
    fn greeting(&mut self) -> Said {
        self.greet().said()
    }

    fn idle(&mut self) -> Said {
        Answer::new(421, "4.4.2 Idle for too long").then(Next::Close).said()
    }

    fn line(&mut self, text: &[u8]) -> Said {
        self.answer(text).said()
    }

    fn line_granted(&mut self, text: &[u8]) -> Said {
        self.granted = true;
        let said = self.line(text);
        self.granted = false;
        said
    }

    fn malformed(&mut self, why: &str) -> Said {
        self.refuse(why).said()
    }

    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said {
        let recipients = self.recipients();
        let (answer, mail) = self.message(octets, &Stamp::new(self.peer));
        let delivered = mail.is_some();
        if mail.is_some_and(|mail| !self.site.deliver(mail)) {
            return refused(
                &recipients,
                self.role,
                "4.3.1 Too much mail is stored; try again later",
            );
        }
        match self.role {
            Role::Lmtp => each(&recipients, &answer, delivered),
            Role::Smtp | Role::Submission => answer.said(),
        }
    }

    fn crowded(&mut self) -> Said {
        let recipients = self.recipients();
        self.transaction = None;
        refused(&recipients, self.role, "4.3.1 Too much mail comes in at once; try again later")
    }

    /// Forgets all that the client said (RFC 3207 section 4.2).
    fn secured(&mut self) -> Said {
        self.forget();
        Said::nothing()
    }
}

impl Smtp {
    fn recipients(&self) -> Vec<String> {
        self.transaction.as_ref().map(|transaction| transaction.to.clone()).unwrap_or_default()
    }
}

/// The answer to a message for which there is no room.
fn refused(recipients: &[String], role: Role, why: &'static str) -> Said {
    let answer = Answer::new(452, why);
    match role {
        Role::Lmtp => each(recipients, &answer, false),
        Role::Smtp | Role::Submission => answer.said(),
    }
}

/// One reply for each recipient (RFC 2033 section 4.2).
fn each(recipients: &[String], answer: &Answer, delivered: bool) -> Said {
    let replies = recipients.iter().map(|recipient| {
        if delivered {
            Answer::new(250, format!("2.1.5 <{recipient}> Delivered")).wire()
        } else {
            answer.wire()
        }
    });
    Said::new(replies.collect::<String>()).then(answer.next())
}

#[cfg(test)]
mod tests;
