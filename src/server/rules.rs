//! Which commands a server answers otherwise than well.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::conduct::Conduct;
use crate::error::Result;

/// The rules of a server, of which the first that fits a command holds.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    limit: Option<Limit>,
}

/// How many connections may come in a time.
#[derive(Debug)]
struct Limit {
    connections: usize,
    window: Duration,
    /// When the last of them came.
    came: Mutex<VecDeque<Instant>>,
}

#[derive(Debug)]
struct Rule {
    /// The words that a command begins with, in capitals.
    words: Vec<String>,
    /// What is done the first time, the second, and so on.
    turns: Vec<Conduct>,
    /// The last of them is what is done from then on.
    is_lasting: bool,
    used: AtomicUsize,
}

/// What comes before any command, and what ends a message: neither has a verb.
pub(super) const GREETING: &str = "GREETING";
pub(super) const MESSAGE: &str = "MESSAGE";
/// A response to a challenge of SASL.
pub(super) const RESPONSE: &str = "RESPONSE";

impl Rules {
    /// Adds a rule for commands that begin with these words, such as `RCPT` or `AUTH PLAIN`.
    ///
    /// # Errors
    /// Usage for a step that cannot be read.
    pub(super) fn add(&mut self, words: &str, turns: &[String], is_lasting: bool) -> Result<()> {
        let turns = turns.iter().map(|turn| Conduct::read(turn)).collect::<Result<_>>()?;
        let words = words.to_ascii_uppercase().split_whitespace().map(str::to_owned).collect();
        self.rules.push(Rule { words, turns, is_lasting, used: AtomicUsize::new(0) });
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.limit.is_none()
    }

    /// Lets so many connections in within that time.
    pub(super) fn limit(&mut self, connections: usize, window: Duration) {
        self.limit = Some(Limit { connections, window, came: Mutex::default() });
    }

    /// Whether a connection that comes now is one too many.
    pub(super) fn is_too_many(&self) -> bool {
        let Some(limit) = &self.limit else { return false };
        let mut came = limit.came.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while came.front().is_some_and(|first| now.duration_since(*first) >= limit.window) {
            came.pop_front();
        }
        if came.len() >= limit.connections {
            return true;
        }
        came.push_back(now);
        false
    }

    /// What to do with a command, counted for all connections together; nothing if it is to be
    /// answered well.
    pub(super) fn turn(&self, command: &str) -> Option<&Conduct> {
        let given: Vec<_> = command.split_whitespace().map(str::to_ascii_uppercase).collect();
        // MAIL FROM:<a> is a command of the words MAIL and FROM:<A>.
        let fits = |rule: &&Rule| given.starts_with(&rule.words);
        let rule = self.rules.iter().find(fits)?;
        let used = rule.used.fetch_add(1, Ordering::Relaxed);
        let last = rule.turns.last().filter(|_| rule.is_lasting);
        rule.turns.get(used).or(last).filter(|conduct| !conduct.0.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_in_turn_or_always() {
        let mut rules = Rules::default();
        rules
            .add("rcpt", &["451 later".to_owned(), String::new(), "550 no".to_owned()], false)
            .unwrap();
        rules.add("AUTH PLAIN", &["535 no".to_owned()], true).unwrap();
        let says = |command: &str| rules.turn(command).is_some();
        assert_eq!([(); 4].map(|()| says("RCPT TO:<a@b>")), [true, false, true, false]);
        assert_eq!([(); 2].map(|()| says("auth plain AGE=")), [true, true]);
        assert!(!says("AUTH LOGIN") && !says(""));
    }
}
