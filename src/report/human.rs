//! The report for people: one line for what passed, everything for what failed.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::explained::{LINE_WIDTH, at, explain};
use super::style::{BAD, DIM, GOOD, ODD};
use super::{difference, failed};
use crate::outcome::{Golden, Outcome, Verdict};
use crate::transcript::{self, About, Event, Line, Mark, What};
use crate::{duration, visible};

/// The number of transcript lines that a failure shows.
const LAST_LINES: usize = 12;
/// The number of printed lines shown from the part of the transcript before those.
const LAST_PRINTS: usize = 50;

/// Explains the times before the lines of a transcript.
const CLOCK: &str = ", each line with the seconds since the script began and since the line before";

const CLIENT: Style = AnsiColor::Cyan.on_default();

/// Writes outcomes for a terminal. The text always contains colours; the caller removes them if
/// they are not wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Human {
    /// Whether whole transcripts are shown, also of what passed.
    pub(crate) verbose: bool,
    /// Whether each line of them has its time.
    pub(crate) timed: bool,
}

impl Human {
    /// The text for one outcome.
    #[must_use]
    pub(crate) fn outcome(self, outcome: &Outcome) -> String {
        let mut text = headline(outcome);
        text.push_str(&why(outcome));
        let events = &outcome.transcript;
        match &outcome.verdict {
            Verdict::Failed(_) if outcome.failed_by_cases => {
                let failed = outcome.cases.iter().filter(|case| !case.is_ok());
                if self.verbose {
                    // The transcript of the script has those of its cases.
                    for case in failed {
                        text.push_str(&headline(case));
                        text.push_str(&why(case));
                    }
                    self.transcript(&mut text, events, LAST_LINES);
                    text.push('\n');
                } else {
                    failed.for_each(|case| text.push_str(&self.outcome(case)));
                    printed(&mut text, events);
                }
            }
            Verdict::Failed(failure) | Verdict::Interrupted(failure) => {
                if self.verbose {
                    self.transcript(&mut text, events, LAST_LINES);
                } else {
                    let events = failed::events(events, failure, LAST_LINES);
                    self.transcript(&mut text, &events, LAST_LINES);
                }
                text.push('\n');
            }
            Verdict::Differs(_) => {
                if self.verbose {
                    self.transcript(&mut text, events, usize::MAX);
                }
                text.push('\n');
            }
            Verdict::Passed | Verdict::Skipped(_) if self.verbose => {
                self.transcript(&mut text, events, usize::MAX);
            }
            Verdict::Passed | Verdict::Skipped(_) => printed(&mut text, events),
        }
        text
    }

    /// One line for a failure: the place and the message.
    #[cfg(feature = "cli")]
    pub(crate) fn failure(outcome: &Outcome) -> String {
        let (place, message) = Self::fault(outcome);
        format!("  {BAD}{place}{BAD:#}{}  {message}\n", at_target(outcome))
    }

    /// The script, with its target if one was named. The text is not yet escaped for a terminal.
    #[cfg(feature = "cli")]
    pub(super) fn name(outcome: &Outcome) -> String {
        let name = outcome.name();
        match &outcome.target {
            Some(target) => format!("{name} @{target}"),
            None => name,
        }
    }

    /// The place and the message of a failure, each in one line.
    pub(super) fn fault(outcome: &Outcome) -> (String, &str) {
        let (place, message) = if let Verdict::Differs(difference) = &outcome.verdict {
            (None, difference::message(difference))
        } else {
            let failure = outcome.failure();
            let message = failure.map_or("", |failure| failure.error.message());
            (failure.and_then(|failure| failure.place.as_ref()), message)
        };
        let place = place.map_or_else(|| outcome.path.to_string_lossy().into_owned(), at);
        (visible::escape(place.as_bytes()), message.lines().next().unwrap_or_default())
    }

    /// One event of a server's dialogue, as it happens.
    #[must_use]
    pub(crate) fn event(event: &Event) -> String {
        let mut text = String::new();
        for line in transcript::lines(std::slice::from_ref(event)) {
            let _ =
                writeln!(text, "{}", styled(&Line { session: event.session, ..line }, usize::MAX));
        }
        text
    }

    fn transcript(self, text: &mut String, events: &[Event], last: usize) {
        // Below a failure, the transcript needs a title, because other details come before it.
        let is_titled = last < usize::MAX;
        let last = if self.verbose { usize::MAX } else { last };
        let lines = transcript::last_lines(events, last, |_| true);
        let count = transcript::count(events);
        let hidden = count - lines.len();
        if hidden > 0 {
            // Printed lines are shown even if the rest is not.
            let shown = lines.iter().filter(|line| print_of(line).is_some()).count();
            let mut prints = transcript::last_lines(events, LAST_PRINTS + shown, is_print);
            prints.truncate(prints.len() - shown);
            for line in prints {
                let _ = writeln!(text, "    {}", styled(&line, LINE_WIDTH));
            }
        }
        if !lines.is_empty() && is_titled {
            let which = if hidden > 0 {
                format!(", the last {last} of {count} lines (-v shows all)")
            } else {
                String::new()
            };
            let timed = if self.timed { CLOCK } else { "" };
            let _ = writeln!(text, "  {DIM}transcript{which}{timed}:{DIM:#}");
        }
        let mut before = None;
        for line in &lines {
            text.push_str("    ");
            if self.timed {
                text.push_str(&times(line.at, before));
                before = line.at.or(before);
            }
            let width = if self.verbose { usize::MAX } else { LINE_WIDTH };
            let _ = writeln!(text, "{}", styled(line, width));
        }
    }
}

