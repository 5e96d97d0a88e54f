//! A peer that does exactly what a test tells it to: say, drip, listen, close, reset, flood, lie.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// One thing a peer does, in its turn.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends bytes in one write.
    Say(Vec<u8>),
    /// Sends bytes one by one, each in a segment of its own.
    Drip(Vec<u8>),
    /// Takes one line.
    Hear,
    /// Sends a line of `x` over and over, so many bytes in all.
    Flood(usize),
    /// Says and hears nothing more until the client has gone.
    Stall,
    /// Closes both directions.
    Close,
    /// Resets the connection.
    Reset,
}

/// A peer for one connection, on a port of its own.
pub(crate) struct Peer {
    port: u16,
    thread: Option<JoinHandle<io::Result<()>>>,
    heard: Arc<Heard>,
}

/// What was heard so far, and a bell for each more.
#[derive(Default)]
struct Heard {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Heard {
    fn push(&self, bytes: &[u8]) {
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        self.more.notify_all();
    }
}

impl Peer {
    pub(crate) fn new(steps: impl Into<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let steps = steps.into();
        let heard = Arc::<Heard>::default();
        let hearing = Arc::clone(&heard);
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept()?;
            drop(listener);
            follow(stream, &steps, &hearing)
        });
        Self { port, thread: Some(thread), heard }
    }

    /// Reads the steps from text, a line each: `S: text` says it with CRLF, together with those
    /// that follow, as servers say a reply; `S- text` says it without a line end, `drip: text` with
    /// CRLF and byte by byte, `C` hears a line, then `flood N`, `stall`, `close`, `reset`. `\r`,
    /// `\n`, `\0`, `\e` and `\xHH` stand for bytes.
    pub(crate) fn parse(text: &str) -> Self {
        let step = |line: &str| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "S:" => Step::Say([unescape(rest), b"\r\n".to_vec()].concat()),
                "S-" => Step::Say(unescape(rest)),
                "drip:" => Step::Drip([unescape(rest), b"\r\n".to_vec()].concat()),
                "C" => Step::Hear,
                "flood" => Step::Flood(rest.parse().unwrap()),
                "stall" => Step::Stall,
                "close" => Step::Close,
                "reset" => Step::Reset,
                other => panic!("a peer does not know how to {other}"),
            }
        };
        let mut steps = Vec::new();
        for step in text.lines().filter(|line| !line.is_empty()).map(step) {
            match (steps.last_mut(), step) {
                (Some(Step::Say(said)), Step::Say(more)) if said.ends_with(b"\r\n") => {
                    said.extend(more);
                }
                (_, step) => steps.push(step),
            }
        }
        Self::new(steps)
    }

    /// Says this and then stalls.
    pub(crate) fn saying(bytes: &[u8]) -> Self {
        Self::new([Step::Say(bytes.to_vec()), Step::Stall])
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// What the peer heard, once the connection is over.
    pub(crate) fn heard(mut self) -> Vec<u8> {
        // A client that has gone before the peer was through is none of the peer's business.
        let _ = self.thread.take().unwrap().join().unwrap();
        self.heard.bytes.lock().unwrap().clone()
    }

    /// Waits until the peer has heard this at the end of all it heard.
    pub(crate) fn wait_until_heard(&self, bytes: &[u8]) {
        let heard = self.heard.bytes.lock().unwrap();
        drop(self.heard.more.wait_while(heard, |heard| !heard.ends_with(bytes)).unwrap());
    }
}

fn follow(stream: TcpStream, steps: &[Step], heard: &Heard) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    for step in steps {
        match step {
            Step::Say(bytes) => writer.write_all(bytes)?,
            Step::Drip(bytes) => bytes.iter().try_for_each(|byte| writer.write_all(&[*byte]))?,
            Step::Hear => {
                let mut line = Vec::new();
                reader.read_until(b'\n', &mut line)?;
                heard.push(&line);
            }
            Step::Flood(bytes) => flood(&mut writer, *bytes)?,
            Step::Stall => loop {
                let bytes = reader.fill_buf()?;
                if bytes.is_empty() {
                    break;
                }
                heard.push(bytes);
                let count = bytes.len();
                reader.consume(count);
            },
            Step::Close => break,
            Step::Reset => {
                reset(&writer)?;
                break;
            }
        }
    }
    Ok(())
}

fn flood(writer: &mut TcpStream, bytes: usize) -> io::Result<()> {
    let line = [[b'x'; 76].as_slice(), b"\r\n"].concat().repeat(800);
    let mut left = bytes;
    while left > 0 {
        let some = left.min(line.len());
        writer.write_all(&line[..some])?;
        left -= some;
    }
    Ok(())
}

/// A close with unread input, or with a linger of nothing, is a reset.
fn reset(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO))
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, used) = match (first, tail) {
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'0', ..]) => (0, 2),
            (b'\\', [b'e', ..]) => (0x1b, 2),
            (b'\\', [b'x', high, low, ..]) => {
                (u8::from_str_radix(std::str::from_utf8(&[*high, *low]).unwrap(), 16).unwrap(), 4)
            }
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    bytes
}

/// A server for any number of connections that greets and hands what each read brings to `answer`,
/// with what it has kept of the reads before and the number of the connection.
pub(crate) fn reader(
    answer: impl Fn(&mut Vec<u8>, &[u8], u32) -> String + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (number, stream) in (1..).zip(listener.incoming()) {
            // A client that has gone is none of the server's business.
            let _ = serve(stream.unwrap(), number, &answer);
        }
    });
    url
}

fn serve(
    mut stream: TcpStream,
    number: u32,
    answer: &impl Fn(&mut Vec<u8>, &[u8], u32) -> String,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 localhost ESMTP\r\n")?;
    let (mut kept, mut room) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut room)?;
        let said = answer(&mut kept, &room[..count], number);
        stream.write_all(said.as_bytes())?;
        if count == 0 || said.starts_with("221") {
            return Ok(());
        }
    }
}
