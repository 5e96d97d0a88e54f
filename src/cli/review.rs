//! `mailexpect review`, `accept` and `reject`: pending transcripts replace their goldens or are
//! deleted.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::args;
use super::screen::Screen;
use super::workspace;
use crate::error::{Error, Kind, Result};
use crate::file;
use crate::golden::Pending;
use crate::outcome::ExitCode;
use crate::report::Review;
use crate::visible;

/// How many bytes of an answer are read at most, so that no pipe can fill the memory.
const LONGEST_ANSWER: u64 = 4096;

/// The user's decision about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Accept,
    Reject,
    Skip,
    AcceptAll,
    Quit,
}

impl Choice {
    fn of(answer: &str) -> Option<Self> {
        match answer.trim() {
            "a" | "accept" => Some(Self::Accept),
            "r" | "reject" => Some(Self::Reject),
            "s" | "skip" => Some(Self::Skip),
            "A" | "all" => Some(Self::AcceptAll),
            "q" | "quit" => Some(Self::Quit),
            _ => None,
        }
    }
}

pub(super) fn review(args: args::Review, screen: &mut Screen) -> Result<ExitCode> {
    let found = waiting(args.paths)?;
    let tool = args.diff_tool.as_deref();
    if args.show {
        for (number, pending) in found.iter().enumerate() {
            show(pending, (number + 1, found.len()), tool, screen)?;
        }
        ended(Review { waiting: found.len(), ..Review::default() }, screen);
        return Ok(if found.is_empty() { ExitCode::Passed } else { ExitCode::Failed });
    }
    let review = ask(&found, tool, &mut io::stdin().lock(), screen)?;
    Ok(ended(review, screen))
}

/// Shows a change, with its number among all changes.
fn show(
    pending: &Pending,
    (number, all): (usize, usize),
    tool: Option<&str>,
    screen: &mut Screen,
) -> Result<()> {
    let Some(tool) = tool else {
        screen.show(&Review::change(pending, number, all));
        return Ok(());
    };
    screen.show(&Review::headline(pending, number, all));
    let wrong = |why: String| {
        let error = Error::usage(format!(
            "cannot show a change by `{}`: {why}",
            visible::escape(tool.as_bytes())
        ));
        error.hint("--diff-tool is a command that takes two files: diff -u, delta, meld --diff")
    };
    let words = shlex::split(tool).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(wrong("it is empty, or a quote is not closed".to_owned()));
    };
    let (old, new) = pending.files();
    let old = old.unwrap_or_else(|| PathBuf::from("/dev/null"));
    // Most diff tools exit with a failure if the files differ, so the exit code is ignored.
    let status =
        Command::new(program).args(arguments).arg(old).arg(new).stdin(Stdio::null()).status();
    status.map(drop).map_err(|error| wrong(error.to_string()))
}

pub(super) fn accept(args: args::Decide, screen: &mut Screen) -> Result<ExitCode> {
    let review = decide(&named(args, "accept")?, Choice::Accept, screen)?;
    Ok(ended(review, screen))
}

pub(super) fn reject(args: args::Decide, screen: &mut Screen) -> Result<ExitCode> {
    let review = decide(&named(args, "reject")?, Choice::Reject, screen)?;
    Ok(ended(review, screen))
}

fn ended(review: Review, screen: &mut Screen) -> ExitCode {
    screen.show(&review.line());
    ExitCode::Passed
}

fn waiting(paths: Vec<PathBuf>) -> Result<Vec<Pending>> {
    Pending::find(&if paths.is_empty() { vec![workspace::root()] } else { paths })
}

/// The changes for `accept` and `reject`. These ask nothing, so they want paths or `--all`.
fn named(args: args::Decide, word: &str) -> Result<Vec<Pending>> {
    if args.all || !args.paths.is_empty() {
        return waiting(args.paths);
    }
    let error = Error::usage(format!("{word} what?"));
    Err(error.hint(format!(
        "name scripts, goldens or folders, or say {word} --all; mailexpect review asks for each"
    )))
}

fn decide(found: &[Pending], choice: Choice, screen: &mut Screen) -> Result<Review> {
    let mut review = Review::default();
    for pending in found {
        settle(pending, choice, &mut review, screen)?;
    }
    Ok(review)
}

/// Shows each change and applies the user's answer. At the end of input, the rest stays pending.
fn ask(
    found: &[Pending],
    tool: Option<&str>,
    answers: &mut impl BufRead,
    screen: &mut Screen,
) -> Result<Review> {
    let mut review = Review::default();
    let mut all = None;
    for (number, pending) in found.iter().enumerate() {
        let mut pending = pending.clone();
        let choice = match all {
            Some(choice) => choice,
            None => loop {
                show(&pending, (number + 1, found.len()), tool, screen)?;
                let choice = answer(answers, screen)?;
                if is_of_the_shown(choice, &mut pending, screen)? {
                    break choice;
                }
            },
        };
        if matches!(choice, Choice::AcceptAll | Choice::Quit) {
            all = Some(choice);
        }
        settle(&pending, choice, &mut review, screen)?;
    }
    Ok(review)
}

/// Whether what the user saw is still what waits. If a run has written it anew, it is read again, so
/// that nobody accepts what was not shown.
fn is_of_the_shown(choice: Choice, pending: &mut Pending, screen: &mut Screen) -> Result<bool> {
    if matches!(choice, Choice::Skip | Choice::Quit) {
        return Ok(true);
    }
    match pending.again()? {
        Some(now) if now != *pending => {
            screen.show(&Review::changed(&now));
            *pending = now;
            Ok(false)
        }
        // If it is gone, the error of the choice says so.
        Some(_) | None => Ok(true),
    }
}

fn answer(answers: &mut impl BufRead, screen: &mut Screen) -> Result<Choice> {
    loop {
        screen.show(Review::QUESTION);
        let read = file::line_up_to(answers, LONGEST_ANSWER);
        let read =
            read.map_err(|error| Error::new(Kind::Io, format!("cannot read an answer: {error}")));
        let Some(line) = read? else {
            screen.show("\n");
            return Ok(Choice::Quit);
        };
        if let Some(choice) = Choice::of(&line) {
            return Ok(choice);
        }
        screen.show(Review::ANSWERS);
    }
}

fn settle(
    pending: &Pending,
    choice: Choice,
    review: &mut Review,
    screen: &mut Screen,
) -> Result<()> {
    match choice {
        Choice::Accept | Choice::AcceptAll => {
            pending.accept()?;
            review.accepted += 1;
            screen.show(&Review::accepted(pending));
        }
        Choice::Reject => {
            pending.reject()?;
            review.rejected += 1;
            screen.show(&Review::rejected(pending));
        }
        Choice::Skip | Choice::Quit => review.waiting += 1,
    }
    Ok(())
}
