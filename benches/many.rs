//! The cost of a run beyond its dialogue: the start, each of many scripts, and each of ten thousand
//! scripts that wait at once.
//!
//! `cargo bench --features bench --bench many`, with `-- --program PATH` to measure another
//! mailexpect than the one that cargo built for this bench. See `docs/benches.md`.
#![allow(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints a table and stops where it cannot go on"
)]

#[path = "peers/stopwatch.rs"]
mod stopwatch;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use stopwatch::Lap;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

const ROUNDS: usize = 15;
/// The limit for the CPU time of a run of one short script.
const START: Duration = Duration::from_millis(5);
/// How many runs wait at once.
const HELD: [usize; 3] = [1, 1000, 10_000];
/// The limit for the memory of each waiting run, in KiB.
const ROOM: f64 = 20.0;
/// The descriptors that both sides need besides those of the sessions.
const SPARE: u64 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let program = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [stopwatch::ROLE, ..] => return stopwatch::main(&arguments[1..]),
        [] => PathBuf::from(env!("CARGO_BIN_EXE_mailexpect")),
        ["--program", path] if Path::new(path).is_file() => path.into(),
        _ => {
            eprintln!("what it takes is --program and the path of a mailexpect");
            return ExitCode::FAILURE;
        }
    };
    let bench = start(&program).and_then(|()| hold(&program));
    if let Err(reason) = &bench {
        eprintln!("{reason}");
    }
    ExitCode::from(u8::from(bench.is_err()))
}

fn median<T: Copy + Ord>(laps: &[Lap], of: impl Fn(&Lap) -> T) -> T {
    let mut values: Vec<T> = laps.iter().map(of).collect();
    values.sort();
    values[values.len() / 2]
}

/// Measures runs of no script, of one and of many.
fn start(program: &Path) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut rows = vec![("true".to_owned(), PathBuf::from("true"), vec![], 1_u32)];
    for scripts in [1, 100, 1000] {
        let path = folder.path().join(scripts.to_string());
        fs::create_dir(&path).unwrap();
        for script in 0..scripts {
            fs::write(
                path.join(format!("{script:04}.rhai")),
                format!("// Number {script}.\nassert(true);\n"),
            )
            .unwrap();
        }
        let name = format!("mailexpect, scripts: {scripts}");
        rows.push((
            name,
            program.to_owned(),
            vec!["run".into(), path.to_string_lossy().into_owned()],
            scripts,
        ));
    }
    let mut laps: Vec<Vec<Lap>> = rows.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((_, program, arguments, _), laps) in rows.iter().zip(&mut laps) {
            laps.push(stopwatch::measure(program, arguments, 1, 1)?);
        }
    }
    println!("{:<28} {:>10} {:>10} {:>14}", "to start", "CPU ms", "peak MiB", "each more µs");
    let cpu = |row: usize| median(&laps[row], |lap| lap.cpu);
    for (row, (name, _, _, scripts)) in rows.iter().enumerate() {
        let each = cpu(row).saturating_sub(cpu(1)).as_secs_f64() * 1e6
            / f64::from(scripts.saturating_sub(1).max(1));
        let peak = median(&laps[row], |lap| lap.peak_kib) >> 10;
        let mut line = format!("{name:<28} {:>10.2} {peak:>10}", cpu(row).as_secs_f64() * 1e3);
        if *scripts > 1 {
            let _ = write!(line, " {each:>14.1}");
        }
        println!("{line}");
    }
    println!(
        "\none script: {:.2} ms, at most {:.2} wanted: {}\n",
        millis(cpu(1)),
        millis(START),
        verdict(cpu(1) <= START)
    );
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Measures the memory of many runs that wait at once, for a server that answers MAIL only after
/// all of them have sent it.
fn hold(program: &Path) -> Result<(), String> {
    let most = descriptors().map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let script = folder.path().join("held.rhai");
    fs::write(&script, include_str!("held.rhai")).unwrap();
    println!("{:<28} {:>10} {:>10} {:>14}", "held at once", "wall s", "peak MiB", "each more KiB");
    let (mut one, mut most_held) = (None, None);
    for runs in HELD {
        if runs as u64 + SPARE > most {
            println!("{runs}: skipped, as only {most} files may be open (ulimit -n)");
            continue;
        }
        let url = format!("smtp=smtp://{}", server(runs));
        let runs_text = runs.to_string();
        let script = script.to_string_lossy();
        let arguments = [
            "run",
            &script,
            "--set",
            &url,
            "--repeat",
            &runs_text,
            "-j",
            &runs_text,
            "--timeout",
            "5m",
        ];
        let lap = stopwatch::measure(program, &arguments.map(str::to_owned), 1, 1)?;
        let first = *one.get_or_insert(lap.peak_kib);
        let each = lap.peak_kib.saturating_sub(first) as f64 / runs as f64;
        most_held = Some((runs, each));
        println!(
            "{runs:<28} {:>10.2} {:>10} {each:>14.1}",
            lap.wall.as_secs_f64(),
            lap.peak_kib >> 10
        );
    }
    // The verdict is about the largest number of runs that could be held.
    if let Some((runs, each)) = most_held {
        println!(
            "\neach of {runs}: {each:.1} KiB, at most {ROOM:.1} wanted: {}",
            verdict(each <= ROOM)
        );
    }
    Ok(())
}

/// Raises the limit on open files as far as possible, and returns it. The server needs a descriptor
/// for each session, and so does each child.
fn descriptors() -> nix::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// Starts a server for this many sessions on its own thread, and returns its address. A `Replay`
/// does not fit: it has a thread for each client, and no client waits for another.
fn server(sessions: usize) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let all = Arc::new(Barrier::new(sessions));
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..sessions {
                let (stream, _) = socket.accept().await.unwrap();
                tasks.spawn(session(stream, Arc::clone(&all)));
            }
            while tasks.join_next().await.is_some() {}
        });
    });
    address
}

async fn session(stream: TcpStream, all: Arc<Barrier>) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(256, stream);
    stream.write_all(b"220 sink.example ESMTP\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        if line.starts_with("MAIL") {
            all.wait().await;
        }
        let reply = if line.starts_with("QUIT") { "221 2.0.0 Bye\r\n" } else { "250 2.0.0 Ok\r\n" };
        stream.write_all(reply.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}
