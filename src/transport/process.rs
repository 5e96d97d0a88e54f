//! A dialogue with a child process on its stdin and stdout, as with `sendmail -bs`.

use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::group::{Group, Piped};

/// How many bytes are kept of what a child writes to stderr.
const COMPLAINTS: usize = 16 << 10;

/// A child process that a session speaks with. It runs in its own process group, which is killed
/// when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    /// The child's process group, which may outlive the child; killed when this is dropped. It is
    /// dropped before the child, because what the child has started is found only while it runs.
    _group: Group,
    child: Child,
    /// The child's stdin; `None` once we have closed it.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    complaints: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    /// Starts a program with its arguments, without a shell. What it writes to stderr is kept for
    /// [`Process::complaints`], because it must not reach a terminal unescaped.
    pub(crate) fn start(program: &str, arguments: &[String]) -> io::Result<Self> {
        let Piped { mut child, group, stdout, stderr } =
            Group::spawn(Command::new(program).args(arguments).stdin(Stdio::piped()))?;
        let complaints = Arc::default();
        tokio::spawn(listen(stderr, Arc::clone(&complaints)));
        Ok(Self { stdin: child.stdin.take(), child, _group: group, stdout, complaints })
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
