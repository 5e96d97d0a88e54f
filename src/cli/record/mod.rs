//! `mailexpect record`: a proxy that writes a script, a golden and a trace of each session.

mod exchange;
mod follow;
mod relay;
mod save;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use rustix::fs::OFlags;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use follow::{Followed, Follower};
use relay::Terms;
use save::Folder;

use super::descriptors;
use super::goldens;
use super::options::{Redacting, parse_duration};
use super::screen::Screen;
use super::server;
use super::tls::Tls;
use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::project::Project;
use crate::proto::Scheme;
use crate::report::Human;
use crate::session::block_on;
use crate::target::{self, Target};
use crate::tls::{Authority, Options};
use crate::transport::Transport;

/// How many sessions are passed on at once. Further connections wait to be accepted.
const AT_ONCE: usize = 100;
/// How many ended sessions wait to be saved. If more have ended, they wait before they are queued.
const BACKLOG: usize = 16;
/// How many processes may record into one folder at once: each needs a certificate of its own.
const MOST_AT_ONCE: usize = 100;
/// How long to wait after a connection could not be accepted, usually because no descriptor was
/// left.
const PAUSE: Duration = Duration::from_millis(20);

const EXAMPLES: &str = "\
For each session, the folder gets session-1.rhai (a script), session-1.trace (a
recording) and snapshots/session-1.snap (the golden of the script), and so on.
Data of more than 64 KiB is in files that the script reads: session-1-1.data.
Secrets are masked in all files, and are parameters of the script.

Examples:
  mailexpect record --listen smtp://127.0.0.1:2525 --to smtp://mail.example.com
  mailexpect record --listen imap --to imaps://mail.example.com --redact imap
  mailexpect run recorded/session-1.rhai --set secret=env:PASSWORD";

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Record {
    /// Listen here for clients: `smtp://127.0.0.1:2525`; a scheme alone is a free port of loopback.
    #[arg(long, value_name = "URL")]
    listen: String,
    /// Pass everything that the clients send on to this server, a URL or `HOST:PORT`. It speaks the
    /// same protocol, with TLS from the start or without: `imap` may be passed on to `imaps`.
    #[arg(long, value_name = "SERVER")]
    to: String,
    /// Write the files of the sessions to this folder. Existing files stay.
    #[arg(long, value_name = "DIR", default_value = "recorded")]
    folder: PathBuf,
    /// End after N sessions; otherwise Ctrl-C ends it.
    #[arg(long, value_name = "N")]
    connections: Option<NonZeroU32>,
    /// Set the deadline of connecting to the server and of each TLS handshake.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    redacting: Redacting,
    #[command(flatten)]
    tls: Tls,
}

/// A session that has ended.
struct Ended {
    followed: Followed,
    /// Why the session could not be passed on to its end.
    error: Option<Error>,
}

pub(super) fn record(args: &Record, screen: &mut Screen) -> Result<ExitCode> {
    descriptors::provide(descriptors::NEEDED)?;
    let interrupt = Interrupt::listen()?;
    let (scheme, listener) = listen(&args.listen)?;
    let target = target_of(&args.to, scheme)?;
    let redaction = goldens::redaction(&Project::of(Path::new("."))?, None, &args.redacting)?;
    let folder = Folder::new(&args.folder, redaction, interrupt.clone())?;
    let terms = Arc::new(Terms {
        scheme,
        tls: args.tls.options(Options::new())?,
        authority: Authority::default(),
        allowed: args.timeout,
        interrupt: interrupt.clone(),
        target,
    });
    // Locked until the end of the run.
    let (ca, _locked) = write_ca(&terms.authority, &args.folder)?;
    let at = listener.local_addr().map_err(|error| unavailable(&args.listen, &error))?;
    screen.show(&Human::passing_on(
        &format!("{}://{at}", scheme.name),
        &terms.target.to_string(),
        &args.folder,
    ));
    screen.show(&Human::ca_written(&ca));
    let (tell, ended) = channel(BACKLOG);
    let (shown, url) = (screen.clone(), terms.target.to_string());
    let saver = thread::spawn(move || save_all(ended, folder, &url, shown));
    block_on(accept(listener, terms, tell, args.connections.map(NonZeroU32::get)))?;
    // All senders are gone after the last session, so the thread ends.
    let worst = saver
        .join()
        .map_err(|_| Error::new(Kind::Io, "the thread that saves sessions has ended"))?;
    let is_cut_short = args.connections.is_some() && interrupt.is_pressed();
    Ok(match worst {
        ExitCode::Passed if is_cut_short => ExitCode::Interrupted,
        worst => worst,
    })
}

