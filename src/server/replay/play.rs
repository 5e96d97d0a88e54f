//! Plays a dialogue to one client.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;

use super::departure::Departure;
use super::heard::Heard;
use super::step::{Found, Step};
use super::wire::Wire;
use crate::proto::Speech;
use crate::server::budget::Budget;
use crate::server::input::Line;
use crate::server::recorder::Recorder;
use crate::tls::Authority;
use crate::transcript::{Close, Transcript};
use crate::{proto, visible};

/// The most bytes that are read as one line, so that a client without line ends is not read for
/// ever.
const LONGEST_LINE: u64 = 1 << 20;
/// How long the server waits for data when it needs some from the client. Then the step fails,
/// because a test that hangs gives no reason.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of a wrong line that an error shows.
const SHOWN: usize = 1000;

/// What all clients of a replay share.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) heard: Heard,
    pub(super) transcript: Transcript,
    pub(super) authority: Authority,
}

/// Plays the dialogue to a client.
pub(super) fn play(stream: TcpStream, steps: &[Step], stage: &Stage) -> Result<(), Departure> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let peer = stream.peer_addr()?;
    let recorder =
        Recorder::open(stage.transcript.clone(), spoken(steps), peer, &Budget::default());
    let stream = BufReader::new(Wire::Clear(stream));
    let mut client = Client { stream, stage, recorder, shown: Bytes::new() };
    let played = client.play(steps);
    let close = match (&played, steps.last()) {
        (Ok(()), Some(Step::Close | Step::Reset)) | (Err(_), _) => Close::ByServer,
        _ => Close::ByClient,
    };
    client.stream.get_mut().farewell();
    client.recorder.closed(&Line::default(), close);
    played
}

/// The protocol, as the greeting tells it: the protocol decides which lines contain secrets.
fn spoken(steps: &[Step]) -> Speech {
    let greeting = steps.iter().find_map(|step| match step {
        Step::Say(bytes) | Step::Drip(bytes) => Some(bytes),
        _ => None,
    });
    greeting.and_then(|bytes| Speech::of_greeting(bytes)).unwrap_or(Speech::Stream)
}

struct Client<'a> {
    stream: BufReader<Wire>,
    stage: &'a Stage,
    recorder: Recorder,
    /// What was read last, with its secrets masked.
    shown: Bytes,
}

impl Client<'_> {
    fn play(&mut self, steps: &[Step]) -> Result<(), Departure> {
        for step in steps {
            match step {
                Step::Say(bytes) => self.say(bytes)?,
                Step::Drip(bytes) => {
                    bytes.iter().try_for_each(|byte| self.stream.get_mut().write_all(&[*byte]))?;
                    self.recorder.replies(bytes);
                }
                Step::Hear(wanted) => self.hear(wanted.as_deref())?,
                Step::Match(Found(pattern)) => {
                    let got = self.line()?;
                    if got.is_empty() || pattern.captures_from(proto::chomp(&got), 0).is_none() {
                        return Err(self.departed(Some(pattern.source().as_bytes())));
                    }
                }
                Step::Message => self.message()?,
                Step::Tls => self.secure()?,
                Step::Flood(bytes, text) => self.flood(*bytes, text)?,
                Step::Eof => self.gone()?,
                Step::Stall => return self.stall(),
                Step::Close => return Ok(()),
                Step::Reset => return Ok(self.stream.get_ref().reset()?),
            }
        }
        self.gone()
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wire = self.stream.get_mut();
        wire.write_all(bytes)?;
        wire.flush()?;
        self.recorder.replies(bytes);
        Ok(())
    }

    /// Reads these bytes; `None` reads any line.
    fn hear(&mut self, wanted: Option<&[u8]>) -> Result<(), Departure> {
        let shown = wanted.map(|wanted| self.recorder.masked(wanted));
        let got = match wanted {
            // These bytes have no line end, so reading a line would wait for one.
            Some(wanted) if !wanted.ends_with(b"\n") => self.octets(wanted.len())?,
            _ => self.line()?,
        };
        match wanted {
            _ if got.is_empty() => Err(self.departed(shown.as_deref().or(Some(b"a line")))),
            Some(wanted) if got != wanted => Err(self.departed(shown.as_deref())),
            _ => Ok(()),
        }
    }

    /// Reads lines with any content, up to the final dot.
    fn message(&mut self) -> Result<(), Departure> {
        loop {
            let line = self.unrecorded(LONGEST_LINE)?;
            match line.as_slice() {
                b".\r\n" => break,
                [] => {
                    self.shown = Bytes::new();
                    return Err(self.departed(Some(b".")));
                }
                line => self.recorder.content(line),
            }
        }
        self.recorder.message();
        Ok(())
    }

    /// Makes the TLS handshake.
    fn secure(&mut self) -> Result<(), Departure> {
        if !self.stream.buffer().is_empty() {
            self.line()?;
            return Err(self.departed(Some(b"a TLS handshake")));
        }
        let config = self.stage.authority.config().map_err(io::Error::other)?;
        match self.stream.get_mut().secure(config) {
            Ok(connection) => self.recorder.secured(connection),
            Err(error) => {
                self.recorder.insecure(&error);
                return Err(Departure::Tls(error));
            }
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let line = self.unrecorded(LONGEST_LINE)?;
        self.record(&line);
        Ok(line)
    }

    fn unrecorded(&mut self, longest: u64) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(longest).read_until(b'\n', &mut line);
        self.stage.heard.push(&line);
        read.map(|_| line)
    }

    fn octets(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        let read = (&mut self.stream).take(count as u64).read_to_end(&mut octets);
        self.stage.heard.push(&octets);
        self.record(&octets);
        read.map(|_| octets)
    }

    fn record(&mut self, bytes: &[u8]) {
        self.shown = if bytes.is_empty() {
            Bytes::new()
        } else {
            self.recorder.line(&Line { kept: bytes.to_vec(), omitted: 0 })
        };
    }

    /// The departure of a client that had to send this, and sent what was read last.
    fn departed(&self, wanted: Option<&[u8]>) -> Departure {
        // A bare LF is shown, because it may be the difference.
        let shown =
            |bytes: &[u8]| visible::excerpt(bytes.strip_suffix(b"\r\n").unwrap_or(bytes), SHOWN);
        let got = (!self.shown.is_empty()).then(|| shown(&self.shown));
        Departure::Line { wanted: wanted.map(shown), got }
    }

    /// Checks that the client closes without sending anything more. A reset counts as a close.
    fn gone(&mut self) -> Result<(), Departure> {
        match self.line() {
            Ok(line) if line.is_empty() => Ok(()),
            Ok(_) => Err(self.departed(None)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn stall(&mut self) -> Result<(), Departure> {
        self.stream.get_ref().socket().set_read_timeout(None)?;
        loop {
            let bytes = match self.stream.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.stage.heard.push(bytes);
            let count = bytes.len();
            self.stream.consume(count);
        }
    }

    fn flood(&mut self, bytes: usize, text: &[u8]) -> io::Result<()> {
        let piece = text.repeat(usize::div_ceil(64 << 10, text.len()));
        let mut left = bytes;
        while left > 0 {
            let some = left.min(piece.len());
            self.stream.get_mut().write_all(&piece[..some])?;
            left -= some;
        }
        Ok(())
    }
}
