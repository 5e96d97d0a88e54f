//! A dialogue on a child's stdin and stdout, as with `sendmail -bs`.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// How much of what a child complains about is kept.
const COMPLAINTS: usize = 16 << 10;

/// A child process under dialogue, in a process group of its own, which is killed when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Its process group, which may outlive the child itself; killed when this is dropped.
    _group: Group,
    /// `None` once we have closed it.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    complaints: Arc<Mutex<Vec<u8>>>,
}

/// The groups of all children under dialogue.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends all children under dialogue, and theirs: this process is about to end without being
/// unwound.
#[cfg(feature = "cli")]
pub(crate) fn kill_processes() {
    groups().iter().filter_map(|group| Pid::from_raw(*group)).for_each(kill);
}

fn kill(group: Pid) {
    // If the group is gone already, there is nothing to be done.
    let _ = kill_process_group(group, Signal::KILL);
}

impl Process {
    /// Starts a program with its arguments, without a shell between. What it writes to stderr is
    /// kept for [`Process::complaints`]: it must not reach a terminal as it is.
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

    /// Closes its stdin and waits until it has ended.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        self.child.wait().await
    }

    /// What it has written to stderr so far, and how it ended if it has.
    pub(crate) fn complaints(&mut self) -> (Vec<u8>, Option<String>) {
        let status = self.child.try_wait().ok().flatten().map(|status| status.to_string());
        (self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone(), status)
    }
}

/// Reads to the end, keeping the beginning.
async fn listen(mut stderr: ChildStderr, complaints: Arc<Mutex<Vec<u8>>>) {
    let mut room = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut room).await {
        let mut kept = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let left = COMPLAINTS.saturating_sub(kept.len());
        kept.extend_from_slice(&room[..count.min(left)]);
    }
}

/// The process group of a child, killed when this is dropped: also if the child has ended, since
/// what it started may still run.
#[derive(Debug)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// That of a child that was started with one of its own.
    pub(crate) fn of(child: &Child) -> Self {
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        groups().extend(group.map(|group| group.as_raw_nonzero().get()));
        Self(group)
    }

    #[cfg(feature = "script")]
    pub(super) fn kill(&self) {
        self.0.into_iter().for_each(kill);
    }

    /// Asks all of it to end.
    #[cfg(feature = "script")]
    pub(super) fn terminate(&self) {
        if let Some(group) = self.0 {
            // If the group is gone already, there is nothing to be done.
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

    /// Closes the child's stdin: a pipe's end is only seen by its reader once it is dropped.
    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}
