//! A client under test: the command, run against one server.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use memchr::memmem;
use tokio::process::Command;

use super::battery::{Case, INJECTED};
use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::server::{Embedded, Mail};
use crate::session::block_on;
use crate::transcript::{Transcript, What};
use crate::transport::Group;
use crate::visible;

/// How many bytes of a client's output are shown: the last ones.
const LONGEST_OUTPUT: u64 = 4 << 10;
/// How many bytes of a client's output are searched at a time.
const LONGEST_PIECE: u64 = 64 << 10;
/// The message that a client reads on its stdin and finds in the mailbox.
const MESSAGE: &str = "From: Kim <kim@example.com>\r\nTo: hoge@example.com\r\nSubject: a client is tested\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@client.example>\r\n\r\nHi.\r\n";
/// The sender of the message.
const FROM: &str = "kim@example.com";

/// The command of the client, with its placeholders.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) command: Vec<String>,
    pub(super) scheme: String,
    pub(super) timeout: Duration,
    /// An interrupt kills the client, as the timeout does.
    pub(super) interrupt: Interrupt,
}

/// What a client did.
#[derive(Debug)]
pub(super) struct Did {
    /// How the client ended; `None` if it was killed, by the timeout or an interrupt.
    pub(super) status: Option<ExitStatus>,
    /// The commands that the client sent, in order.
    pub(super) commands: Vec<String>,
    /// Whether a TLS handshake succeeded.
    pub(super) tls: bool,
    /// The messages that the server received from the client.
    pub(super) mails: Vec<Mail>,
    /// The end of the client's output.
    pub(super) output: String,
    /// Whether the output contains a line that the server injected before TLS.
    pub(super) shows_injected: bool,
    pub(super) transcript: String,
}

impl Client {
    /// Runs the client against a server.
    ///
    /// # Errors
    /// If the server or the command cannot be started.
    pub(super) fn run(&self, case: &Case) -> Result<Did> {
        let transcript = Transcript::new();
        let mut options = Embedded::options()
            .only(&self.scheme)
            .transcript(transcript.clone())
            .flaw(case.flaw())
            .in_clear(case.clear)
            .idle(self.timeout * 2);
        for (command, turn) in &case.rules {
            options = options.always(command, turn.clone())?;
        }
        let server = options.start().map_err(|error| cannot("start a server", &error))?;
        server.deliver(Embedded::USER, MESSAGE.as_bytes());
        let mut ca =
            tempfile::NamedTempFile::new().map_err(|error| cannot("write the CA", &error))?;
        server
            .ca()
            .and_then(|pem| ca.write_all(pem.as_bytes()))
            .map_err(|error| cannot("write the CA", &error))?;
        let dir = tempfile::tempdir().map_err(|error| cannot("make a folder", &error))?;
        let url = server.url(&self.scheme).unwrap_or_default();
        let words = self.filled(&url, ca.path(), dir.path());
        let (status, mut printed) = block_on(self.execute(&words))?;
        let unread = |error| cannot("read what the client printed", &error);
        let shows_injected = is_in(&mut printed, INJECTED.as_bytes()).map_err(unread)?;
        let mails = server.mails();
        drop(server);
        Ok(Did {
            status,
            commands: commands(&transcript, &self.scheme),
            tls: has_tls(&transcript),
            mails,
            output: last_of(printed),
            shows_injected,
            transcript: transcript.to_string(),
        })
    }

    /// The words of the command, with values in place of the placeholders.
    fn filled(&self, url: &str, ca: &Path, dir: &Path) -> Vec<String> {
        let (ca, dir) = (ca.to_string_lossy(), dir.to_string_lossy());
        let port = url.rsplit(':').next().unwrap_or_default();
        let scheme = match self.scheme.as_str() {
            "submission" => "smtp",
            "submissions" => "smtps",
            other => other,
        };
        let url = format!("{scheme}://localhost:{port}");
        let values = [
            ("{host}", "localhost"),
            ("{port}", port),
            ("{url}", &url),
            ("{ca}", &ca),
            ("{dir}", &dir),
            ("{user}", Embedded::USER),
            ("{password}", Embedded::PASSWORD),
            ("{from}", FROM),
            ("{to}", Embedded::USER),
        ];
        let fill = |word: &String| {
            values.iter().fold(word.clone(), |word, (name, value)| word.replace(name, value))
        };
        self.command.iter().map(fill).collect()
    }

