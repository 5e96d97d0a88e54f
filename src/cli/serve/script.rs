//! `mailexpect serve --script`: a script acts as the server, for clients in any language.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Args;

use super::ready::Ready;
use super::{BACKLOG, Ports};
use crate::cli::options::{params, parse_duration, parse_set};
use crate::cli::screen::Screen;
use crate::cli::targets::{self, Set};
use crate::cli::value;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::{ExitCode, Verdict};
use crate::report::{Human, Served};
use crate::script::{Listens, Servers, Settings, Told, shipped};
use crate::session::{Options, block_on};

/// The deadline of the script. It is practically endless, because a server runs until its script
/// ends or the user stops it.
const ENDLESS: Duration = Duration::from_hours(24 * 365);
/// How long the last events may take to be written. Only a pipe that nobody reads takes that long.
const LAST: Duration = Duration::from_secs(5);

/// The arguments of a server that is a script.
#[derive(Args, Debug)]
#[command(next_help_heading = "A script as the server")]
pub(super) struct Scripted {
    /// Let this script be the server. Its listen("smtp") and serve("smtp") use the addresses of
    /// --port and --smtp, `accept()` waits without a limit, events go to stdout as JSON lines, and
    /// the exit code is the script's verdict.
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub(super) script: Option<PathBuf>,
    /// Use this port of 127.0.0.1 for the script's first listener; 0 is a free port.
    #[arg(long, value_name = "PORT", requires = "script")]
    port: Option<u16>,
    /// Set a parameter of the script: `--set NAME=VALUE`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set, requires = "script")]
    set: Vec<(String, String)>,
    /// Set the deadline of each operation that sets none itself: `--timeout 30s`; 10 s by default.
    /// `accept()` has no deadline.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, requires = "script")]
    timeout: Option<Duration>,
    /// Set the seed of the script's random decisions (`chance`, `jitter`): `--seed 42`. A failure
    /// shows its seed.
    #[arg(long, value_name = "SEED", requires = "script")]
    seed: Option<u64>,
    /// Allow the script to start processes.
    #[arg(long, requires = "script")]
    allow_run: bool,
    /// Allow the script to listen on addresses other than loopback.
    #[arg(long, requires = "script")]
    allow_listen: bool,
}

impl Scripted {
    fn settings(&self) -> Settings {
        let options = Options::new();
        Settings {
            options: match self.timeout {
                Some(timeout) => options.timeout(timeout),
                None => options,
            },
            deadline: ENDLESS,
            seed: self.seed,
            allow_run: self.allow_run,
            allow_listen: self.allow_listen,
            servers: Servers::Embedded,
            ..Settings::default()
        }
    }

    /// The addresses of the script's listeners, by scheme. Schemes without a chosen port are left
    /// out.
    fn places(ports: &Ports) -> BTreeMap<String, SocketAddr> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let chosen = ports.addresses().into_iter().filter(|(_, at)| *at != free);
        chosen.map(|(scheme, at)| (scheme.to_owned(), at)).collect()
    }
}

/// Runs the script to its end.
pub(super) fn serve(
    path: &Path,
    args: &Scripted,
    (ports, ready): (&Ports, Option<u32>),
    screen: &mut Screen,
) -> Result<ExitCode> {
    if !path.exists() && !path.to_str().is_some_and(shipped::is_named) {
        let error = Error::usage(format!("there is no script {}", path.display()));
        return Err(
            error.hint("--script takes the path of a script that listens: listen(\"smtp\")")
        );
    }
    let interrupt = Interrupt::listen()?;
    let set = Set::of(params(args.set.clone())?, screen)?;
    let (out, written) = Out::start(screen.clone());
    let told = teller(&out, ready.map(Ready::open).transpose()?);
    let watcher = out.clone();
    let port = args.port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let runner = targets::runner(args.settings(), Path::new(value::HERE), &set)?
        .watched(move |event| watcher.say(Served::happened(None, event)))
        .listening(Listens::new(Scripted::places(ports), port, told));
    runner.check_params(&[path.to_owned()], set.given())?;
    let outcome = block_on(runner.run(path, interrupt.pressed()));
    if !matches!(outcome.verdict, Verdict::Passed) {
        screen.note(&Human::default().outcome(&outcome));
    }
    out.say(Served::ended(&outcome));
    // Dropping the last sender ends the thread that writes, unless nobody reads its output.
    drop((runner, out));
    let _ = written.recv_timeout(LAST);
    Ok(outcome.exit_code())
}

/// Makes the callback that reports where the script listens, and what happens at its servers.
fn teller(
    out: &Out,
    ready: Option<Ready>,
) -> impl Fn(Told<'_>) -> Result<()> + Send + Sync + 'static {
    let (out, ready) = (out.clone(), ready.map(Mutex::new));
    move |told| match (told, &ready) {
        (Told::Listening { url, ca }, Some(ready)) => {
            let mut ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.tell(&Served::listening(url, ca))
        }
        (Told::Listening { url, ca }, None) => {
            out.say(Served::listening(url, ca));
            Ok(())
        }
        (Told::Happened { server, event }, _) => {
            out.say(Served::happened(Some(server), event));
            Ok(())
        }
    }
}

/// Lines on their way to stdout. If nobody reads them, lines beyond [`BACKLOG`] are dropped and
/// counted, because no client should wait for a reader of events.
#[derive(Clone)]
struct Out {
    lines: SyncSender<String>,
    left_out: Arc<AtomicUsize>,
}

impl Out {
    /// Starts the thread that writes. The receiver is disconnected after the thread has written all
    /// lines.
    fn start(mut screen: Screen) -> (Self, mpsc::Receiver<()>) {
        let (lines, waiting) = mpsc::sync_channel::<String>(BACKLOG);
        let (ended, end) = mpsc::channel::<()>();
        let left_out = Arc::new(AtomicUsize::new(0));
        let missed = Arc::clone(&left_out);
        thread::spawn(move || {
            while let Ok(line) = waiting.recv() {
                screen.show(&line);
                let missed = missed.swap(0, Ordering::Relaxed);
                if missed > 0 {
                    screen.show(&Served::left_out(missed));
                }
            }
            drop(ended);
        });
        (Self { lines, left_out }, end)
    }

    fn say(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(line) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}
