//! Plays a dialogue to one client.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::departure::Departure;
use super::heard::Heard;
use super::step::{Found, Step};
use super::wire::Wire;
use crate::proto::Speech;
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
    let recorder = Recorder::open(stage.transcript.clone(), spoken(steps), peer);
    let stream = BufReader::new(Wire::Clear(stream));
    let mut client = Client { stream, stage, recorder };
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
                        return Err(departed(Some(pattern.source().as_bytes()), &got));
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
        let got = match wanted {
            // These bytes have no line end, so reading a line would wait for one.
            Some(wanted) if !wanted.ends_with(b"\n") => self.octets(wanted.len())?,
            _ => self.line()?,
        };
        match wanted {
            _ if got.is_empty() => Err(departed(wanted.or(Some(b"a line")), &got)),
            Some(wanted) if got != wanted => Err(departed(Some(wanted), &got)),
            _ => Ok(()),
        }
    }

    /// Reads lines with any content, up to the final dot.
    fn message(&mut self) -> Result<(), Departure> {
        loop {
            let line = self.unrecorded(LONGEST_LINE)?;
            match line.as_slice() {
                b".\r\n" => break,
                [] => return Err(departed(Some(b"."), &line)),
                line => self.recorder.content(line),
            }
        }
        self.recorder.message();
        Ok(())
    }

    /// Makes the TLS handshake.
    fn secure(&mut self) -> Result<(), Departure> {
        if !self.stream.buffer().is_empty() {
            let more = self.line()?;
            return Err(departed(Some(b"a TLS handshake"), &more));
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
        if !bytes.is_empty() {
            self.recorder.line(&Line { kept: bytes.to_vec(), omitted: 0 });
        }
    }

    /// Checks that the client closes without sending anything more. A reset counts as a close.
    fn gone(&mut self) -> Result<(), Departure> {
        match self.line() {
            Ok(line) if line.is_empty() => Ok(()),
            Ok(line) => Err(departed(None, &line)),
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

fn departed(wanted: Option<&[u8]>, got: &[u8]) -> Departure {
    let shown = |bytes: &[u8]| visible::excerpt(proto::chomp(bytes), SHOWN);
    let got = (!got.is_empty()).then(|| shown(got));
    Departure::Line { wanted: wanted.map(shown), got }
}
