//! A dialogue that behaves well unless a rule says otherwise.

use std::sync::Arc;

use super::conduct::{Conduct, conduct, is_literal, refuses};
use super::dialogue::{Dialogue, Next, Said};
use super::on_demand::Demands;
use super::question::{Asker, Decision, Question};
use super::rules::{Rules, Turn};
use super::spoil;
use crate::proto::{Speech, imap};
use crate::session::{CONNECT, Fault, GREETING, MESSAGE, OnConnection, RESPONSE};

/// A dialogue, and the rules that can replace its answers.
#[derive(Debug)]
pub(super) struct Overridden {
    inner: Box<dyn Dialogue>,
    rules: Arc<Rules>,
    speech: Speech,
    /// What the addresses of the transaction ask for; `None` if addresses may not ask for faults.
    demands: Option<Demands>,
    /// The tag of the command whose challenge the client answers next, if any.
    asked: Option<String>,
    /// The command that the client has not sent completely, because it contains a literal.
    begun: Option<Begun>,
    /// The number of the connection on this server, from 1.
    connection: u64,
    /// The faults of this connection.
    faults: OnConnection,
    /// The fault that the rule in use injects into the next answer.
    own: Option<Box<Fault>>,
    /// What waits for a decision.
    pending: Option<Pending>,
    /// The channel of the decision, until the connection waits on it.
    decision: Option<Decision>,
}

/// An input that waits for a decision.
#[derive(Debug)]
enum Pending {
    Greeting,
    /// A line, and what its address asks for, which is done if the decision is to answer well.
    Line {
        text: Vec<u8>,
        tag: String,
        command: String,
        demanded: Option<Conduct>,
        is_response: bool,
    },
    /// The content of a message.
    Message(Option<Vec<u8>>),
}

/// A command, and its rule if there is one.
#[derive(Debug)]
struct Begun {
    tag: String,
    /// The first line of the command, without the tag.
    text: String,
    rule: Option<Conduct>,
}

impl Begun {
    fn is_refused(&self) -> bool {
        self.rule.as_ref().is_some_and(refuses)
    }
}

impl Overridden {
    pub(super) fn new(inner: Box<dyn Dialogue>, rules: Arc<Rules>, speech: Speech) -> Self {
        let may_ask = rules.on_demand && speech.facts().has_messages;
        let demands = may_ask.then(Demands::default);
        let connection = rules.connection();
        let faults = rules.faults.on(connection);
        Self {
            inner,
            rules,
            speech,
            demands,
            asked: None,
            begun: None,
            connection,
            faults,
            own: None,
            pending: None,
            decision: None,
        }
    }

    /// Asks a decider about a command.
    fn ask(&mut self, turn: (&Asker, usize, u64), command: &[u8], pending: Pending) -> Said {
        let (whom, decider, number) = turn;
        let from = (self.connection, self.speech);
        self.decision = Some(Question::ask(whom, decider, number, from, command.to_vec()));
        self.pending = Some(pending);
        Said::nothing().then(Next::Ask)
    }

    /// The rule, unless it happens by chance and the dice say no. Keeps the rule's fault for the
    /// answer.
    fn taken_up(&mut self, rule: Option<Conduct>) -> Option<Conduct> {
        let fault = rule.as_ref().and_then(|rule| rule.fault.clone());
        if fault.as_ref().is_some_and(|fault| !self.faults.falls(fault)) {
            return None;
        }
        self.own = fault;
        rule
    }

    /// The answer with the fault of its rule, or else with a fault of the server.
    fn spoilt(&mut self, said: Said, at: &str) -> Said {
        if said.next == Next::Ask || (said.bytes.is_empty() && said.next == Next::Line) {
            return said;
        }
        // The command goes on after its literal; the fault is for the answer to the whole command.
        if said.bytes.is_empty() && is_literal(said.next) {
            return said;
        }
        match self.own.take().map(|own| *own).or_else(|| self.faults.at(at)) {
            Some(fault) => spoil::spoil(said, &fault, self.faults.dice()),
            None => said,
        }
    }

