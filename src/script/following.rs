//! Logs that a script follows.

mod wanted;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout_at};

use super::programs::Running;
use super::run::Run;
use crate::error::{Error, Kind, Result, Waited};
use crate::logs::{Fate, Lines, Splitter, Tail, advice};
use crate::pattern::Match;
use crate::reply::Reply;
use crate::transcript::About;
use crate::visible;
pub(super) use wanted::Wanted;
use wanted::{Found, Which};

/// The pause between two reads of a file: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// For how long after the deadline a search goes on in lines that came in time.
const TO_SEARCH: Duration = Duration::from_millis(100);
/// How many lines an error shows, and how many bytes of each.
const SHOWN: (usize, usize) = (5, 300);

/// A log that a script follows. Only one word at a time can use it.
#[derive(Clone, Debug)]
pub(super) struct Following(Arc<Mutex<Log>>);

#[derive(Debug)]
struct Log {
    /// The path as the script wrote it, or the command.
    name: String,
    source: Source,
    lines: Lines,
}

#[derive(Debug)]
enum Source {
    File { path: String, tail: Tail },
    Command { running: Running, read: u64, splitter: Splitter },
}

impl Following {
    /// Follows a file.
    ///
    /// # Errors
    /// Usage if the script may not read the file, or if the file cannot be read.
    pub(super) fn file(run: &Run, path: &str, from_start: bool) -> Result<Self> {
        let file = run.may_follow(path)?;
        let tail = Tail::start(&file, from_start).map_err(|error| unreadable(path, &error))?;
        let source = Source::File { path: path.to_owned(), tail };
        Ok(Self::of(visible::escape(path.as_bytes()), source))
    }

    /// Follows the stdout of a command.
    pub(super) fn command(running: &Running) -> Self {
        running.output().follow();
        let (running, name) = (running.clone(), running.command());
        let splitter = Splitter::default();
        Self::of(format!("of `{name}`"), Source::Command { running, read: 0, splitter })
    }

    fn of(name: String, source: Source) -> Self {
        Self(Arc::new(Mutex::new(Log { name, source, lines: Lines::default() })))
    }

    /// The log's path or command; `None` while a word reads the log.
    pub(super) fn name(&self) -> Option<String> {
        self.0.try_lock().ok().map(|log| log.name.clone())
    }

    /// Waits for a line and takes it.
    pub(super) async fn expect(&self, run: &Run, mut wanted: Wanted) -> Result<Reply> {
        let mut log = self.0.try_lock().map_err(|_| busy())?;
        let began = Instant::now();
        let (line, found) = log.wait(run, &mut wanted, began).await?;
        run.note(About::Log, shown(run, &line));
        run.count_check();
        Ok(Reply::whole(line, found).after(began.elapsed()))
    }

    /// Waits until the log says that a message was delivered.
    pub(super) async fn delivered(&self, run: &Run, mut wanted: Wanted) -> Result<Reply> {
        let mut log = self.0.try_lock().map_err(|_| busy())?;
        let began = Instant::now();
        let (line, found) = log.wait(run, &mut wanted, began).await?;
        if wanted.fate(&line) == Some(Fate::Refused) {
            let message = format!("the message was not delivered, says the log {}", log.name);
            let error = Error::new(Kind::Mismatch, message).with_expected(wanted.shown());
            return Err(with_advice(error.with_got(shown(run, &line)), &line));
        }
        run.note(About::Log, shown(run, &line));
        run.count_check();
        Ok(Reply::whole(line, found).after(began.elapsed()))
    }

