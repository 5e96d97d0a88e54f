//! A dialogue that behaves well except for what rules say.

use std::sync::Arc;

use super::conduct::{Conduct, conduct, is_literal, refuses};
use super::dialogue::{Dialogue, Next, Said};
use super::imap;
use super::on_demand::Demands;
use super::question::{Asker, Decision, Question};
use super::rules::{GREETING, MESSAGE, RESPONSE, Rules, Turn};
use crate::proto::Speech;

/// A dialogue and the rules that come before it.
#[derive(Debug)]
pub(super) struct Overridden {
    inner: Box<dyn Dialogue>,
    rules: Arc<Rules>,
    speech: Speech,
    /// What the addresses so far ask for, if they may.
    demands: Option<Demands>,
    /// The tag of the command whose challenge the client answers now, if it does.
    asked: Option<String>,
    /// The command of which the client has not said all, since there is a literal in it.
    begun: Option<Begun>,
    /// Which of the server's connections it is, from 1.
    connection: u64,
    /// What is being decided about.
    pending: Option<Pending>,
    /// The decision to come, until the connection waits for it.
    decision: Option<Decision>,
}

/// What waits for a decision.
#[derive(Debug)]
enum Pending {
    Greeting,
    /// A line, with what an address asks for unless the decision is something else.
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

/// A command, and what its rule says if there is one.
#[derive(Debug)]
struct Begun {
    tag: String,
    rule: Option<Conduct>,
}

impl Begun {
    fn is_refused(&self) -> bool {
        self.rule.as_ref().is_some_and(refuses)
    }
}

impl Overridden {
    pub(super) fn new(inner: Box<dyn Dialogue>, rules: Arc<Rules>, speech: Speech) -> Self {
        let may_ask = rules.on_demand && matches!(speech, Speech::Smtp | Speech::Lmtp);
        let demands = may_ask.then(Demands::default);
        let connection = rules.connection();
        Self {
            inner,
            rules,
            speech,
            demands,
            asked: None,
            begun: None,
            connection,
            pending: None,
            decision: None,
        }
    }

    /// Asks about a command.
    fn ask(&mut self, turn: (&Asker, usize, u64), command: &[u8], pending: Pending) -> Said {
        let (whom, decider, number) = turn;
        let from = (self.connection, self.speech);
        self.decision = Some(Question::ask(whom, decider, number, from, command.to_vec()));
        self.pending = Some(pending);
        Said::nothing().then(Next::Ask)
    }

    /// The command that rules look at: of IMAP without its tag, and without UID.
    fn command<'a>(&self, line: &'a str) -> (&'a str, &'a str) {
        if self.speech != Speech::Imap {
            return ("", line);
        }
        let (tag, command) = line.split_once(' ').unwrap_or(("", line));
        let uid = command.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("UID "));
        (tag, if uid { &command[4..] } else { command })
    }

    /// The answer to a line of a command, its first one or one after a literal.
    fn answer(&mut self, text: &[u8], command: Begun, is_first: bool) -> Said {
        let said = match &command.rule {
            None => self.inner.line(text),
            Some(rule) if refuses(rule) => match self.unasked(text) {
                // What the client sends in any case is no command.
                Some(octets) => Said::nothing().then(Next::Skip(octets)),
                None => conduct(rule, &command.tag, Said::nothing),
            },
            // A client that is told yes goes on as if it was so.
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

    /// The answer to the first line of a command, or to a response, by its rule.
    fn answer_first(
        &mut self,
        text: &[u8],
        (tag, command): (&str, &str),
        rule: Option<Conduct>,
        is_response: bool,
    ) -> Said {
        let mut said = self.answer(text, Begun { tag: tag.to_owned(), rule }, true);
        if let Some(demands) = self.demands.as_mut().filter(|_| !is_response) {
            demands.answered(command, &mut said);
        }
        let asks = said.bytes.starts_with(b"334") || said.bytes.starts_with(b"+ ");
        let asks = asks && said.next == Next::Line && !command.eq_ignore_ascii_case("IDLE");
        self.asked = asks.then(|| tag.to_owned());
        said
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

    /// The octets of a literal that a line announces and that come without a go-ahead.
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
    fn greeting(&mut self) -> Said {
        if self.rules.is_too_many() {
            let too_many = self.speech.facts().server.too_many;
            return Said::new(format!("{too_many}\r\n")).then(Next::Close);
        }
        match Arc::clone(&self.rules).turn(GREETING) {
            Turn::Do(rule) => conduct(rule, "*", || self.inner.greeting()),
            Turn::Well => self.inner.greeting(),
            Turn::Ask(whom, decider, number) => {
                self.ask((whom, decider, number), b"", Pending::Greeting)
            }
        }
    }

    fn idle(&mut self) -> Said {
        self.inner.idle()
    }

    fn line(&mut self, text: &[u8]) -> Said {
        let line = String::from_utf8_lossy(text).into_owned();
        if let Some(command) = self.begun.take() {
            return self.answer(text, command, false);
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
        let is_well = decided.0.is_empty();
        match pending {
            Pending::Greeting if is_well => self.inner.greeting(),
            Pending::Greeting => conduct(decided, "*", || self.inner.greeting()),
            Pending::Line { text, tag, command, demanded, is_response } => {
                let rule = if is_well { demanded } else { Some(decided.clone()) };
                self.answer_first(&text, (&tag, &command), rule, is_response)
            }
            Pending::Message(octets) if is_well => self.taken(octets),
            Pending::Message(octets) => self.ruled(decided, octets),
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
        let is_message = matches!(self.speech, Speech::Smtp | Speech::Lmtp);
        let rules = Arc::clone(&self.rules);
        match if is_message { rules.turn(MESSAGE) } else { Turn::Well } {
            Turn::Do(rule) => self.ruled(rule, octets),
            Turn::Well => self.taken(octets),
            Turn::Ask(whom, decider, number) => {
                let content = octets.clone().unwrap_or_default();
                let pending = Pending::Message(octets);
                self.ask((whom, decider, number), &content, pending)
            }
        }
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

    fn largest(&self) -> usize {
        self.inner.largest()
    }
}
