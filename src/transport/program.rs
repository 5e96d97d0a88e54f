//! A program that a script runs beside its dialogues: a client or a server under test, or a tool.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::process::Group;

/// How much is kept of what a program writes to stdout, and to stderr.
const KEPT: (usize, usize) = (1 << 20, 64 << 10);
/// How long a program that was asked to end has before it is killed.
const TO_END: Duration = Duration::from_secs(2);
/// How long what a program has written may take to come after its end: something that it started
/// may have its stdout.
const TO_DRAIN: Duration = Duration::from_millis(500);

/// A running program, in a process group of its own, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    group: Group,
    output: Written,
    errors: Written,
    status: Option<ExitStatus>,
    started: Instant,
}

/// What a program writes to one of its ends.
#[derive(Clone, Debug)]
struct Written {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// How many bytes have come; closed at the end.
    changed: watch::Receiver<u64>,
}

impl Program {
    /// Starts a program with its arguments, without a shell between, and hands it its input.
    pub(crate) fn start(
        words: &[String],
        variables: &[(String, String)],
        input: Option<Vec<u8>>,
    ) -> io::Result<Self> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group::of(&child);
        let missing = || io::Error::other("the child lacks a pipe");
        let output = Written::of(child.stdout.take().ok_or_else(missing)?, KEPT.0);
        let errors = Written::of(child.stderr.take().ok_or_else(missing)?, KEPT.1);
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            tokio::spawn(async move {
                // A program need not read what it is given; that it did not, its end says.
                let _ = stdin.write_all(&input).await;
            });
        }
        Ok(Self { child, group, output, errors, status: None, started: Instant::now() })
    }

    /// Waits until it has ended, and what it wrote has come.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        if self.status.is_none() {
            let drained = async {
                self.output.closed().await;
                self.errors.closed().await;
            };
            // What is still running of its group would hold them open.
            let _ = timeout(TO_DRAIN, drained).await;
            self.group.kill();
        }
        self.status = Some(status);
        Ok(status)
    }

    /// Whether it ends by itself before it is that old.
    pub(crate) async fn ends_within(&mut self, age: Duration) -> bool {
        self.status.is_some() || timeout_at(self.started + age, self.child.wait()).await.is_ok()
    }

    /// Asks it and its group to end, and kills what has not ended some time later.
    pub(crate) async fn stop(&mut self) -> io::Result<ExitStatus> {
        self.group.terminate();
        if timeout(TO_END, self.child.wait()).await.is_err() {
            self.group.kill();
        }
        self.ended().await
    }

    /// What it has written to stdout so far.
    pub(crate) fn output(&self) -> Vec<u8> {
        self.output.bytes().clone()
    }

    /// What it has written to stderr so far.
    pub(crate) fn errors(&self) -> Vec<u8> {
        self.errors.bytes().clone()
    }

    /// Waits until it has written more to stdout than so many bytes; `false` if no more can come.
    pub(crate) async fn writes_beyond(&mut self, count: u64) -> bool {
        self.output.changed.wait_for(|written| *written > count).await.is_ok()
    }
}

impl Written {
    fn of(from: impl AsyncRead + Unpin + Send + 'static, most: usize) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let (count, changed) = watch::channel(0);
        tokio::spawn(read(from, Arc::clone(&bytes), count, most));
        Self { bytes, changed }
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        // A panic elsewhere leaves the bytes whole: they are only added to.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn closed(&mut self) {
        while self.changed.changed().await.is_ok() {}
    }
}

/// Reads to the end, keeping the beginning.
async fn read(
    mut from: impl AsyncRead + Unpin,
    bytes: Arc<Mutex<Vec<u8>>>,
    count: watch::Sender<u64>,
    most: usize,
) {
    let mut room = vec![0; 8 << 10];
    while let Ok(read @ 1..) = from.read(&mut room).await {
        {
            let mut kept = bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let left = most.saturating_sub(kept.len());
            kept.extend_from_slice(&room[..read.min(left)]);
        }
        count.send_modify(|count| *count += read as u64);
    }
}
