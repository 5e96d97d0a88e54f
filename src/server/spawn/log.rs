//! The output of a server, kept for error messages.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::visible;

/// The most bytes of output that are kept: the last ones.
const KEPT: usize = 256 << 10;
/// How many lines an error shows.
const LAST_LINES: usize = 20;

/// The log of a server. It is read as fast as it is written, so that writing never blocks the
/// server.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    written: Mutex<Written>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct Written {
    bytes: VecDeque<u8>,
    /// How many bytes came before the kept ones.
    dropped: u64,
    /// Whether all writers have closed the pipe.
    is_over: bool,
}

impl Log {
    /// Reads until all writers have closed the pipe. On a thread of its own, because the caller may
    /// be outside of a runtime, and its runtime may end before the server does.
    pub(super) fn drain(mut from: PipeReader) -> io::Result<Self> {
        let log = Self(Arc::default());
        let drained = log.clone();
        let read = move || {
            let mut room = [0; 8 << 10];
            loop {
                match from.read(&mut room) {
                    Ok(0) => break,
                    Ok(count) => drained.written().push(&room[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            drained.written().is_over = true;
            drained.0.over.notify_all();
        };
        thread::Builder::new().name("log of a server".into()).spawn(read)?;
        Ok(log)
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all output of a server that has ended was read. Not longer than `patience`,
    /// because a process that the server started may hold the pipe open.
    pub(super) fn wait_over(&self, patience: Duration) {
        // The caller shows the log in either case.
        drop(self.0.over.wait_timeout_while(self.written(), patience, |written| !written.is_over));
    }

    /// All output that was kept, with control characters escaped except line ends.
    pub(super) fn text(&self) -> String {
        let written = self.written();
        let bytes: Vec<u8> = written.bytes.iter().copied().collect();
        let mut text = if written.dropped > 0 {
            format!("... {} bytes before this ...\n", written.dropped)
        } else {
            String::new()
        };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            text.push_str(&visible::escape(line.strip_suffix(b"\r").unwrap_or(line)));
            text.push('\n');
        }
        text
    }

    /// The last lines of the output, with an introduction, as an error shows them.
    pub(super) fn end(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        match lines.len() {
            0 => "it has printed nothing".to_owned(),
            count if count > LAST_LINES => {
                format!(
                    "it has printed {count} lines, at last:\n{}",
                    lines[count - LAST_LINES..].join("\n")
                )
            }
            _ => format!("it has printed:\n{}", lines.join("\n")),
        }
    }
}

impl Written {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..over);
        self.dropped += over as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_log_keeps_its_end_and_never_blocks_who_writes_it() {
        let (reader, mut writer) = io::pipe().unwrap();
        let log = Log::drain(reader).unwrap();
        let line = format!("{}\n", "x".repeat(1023));
        (0..1024).for_each(|_| writer.write_all(line.as_bytes()).unwrap());
        writer.write_all(b"the end \x1b[2J").unwrap();
        drop(writer);
        log.wait_over(Duration::from_secs(10));
        let text = log.text();
        assert!(text.starts_with("... 786444 bytes before this ...\n"), "{}", &text[..100]);
        assert!(text.ends_with("xxx\nthe end \\e[2J\n"), "{}", &text[text.len() - 100..]);
        assert_eq!(log.end().lines().count(), LAST_LINES + 1);
    }
}
