//! A program that a script runs in addition to its dialogues: a client or a server under test, or a
//! tool.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::group::{Group, Piped};

/// How many bytes are kept of what a program writes to stdout, and to stderr.
const KEPT: (usize, usize) = (1 << 20, 64 << 10);
/// How many bytes are kept of the end of a program's stdout, if a script follows it.
const FOLLOWED: usize = 1 << 20;
/// How many of these bytes are returned at once.
const PIECE: usize = 8 << 10;
/// How many bytes are read before the one who follows them gets a turn. More could be dropped before
/// they are seen.
const AT_ONCE: usize = FOLLOWED / 4;
/// How long a program that was asked to end may take before it is killed.
const TO_END: Duration = Duration::from_secs(2);
/// How long a program may take to exit after it has closed its stdout and stderr.
const TO_EXIT: Duration = Duration::from_millis(100);
/// How long to wait for the rest of a program's output after its exit. A process that it started
/// may hold its stdout open for longer.
const TO_DRAIN: Duration = Duration::from_millis(500);

/// A running program in its own process group, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    /// Dropped before the child, because what the child has started is found only while it runs.
    group: Group,
    child: Child,
    output: Written,
    errors: Written,
    status: Option<ExitStatus>,
    started: Instant,
}

/// What a program writes to stdout or to stderr. It can be read while something else waits for the
/// program, and after its end.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    bytes: Arc<Mutex<Kept>>,
    /// The number of bytes that were read; the channel is closed at the end of the stream.
    changed: watch::Receiver<u64>,
}

/// The part that is kept of a program's output.
#[derive(Debug, Default)]
struct Kept {
    first: Vec<u8>,
    /// The end of the output, if a script follows it.
    last: Option<VecDeque<u8>>,
    count: u64,
}

impl Kept {
    fn push(&mut self, bytes: &[u8], most: usize) {
        let left = most.saturating_sub(self.first.len());
        self.first.extend_from_slice(&bytes[..bytes.len().min(left)]);
        if let Some(last) = &mut self.last {
            last.extend(bytes);
            last.drain(..last.len().saturating_sub(FOLLOWED));
        }
        self.count += bytes.len() as u64;
    }

    /// Keeps the end of the output from now on. If nothing was dropped yet, that is the whole
    /// output.
    fn follow(&mut self) {
        let is_whole = self.first.len() as u64 == self.count;
        let first = || self.first.iter().filter(|_| is_whole).copied().collect();
        self.last.get_or_insert_with(first);
    }

    /// Returns a piece of the output from the place `from` on, or from the first later byte that is
    /// kept, with its place.
    fn since(&self, from: u64) -> (u64, Vec<u8>) {
        let Some(last) = &self.last else { return (from, Vec::new()) };
        let start = self.count - last.len() as u64;
        let from = from.max(start);
        let skipped = usize::try_from(from - start).unwrap_or(usize::MAX);
        (from, last.iter().skip(skipped).take(PIECE).copied().collect())
    }

    fn since_start(&self, from: u64) -> (u64, Vec<u8>) {
        let first = usize::try_from(from).ok().and_then(|from| self.first.get(from..));
        match first.filter(|first| !first.is_empty()) {
            Some(first) => (from, first[..first.len().min(PIECE)].to_vec()),
            None => self.since(from),
        }
    }
}

impl Program {
    /// Starts a program with its arguments, without a shell, and writes its input.
    pub(crate) fn start(
        words: &[String],
        variables: &[(String, String)],
        input: Option<Vec<u8>>,
    ) -> io::Result<Self> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let variables = variables.iter().map(|(name, value)| (name, value));
        let Piped { mut child, group, stdout, stderr } =
            Group::spawn(Command::new(program).args(arguments).envs(variables).stdin(stdin))?;
        let output = Written::of(stdout, KEPT.0);
        let errors = Written::of(stderr, KEPT.1);
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            tokio::spawn(async move {
                // A program need not read its input. If this fails, the program's exit status
                // tells.
                let _ = stdin.write_all(&input).await;
            });
        }
        Ok(Self { child, group, output, errors, status: None, started: Instant::now() })
    }

    /// Waits until the program has exited and its output was read.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        if self.status.is_none() {
            let drained = async {
                self.output.closed().await;
                self.errors.closed().await;
            };
            // Processes of the group that still run would hold the output open.
            let _ = timeout(TO_DRAIN, drained).await;
            self.group.kill();
        }
        self.status = Some(status);
        Ok(status)
    }

    /// Whether the program exits by itself before it has run for `age`.
    pub(crate) async fn ends_within(&mut self, age: Duration) -> bool {
        self.status.is_some() || timeout_at(self.started + age, self.child.wait()).await.is_ok()
    }

    /// Returns how the program ended, if it has. A program that exits closes its output a moment
    /// before its exit can be seen, so if both are closed, this waits for that moment.
    pub(crate) async fn has_ended(&mut self) -> Option<ExitStatus> {
        let is_closed = |written: &Written| written.changed.has_changed().is_err();
        if self.status.is_none() && is_closed(&self.output) && is_closed(&self.errors) {
            self.ends_within(self.started.elapsed() + TO_EXIT).await;
        }
        self.status.or_else(|| self.child.try_wait().ok().flatten())
    }

    /// Kills the program and its group. Returns how the program had ended, if it had before.
    pub(crate) fn kill(&mut self) -> Option<ExitStatus> {
        let ended = self.status.or_else(|| self.child.try_wait().ok().flatten());
        self.group.kill();
        ended
    }

    /// Asks the program and its group to end, and kills them if the program still runs `TO_END`
    /// later.
    pub(crate) async fn stop(&mut self) -> io::Result<ExitStatus> {
        self.group.terminate();
        if timeout(TO_END, self.child.wait()).await.is_err() {
            self.group.kill();
        }
        self.ended().await
    }

    /// What the program writes to stdout.
    pub(crate) fn output(&self) -> Written {
        self.output.clone()
    }

    /// What the program writes to stderr.
    pub(crate) fn errors(&self) -> Written {
        self.errors.clone()
    }
}

