//! Rules: the commands that a server does not answer in its normal way.

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

/// The rules of a server; the first rule that fits a command applies.
#[derive(Debug, Default)]
pub(super) struct Rules {
    all: Vec<Rule>,
    /// Whether addresses may ask for faults if no rule applies.
    pub(super) on_demand: bool,
    /// How many connections have arrived.
    connections: AtomicU64,
    limit: Option<Limit>,
    /// The faults that are injected into answers, whichever rule made the answer.
    pub(super) faults: Arc<Faults>,
}

/// A limit on the connections that may arrive in a period.
#[derive(Debug)]
struct Limit {
    connections: usize,
    window: Duration,
    /// When the most recent connections arrived.
    came: Mutex<VecDeque<Instant>>,
}

#[derive(Debug)]
struct Rule {
    /// The words that the command must begin with, in capitals.
    words: Vec<String>,
    does: Does,
    used: AtomicUsize,
}

/// What a rule does.
#[derive(Debug)]
enum Does {
    /// The first time the first turn, the second time the second, and so on. After the last turn
    /// the server behaves well, or repeats the last turn if `is_lasting` is set.
    Turns { turns: Vec<Conduct>, is_lasting: bool },
    /// What the decider with this number says.
    Ask(Asker, usize),
}

/// What to do with a command.
#[derive(Debug)]
pub(super) enum Turn<'r> {
    /// The server answers well.
    Well,
    Do(&'r Conduct),
    /// The decider with this number is asked; last comes how many commands the rule has had, this
    /// one included.
    Ask(&'r Asker, usize, u64),
}

/// The first words that a rule may have in a protocol.
fn known(speech: Speech) -> Vec<&'static str> {
    let commands = speech.facts().commands().filter_map(|command| command.split(' ').next());
    let has_messages = speech.facts().has_messages;
    commands.chain(has_messages.then_some(MESSAGE)).chain([GREETING, RESPONSE]).collect()
}

/// The command that a misspelt word most likely means.
#[cfg(feature = "script")]
fn nearest<'a>(word: &str, known: Vec<&'a str>) -> Option<&'a str> {
    suggest::nearest(word, known)
}

/// No suggestion: the comparison of words is part of the `script` feature.
#[cfg(not(feature = "script"))]
fn nearest<'a>(_: &str, _: Vec<&'a str>) -> Option<&'a str> {
    None
}

/// Refuses a rule for a command that no protocol in use has: a misspelt rule would never apply, and
/// the test of the client would pass. Words that begin with X are free for extensions.
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
    /// Usage for a step that cannot be read, and for a command that none of these protocols has.
    pub(super) fn add(
        &mut self,
        words: &str,
        (turns, is_lasting): (&[String], bool),
        spoken: &[Speech],
    ) -> Result<()> {
        let turns: Vec<_> = turns.iter().map(|turn| Conduct::read(turn)).collect::<Result<_>>()?;
        let word = words.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let mut have_it = spoken.iter().filter(|speech| known(**speech).contains(&&*word));
        if let Some(speech) = have_it.next()
            && !have_it.any(|speech| speech.facts().has_codes())
        {
            turns.iter().try_for_each(|turn| turn.check(*speech))?;
        }
        self.push(words, Does::Turns { turns, is_lasting }, spoken)
    }

    /// Checks that at least one of these protocols has the command of a fault.
    ///
    /// # Errors
    /// Usage if none of these protocols has the command.
    pub(super) fn check_fault(fault: &Fault, spoken: &[Speech]) -> Result<()> {
        match fault.when.at.first() {
            Some(word) if word != CONNECT => check(word, spoken),
            _ => Ok(()),
        }
    }

    /// Adds a rule for commands about which a decider is asked.
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
        // Commands are compared without their UID prefix.
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

    /// Admits at most this many connections in any period of this length.
    pub(super) fn limit(&mut self, connections: usize, window: Duration) {
        self.limit = Some(Limit { connections, window, came: Mutex::default() });
    }

    /// Whether a connection that arrives now is over the limit.
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

    /// The number of a connection that arrives now, from 1.
    pub(super) fn connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What to do with a command; commands are counted over all connections.
    pub(super) fn turn(&self, command: &str) -> Turn<'_> {
        let given: Vec<_> = command.split_whitespace().map(str::to_ascii_uppercase).collect();
        // `MAIL FROM:<a>` consists of the words `MAIL` and `FROM:<A>`.
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
        // Suggestions need the `script` feature.
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
