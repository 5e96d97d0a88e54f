//! A server that plays a dialogue which is written down.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// No line of a dialogue is longer; a client that sends more without an end is not listened to for
/// ever.
const LONGEST_LINE: u64 = 1 << 20;

/// A server on loopback that plays a dialogue for the first connection, in a thread of its own.
///
/// The dialogue is text, a line for each: `S: text` is said, with CRLF; `C: text` is a line that
/// the client has to send exactly; `C:` stands for any line; `close` closes. Behind the last line
/// the server listens on until the client closes. Blank lines mean nothing.
///
/// ```
/// use mailexpect::{Session, server::Replay};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Replay::start("
///     S: 220 mail.example ESMTP
///     C: QUIT
///     S: 221 bye
///     close
/// ")?;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Session::connect(&server.url("smtp")).await?;
/// session.expect(220).await?;
/// session.quit().await?;
/// session.expect_close().await?;
/// # Ok::<_, mailexpect::Error>(())
/// # })?;
/// server.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Replay {
    address: SocketAddr,
    thread: Option<JoinHandle<Played>>,
}

/// Who connected, and what came of it.
type Played = io::Result<(SocketAddr, Result<(), Departure>)>;

/// How the client departed from the dialogue.
#[derive(Debug)]
#[non_exhaustive]
pub enum Departure {
    /// It sent another line.
    Line {
        /// The line that the dialogue has.
        wanted: String,
        /// The line that came, without its end; empty where the client closed.
        got: String,
    },
    /// Nobody connected.
    Nobody,
    /// The connection failed.
    Io(io::Error),
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { wanted, got } => {
                write!(f, "the client was to send `{wanted}` and sent `{got}`")
            }
            Self::Nobody => f.write_str("no client connected"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for Departure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Line { .. } | Self::Nobody => None,
        }
    }
}

impl From<io::Error> for Departure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One line of a dialogue.
#[derive(Debug)]
enum Step {
    Say(Vec<u8>),
    Hear(String),
    Close,
}

impl Step {
    fn parse(line: &str) -> io::Result<Self> {
        let rest = |text: &str| text.strip_prefix(' ').unwrap_or(text).to_owned();
        match (line.get(..2), line) {
            (Some("S:"), _) => Ok(Self::Say(format!("{}\r\n", rest(&line[2..])).into_bytes())),
            (Some("C:"), _) => Ok(Self::Hear(rest(&line[2..]))),
            (_, "close") => Ok(Self::Close),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{line}` is no line of a dialogue"),
            )),
        }
    }
}

impl Replay {
    /// Listens on a free port of 127.0.0.1 and plays the dialogue to whoever connects first.
    ///
    /// # Errors
    /// Invalid input for a line that is none of a dialogue; else what listening failed with.
    pub fn start(dialogue: &str) -> io::Result<Self> {
        let lines = dialogue.lines().map(str::trim_start).filter(|line| !line.trim().is_empty());
        let steps = lines.map(Step::parse).collect::<io::Result<Vec<_>>>()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let thread = std::thread::Builder::new().name("replay".to_owned()).spawn(move || {
            let (stream, client) = listener.accept()?;
            drop(listener);
            let played = play(&stream, &steps);
            // What closes here is our side of a dialogue that is over; the client may have closed
            // it before.
            let _ = stream.shutdown(Shutdown::Both);
            Ok((client, played))
        })?;
        Ok(Self { address, thread: Some(thread) })
    }

    /// Its URL for a scheme: `replay.url("pop3")` is `pop3://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Waits until the client has gone.
    ///
    /// # Errors
    /// Where the client said something else than the dialogue has, or did not connect.
    pub fn finish(mut self) -> Result<(), Departure> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Departure> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        // A thread that still waits for a client is woken by one that says nothing; where one had
        // come, this one is not let in.
        let knock = TcpStream::connect(self.address).and_then(|knock| knock.local_addr()).ok();
        match thread.join() {
            Ok(Ok((client, _))) if Some(client) == knock => Err(Departure::Nobody),
            Ok(Ok((_, played))) => played,
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Departure::Nobody),
        }
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            // Who wants to know what became of it calls `finish`.
            let _ = self.end();
        }
    }
}

fn play(stream: &TcpStream, steps: &[Step]) -> Result<(), Departure> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    for step in steps {
        match step {
            Step::Say(line) => writer.write_all(line)?,
            Step::Hear(wanted) => hear(&mut reader, wanted)?,
            Step::Close => return Ok(()),
        }
    }
    let more = hear(&mut reader, "");
    match more {
        Ok(()) => Ok(()),
        Err(Departure::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
        Err(departure) => Err(departure),
    }
}

/// Takes one line of the client, which has to be this one where it is not empty.
fn hear(reader: &mut BufReader<&TcpStream>, wanted: &str) -> Result<(), Departure> {
    let mut line = Vec::new();
    io::Read::take(&mut *reader, LONGEST_LINE).read_until(b'\n', &mut line)?;
    let got = crate::proto::chomp(&line);
    if wanted.is_empty() || got == wanted.as_bytes() {
        return Ok(());
    }
    Err(Departure::Line { wanted: wanted.to_owned(), got: crate::visible::escape(got) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_says_something_else_is_told_of() {
        let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok").unwrap();
        let mut client = TcpStream::connect(server.address).unwrap();
        client.write_all(b"QUIT\r\n").unwrap();
        let departure = server.finish().unwrap_err();
        assert_eq!(departure.to_string(), "the client was to send `NOOP` and sent `QUIT`");
    }

    #[test]
    fn a_server_that_nobody_connects_to_ends() {
        let server = Replay::start("S: 220 hi").unwrap();
        assert!(matches!(server.finish(), Err(Departure::Nobody)));
        assert!(Replay::start("220 hi").is_err());
    }
}
