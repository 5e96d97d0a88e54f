//! A dialogue played to one client.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::departure::Departure;
use super::step::Step;
use crate::{proto, visible};

/// No line of a dialogue is longer; a client that sends more without an end is not listened to for
/// ever.
const LONGEST_LINE: u64 = 1 << 20;
/// How long a client may send nothing when a line of it is wanted: a test that hangs says nothing
/// of why.
const PATIENCE: Duration = Duration::from_secs(30);

/// What clients have sent so far, and a bell for each more.
#[derive(Debug, Default)]
pub(super) struct Heard {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Heard {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    pub(super) fn wait_until(&self, done: impl Fn(&[u8]) -> bool) {
        let heard = self.more.wait_while(self.lock(), |heard| !done(heard));
        drop(heard.unwrap_or_else(PoisonError::into_inner));
    }

    fn push(&self, bytes: &[u8]) {
        self.lock().extend_from_slice(bytes);
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn play(stream: TcpStream, steps: &[Step], heard: &Heard) -> Result<(), Departure> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut client = Client { writer: stream.try_clone()?, reader: BufReader::new(stream), heard };
    for step in steps {
        match step {
            Step::Say(bytes) => client.writer.write_all(bytes)?,
            Step::Drip(bytes) => {
                bytes.iter().try_for_each(|byte| client.writer.write_all(&[*byte]))?;
            }
            Step::Hear(wanted) => client.hear(wanted.as_deref())?,
            Step::Flood(bytes, text) => client.flood(*bytes, text)?,
            Step::Eof => client.gone()?,
            Step::Stall => return client.stall(),
            Step::Close => return Ok(()),
            Step::Reset => return Ok(client.reset()?),
        }
    }
    client.gone()
}

struct Client<'a> {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    heard: &'a Heard,
}

impl Client<'_> {
    /// Takes these bytes, or a line if any will do.
    fn hear(&mut self, wanted: Option<&[u8]>) -> Result<(), Departure> {
        let got = match wanted {
            // Half a line has no end to wait for.
            Some(wanted) if !wanted.ends_with(b"\n") => self.octets(wanted.len())?,
            _ => self.line()?,
        };
        match wanted {
            _ if got.is_empty() => Err(departed(wanted.or(Some(b"a line")), &got)),
            Some(wanted) if got != wanted => Err(departed(Some(wanted), &got)),
            _ => Ok(()),
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut line);
        self.heard.push(&line);
        read.map(|_| line)
    }

    fn octets(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        let read = (&mut self.reader).take(count as u64).read_to_end(&mut octets);
        self.heard.push(&octets);
        read.map(|_| octets)
    }

    /// The client has to go, and to send nothing before. A reset is as good as a close.
    fn gone(&mut self) -> Result<(), Departure> {
        match self.line() {
            Ok(line) if line.is_empty() => Ok(()),
            Ok(line) => Err(departed(None, &line)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn stall(&mut self) -> Result<(), Departure> {
        self.writer.set_read_timeout(None)?;
        loop {
            let bytes = match self.reader.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.heard.push(bytes);
            let count = bytes.len();
            self.reader.consume(count);
        }
    }

    fn flood(&mut self, bytes: usize, text: &[u8]) -> io::Result<()> {
        let piece = text.repeat(usize::div_ceil(64 << 10, text.len()));
        let mut left = bytes;
        while left > 0 {
            let some = left.min(piece.len());
            self.writer.write_all(&piece[..some])?;
            left -= some;
        }
        Ok(())
    }

    /// A close with a linger of nothing is a reset.
    fn reset(&self) -> io::Result<()> {
        socket2::SockRef::from(&self.writer).set_linger(Some(Duration::ZERO))
    }
}

fn departed(wanted: Option<&[u8]>, got: &[u8]) -> Departure {
    let shown = |bytes: &[u8]| visible::escape(proto::chomp(bytes));
    let got = (!got.is_empty()).then(|| shown(got));
    Departure::Line { wanted: wanted.map(shown), got }
}