    /// Splits a line into the tag and the command that rules are compared with: only IMAP has a
    /// tag, and its UID prefix is left out.
    fn command<'a>(&self, line: &'a str) -> (&'a str, &'a str) {
        if !self.speech.facts().has_tags {
            return ("", line);
        }
        let (tag, command) = line.split_once(' ').unwrap_or(("", line));
        let uid = command.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("UID "));
        (tag, if uid { &command[4..] } else { command })
    }

    /// The answer to a line of a command: its first line, or a line after a literal.
    fn answer(&mut self, text: &[u8], command: Begun, is_first: bool) -> Said {
        let said = match &command.rule {
            None => self.inner.line(text),
            Some(rule) if refuses(rule) => match self.unasked(text) {
                // The client sends this literal without waiting: it must not be read as commands.
                Some(octets) => Said::nothing().then(Next::Skip(octets)),
                None => self.refusal(rule, &command),
            },
            // A client that was told yes goes on as if the command had succeeded, so it must
            // succeed here too.
            Some(rule) => {
                let inner = &mut self.inner;
                let good = if is_first { inner.line_granted(text) } else { inner.line(text) };
                let is_begun = good.bytes.is_empty() && is_literal(good.next);
                if is_begun { good } else { conduct(rule, &command.tag, || good) }
            }
        };
        if is_literal(said.next) {
            let is_answered = !said.bytes.is_empty();
            let rule = command.rule.filter(|_| !is_answered);
            self.begun = Some(Begun { rule, ..command });
        }
        said
    }

    /// The answer of a rule that refuses. A refused response ends the exchange: a command of the
    /// client comes next.
    fn refusal(&mut self, rule: &Conduct, command: &Begun) -> Said {
        if command.text == RESPONSE {
            let is_string = self.speech.facts().sasl.challenge.is_empty();
            self.inner.line(if is_string { b"\"*\"" } else { b"*" });
        }
        conduct(rule, &command.tag, Said::nothing)
    }

    /// The answer to a response or to the first line of a command, by its rule if there is one.
    fn answer_first(
        &mut self,
        text: &[u8],
        (tag, command): (&str, &str),
        rule: Option<Conduct>,
        is_response: bool,
    ) -> Said {
        let rule = self.taken_up(rule);
        let begun = Begun { tag: tag.to_owned(), text: command.to_owned(), rule };
        let mut said = self.answer(text, begun, true);
        if let Some(demands) = self.demands.as_mut().filter(|_| !is_response) {
            demands.answered(command, &mut said);
        }
        self.note_challenge(&said, tag, command);
        self.spoilt(said, command)
    }

    /// Notes whether the client answers a challenge next, after a command or another response. Only
    /// an exchange has challenges: in `ManageSieve` they are strings, as scripts are.
    fn note_challenge(&mut self, said: &Said, tag: &str, command: &str) {
        let sasl = self.speech.facts().sasl;
        let in_exchange = command == RESPONSE || sasl.begins(command);
        let asks = in_exchange && said.next == Next::Line && sasl.is_challenge(&said.bytes);
        self.asked = asks.then(|| tag.to_owned());
    }

    fn greeting_by(&mut self, rule: Option<Conduct>) -> Said {
        let said = match self.taken_up(rule) {
            Some(rule) => {
                let tag = if self.speech.facts().has_tags { "*" } else { "" };
                conduct(&rule, tag, || self.inner.greeting())
            }
            None => self.inner.greeting(),
        };
        self.spoilt(said, GREETING)
    }

    /// The answer to a message, by its rule if there is one.
    fn message(&mut self, rule: Option<Conduct>, octets: Option<Vec<u8>>) -> Said {
        let said = match self.taken_up(rule) {
            Some(rule) => self.ruled(&rule, octets),
            None => self.taken(octets),
        };
        let is_message = self.speech.facts().has_messages;
        self.spoilt(said, if is_message { MESSAGE } else { "" })
    }

    /// The answer to a message by a rule.
    fn ruled(&mut self, rule: &Conduct, octets: Option<Vec<u8>>) -> Said {
        // The next message has addresses of its own.
        if let Some(demands) = &mut self.demands {
            *demands = Demands::default();
        }
        let good = if refuses(rule) { self.inner.crowded() } else { self.inner.octets(octets) };
        conduct(rule, "", || good)
    }

    /// The answer to a message or a literal without a rule.
    fn taken(&mut self, octets: Option<Vec<u8>>) -> Said {
        let demands = self.demands.as_mut().map(std::mem::take);
        let is_refused = demands.as_ref().is_some_and(|demands| demands.refuse(self.speech));
        let good = if is_refused { self.inner.crowded() } else { self.inner.octets(octets) };
        match demands {
            Some(demands) => demands.message(self.speech, good),
            None => good,
        }
    }

    /// The length of a literal that a line announces and that the client sends without a go-ahead.
    fn unasked(&self, text: &[u8]) -> Option<u64> {
        let (octets, waits) = imap::announced(text)?;
        match self.speech {
            Speech::Imap => (!waits).then_some(octets),
            Speech::Sieve => Some(octets),
            _ => None,
        }
    }
}