    /// Runs the command. Returns how it ended, and the file with what it printed.
    async fn execute(&self, words: &[String]) -> Result<(Option<ExitStatus>, File)> {
        let cannot = |error: io::Error| {
            let program = visible::escape(words.first().map_or(&b""[..], |word| word.as_bytes()));
            Error::usage(format!("cannot run `{program}`: {error}"))
                .hint("the command of the client comes after `--`, as in a shell")
        };
        let output = tempfile::tempfile().map_err(cannot)?;
        let mut input = tempfile::tempfile().map_err(cannot)?;
        input.write_all(MESSAGE.replace("\r\n", "\n").as_bytes()).map_err(cannot)?;
        input.seek(SeekFrom::Start(0)).map_err(cannot)?;
        let (program, arguments) = words.split_first().ok_or_else(|| {
            Error::usage("there is no client to run").hint("its command comes after `--`")
        })?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(output.try_clone().map_err(cannot)?))
            .stderr(Stdio::from(output.try_clone().map_err(cannot)?))
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        // Kills the whole process group when dropped: the client may have left children, even if it
        // has ended.
        let group = Group::of(&child);
        let status = tokio::select! {
            ended = child.wait() => Some(ended.map_err(cannot)?),
            // This timeout is not an error: a client that hangs is a result of the test.
            () = tokio::time::sleep(self.timeout) => None,
            () = self.interrupt.pressed() => None,
        };
        drop(group);
        Ok((status, output))
    }
}

fn cannot(what: &str, error: &io::Error) -> Error {
    Error::new(Kind::Io, format!("cannot {what}: {error}"))
}

/// Whether a file contains the text. It is read in pieces, because a client may print a lot.
fn is_in(file: &mut File, text: &[u8]) -> io::Result<bool> {
    // A child of the client that is still alive may go on printing.
    let mut unread = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut piece = Vec::new();
    while unread > 0 {
        // The text may be in both this piece and the one before.
        piece.drain(..piece.len().saturating_sub(text.len()));
        let count = (&*file).take(unread.min(LONGEST_PIECE)).read_to_end(&mut piece)?;
        if memmem::find(&piece, text).is_some() {
            return Ok(true);
        }
        unread = if count == 0 { 0 } else { unread.saturating_sub(count as u64) };
    }
    Ok(false)
}

/// The end of what a client printed.
fn last_of(mut output: File) -> String {
    let length = output.seek(SeekFrom::End(0)).unwrap_or(0);
    let mut text = Vec::new();
    if output.seek(SeekFrom::Start(length.saturating_sub(LONGEST_OUTPUT))).is_ok() {
        // If the output cannot be read, the report only lacks it.
        let _ = output.take(LONGEST_OUTPUT).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The commands of a client with their arguments, in upper case. Tags and UID are left out for
/// IMAP. The lines of a message or a literal are no commands: of what was recorded together, only
/// the last line is not content.
fn commands(transcript: &Transcript, scheme: &str) -> Vec<String> {
    let is_imap = scheme.starts_with("imap");
    let mut commands = Vec::new();
    for event in transcript.events() {
        let What::Client(excerpt) = &event.what else { continue };
        let end = if excerpt.tail().is_empty() { excerpt.head() } else { excerpt.tail() };
        let text = String::from_utf8_lossy(end);
        let line = text.lines().last().unwrap_or_default();
        let line = if is_imap { line.split_once(' ').map_or("", |(_, line)| line) } else { line };
        let upper = line.to_ascii_uppercase();
        commands.push(upper.strip_prefix("UID ").unwrap_or(&upper).to_owned());
    }
    commands
}

fn has_tls(transcript: &Transcript) -> bool {
    transcript
        .events()
        .iter()
        .any(|event| matches!(&event.what, What::Tls(words) if !words.starts_with("failed")))
}

impl Did {
    /// Whether the client sent a command: `AUTH` matches `AUTH PLAIN`. `TLS` stands for a
    /// handshake.
    pub(super) fn sent(&self, words: &str) -> bool {
        if words == "TLS" {
            return self.tls;
        }
        self.commands.iter().any(|command| {
            command.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    }

    /// How the client ended, in words.
    pub(super) fn ended(&self, timeout: Duration) -> String {
        match self.status {
            None => format!("still ran after {} s", timeout.as_secs()),
            Some(status) => match (status.code(), status.signal()) {
                (Some(0), _) => "succeeded".to_owned(),
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => format!("killed by signal {signal}"),
                (None, None) => "ended".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_is_in_the_output() {
        let piece = usize::try_from(LONGEST_PIECE).unwrap();
        for before in [0, 1, piece - 4, piece, 3 * piece - 1, 3 * piece + 1] {
            let mut file = tempfile::tempfile().unwrap();
            write!(file, "{}", "x".repeat(before)).unwrap();
            assert!(!is_in(&mut file, b"injected").unwrap(), "{before}");
            write!(file, "injected{}", "x".repeat(piece)).unwrap();
            assert!(is_in(&mut file, b"injected").unwrap(), "{before}");
        }
    }
}
