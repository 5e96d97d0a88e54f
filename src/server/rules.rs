//! Which commands a server answers otherwise than well.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::conduct::Conduct;
use super::question::Asker;
use crate::error::{Error, Result};
use crate::proto::Speech;
use crate::session::{CONNECT, Fault, Faults, GREETING, MESSAGE, RESPONSE};
#[cfg(feature = "script")]
use crate::suggest;
use crate::visible;

/// The rules of a server, of which the first that fits a command holds.
#[derive(Debug, Default)]
pub(super) struct Rules {
    all: Vec<Rule>,
    /// What addresses ask for is done as well, if no rule holds.
    pub(super) on_demand: bool,
    /// How many connections have come.
    connections: AtomicU64,
    limit: Option<Limit>,
    /// What goes wrong with what is said, by whatever rule.
    pub(super) faults: Arc<Faults>,
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
    does: Does,
    used: AtomicUsize,
}

/// What a rule has done.
#[derive(Debug)]
enum Does {
    /// The first time the first, the second time the second, and so on; if it is lasting, the last
    /// of them from then on.
    Turns { turns: Vec<Conduct>, is_lasting: bool },
    /// What this decider says.
    Ask(Asker, usize),
}

/// What is to be done with a command.
#[derive(Debug)]
pub(super) enum Turn<'r> {
    /// It is answered well.
    Well,
    Do(&'r Conduct),
    /// The decider with this number is asked, for the so manyth time.
    Ask(&'r Asker, usize, u64),
}

/// What a rule may begin with if this is spoken.
fn known(speech: Speech) -> Vec<&'static str> {
    let commands = speech.facts().commands().filter_map(|command| command.split(' ').next());
    let has_messages = matches!(speech, Speech::Smtp | Speech::Lmtp);
    commands.chain(has_messages.then_some(MESSAGE)).chain([GREETING, RESPONSE]).collect()
}

/// The command that was meant, most likely.
#[cfg(feature = "script")]
fn nearest<'a>(word: &str, known: Vec<&'a str>) -> Option<&'a str> {
    suggest::nearest(word, known)
}

/// None: what measures how near words are comes with scripts.
#[cfg(not(feature = "script"))]
fn nearest<'a>(_: &str, _: Vec<&'a str>) -> Option<&'a str> {
    None
}

/// Whether any server of these would ever meet such a command: a rule that is misspelt would never
/// hold, and the test of the client would pass. What begins with X is the user's own.
fn check(word: &str, spoken: &[Speech]) -> Result<()> {
    let known: Vec<_> = spoken.iter().flat_map(|speech| known(*speech)).collect();
    if known.contains(&word) || word.starts_with('X') {
        return Ok(());
    }
    let names: std::collections::BTreeSet<_> =
        spoken.iter().map(|speech| speech.facts().name).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let word_shown = visible::escape(word.as_bytes());
    let error = Error::usage(format!("`{word_shown}` is no command of {names}"));
    Err(match nearest(word, known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(
            "a rule is for a command, or for GREETING, RESPONSE, or MESSAGE in SMTP and LMTP; \
             commands of your own begin with X",
        ),
    })
}

impl Rules {
    /// Adds a rule for commands that begin with these words, such as `RCPT` or `AUTH PLAIN`.
    ///
    /// # Errors
    /// Usage for a step that cannot be read, and a command that none of these protocols has.
    pub(super) fn add(
        &mut self,
        words: &str,
        (turns, is_lasting): (&[String], bool),
        spoken: &[Speech],
    ) -> Result<()> {
        let turns = turns.iter().map(|turn| Conduct::read(turn)).collect::<Result<_>>()?;
        self.push(words, Does::Turns { turns, is_lasting }, spoken)
    }

    /// Makes sure that the command of a fault is one that any of these protocols has.
    ///
    /// # Errors
    /// Usage if none has it.
    pub(super) fn check_fault(fault: &Fault, spoken: &[Speech]) -> Result<()> {
        match fault.when.at.first() {
            Some(word) if word != CONNECT => check(word, spoken),
            _ => Ok(()),
        }
    }