impl Dialogue for Overridden {
    fn connect(&mut self) -> Said {
        match self.faults.at(CONNECT) {
            Some(fault) => spoil::connect(&fault, self.faults.dice()),
            None => Said::nothing(),
        }
    }

    fn greeting(&mut self) -> Said {
        if self.rules.is_too_many() {
            let too_many = self.speech.facts().server.too_many;
            return Said::new(format!("{too_many}\r\n")).then(Next::Close);
        }
        let rule = match Arc::clone(&self.rules).turn(GREETING) {
            Turn::Do(rule) => Some(rule.clone()),
            Turn::Well => None,
            Turn::Ask(whom, decider, number) => {
                return self.ask((whom, decider, number), b"", Pending::Greeting);
            }
        };
        self.greeting_by(rule)
    }

    fn idle(&mut self) -> Said {
        self.inner.idle()
    }

    fn line(&mut self, text: &[u8]) -> Said {
        let line = String::from_utf8_lossy(text).into_owned();
        if let Some(command) = self.begun.take() {
            let (tag, at) = (command.tag.clone(), command.text.clone());
            let said = self.answer(text, command, false);
            self.note_challenge(&said, &tag, &at);
            return self.spoilt(said, &at);
        }
        let asked = self.asked.take();
        let (tag, command) = match &asked {
            Some(tag) => (tag.as_str(), RESPONSE),
            None => self.command(&line),
        };
        let in_exchange = asked.is_some();
        let demanded = self.demands.as_mut().filter(|_| !in_exchange);
        let demanded = demanded.and_then(|demands| demands.of(command));
        let rules = Arc::clone(&self.rules);
        let rule = match rules.turn(command) {
            Turn::Do(rule) => Some(rule.clone()),
            Turn::Well => demanded,
            Turn::Ask(whom, decider, number) => {
                let (tag, command) = (tag.to_owned(), command.to_owned());
                let text = text.to_vec();
                let turn = (whom, decider, number);
                let pending = Pending::Line {
                    text: text.clone(),
                    tag,
                    command,
                    demanded,
                    is_response: in_exchange,
                };
                return self.ask(turn, &text, pending);
            }
        };
        self.answer_first(text, (tag, command), rule, in_exchange)
    }

    fn decision(&mut self) -> Option<Decision> {
        self.decision.take()
    }

    fn decided(&mut self, decided: &Conduct) -> Said {
        let Some(pending) = self.pending.take() else { return Said::nothing() };
        let is_well = decided.is_well();
        let rule = (!is_well).then(|| decided.clone());
        match pending {
            Pending::Greeting => self.greeting_by(rule),
            Pending::Line { text, tag, command, demanded, is_response } => {
                self.answer_first(&text, (&tag, &command), rule.or(demanded), is_response)
            }
            Pending::Message(octets) => self.message(rule, octets),
        }
    }

    fn malformed(&mut self, why: &str) -> Said {
        self.begun = None;
        self.inner.malformed(why)
    }

    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said {
        if self.begun.as_ref().is_some_and(Begun::is_refused) {
            return Said::nothing();
        }
        let is_message = self.speech.facts().has_messages;
        let rules = Arc::clone(&self.rules);
        let rule = match if is_message { rules.turn(MESSAGE) } else { Turn::Well } {
            Turn::Do(rule) => Some(rule.clone()),
            Turn::Well => None,
            Turn::Ask(whom, decider, number) => {
                let content = octets.clone().unwrap_or_default();
                let pending = Pending::Message(octets);
                return self.ask((whom, decider, number), &content, pending);
            }
        };
        self.message(rule, octets)
    }

    fn crowded(&mut self) -> Said {
        self.inner.crowded()
    }

    fn secured(&mut self) -> Said {
        self.inner.secured()
    }

    fn closed(&mut self) {
        self.inner.closed();
    }

    fn news(&mut self) -> Option<Vec<u8>> {
        self.inner.news()
    }

    fn longest_line(&self) -> usize {
        self.inner.longest_line()
    }

    fn unaffordable(&mut self) -> Option<Said> {
        self.inner.unaffordable()
    }

    fn largest(&self) -> usize {
        self.inner.largest()
    }
}
