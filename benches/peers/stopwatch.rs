//! Runs a program and measures its cost.
//!
//! A separate process measures: this bench, started once more. So the peak of memory belongs to one
//! peer in one measurement, because the kernel keeps only one peak for all children of a process.
//! And the CPU time contains neither the server nor another peer.

use std::env;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// The first argument of the measuring process.
pub(crate) const ROLE: &str = "--stopwatch";

/// The cost of one measurement, including the start and end of the processes.
pub(crate) struct Lap {
    pub(crate) wall: Duration,
    /// User and system time of all processes.
    pub(crate) cpu: Duration,
    /// The largest resident set of any one process.
    pub(crate) peak_kib: u64,
}

/// Runs the program `times` times, `at_once` at a time. An error says how the program failed.
pub(crate) fn measure(
    program: &Path,
    arguments: &[String],
    times: usize,
    at_once: usize,
) -> Result<Lap, String> {
    let ourselves = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(ourselves);
    command.args([ROLE, &times.to_string(), &at_once.to_string()]).arg(program).args(arguments);
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() { parse(&output.stdout) } else { Err(said(&output)) }
}

fn parse(printed: &[u8]) -> Result<Lap, String> {
    let printed = String::from_utf8_lossy(printed);
    let numbers: Vec<u64> =
        printed.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [wall, cpu, peak_kib] = numbers[..] else {
        return Err(format!("no measurement but {printed:?}"));
    };
    Ok(Lap { wall: Duration::from_micros(wall), cpu: Duration::from_micros(cpu), peak_kib })
}

/// The last lines that a failed process printed, or its exit status if it printed nothing.
fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    let all = String::from_utf8_lossy(&all);
    let lines: Vec<_> = all.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        output.status.to_string()
    } else {
        lines[lines.len().saturating_sub(8)..].join("\n    ")
    }
}

/// The main function of the measuring process, with the arguments after [`ROLE`].
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let [times, at_once, program, arguments @ ..] = arguments else {
        eprintln!("{ROLE} TIMES AT_ONCE PROGRAM [ARGUMENT...]");
        return ExitCode::FAILURE;
    };
    let (times, at_once): (usize, usize) = (times.parse().unwrap(), at_once.parse().unwrap());
    let started = Instant::now();
    if let Err(reason) = run_all(program, arguments, times, at_once) {
        eprintln!("{reason}");
        return ExitCode::FAILURE;
    }
    let wall = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    println!("{} {cpu} {}", wall.as_micros(), usage.max_rss());
    ExitCode::SUCCESS
}

fn run_all(
    program: &str,
    arguments: &[String],
    times: usize,
    at_once: usize,
) -> Result<(), String> {
    thread::scope(|scope| {
        let lane = || (0..times / at_once).try_for_each(|_| run(program, arguments));
        let lanes: Vec<_> = (0..at_once).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().expect("a lane does not panic"))
    })
}

fn run(program: &str, arguments: &[String]) -> Result<(), String> {
    let output: io::Result<Output> = Command::new(program).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{}: {}", output.status, said(&output))),
        Err(error) => Err(error.to_string()),
    }
}