    /// Adds a rule for commands that somebody decides about when they come.
    ///
    /// # Errors
    /// Usage for a command that none of these protocols has.
    #[cfg(feature = "script")]
    pub(super) fn ask(
        &mut self,
        words: &str,
        (asker, decider): (Asker, usize),
        spoken: &[Speech],
    ) -> Result<()> {
        self.push(words, Does::Ask(asker, decider), spoken)
    }

    fn push(&mut self, words: &str, does: Does, spoken: &[Speech]) -> Result<()> {
        let words = words.to_ascii_uppercase();
        let mut words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
        // Commands are looked at without it.
        if words.len() > 1 && words[0] == "UID" {
            words.remove(0);
        }
        check(words.first().map_or("", String::as_str), spoken)?;
        self.all.push(Rule { words, does, used: AtomicUsize::new(0) });
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.limit.is_none() && !self.on_demand && self.faults.is_empty()
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

    /// The number of a connection that comes now, from 1.
    pub(super) fn connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What to do with a command, counted for all connections together.
    pub(super) fn turn(&self, command: &str) -> Turn<'_> {
        let given: Vec<_> = command.split_whitespace().map(str::to_ascii_uppercase).collect();
        // MAIL FROM:<a> is a command of the words MAIL and FROM:<A>.
        let fits = |rule: &&Rule| given.starts_with(&rule.words);
        let Some(rule) = self.all.iter().find(fits) else { return Turn::Well };
        let used = rule.used.fetch_add(1, Ordering::Relaxed);
        match &rule.does {
            Does::Turns { turns, is_lasting } => {
                let last = turns.last().filter(|_| *is_lasting);
                let turn = turns.get(used).or(last).filter(|conduct| !conduct.is_well());
                turn.map_or(Turn::Well, Turn::Do)
            }
            Does::Ask(asker, decider) => Turn::Ask(asker, *decider, used as u64 + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_in_turn_or_always() {
        let mut rules = Rules::default();
        rules
            .add(
                "rcpt",
                (&["451 later".to_owned(), String::new(), "550 no".to_owned()], false),
                &[Speech::Smtp],
            )
            .unwrap();
        rules.add("AUTH PLAIN", (&["535 no".to_owned()], true), &[Speech::Smtp]).unwrap();
        let says = |command: &str| matches!(rules.turn(command), Turn::Do(_));
        assert_eq!([(); 4].map(|()| says("RCPT TO:<a@b>")), [true, false, true, false]);
        assert_eq!([(); 2].map(|()| says("auth plain AGE=")), [true, true]);
        assert!(!says("AUTH LOGIN") && !says(""));
    }

    #[test]
    fn a_rule_that_could_never_hold_is_refused() {
        let add = |words: &str, speech| {
            Rules::default().add(words, (&["close".to_owned()], true), &[speech])
        };
        // Without scripts there is nothing that measures how near words are.
        let near = |hint| if cfg!(feature = "script") { hint } else { "a rule is for" };
        for (wrong, speech, hint) in [
            ("RCTP", Speech::Smtp, near("did you mean `RCPT`?")),
            ("EHLO", Speech::Lmtp, near("did you mean `LHLO`?")),
            ("RCPT", Speech::Pop3, "a rule is for"),
            ("MESSAGE", Speech::Imap, "a rule is for"),
            ("", Speech::Smtp, "a rule is for"),
        ] {
            let error = add(wrong, speech).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(hint), "{wrong}: {error}");
        }
        for (right, speech) in [
            ("MESSAGE", Speech::Lmtp),
            ("greeting", Speech::Sieve),
            ("UID FETCH", Speech::Imap),
            ("XCLIENT", Speech::Smtp),
        ] {
            add(right, speech).unwrap();
        }
        let mut rules = Rules::default();
        rules.add("UID FETCH", (&["NO".to_owned()], true), &[Speech::Imap]).unwrap();
        assert!(
            matches!(rules.turn("FETCH 1 FLAGS"), Turn::Do(_)),
            "commands are looked at without UID"
        );
    }
}
