//! A dialogue that behaves well except for what rules say.

use std::sync::Arc;

use super::conduct::{conduct, refuses};
use super::dialogue::{Dialogue, Next, Said};
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
}

impl Overridden {
    pub(super) fn new(inner: Box<dyn Dialogue>, rules: Arc<Rules>, speech: Speech) -> Self {
        let may_ask = rules.on_demand && matches!(speech, Speech::Smtp | Speech::Lmtp);
        let demands = may_ask.then(Demands::default);
        Self { inner, rules, speech, demands, asked: None }
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
        let asked = self.asked.take();
        let (tag, command) = match &asked {
            Some(tag) => (tag.as_str(), RESPONSE),
            None => self.command(&line),
        };
        let rules = Arc::clone(&self.rules);
        let in_exchange = asked.is_some();
        let demanded = self.demands.as_mut().filter(|_| !in_exchange);
        let demanded = demanded.and_then(|demands| demands.of(command));
        let mut said = match rules.turn(command).or(demanded.as_ref()) {
            None => self.inner.line(text),
            Some(rule) if refuses(rule) => conduct(rule, tag, Said::nothing),
            // A client that is told yes goes on as if it was so.
            Some(rule) => {
                let good = self.inner.line_granted(text);
                conduct(rule, tag, || good)
            }
        };
        if let Some(demands) = self.demands.as_mut().filter(|_| !in_exchange) {
            demands.answered(command, &mut said);
        }
        let asks = said.bytes.starts_with(b"334") || said.bytes.starts_with(b"+ ");
        self.asked = (asks && !command.eq_ignore_ascii_case("IDLE")).then(|| tag.to_owned());
        said
    }

    fn malformed(&mut self, why: &str) -> Said {
        self.inner.malformed(why)
    }

    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said {
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
