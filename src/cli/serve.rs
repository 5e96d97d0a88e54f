//! `mailexpect serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, TrySendError};
use std::thread;
use std::time::Duration;

use clap::Args;

use super::descriptors;
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::file;
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::server::Embedded;
use crate::session::block_on;
use crate::transcript::{Event, Transcript};

/// How many events may wait to be shown. If nobody reads the screen, those that come after them are
/// left out and counted: no client waits for a screen.
const BACKLOG: usize = 4096;
/// How long the last events may take to be shown after Ctrl-C.
const LAST: Duration = Duration::from_millis(300);

/// The arguments.
#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    ports: Ports,
    /// Write the CA's certificate to this file (PEM), for clients to trust: `--ca ca.pem`.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
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
    descriptors::raise_limit();
    descriptors::check(DESCRIPTORS)?;
    let interrupt = Interrupt::listen()?;
    let (events, waiting) = mpsc::sync_channel::<Event>(BACKLOG);
    let left_out = Arc::new(AtomicUsize::new(0));
    let missed = Arc::clone(&left_out);
    let transcript = Transcript::observed(move |event| {
        if let Err(TrySendError::Full(_)) = events.try_send(event.clone()) {
            missed.fetch_add(1, Ordering::Relaxed);
        }
    });
    let at = args.ports.addresses().into_iter();
    let options = at.fold(Embedded::options(), |options, (scheme, at)| options.at(scheme, at));
    let server = options.transcript(transcript).start().map_err(|error| {
        Error::usage(format!("cannot listen on {error}"))
            .hint("another program may hold the port; port 0 takes a free one")
    })?;
    let urls: Vec<_> = server.urls().collect();
    screen.show(&Human::serving(&urls, Embedded::USER, Embedded::PASSWORD));
    if let Some(path) = &args.ca {
        write_ca(&server, path)?;
        screen.show(&Human::ca_written(path));
    }
    let (ended, end) = mpsc::channel::<()>();
    let mut shown = screen.clone();
    thread::spawn(move || {
        show(&waiting, &left_out, &mut shown);
        drop(ended);
    });
    block_on(interrupt.pressed());
    // With the server go the senders of events, and with them the thread that shows them, unless
    // nobody reads the screen: then it is left behind.
    drop(server);
    let _ = end.recv_timeout(LAST);
    Ok(ExitCode::Passed)
}

/// What a server needs to begin (its ports, two runtimes and what hears signals: 23), and a few for
/// its first clients.
const DESCRIPTORS: usize = 30;

/// Shows events until the server is gone.
fn show(waiting: &Receiver<Event>, left_out: &AtomicUsize, screen: &mut Screen) {
    while let Ok(event) = waiting.recv() {
        screen.show(&Human::default().event(&event));
        let missed = left_out.swap(0, Ordering::Relaxed);
        if missed > 0 {
            screen.show(&Human::left_out(missed));
        }
    }
}

fn write_ca(server: &Embedded, path: &Path) -> Result<()> {
    // What is there and no file, such as a pipe, is written to and not replaced.
    let is_special = path.metadata().is_ok_and(|found| !found.is_file());
    let written = server.ca().and_then(|ca| {
        if is_special { std::fs::write(path, ca) } else { file::replace(path, ca.as_bytes()) }
    });
    written.map_err(|error| {
        Error::usage(format!("cannot write the CA to {}: {error}", path.display()))
    })
}
