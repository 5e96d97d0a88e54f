//! `mailexpect serve`: runs the embedded server, a recording or a script as a server.

mod ready;
mod script;

use std::io::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use clap::Args;
use tokio::sync::Semaphore;

use self::ready::Ready;
use super::descriptors;
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::file;
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::report::{Human, Served as Told};
use crate::server::{Departed, Embedded, Player};
use crate::session::block_on;
use crate::transcript::{Event, Transcript, What};

/// How many events may wait to be shown. If nobody reads the screen, further events are dropped and
/// counted, because no client should wait for a screen.
const BACKLOG: usize = 4096;
/// How long the last events may take to be shown after Ctrl-C.
const LAST: Duration = Duration::from_millis(300);
/// How long the dialogues in progress may take to end after Ctrl-C.
const AFTER_INTERRUPT: Duration = Duration::from_millis(400);
/// Under traffic, dialogues do not end by themselves, and Ctrl-C has to work within a second.
const _: () = assert!(LAST.as_millis() + AFTER_INTERRUPT.as_millis() < 800);

/// The arguments.
#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    ports: Ports,
    /// Play a recorded dialogue instead: a golden (`snapshots/x.snap`), or a transcript as `run -v`
    /// shows it. Each departure of a client from the dialogue is shown; the exit code is 1 if there
    /// was one. The contents of messages, chunks and literals are not compared, and a client may
    /// send before its turn, and more after QUIT. A client that logs in by SCRAM or DIGEST-MD5
    /// refuses a recording, because the answers depend on its nonce: record it with PLAIN.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// End after N connections, with --replay.
    #[arg(long, value_name = "N", requires = "replay")]
    connections: Option<NonZeroU32>,
    /// Write the CA's certificate to this file (PEM), for clients to trust: `--ca ca.pem`.
    #[arg(long, value_name = "FILE", conflicts_with = "script")]
    ca: Option<PathBuf>,
    /// Play the faults that the client asks for by addresses and names: `rcpt452_4.2.2@example.com`
    /// gets 452 at RCPT (also mail, data, message; close, reset, stall, drip, wait2s), and `EHLO
    /// nostarttls.example` gets no STARTTLS.
    #[arg(long, conflicts_with_all = ["replay", "script"])]
    on_demand: bool,
    /// When the server listens, write the address of each port to this file descriptor, one line of
    /// JSON for each: `--ready-fd 3`. Without this option, --script writes the lines to stdout.
    #[arg(long, value_name = "N")]
    ready_fd: Option<u32>,
    #[command(flatten)]
    scripted: script::Scripted,
}

/// Where the embedded server listens.
#[derive(Args, Debug)]
struct Ports {
    /// Listen here for SMTP; port 0 is a free one: `--smtp 127.0.0.1:2525`.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    smtp: SocketAddr,
    /// Listen here for submission.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    submission: SocketAddr,
    /// Listen here for submission with TLS from the start.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    submissions: SocketAddr,
    /// Listen here for LMTP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    lmtp: SocketAddr,
    /// Listen here for IMAP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    imap: SocketAddr,
    /// Listen here for IMAP with TLS from the start.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    imaps: SocketAddr,
    /// Listen here for POP3.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pop3: SocketAddr,
    /// Listen here for POP3 with TLS from the start.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pop3s: SocketAddr,
    /// Listen here for ManageSieve.
    #[allow(clippy::doc_markdown, reason = "it is shown by --help")]
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    sieve: SocketAddr,
}

