//! Hearing the server, within bounds: how long a reply may take, and how much may come at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::duration;
use crate::error::{Error, Kind, Result};
use crate::session::{Heard, Session};

/// How long to wait for the server's last words after the client has closed.
const GRACE: Duration = Duration::from_secs(1);
/// The timeout while the user may type. It is practically endless, because the user decides when to
/// stop.
const FOREVER: Duration = Duration::from_hours(24);
/// How many bytes of events may come between two lines that are sent. A server that sends more
/// than that, which it can do within a second, is not waiting for the next line.
const MOST: usize = 32 << 20;

/// What is heard of one server.
#[derive(Debug)]
pub(super) struct Hearing {
    url: String,
    /// How long each reply may take.
    patience: Duration,
    /// When the reply has to be there that is awaited, and the number of replies owed with it.
    due: Option<(usize, Instant)>,
    /// The bytes of all events so far.
    bytes: Arc<AtomicUsize>,
    /// The bytes when a line was last sent.
    before: usize,
}

impl Hearing {
    pub(super) fn new(url: &str, patience: Duration) -> Self {
        Self { url: url.to_owned(), patience, due: None, bytes: Arc::default(), before: 0 }
    }

    /// The counter of the bytes of all events, to be increased with each event.
    pub(super) fn bytes(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.bytes)
    }

    /// Notes that a line is sent: what the server says from now on may answer it.
    pub(super) fn sends(&mut self) {
        self.due = None;
        self.before = self.bytes.load(Ordering::Relaxed);
    }

    /// Waits for what the server says next, if the user may type meanwhile.
    ///
    /// # Errors
    /// If the connection breaks, and if too much comes.
    pub(super) async fn anything(&mut self, session: &mut Session) -> Result<Heard> {
        self.due = None;
        let heard = timeout(FOREVER, session.hear()).await.map_err(|_| self.no_reply())??;
        self.check().map(|()| heard)
    }

    /// Waits for the next part of a reply that has to come before anything is sent. All parts of a
    /// reply have one deadline together. The caller may drop the future at any time.
    ///
    /// # Errors
    /// Those of [`Hearing::anything`], and a timeout.
    pub(super) async fn reply(&mut self, session: &mut Session) -> Result<Heard> {
        let owed = session.owed();
        let until = match self.due {
            Some((count, until)) if count == owed => until,
            _ => Instant::now() + self.patience,
        };
        self.due = Some((owed, until));
        // `timeout_at` alone would not look at the time as long as more is there.
        if Instant::now() >= until {
            return Err(self.no_reply());
        }
        let heard = timeout_at(until, session.hear()).await.map_err(|_| self.no_reply())??;
        self.check().map(|()| heard)
    }

    /// Hears what has come already and what comes without a pause, for a line that could not be sent
    /// because something was unread. Each attempt to send reads more into the buffer. An attempt
    /// after each reply of a flood would fill the memory, because every reply of the transcript
    /// would hold a copy of all that was unread.
    ///
    /// # Errors
    /// If the connection breaks, and if too much comes.
    pub(super) async fn at_hand(&self, session: &mut Session) -> Result<Heard> {
        loop {
            let heard = tokio::select! {
                biased;
                heard = session.hear() => heard?,
                () = std::future::ready(()) => return Ok(Heard::Something),
            };
            self.check()?;
            if heard == Heard::End {
                return Ok(heard);
            }
        }
    }

    /// Hears the server's last words.
    ///
    /// # Errors
    /// If too much comes.
    pub(super) async fn last_words(&self, session: &mut Session) -> Result<()> {
        let last = async {
            while session.hear().await.is_ok_and(|heard| heard != Heard::End) {
                self.check()?;
            }
            Ok(())
        };
        timeout(GRACE, last).await.unwrap_or(Ok(()))
    }

    fn check(&self) -> Result<()> {
        if self.bytes.load(Ordering::Relaxed).saturating_sub(self.before) <= MOST {
            return Ok(());
        }
        let (url, most) = (&self.url, MOST >> 20);
        let error = Error::new(
            Kind::TooLong,
            format!("{url} sent more than {most} MiB, and nothing was sent to it meanwhile"),
        );
        Err(error.hint("look at what it said last; a script may hear more: mailexpect run"))
    }

    fn no_reply(&self) -> Error {
        let patience = duration::show(self.patience);
        let error = Error::new(
            Kind::Timeout,
            format!("no whole reply of {} came within {patience}", self.url),
        );
        error.hint("--timeout waits longer")
    }
}
