//! A dialogue that behaves well except for what rules say.

use std::sync::Arc;

use super::conduct::{Conduct, conduct, is_literal, refuses};
use super::dialogue::{Dialogue, Next, Said};
use super::imap;
use super::on_demand::Demands;
use super::rules::{GREETING, MESSAGE, RESPONSE, Rules};
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
        Self { inner, rules, speech, demands, asked: None, begun: None }
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
            return Said::new(match self.speech {
                Speech::Imap => "* BYE Too many connections\r\n",
                Speech::Pop3 => "-ERR [SYS/TEMP] Too many connections\r\n",
                Speech::Sieve => "BYE (TRYLATER) \"Too many connections\"\r\n",
                Speech::Smtp | Speech::Lmtp | Speech::Stream => {
                    "421 4.7.0 Too many connections\r\n"
                }
            })
            .then(Next::Close);
        }
        match Arc::clone(&self.rules).turn(GREETING) {
            Some(rule) => conduct(rule, "*", || self.inner.greeting()),
            None => self.inner.greeting(),
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
        let rule = self.rules.turn(command).cloned().or(demanded);
        let mut said = self.answer(text, Begun { tag: tag.to_owned(), rule }, true);
        if let Some(demands) = self.demands.as_mut().filter(|_| !in_exchange) {
            demands.answered(command, &mut said);
        }
        let asks = said.bytes.starts_with(b"334") || said.bytes.starts_with(b"+ ");
        let asks = asks && said.next == Next::Line && !command.eq_ignore_ascii_case("IDLE");
        self.asked = asks.then(|| tag.to_owned());
        said
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
        let demands = self.demands.as_mut().map(std::mem::take);
        if let Some(rule) = rules.turn(MESSAGE).filter(|_| is_message) {
            let good = if refuses(rule) { self.inner.crowded() } else { self.inner.octets(octets) };
            return conduct(rule, "", || good);
        }
        let is_refused = demands.as_ref().is_some_and(|demands| demands.refuse(self.speech));
        let good = if is_refused { self.inner.crowded() } else { self.inner.octets(octets) };
        match demands {
            Some(demands) => demands.message(self.speech, good),
            None => good,
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