impl Ports {
    /// Each scheme with its address.
    fn addresses(&self) -> [(&'static str, SocketAddr); 9] {
        [
            ("smtp", self.smtp),
            ("submission", self.submission),
            ("submissions", self.submissions),
            ("lmtp", self.lmtp),
            ("imap", self.imap),
            ("imaps", self.imaps),
            ("pop3", self.pop3),
            ("pop3s", self.pop3s),
            ("sieve", self.sieve),
        ]
    }
}

pub(super) fn serve(args: &Serve, screen: &mut Screen) -> Result<ExitCode> {
    descriptors::provide(descriptors::NEEDED)?;
    if let Some(path) = &args.scripted.script {
        return script::serve(path, &args.scripted, (&args.ports, args.ready_fd), screen);
    }
    let ready = args.ready_fd.map(Ready::open).transpose()?;
    let interrupt = Interrupt::listen()?;
    let (shown, waiting) = mpsc::sync_channel::<Shown>(BACKLOG);
    let left_out = Arc::new(AtomicUsize::new(0));
    let closed = Arc::new(Semaphore::new(0));
    let (missed, events, ends) = (Arc::clone(&left_out), shown.clone(), Arc::clone(&closed));
    let transcript = Transcript::observed(move |event| {
        // Connections are counted here, because their events may be dropped before they are shown.
        if matches!(event.what, What::Closed(_)) {
            ends.add_permits(1);
        }
        if let Err(TrySendError::Full(_)) = events.try_send(Shown::Event(event.clone())) {
            missed.fetch_add(1, Ordering::Relaxed);
        }
    });
    let served = Served::start(args, transcript, shown)?;
    // Whoever is told that the server listens may read the file at once.
    if let Some(path) = &args.ca {
        write_ca(served.ca(), path)?;
    }
    served.tell(ready)?;
    screen.show(&served.first_lines());
    if let Some(path) = &args.ca {
        screen.show(&Human::ca_written(path));
    }
    let (ended, end) = mpsc::channel::<()>();
    let mut shown = screen.clone();
    thread::spawn(move || {
        show(&waiting, &left_out, &mut shown);
        drop(ended);
    });
    let most = args.connections.map(NonZeroU32::get);
    block_on(async {
        tokio::select! {
            biased;
            Ok(_) = closed.acquire_many(most.unwrap_or(0)), if most.is_some() => {}
            () = interrupt.pressed() => served.stop(AFTER_INTERRUPT),
        }
    });
    let is_cut_short = most.is_some_and(|most| closed.available_permits() < most as usize);
    // The end of the server drops the senders of events, which ends the thread that shows them. If
    // nobody reads the screen, the thread is abandoned.
    let code = match served.end() {
        ExitCode::Passed if is_cut_short => ExitCode::Interrupted,
        code => code,
    };
    let _ = end.recv_timeout(LAST);
    Ok(code)
}

/// Something that is shown on the screen as it happens.
enum Shown {
    Event(Event),
    Departed(String),
}

/// The server that is running.
enum Served {
    Embedded(Box<Embedded>),
    Recording(Player),
}

impl Served {
    fn start(args: &Serve, transcript: Transcript, shown: SyncSender<Shown>) -> Result<Self> {
        let ports = args.ports.addresses();
        let Some(path) = &args.replay else {
            let options = ports
                .into_iter()
                .fold(Embedded::options(), |options, (scheme, at)| options.at(scheme, at));
            let server = options.on_demand(args.on_demand).transcript(transcript).start().map_err(
                |error| {
                    Error::usage(format!("cannot listen on {error}"))
                        .hint("another program may hold the port; port 0 takes a free one")
                },
            )?;
            return Ok(Self::Embedded(server.into()));
        };
        let recording =
            file::read_text(path).map_err(|error| Error::unreadable(path.display(), error))?;
        let at = |scheme: &str| {
            let known = ports.iter().find(|(known, _)| *known == scheme);
            known.map_or(SocketAddr::from(([127, 0, 0, 1], 0)), |(_, at)| *at)
        };
        let tell = move |departed: &Departed| {
            // If the queue is full, this departure is not shown, but the player has counted it.
            let _ = shown.try_send(Shown::Departed(departed.to_string()));
        };
        Player::start(&recording, at, Some(transcript), tell).map(Self::Recording)
    }

    fn urls(&self) -> Vec<String> {
        match self {
            Self::Embedded(server) => server.urls().collect(),
            Self::Recording(player) => player.urls(),
        }
    }

    /// Tells the program that started this one where the server listens.
    fn tell(&self, ready: Option<Ready>) -> Result<()> {
        let Some(mut ready) = ready else { return Ok(()) };
        let ca = self.ca().ok();
        self.urls().iter().try_for_each(|url| ready.tell(&Told::listening(url, ca)))
    }

    fn first_lines(&self) -> String {
        match self {
            Self::Embedded(_) => Human::serving(&self.urls(), Embedded::USER, Embedded::PASSWORD),
            Self::Recording(_) => Human::replaying(&self.urls()),
        }
    }

    fn ca(&self) -> std::io::Result<&str> {
        match self {
            Self::Embedded(server) => server.ca(),
            Self::Recording(player) => player.ca(),
        }
    }

    fn stop(&self, grace: Duration) {
        match self {
            Self::Embedded(server) => server.stop(grace),
            Self::Recording(player) => player.stop(grace),
        }
    }

    /// Waits for the dialogues in progress, whose departures count as well.
    fn end(self) -> ExitCode {
        let departures = match self {
            Self::Embedded(_) => Vec::new(),
            Self::Recording(player) => player.end(),
        };
        if departures.is_empty() { ExitCode::Passed } else { ExitCode::Failed }
    }
}

/// Shows events until all senders are gone.
fn show(waiting: &Receiver<Shown>, left_out: &AtomicUsize, screen: &mut Screen) {
    while let Ok(shown) = waiting.recv() {
        match shown {
            Shown::Event(event) => screen.show(&Human::event(&event)),
            Shown::Departed(departed) => screen.show(&Human::departed(&departed)),
        }
        let missed = left_out.swap(0, Ordering::Relaxed);
        if missed > 0 {
            screen.show(&Human::left_out(missed));
        }
    }
}

fn write_ca(ca: std::io::Result<&str>, path: &Path) -> Result<()> {
    // A special file, such as a pipe, is written to and not replaced.
    let is_special = path.metadata().is_ok_and(|found| !found.is_file());
    let written = ca.and_then(|ca| {
        if is_special {
            file::open_special(path)?.write_all(ca.as_bytes())
        } else {
            file::replace(path, ca.as_bytes())
        }
    });
    written.map_err(|error| Error::unwritable(path.display(), error))
}
