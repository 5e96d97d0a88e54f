//! A dialogue on a child's stdin and stdout, as with `sendmail -bs`.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A child process under dialogue; killed when dropped, its stderr goes where ours goes.
#[derive(Debug)]
pub(crate) struct Process {
    /// Held for its end: dropping it kills the child.
    _child: Child,
    /// `None` once we have closed it.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

impl Process {
    /// Starts a program with its arguments, without a shell between.
    pub(crate) fn start(program: &str, arguments: &[String]) -> io::Result<Self> {
        let mut child =
            Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("the child has no stdout"))?;
        Ok(Self { _child: child, stdin, stdout })
    }
}

fn ended() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

impl AsyncRead for Process {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for Process {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
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