impl Written {
    fn of(from: impl AsyncRead + Unpin + Send + 'static, most: usize) -> Self {
        let bytes = Arc::<Mutex<Kept>>::default();
        let (count, changed) = watch::channel(0);
        tokio::spawn(read(from, Arc::clone(&bytes), count, most));
        Self { bytes, changed }
    }

    /// The beginning of what was written so far.
    pub(crate) fn first(&self) -> Vec<u8> {
        self.bytes().first.clone()
    }

    /// Keeps the end of what is written from now on.
    pub(crate) fn follow(&self) {
        self.bytes().follow();
    }

    /// Returns a piece from the place `from` on, or from the first later byte that is kept, with
    /// its place.
    pub(crate) fn since(&self, from: u64) -> (u64, Vec<u8>) {
        self.bytes().since(from)
    }

    /// Does the same as [`since`](Self::since), also with what was written before it was followed.
    pub(crate) fn since_start(&self, from: u64) -> (u64, Vec<u8>) {
        self.bytes().since_start(from)
    }

    /// Waits until more than `count` bytes were written; `false` if no more can come.
    pub(crate) async fn grows_beyond(&mut self, count: u64) -> bool {
        self.changed.wait_for(|written| *written > count).await.is_ok()
    }

    fn bytes(&self) -> MutexGuard<'_, Kept> {
        // Bytes are only appended, so a panic elsewhere leaves them intact.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn closed(&mut self) {
        while self.changed.changed().await.is_ok() {}
    }
}

/// Reads to the end and keeps the beginning, and also the end if a script follows it.
async fn read(
    mut from: impl AsyncRead + Unpin,
    bytes: Arc<Mutex<Kept>>,
    count: watch::Sender<u64>,
    most: usize,
) {
    let mut room = vec![0; 8 << 10];
    let mut at_once = 0;
    while let Ok(read @ 1..) = from.read(&mut room).await {
        {
            let mut kept = bytes.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(&room[..read], most);
        }
        count.send_modify(|count| *count += read as u64);
        at_once += read;
        if at_once >= AT_ONCE {
            at_once = 0;
            yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_once_somebody_follows_it() {
        let mut kept = Kept::default();
        kept.push(b"one ", 6);
        assert_eq!(kept.since(0), (0, Vec::new()));
        kept.follow();
        kept.push(b"two", 6);
        assert_eq!(
            (kept.first.as_slice(), kept.since(0)),
            (&b"one tw"[..], (0, b"one two".to_vec()))
        );
        assert_eq!(kept.since(7), (7, Vec::new()));
        kept.push(&vec![b'x'; FOLLOWED], 6);
        let (from, bytes) = kept.since(4);
        assert_eq!((from, bytes.len()), (7, PIECE));
    }

    #[test]
    fn output_is_read_from_its_start_and_then_from_its_end() {
        let mut kept = Kept::default();
        kept.push(b"one ", 6);
        assert_eq!(kept.since_start(1), (1, b"ne ".to_vec()));
        assert_eq!(kept.since_start(4), (4, Vec::new()));
        kept.follow();
        kept.push(b"two", 6);
        assert_eq!(kept.since_start(4), (4, b"tw".to_vec()));
        assert_eq!(kept.since_start(6), (6, b"o".to_vec()));
        assert_eq!(kept.since_start(7), (7, Vec::new()));
    }

    #[test]
    fn output_that_was_lost_before_is_not_returned_as_the_end() {
        let mut kept = Kept::default();
        kept.push(b"one two", 3);
        kept.follow();
        kept.push(b" three", 3);
        assert_eq!(kept.since(0), (7, b" three".to_vec()));
    }
}
