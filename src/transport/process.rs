//! A dialogue with a child process on its stdin and stdout, as with `sendmail -bs`.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// How many bytes are kept of what a child writes to stderr.
const COMPLAINTS: usize = 16 << 10;

/// A child process that a session speaks with. It runs in its own process group, which is killed
/// when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// The child's process group, which may outlive the child; killed when this is dropped.
    _group: Group,
    /// The child's stdin; `None` once we have closed it.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    complaints: Arc<Mutex<Vec<u8>>>,
}

/// The process groups of all children that sessions speak with.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills all children of sessions and their process groups, because this process is about to exit
/// without running destructors.
#[cfg(feature = "cli")]
pub(crate) fn kill_processes() {
    groups().iter().filter_map(|group| Pid::from_raw(*group)).for_each(kill);
}

fn kill(group: Pid) {
    // An error means that the group is gone already.
    let _ = kill_process_group(group, Signal::KILL);
}

impl Process {
    /// Starts a program with its arguments, without a shell. What it writes to stderr is kept for
    /// [`Process::complaints`], because it must not reach a terminal unescaped.
    pub(crate) fn start(program: &str, arguments: &[String]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group::of(&child);
        let missing = || io::Error::other("the child lacks a pipe");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let complaints = Arc::default();
        tokio::spawn(listen(stderr, Arc::clone(&complaints)));
        Ok(Self { child, _group: group, stdin, stdout, complaints })
    }

    /// Closes the child's stdin and waits until it has exited.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        self.child.wait().await
    }

    /// What the child has written to stderr so far, and its exit status if it has exited.
    pub(crate) fn complaints(&mut self) -> (Vec<u8>, Option<String>) {
        let status = self.child.try_wait().ok().flatten().map(|status| status.to_string());
        (self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone(), status)
    }
}

/// Reads to the end and keeps only the beginning.
async fn listen(mut stderr: ChildStderr, complaints: Arc<Mutex<Vec<u8>>>) {
    let mut room = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut room).await {
        let mut kept = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let left = COMPLAINTS.saturating_sub(kept.len());
        kept.extend_from_slice(&room[..count.min(left)]);
    }
}

/// The process group of a child. It is killed when this is dropped, even if the child has exited,
/// because processes that the child started may still run.
#[derive(Debug)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The group of a child that was started in its own process group.
    pub(crate) fn of(child: &Child) -> Self {
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        groups().extend(group.map(|group| group.as_raw_nonzero().get()));
        Self(group)
    }

    #[cfg(feature = "script")]
    pub(super) fn kill(&self) {
        self.0.into_iter().for_each(kill);
    }

    /// Asks all processes of the group to end (SIGTERM).
    #[cfg(feature = "script")]
    pub(super) fn terminate(&self) {
        if let Some(group) = self.0 {
            // An error means that the group is gone already.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            groups().remove(&group.as_raw_nonzero().get());
            kill(group);
        }
    }
}

fn ended() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

impl AsyncRead for Process {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for Process {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, buf),
            None => Poll::Ready(Err(ended())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Closes the child's stdin by dropping it: the reader of a pipe sees its end only after that.
    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}