/// Parses `--listen`, and binds the listener.
fn listen(to: &str) -> Result<(&'static Scheme, TcpListener)> {
    let (name, place) = to.split_once("://").unwrap_or((to, "127.0.0.1:0"));
    if name.ends_with("+unix") {
        let error = Error::usage("clients are recorded on a TCP port, and not on a unix socket");
        return Err(error.hint("say an address and a port, as lmtp://127.0.0.1:2424"));
    }
    let scheme = target::scheme(name)?;
    if scheme.name == "mx" {
        return Err(Error::usage("mx:// looks mail exchangers up, and nobody can listen on it"));
    }
    let addresses = place.strip_suffix('/').unwrap_or(place).to_socket_addrs();
    let listener = addresses.and_then(|addresses| {
        let addresses: Vec<SocketAddr> = addresses.collect();
        let listener = TcpListener::bind(&*addresses)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    Ok((scheme, listener.map_err(|error| unavailable(to, &error))?))
}

fn unavailable(to: &str, error: &std::io::Error) -> Error {
    let error = Error::usage(format!("cannot listen on {to}: {error}"));
    error.hint("say an address and a port, as smtp://127.0.0.1:2525, or smtp for a free one")
}

/// Parses `--to`. The server has to speak the same protocol as the clients.
fn target_of(to: &str, scheme: &Scheme) -> Result<Target> {
    let target = Target::parse(&server::url(to, None, scheme.plain_name())?)?;
    if target.scheme.speech == scheme.speech {
        return Ok(target);
    }
    let (ours, theirs) = (scheme.speech, target.scheme.speech);
    let error = Error::usage(format!("clients speak {ours} and the server speaks {theirs}"));
    Err(error.hint("the schemes of --listen and --to are of one protocol"))
}

/// Writes the certificate of the authority, for clients. The file is replaced, unless another
/// process that records into this folder uses it.
fn write_ca(authority: &Authority, folder: &Path) -> Result<(PathBuf, File)> {
    let pem = authority.pem().map_err(|why| {
        Error::new(Kind::Io, format!("no authority can be made for clients: {why}"))
    })?;
    let first = folder.join("ca.pem");
    let others = (2..=MOST_AT_ONCE).map(|number| folder.join(format!("ca-{number}.pem")));
    for path in std::iter::once(first.clone()).chain(others) {
        let written = locked(&path).and_then(|file| match file {
            Some(mut file) => {
                file.set_len(0).and_then(|()| file.write_all(pem.as_bytes())).map(|()| Some(file))
            }
            None => Ok(None),
        });
        if let Some(file) = written.map_err(|error| Error::unwritable(path.display(), error))? {
            return Ok((path, file));
        }
    }
    let used = std::io::Error::other("it is in use, and so are the others beside it");
    Err(Error::unwritable(first.display(), used))
}

/// Opens a file and locks it; `None` if another process has locked it. A link is not followed,
/// because it could choose any file of the user, and nothing but a regular file is taken, because
/// another one could block.
fn locked(path: &Path) -> std::io::Result<Option<File>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Passes sessions on until there were `most` of them or a signal arrives.
async fn accept(
    listener: TcpListener,
    terms: Arc<Terms>,
    tell: Sender<Ended>,
    most: Option<u32>,
) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)
        .map_err(|error| Error::new(Kind::Io, format!("cannot listen: {error}")))?;
    let mut sessions = JoinSet::new();
    let mut count = 0;
    while most.is_none_or(|most| count < most) {
        tokio::select! {
            () = terms.interrupt.pressed() => break,
            Some(_) = sessions.join_next() => {}
            accepted = listener.accept(), if sessions.len() < AT_ONCE => match accepted {
                Ok((stream, _)) => {
                    // Data is written as soon as it is read, so Nagle's algorithm would only delay
                    // it.
                    let _ = stream.set_nodelay(true);
                    count += 1;
                    sessions.spawn(session(Transport::of_tcp(stream), Arc::clone(&terms), tell.clone()));
                }
                // Most likely no descriptor is left. To accept again at once would only use up the
                // CPU.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
    while sessions.join_next().await.is_some() {}
    Ok(())
}

async fn session(client: Transport, terms: Arc<Terms>, tell: Sender<Ended>) {
    let mut follower = Follower::new(terms.target.scheme, &terms.target.to_string());
    let passed = tokio::select! {
        () = terms.interrupt.pressed() => Ok(()),
        passed = terms.pass_on(client, &mut follower) => passed,
    };
    let ended = Ended { followed: follower.finish(), error: passed.err() };
    // The receiver lives until the last sender is gone, so this cannot fail.
    let _ = tell.send(ended).await;
}

/// Saves sessions as they end, and returns the worst exit code.
fn save_all(
    mut ended: Receiver<Ended>,
    mut folder: Folder,
    url: &str,
    mut screen: Screen,
) -> ExitCode {
    let mut worst = ExitCode::Passed;
    while let Some(Ended { followed, error }) = ended.blocking_recv() {
        if let Some(error) = error {
            worst = worst.max(error.exit_code());
            screen.complain(&error);
        }
        match folder.save(&followed, url) {
            Ok(Some(saved)) => {
                screen.show(&Human::saved(&saved.script, saved.without_golden.as_deref()));
            }
            Ok(None) => {}
            Err(error) => {
                worst = worst.max(error.exit_code());
                screen.complain(&error);
            }
        }
    }
    worst
}
