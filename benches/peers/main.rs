//! The cost of a session, compared with other programs that can hold it: a message of one KiB, from
//! the greeting to the reply to QUIT. Each peer in turn runs as whole processes, all against one
//! smtp-sink.
//!
//! `cargo bench --features bench --bench peers`. After `--`, `--rounds 25 smtp-source mailexpect`
//! runs more rounds with only the peers whose names contain one of the words, and `--program PATH`
//! is the mailexpect to measure. See `docs/benches.md`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints a table and stops where it cannot go on"
)]

mod peers;
mod sink;
mod stopwatch;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use peers::{Load, OURS, PEERS, Peer, Processes};
use sink::Sink;
use stopwatch::Lap;
use table::{Row, Sample, Table, Target};

/// How many sessions are open at once, and the targets for this.
const SCENES: [(&str, usize, Target); 2] = [
    ("one at a time", 1, Target { rate: 0.95, cpu: 1.1 }),
    ("50 at once", 50, Target { rate: 1.0, cpu: 1.0 }),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((stopwatch::ROLE, rest)) =
        arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        return stopwatch::main(rest);
    }
    let done = parse(&arguments).and_then(|options| bench(&options));
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

struct Options {
    rounds: usize,
    /// The mailexpect to measure, if it is not the one that cargo built for this bench.
    program: Option<PathBuf>,
    words: Vec<String>,
}

fn parse(arguments: &[String]) -> Result<Options, Box<dyn Error>> {
    let mut options = Options { rounds: 11, program: None, words: Vec::new() };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo gives this argument to every bench.
            "--bench" => {}
            "--rounds" => {
                let rounds = arguments
                    .next()
                    .and_then(|number| number.parse().ok())
                    .filter(|rounds| *rounds > 0);
                options.rounds = rounds.ok_or("--rounds wants a number from 1")?;
            }
            "--program" => {
                let program =
                    arguments.next().map(PathBuf::from).filter(|program| program.is_file());
                options.program = Some(program.ok_or("--program wants the path of a mailexpect")?);
            }
            option if option.starts_with('-') => {
                return Err(format!("no such option: {option}").into());
            }
            word => options.words.push(word.to_owned()),
        }
    }
    Ok(options)
}

fn bench(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let Some(smtp_sink) = peers::find("smtp-sink") else {
        println!("all skipped: smtp-sink is not installed (Debian package postfix)");
        return Ok(ExitCode::SUCCESS);
    };
    let found = installed(options)?;
    let mut tables: Vec<_> = SCENES.iter().map(|(title, ..)| Table::new(title, &found)).collect();
    rehearse(&mut tables, &smtp_sink)?;
    measure(&mut tables, &smtp_sink, options.rounds)?;
    tables.iter().for_each(Table::print);
    println!();
    for (table, (_, _, target)) in tables.iter().zip(&SCENES) {
        println!("{}", table.verdict(target));
    }
    let failed = tables.iter().flat_map(|table| &table.rows).any(|row| row.failure.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The wanted peers that are installed. Prints the names of the others.
fn installed(
    Options { words, program, .. }: &Options,
) -> Result<Vec<(&'static Peer, PathBuf)>, String> {
    let asked = |peer: &&Peer| {
        words.is_empty() || words.iter().any(|word| peer.name.contains(word.as_str()))
    };
    if !PEERS.iter().any(|peer| asked(&peer)) {
        return Err(format!("no such peer; there are: {}", PEERS.map(|peer| peer.name).join("; ")));
    }
    let mut found = Vec::new();
    for peer in PEERS.iter().filter(asked) {
        let ours = program.clone().filter(|_| peer.name == OURS);
        match ours.or_else(|| peer.find()) {
            Some(program) => found.push((peer, program)),
            None => println!(
                "{} skipped: {} is not installed (Debian package {})",
                peer.name, peer.program, peer.package
            ),
        }
    }
    Ok(found)
}

/// Runs a few sessions of each peer with a server that counts. A peer that fails, or that reports
/// more sessions than the server counted, is not measured.
fn rehearse(tables: &mut [Table], smtp_sink: &Path) -> Result<(), Box<dyn Error>> {
    let sink = Sink::start_counting(smtp_sink)?;
    for (table, (_, at_once, _)) in tables.iter_mut().zip(&SCENES) {
        for row in &mut table.rows {
            let load = Load { port: sink.port(), sessions: 2 * at_once, at_once: *at_once };
            let before = sink.counters();
            let result = run(row, load).and_then(|_| sink.saw(before, load.sessions));
            row.failure = result.err();
        }
    }
    Ok(())
}

/// Runs each peer once in each scene, in each round. Every other round goes backwards, so that no
/// peer always follows the same other one.
fn measure(tables: &mut [Table], smtp_sink: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    let sink = Sink::start(smtp_sink)?;
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (scene, table) in tables.iter_mut().enumerate() {
            let mut rows: Vec<_> =
                table.rows.iter_mut().filter(|row| row.failure.is_none()).collect();
            if round % 2 == 1 {
                rows.reverse();
            }
            for row in rows {
                let load = Load {
                    port: sink.port(),
                    sessions: row.peer.sessions[scene],
                    at_once: SCENES[scene].1,
                };
                match run(row, load) {
                    Ok(lap) => row.samples.push(Sample::new(&lap, load.sessions)),
                    Err(failure) => row.failure = Some(failure),
                }
            }
        }
    }
    Ok(())
}

fn run(row: &Row, load: Load) -> Result<Lap, String> {
    let (times, at_once) = match row.peer.processes {
        Processes::One => (1, 1),
        Processes::OneEach => (load.sessions, load.at_once),
    };
    stopwatch::measure(&row.program, &row.peer.arguments(load), times, at_once)
}