    /// Makes sure that no such line was written, and that none is written within the given time.
    pub(super) async fn refute(&self, run: &Run, mut wanted: Wanted) -> Result<()> {
        let mut log = self.0.try_lock().map_err(|_| busy())?;
        let dropped = log.lines.dropped();
        if dropped > 0 {
            let message = format!("{dropped} lines of the log {} are not kept any more", log.name);
            let error = Error::new(Kind::TooLong, message).with_expected(wanted.refuted());
            return Err(error
                .hint("the newest lines are kept: refute(...) earlier, or follow the log later"));
        }
        let began = Instant::now();
        let until = began + wanted.within;
        let longest = until + run.timeout();
        let (mut next, mut pause) = (0, PAUSES.0);
        loop {
            let has_read = log.read(run)?;
            if wanted.learn(&log.lines, next) {
                next = 0;
            }
            let find = wanted.find(&log.lines, next, Which::All);
            let found = timeout_at(longest, find).await.map_err(|_| {
                let message = format!("the log {} could not be searched in time", log.name);
                Error::new(Kind::Timeout, message).with_expected(wanted.refuted())
            })?;
            if let Some(Found { line, .. }) = found {
                let message = format!("the log {} has a line that must not be there", log.name);
                let error = Error::new(Kind::Mismatch, message).with_expected(wanted.refuted());
                return Err(with_advice(error.with_got(shown(run, &line)), &line));
            }
            next = log.lines.count();
            let now = Instant::now();
            if has_read && now < longest {
                yield_now().await;
            } else if has_read {
                let message = format!("the log {} grows faster than it is read", log.name);
                return Err(Error::new(Kind::Timeout, message).with_expected(wanted.refuted()));
            } else if now >= until {
                break;
            } else {
                // However the wait ends, the log is read once more.
                let _ = timeout_at(until, log.source.wait(pause)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
        if !log.source.was_there() {
            return Err(log.absent());
        }
        run.count_check();
        Ok(())
    }
}

fn busy() -> Error {
    Error::new(Kind::Busy, "another word already waits for a line of this log")
        .hint("call follow(...) a second time: each has its own position in the log")
}

fn unreadable(path: &str, error: &std::io::Error) -> Error {
    // The script may not read the file that has taken the place of the log.
    if let Some(denied) = error.get_ref().and_then(|denied| denied.downcast_ref::<Error>()) {
        return denied.clone();
    }
    let path = visible::quoted(path);
    let wrong = Error::usage(format!("cannot follow the log {path}: {error}"));
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        return wrong.hint("logs of the system are for the group `adm`; or start(\"journalctl -f -n 0\") and follow that");
    }
    wrong
}

fn with_advice(error: Error, line: &[u8]) -> Error {
    match advice(line) {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

/// Returns a line as errors and transcripts show it, with secrets masked.
fn shown(run: &Run, line: &[u8]) -> String {
    let mut text = visible::excerpt(line, SHOWN.1);
    run.secrets().mask_text(&mut text);
    text
}

impl Source {
    /// Waits until there may be more to read; for a file, this is the pause. Returns whether more
    /// can come.
    async fn wait(&mut self, pause: Duration) -> Result<bool> {
        match self {
            Self::File { .. } => {
                // The log may be on any file system and may be rotated, so the file is read again
                // after a pause.
                sleep(pause).await;
                Ok(true)
            }
            Self::Command { running, read, .. } => {
                let may_come = running.output().grows_beyond(*read).await;
                if !may_come {
                    // Its stderr may say why it ended, so wait until stderr was read too. If
                    // another word waits for the command, that word waits for this.
                    let ended = running.with(async |program| program.ended().await).await;
                    ended.map(drop).or_else(|error| match error.kind() {
                        Kind::Busy => Ok(()),
                        _ => Err(error),
                    })?;
                }
                Ok(may_come)
            }
        }
    }

    /// Returns what the command has written to stderr, which may say why it writes nothing else.
    fn errors(&self) -> Vec<u8> {
        match self {
            Self::File { .. } => Vec::new(),
            Self::Command { running, .. } => running.errors().first(),
        }
    }

    fn was_there(&self) -> bool {
        match self {
            Self::File { tail, .. } => tail.was_there(),
            Self::Command { .. } => true,
        }
    }
}

impl Log {
    /// Reads what is available now, at most one piece. Returns whether there was anything.
    fn read(&mut self, run: &Run) -> Result<bool> {
        match &mut self.source {
            Source::File { path, tail } => {
                let read = tail.read(&mut self.lines, || {
                    // The log was rotated: the script must be allowed to read the new file too.
                    run.readable(path).map(drop).map_err(std::io::Error::other)
                });
                read.map_err(|error| unreadable(path, &error))
            }
            Source::Command { running, read, splitter } => {
                let (from, bytes) = running.output().since(*read);
                if from > *read {
                    let lost = from - *read;
                    *read = from;
                    splitter.clear();
                    let message = format!("{lost} bytes of the log {} were not kept", self.name);
                    let error = Error::new(Kind::TooLong, message);
                    return Err(
                        error.hint("have the command write less, or look at its log in between")
                    );
                }
                splitter.push(&bytes, &mut self.lines);
                *read += bytes.len() as u64;
                Ok(!bytes.is_empty())
            }
        }
    }

    /// Waits for a line and takes it.
    async fn wait(
        &mut self,
        run: &Run,
        wanted: &mut Wanted,
        began: Instant,
    ) -> Result<(Bytes, Match)> {
        let until = began + wanted.within;
        let (mut next, mut pause, mut end) = (0, PAUSES.0, None);
        loop {
            let has_read = self.read(run)?;
            if wanted.learn(&self.lines, next) {
                next = 0;
            }
            let find = wanted.find(&self.lines, next, Which::Untaken);
            match timeout_at(until + TO_SEARCH, find).await {
                Ok(Some(Found { number, line, matched })) => {
                    self.lines.take(number);
                    return Ok((line, matched));
                }
                Ok(None) => {}
                Err(_) => return Err(self.missing(run, wanted, began, Kind::Timeout)),
            }
            next = self.lines.count();
            let is_late = Instant::now() >= until;
            if has_read && !is_late {
                yield_now().await;
            } else if has_read || end.is_some() {
                return Err(self.missing(run, wanted, began, end.unwrap_or(Kind::Timeout)));
            } else {
                // However the wait ends, the log is read once more.
                end = match timeout_at(until, self.source.wait(pause)).await {
                    Ok(may_come) => (!may_come?).then_some(Kind::Closed),
                    Err(_) => Some(Kind::Timeout),
                };
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }

    /// Makes the error for a line that has not come.
    fn missing(&self, run: &Run, wanted: &Wanted, began: Instant, kind: Kind) -> Error {
        if !self.source.was_there() {
            return self.absent();
        }
        let why = match kind {
            Kind::Closed => "cannot come any more: its command has ended",
            _ => "has not come in time",
        };
        let about =
            |line: &Bytes| wanted.subject.as_ref().is_none_or(|subject| subject.is_in(line));
        let lines: Vec<_> =
            self.lines.from(0).map(|(_, line, _)| line).filter(|line| about(line)).collect();
        let last = &lines[lines.len().saturating_sub(SHOWN.0)..];
        let said: Vec<_> = last.iter().map(|line| shown(run, line)).collect();
        let got = match (lines.len(), said.len()) {
            (0, _) if self.lines.count() == 0 => "nothing was written to it".to_owned(),
            (0, _) => format!("{} lines, none about the message", self.lines.count()),
            (all, some) if all > some => format!("{all} lines, at last:\n{}", said.join("\n")),
            _ => said.join("\n"),
        };
        let got = match self.source.errors() {
            errors if errors.is_empty() => got,
            errors => format!("{got}; and to stderr: {}", shown(run, errors.trim_ascii_end())),
        };
        let time = Waited { elapsed: began.elapsed(), allowed: wanted.within };
        let error = Error::new(kind, format!("a line of the log {} {why}", self.name));
        let error = error.with_expected(wanted.shown()).with_got(got).with_waited(time);
        match lines.iter().rev().find_map(|line| advice(line)) {
            Some(advice) => error.hint(advice),
            None if self.lines.count() == 0 => error.hint("follow(...) before what is to be logged; is it this server's log? it may write to the journal: start(\"journalctl -f -n 0\") and follow that"),
            None => error,
        }
    }

    /// Makes the error for a file that never existed, so that nothing is known of its content.
    fn absent(&self) -> Error {
        let error = Error::new(Kind::Io, format!("the log {} is not there", self.name));
        error.hint("see its path, and whether the server logs to a file; a log in the journal: start(\"journalctl -f -n 0\") and follow that")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_that_may_not_be_read_has_the_error_of_the_denial() {
        let denied = Error::usage("the script may not read a.log").hint("allow it");
        let shown = unreadable("a.log", &std::io::Error::other(denied));
        assert_eq!(shown.message(), "the script may not read a.log");
        assert_eq!(shown.next_step(), Some("allow it"));
    }
}
