//! `mailexpect clients`: a client against servers that misbehave.

mod battery;
mod client;
mod shown;
mod verdict;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;

use battery::Case;
use client::{Client, Did};
use verdict::Verdict;

use super::descriptors;
use super::options::parse_duration;
use super::report_file::ReportFile;
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::visible;

/// The arguments.
#[derive(Args, Debug)]
pub(super) struct Clients {
    /// What the client speaks: smtp, submission, submissions, imap, imaps, pop3 or pop3s.
    #[arg(long, value_name = "SCHEME", default_value = "submission")]
    #[arg(value_parser = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"])]
    scheme: String,
    /// Kill the client if it runs longer than this with one server.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    /// Try only the servers whose names contain this text: `--only starttls`.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Run N clients at once.
    #[arg(short, long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
    /// Write a report in the format of `JUnit` to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show each dialogue, and what the client printed.
    #[arg(short, long)]
    verbose: bool,
    /// The command that starts the client, after `--`. In its arguments, {host}, {port}, {url},
    /// {ca} (a PEM file), {user}, {password}, {from} and {to} are replaced by their values, and
    /// {dir} by a new folder for each server, in which the client may keep its settings and what it
    /// has fetched. Its stdin is a message. It has to exit with 0 if all went well, and with
    /// another code if not.
    #[arg(value_name = "COMMAND", last = true, required = true)]
    command: Vec<String>,
}

/// The result of the client with one server.
#[derive(Debug)]
struct Tried {
    name: String,
    /// What the client should have done.
    wanted: String,
    verdict: Verdict,
    output: String,
    transcript: String,
}

pub(super) fn clients(args: &Clients, screen: &mut Screen) -> Result<ExitCode> {
    descriptors::provide(2 * descriptors::NEEDED)?;
    let family = family(&args.scheme);
    let cases = battery::cases(family)?;
    let only = args.only.as_deref().unwrap_or_default();
    let cases: Vec<_> = cases.into_iter().filter(|case| case.name.contains(only)).collect();
    if cases.is_empty() {
        let only = visible::escape(only.as_bytes());
        return Err(Error::usage(format!("no server for {family} has `{only}` in its name"))
            .hint("leave --only away to see their names"));
    }
    let junit = args.junit.as_deref().map(ReportFile::create).transpose()?;
    let client = Client {
        command: args.command.clone(),
        scheme: args.scheme.clone(),
        timeout: args.timeout,
        interrupt: Interrupt::listen()?,
    };
    let baseline = client.run(&Case::well())?;
    if client.interrupt.is_pressed() {
        return Ok(ExitCode::Interrupted);
    }
    check(&baseline, args.timeout, screen)?;
    screen.show(&shown::head());
    let tried = run_all(&client, &cases, &baseline, args.jobs.get(), |tried| {
        screen.show(&shown::line(family, tried, args.verbose));
    })?;
    screen.show(&shown::summary(&tried));
    // No report is written: it would cover only a part of the battery, and readers could take it
    // for the result of all of it.
    if client.interrupt.is_pressed() {
        return Ok(ExitCode::Interrupted);
    }
    if let Some(mut file) = junit {
        let text =
            shown::junit(family, &tried).map_err(|error| Error::unwritable("the report", error))?;
        file.write(&text)?;
        file.finish()?;
    }
    if tried.iter().all(|tried| matches!(tried.verdict, Verdict::NotTried(_))) {
        let error = Error::usage("no server was tried: the client does not use what they break");
        return Err(error.hint("select others with --only, or give the client other options"));
    }
    let is_bad = tried.iter().any(|tried| matches!(tried.verdict, Verdict::Bad(_)));
    Ok(if is_bad { ExitCode::Failed } else { ExitCode::Passed })
}

fn family(scheme: &str) -> &'static str {
    match scheme {
        "imap" | "imaps" => "imap",
        "pop3" | "pop3s" => "pop3",
        _ => "smtp",
    }
}

/// Fails if the client fails with a server that behaves well, because its failures with other
/// servers would then prove nothing.
fn check(baseline: &Did, timeout: Duration, screen: &Screen) -> Result<()> {
    if baseline.status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let why =
        format!("the client fails with a server that behaves well: {}", baseline.ended(timeout));
    screen.note(&shown::dialogue(&baseline.transcript, &baseline.output));
    Err(Error::usage(why).hint(
        "the placeholders are {host}, {port}, {url}, {ca}, {user}, {password}, {from}, {to} and {dir}; --scheme says what is spoken",
    ))
}

/// Runs the client against all servers, `at_once` at a time. Calls `tell` with the results in the
/// order of `cases`.
fn run_all(
    client: &Client,
    cases: &[Case],
    baseline: &Did,
    at_once: usize,
    mut tell: impl FnMut(&Tried),
) -> Result<Vec<Tried>> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (done, came) = mpsc::channel();
        for _ in 0..at_once.min(cases.len()) {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(server) = cases.get(place) else { return };
                    let tried = tried(client, server, baseline);
                    // A run that was interrupted says nothing about the client.
                    if client.interrupt.is_pressed() || done.send((place, tried)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let mut waiting: Vec<Option<Tried>> = cases.iter().map(|_| None).collect();
        let mut told = 0;
        for (place, tried) in came {
            waiting[place] = Some(tried?);
            while let Some(Some(tried)) = waiting.get(told) {
                tell(tried);
                told += 1;
            }
        }
        Ok(waiting.into_iter().flatten().collect())
    })
}

fn tried(client: &Client, case: &Case, baseline: &Did) -> Result<Tried> {
    let (name, wanted) = (case.name.clone(), case.wanted());
    if let Some(why) = verdict::not_tried(case, baseline) {
        let verdict = Verdict::NotTried(why);
        let (output, transcript) = (String::new(), String::new());
        return Ok(Tried { name, wanted, verdict, output, transcript });
    }
    let did = client.run(case)?;
    let verdict = verdict::of(case, &did, baseline, client.timeout);
    Ok(Tried { name, wanted, verdict, output: did.output, transcript: did.transcript })
}
