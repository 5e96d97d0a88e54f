//! The output of commands in which a person types at a terminal.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::Human;
use super::explained::{notes, step_without_script};
use super::human::styled;
use super::style::{BAD, DIM, GOOD, ODD};
use crate::duration::shown;
use crate::error::Error;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::transcript::{self, Event, Line};
use crate::visible;

impl Human {
    /// The message that a file was written.
    pub(crate) fn wrote(path: &Path) -> String {
        format!("wrote {}\n", visible::escape(path.to_string_lossy().as_bytes()))
    }

    /// An event in a dialogue with only one session.
    pub(crate) fn alone(event: &Event) -> String {
        let lines = transcript::lines(std::slice::from_ref(event)).into_iter();
        lines.map(|line| styled(&Line { session: None, ..line }, usize::MAX) + "\n").collect()
    }

    /// An event in a dialogue with only one session, after the time that has elapsed.
    pub(crate) fn at(elapsed: Duration, event: &Event) -> String {
        let mut text = String::new();
        for line in Self::alone(event).lines() {
            let _ = writeln!(text, "{DIM}{:>8.3}{DIM:#} {line}", elapsed.as_secs_f64());
        }
        text
    }

    /// The result of sending a message, after its dialogue.
    pub(crate) fn sent(outcome: &Outcome, is_whole: bool) -> String {
        let elapsed = shown::show(outcome.elapsed);
        match &outcome.verdict {
            Verdict::Failed(failure) | Verdict::Interrupted(failure) => {
                // What is beside it says who has the message.
                let is_sent =
                    is_whole && failure.error.sent() == Some("QUIT") && outcome.beside.is_empty();
                let step = if is_sent { Some(ONLY_QUIT.to_owned()) } else { None };
                let beside = outcome.beside.iter().map(|failure| without_script(failure, None));
                std::iter::once(without_script(failure, step)).chain(beside).collect()
            }
            _ if is_whole => format!("{GOOD}accepted{GOOD:#} ({elapsed})\n"),
            _ => format!("{GOOD}nothing was refused{GOOD:#} ({elapsed}); nothing was delivered\n"),
        }
    }

    /// An error that does not end the dialogue.
    pub(crate) fn error(error: &Error) -> String {
        format!("{BAD}error{BAD:#}: {error}\n")
    }

    /// The message that a line was typed before the reply to the line before it.
    pub(crate) fn out_of_turn() -> String {
        format!(
            "{ODD}not sent yet{ODD:#}: the server owes a reply; the line waits for it, and Enter sends it now\n"
        )
    }
}

/// The hint if a message was accepted and the dialogue failed after it.
const ONLY_QUIT: &str =
    "the server has accepted the message; only QUIT failed, so do not send it again";

/// A failure for people who see no script: without its line, and with `next` or else the next step
/// for them as the hint.
fn without_script(failure: &Failure, next: Option<String>) -> String {
    let mut text = format!("{BAD}error{BAD:#}: {}\n", failure.error.message());
    let hint = next.or_else(|| step_without_script(&failure.error)).map(|step| ("hint", step));
    let is_shown = |(name, _): &(&str, String)| !["step", "hint"].contains(name);
    for (name, note) in notes(failure).into_iter().filter(is_shown).chain(hint) {
        let note = note.replace('\n', "\n    ");
        let _ = writeln!(text, "  {name}: {note}");
    }
    text
}
