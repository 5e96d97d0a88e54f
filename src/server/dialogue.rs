//! The state machine of one connection: a command line in, an answer out. No input, no output, no
//! clock.

use super::answer::{Answer, Next};
use super::auth::{self, Exchange, Step};
use super::mail::{Mail, Stamp};
use super::path;
use super::verb::Verb;

/// The largest message (RFC 1870).
pub(super) const LARGEST: usize = 10_485_760;
/// The most recipients of one message; RFC 5321 section 4.5.3.1.8 wants at least these.
const MOST_RECIPIENTS: usize = 100;
/// So many errors have their own replies; the next one ends the connection.
const MOST_ERRORS: usize = 20;
/// The domains whose mail is taken from anybody.
const LOCAL: [&str; 2] = ["example.com", "localhost"];

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Mail from anybody to local domains (RFC 5321).
    Smtp,
    /// Mail from users to anywhere (RFC 6409).
    Submission,
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

/// One connection's side of the dialogue.
#[derive(Debug)]
pub(super) struct Dialogue {
    role: Role,
    hello: Option<Hello>,
    user: Option<String>,
    exchange: Option<Exchange>,
    transaction: Option<Transaction>,
    errors: usize,
    /// TLS is on.
    tls: bool,
}

/// An answer, or one that is an error: both are sent, and `?` gives the latter.
type Answered = Result<Answer, Answer>;

impl Dialogue {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            hello: None,
            user: None,
            exchange: None,
            transaction: None,
            errors: 0,
            tls: false,
        }
    }

    /// TLS has been put on: the client is as good as new (RFC 3207 section 4.2).
    pub(super) fn secured(&mut self) {
        *self = Self { tls: true, errors: self.errors, ..Self::new(self.role) };
    }

    pub(super) fn greeting() -> Answer {
        Answer::new(220, "localhost ESMTP mailexpect embedded test server")
    }

    /// The answer to a client that has said nothing for too long.
    pub(super) fn idle() -> Answer {
        Answer::new(421, "4.4.2 Idle for too long").then(Next::Close)
    }

    /// The answer to a line: a command, or a response where AUTH asked for one.
    pub(super) fn line(&mut self, text: &[u8]) -> Answer {
        let answer = match self.exchange.take() {
            Some(exchange) => self.authenticate(exchange.respond(text)),
            None => self.command(&String::from_utf8_lossy(text)).unwrap_or_else(|error| error),
        };
        self.counted(answer)
    }

    /// The answer to a line that is none.
    pub(super) fn malformed(&mut self, why: &str) -> Answer {
        self.exchange = None;
        self.counted(Answer::new(500, format!("5.5.2 {why}")))
    }

    /// The answer to a message that has come to its end, `None` if it was too large; and the mail,
    /// if it was accepted.
    pub(super) fn message(
        &mut self,
        content: Option<Vec<u8>>,
        stamp: &Stamp,
    ) -> (Answer, Option<Mail>) {
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

    /// A message that there was no room for.
    pub(super) fn crowded(&mut self) -> Answer {
        self.transaction = None;
        Answer::new(452, "4.3.1 Too much mail comes in at once; try again later")
    }

    /// How mail came in, in the words of RFC 3848.
    fn protocol(&self) -> &'static str {
        let extended = matches!(self.hello, Some(Hello { extended: true, .. }));
        match (&self.user, self.tls) {
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
            Verb::Helo | Verb::Ehlo => self.hello(argument, verb == Verb::Ehlo),
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

    /// HELO and EHLO (RFC 5321 section 4.1.1.1); either ends a transaction (section 4.1.4).
    fn hello(&mut self, argument: &str, extended: bool) -> Answered {
        if argument.is_empty() || !argument.bytes().all(|byte| byte.is_ascii_graphic()) {
            let verb = if extended { "EHLO" } else { "HELO" };
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

    /// AUTH (RFC 4954 section 4).
    fn auth(&mut self, argument: &str) -> Answered {
        if self.role == Role::Smtp {
            return Err(out_of_sequence("AUTH not available"));
        }
        self.greeted()?;
        if self.user.is_some() {
            return Err(out_of_sequence("Already authenticated"));
        }
        if self.transaction.is_some() {
            return Err(out_of_sequence("AUTH not allowed in a mail transaction"));
        }
        Ok(self.authenticate(auth::begin(argument)))
    }

    fn authenticate(&mut self, step: Step) -> Answer {
        match step {
            Step::Ask(exchange, answer) => {
                self.exchange = Some(exchange);
                answer
            }
            Step::Granted(user, answer) => {
                self.user = Some(user);
                answer
            }
            Step::Refused(answer) => answer,
        }
    }

    /// MAIL (RFC 5321 section 4.1.1.2).
    fn mail(&mut self, argument: &str) -> Answered {
        self.greeted()?;
        if self.transaction.is_some() {
            return Err(out_of_sequence("A mail transaction is open already"));
        }
        if self.role == Role::Submission && self.user.is_none() {
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
        let local = path
            .domain
            .is_none_or(|domain| LOCAL.iter().any(|local| domain.eq_ignore_ascii_case(local)));
        if !local && self.user.is_none() {
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
        if self.hello.is_some() { Ok(()) } else { Err(out_of_sequence("EHLO or HELO first")) }
    }
}

fn alone(argument: &str) -> Result<(), Answer> {
    if argument.is_empty() {
        Ok(())
    } else {
        Err(Answer::new(501, "5.5.4 The command takes no argument"))
    }
}

/// What a parameter of MAIL asks for: SIZE (RFC 1870), BODY (RFC 6152), AUTH (RFC 4954 section 5).
fn mail_parameter(parameter: &str) -> Result<(), Answer> {
    let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    match keyword.to_ascii_uppercase().as_str() {
        "SIZE"
            if value.is_empty()
                || value.len() > 20
                || !value.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Err(Answer::new(501, "5.5.4 Syntax: SIZE=octets"))
        }
        "SIZE" if value.parse::<usize>().is_ok_and(|size| size <= LARGEST) => Ok(()),
        "SIZE" => Err(too_large()),
        "BODY" if ["7BIT", "8BITMIME"].iter().any(|body| value.eq_ignore_ascii_case(body)) => {
            Ok(())
        }
        "BODY" => Err(Answer::new(501, "5.5.4 Syntax: BODY=7BIT or BODY=8BITMIME")),
        // Whoever is named, nothing is relayed in that name, which the section allows.
        "AUTH" if !value.is_empty() => Ok(()),
        _ => Err(unknown_parameter()),
    }
}

fn unknown_parameter() -> Answer {
    Answer::new(555, "5.5.4 Unsupported parameter")
}

fn too_large() -> Answer {
    Answer::new(552, format!("5.3.4 Message larger than {LARGEST} octets"))
}

fn out_of_sequence(why: &'static str) -> Answer {
    Answer::new(503, format!("5.5.1 {why}"))
}

#[cfg(test)]
mod tests;