/// What explains a failure: the verdict, and the failures in addition to it.
fn why(outcome: &Outcome) -> String {
    let path = outcome.path.to_string_lossy();
    let mut text = match &outcome.verdict {
        Verdict::Failed(failure) if outcome.failed_by_cases => {
            format!("{BAD}error{BAD:#}: {}\n", failure.error.message())
        }
        Verdict::Failed(failure) | Verdict::Interrupted(failure) => explain(failure, &path),
        Verdict::Differs(difference) => difference::explain(difference),
        Verdict::Passed | Verdict::Skipped(_) => String::new(),
    };
    outcome.beside.iter().for_each(|failure| text.push_str(&explain(failure, &path)));
    text
}

fn headline(outcome: &Outcome) -> String {
    let (word, style) = match &outcome.verdict {
        Verdict::Passed if outcome.is_flaky() => ("FLAKY", ODD),
        Verdict::Passed => ("PASS", GOOD),
        Verdict::Skipped(_) => ("SKIP", ODD),
        Verdict::Failed(_) | Verdict::Differs(_) => ("FAIL", BAD),
        Verdict::Interrupted(_) => ("STOP", ODD),
    };
    let path = visible::escape(outcome.name().as_bytes());
    let mut text = format!(
        "{style}{word}{style:#} {path}{} {DIM}({}){DIM:#}",
        at_target(outcome),
        duration::show(outcome.elapsed)
    );
    if let Some(title) = &outcome.title {
        let _ = write!(text, "  {}", visible::escape(title.as_bytes()));
    }
    if let Verdict::Skipped(reason) = &outcome.verdict {
        let _ = write!(text, "\n     {DIM}skipped: {}{DIM:#}", visible::escape(reason.as_bytes()));
    }
    for (number, attempt) in outcome.failed_attempts.iter().enumerate() {
        let (place, message) = Human::fault(attempt);
        let _ =
            write!(text, "\n     {DIM}attempt {} failed: {place}  {message}{DIM:#}", number + 1);
    }
    if let Golden::Same(golden) = &outcome.golden {
        let golden = visible::escape(golden.to_string_lossy().as_bytes());
        let _ = write!(text, "\n     {DIM}as in {golden}{DIM:#}");
    }
    if let Some((word, golden)) = written(&outcome.golden) {
        let _ = write!(
            text,
            "\n     {ODD}{word}{ODD:#} {}",
            visible::escape(golden.to_string_lossy().as_bytes())
        );
    }
    text.push('\n');
    text
}

/// The target of a script, to follow its path.
fn at_target(outcome: &Outcome) -> String {
    let target = outcome.target.as_ref();
    target.map(|target| format!(" @{}", visible::escape(target.as_bytes()))).unwrap_or_default()
}

/// When a line happened, and how long after the one before it.
fn times(at: Option<Duration>, before: Option<Duration>) -> String {
    let Some(at) = at else { return format!("{:19}", "") };
    let since = at.saturating_sub(before.unwrap_or_default());
    format!("{DIM}{:>8.4} {:>+9.4}{DIM:#} ", at.as_secs_f64(), since.as_secs_f64())
}

/// What was done with the golden transcript, and the file that was written for it.
fn written(golden: &Golden) -> Option<(&'static str, &Path)> {
    match golden {
        Golden::None | Golden::Same(_) => None,
        Golden::Recorded(path) => Some(("recorded", path)),
        Golden::Updated(path) => Some(("updated", path)),
        Golden::Pending(path) => Some(("to be reviewed:", path)),
    }
}

/// Adds the lines that a passing script printed, and its warnings.
fn printed(text: &mut String, events: &[Event]) {
    for line in transcript::last_lines(events, usize::MAX, is_print) {
        if let Some(print) = print_of(&line) {
            let _ = writeln!(text, "     {print}");
        }
    }
}

/// Whether an event is text that the script printed, or a warning about it.
fn is_print(event: &Event) -> bool {
    matches!(event.what, What::Printed(_) | What::Note { about: About::Warning, .. })
}

/// The text that the script printed, or the warning about it, if the line is such a one.
fn print_of(line: &Line) -> Option<&str> {
    if line.mark != Mark::Event {
        return None;
    }
    let warning = || Some(line.text.as_str()).filter(|text| text.starts_with("warning: "));
    line.text.strip_prefix("print: ").or_else(warning)
}

pub(super) fn styled(line: &Line, width: usize) -> String {
    let style = match line.mark {
        Mark::Client => CLIENT,
        Mark::Server => Style::new(),
        Mark::Unread | Mark::UnreadClient => ODD,
        Mark::Event => DIM,
    };
    let shown = line.to_string();
    match shown.char_indices().nth(width) {
        Some((end, _)) => {
            format!(
                "{style}{}{style:#} {DIM}... ({} more characters){DIM:#}",
                &shown[..end],
                shown[end..].chars().count()
            )
        }
        None => format!("{style}{shown}{style:#}"),
    }
}
