//! A server that plays a dialogue which is written down.

mod departure;
mod play;
mod step;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

pub use departure::Departure;
use play::Heard;
use socket2::{Domain, Socket, Type};
use step::Step;

/// A server on loopback that plays a dialogue, in a thread of its own.
///
/// The dialogue is text, written as a transcript shows it, a line for each step:
///
/// | line | the server |
/// | --- | --- |
/// | `S: text` | says it, with CRLF; together with an `S:` line that follows, in one write |
/// | `C: text` | takes a line from the client, which has to be this one |
/// | `C:` | takes any line |
/// | `drip: text` | says it as `S:` does, each byte in a write of its own |
/// | `flood N` | says lines of `x`, N bytes in all |
/// | `flood N text` | says the text again and again, N bytes in all |
/// | `stall` | says nothing more, whatever the client sends, until the client has gone |
/// | `eof` | waits until the client has closed its side |
/// | `close` | closes the connection |
/// | `reset` | resets the connection |
///
/// `\r`, `\n`, `\t`, `\0`, `\e` and `\xHH` stand for bytes; a line that ends with `\n` or with a
/// single `\` gets no CRLF, and with the latter a write ends. Blank lines mean nothing. After the last line, the client has to go
/// without sending anything more, unless that line is `stall`, `close` or `reset`.
///
/// A client that departs from the dialogue makes the test fail: [`Replay::finish`] says how it did,
/// and dropping the server panics for it, unless a panic is under way already. [`Replay::leave`]
/// judges nothing.
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
    heard: Arc<Heard>,
    over: Arc<Over>,
    thread: Mutex<Option<JoinHandle<Result<(), Departure>>>>,
}

/// From where the connection comes that ends the waiting for clients.
type Over = OnceLock<SocketAddr>;

impl Replay {
    /// Listens on a free port of 127.0.0.1 and plays the dialogue to whoever connects first.
    ///
    /// # Errors
    /// Invalid input for a line that is none of a dialogue; else what listening failed with.
    pub fn start(dialogue: &str) -> io::Result<Self> {
        Self::serve(dialogue, |listener, over, player| {
            let (stream, client) = listener.accept()?;
            drop(listener);
            if over.get() == Some(&client) { Err(Departure::Nobody) } else { player.play(stream) }
        })
    }

    /// The same for any number of clients, until it is finished or dropped. The first departure is
    /// the one that is told.
    ///
    /// # Errors
    /// As [`Replay::start`].
    pub fn repeat(dialogue: &str) -> io::Result<Self> {
        Self::serve(dialogue, |listener, over, player| {
            let mut clients = Vec::new();
            loop {
                let (stream, client) = listener.accept()?;
                if over.get() == Some(&client) {
                    break;
                }
                let player = player.clone();
                clients.push(thread::spawn(move || player.play(stream)));
            }
            if clients.is_empty() {
                return Err(Departure::Nobody);
            }
            clients.into_iter().try_for_each(joined)
        })
    }

    fn serve(
        dialogue: &str,
        serve: impl FnOnce(TcpListener, &Over, Player) -> Result<(), Departure> + Send + 'static,
    ) -> io::Result<Self> {
        let heard = Arc::<Heard>::default();
        let player = Player { steps: step::parse(dialogue)?.into(), heard: Arc::clone(&heard) };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let over = Arc::<Over>::default();
        let told = Arc::clone(&over);
        let thread = thread::Builder::new()
            .name("replay".to_owned())
            .spawn(move || serve(listener, &told, player))?;
        Ok(Self { address, heard, over, thread: Mutex::new(Some(thread)) })
    }

    /// Its URL for a scheme: `replay.url("pop3")` is `pop3://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// All that clients have sent so far.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        self.heard.bytes()
    }

    /// Waits until these bytes are the last that clients have sent.
    pub fn wait_until_heard(&self, bytes: &[u8]) {
        self.heard.wait_until(|heard| heard.ends_with(bytes));
    }

    /// Waits until every client has gone. Nothing is said a second time.
    ///
    /// # Errors
    /// If the client said something else than the dialogue has, or did not connect.
    pub fn finish(&self) -> Result<(), Departure> {
        match self.take() {
            Some(thread) => {
                self.wake()?;
                joined(thread)
            }
            None => Ok(()),
        }
    }

    /// Ends it without a word about what the client did. A client that is still there is played to.
    pub fn leave(self) {
        if self.take().is_some() {
            // It ends with the process if it cannot be woken.
            drop(self.wake());
        }
    }

    fn take(&self) -> Option<JoinHandle<Result<(), Departure>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A thread that waits for a client is woken by a connection of ours, after those that clients
    /// have made before. If the listener is gone, the thread does not wait.
    fn wake(&self) -> io::Result<()> {
        let knock = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        knock.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        if let Some(here) = knock.local_addr()?.as_socket() {
            self.over.get_or_init(|| here);
        }
        match knock.connect(&self.address.into()) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        // Whoever wants to know more of it calls `finish`.
        if let Err(departure) = self.finish() {
            panic!("{departure}");
        }
    }
}

/// What plays the dialogue to a client.
#[derive(Clone)]
struct Player {
    steps: Arc<[Step]>,
    heard: Arc<Heard>,
}

impl Player {
    fn play(&self, stream: TcpStream) -> Result<(), Departure> {
        play::play(stream, &self.steps, &self.heard)
    }
}

fn joined(thread: JoinHandle<Result<(), Departure>>) -> Result<(), Departure> {
    let played = thread.join();
    played.unwrap_or_else(|_| Err(io::Error::other("its thread panicked").into()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// What a client that sends this and closes is told of it, and what it was sent.
    fn departure(dialogue: &str, sent: &[u8]) -> (String, Vec<u8>) {
        let server = Replay::start(dialogue).unwrap();
        let mut said = Vec::new();
        let mut client = TcpStream::connect(server.address).unwrap();
        client.write_all(sent).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        client.read_to_end(&mut said).unwrap();
        let departure = server.finish().err().map(|departure| departure.to_string());
        assert_eq!(server.heard(), sent);
        (departure.unwrap_or_default(), said)
    }

    #[test]
    fn a_client_that_says_something_else_is_told_of() {
        let (told, _) = departure("S: 220 hi\nC: NOOP\nS: 250 ok", b"QUIT\r\n");
        assert_eq!(told, "the client had to send `NOOP` and sent `QUIT`");
    }

    #[test]
    fn a_client_that_goes_early_or_says_more_is_told_of() {
        let (told, _) = departure("C: NOOP\nS: 250 ok\nC: QUIT", b"NOOP\r\n");
        assert_eq!(told, "the client had to send `QUIT` and closed");
        let (told, _) = departure("C:\nS: 250 ok", b"NOOP\r\nQUIT\r\n");
        assert_eq!(told, "the client had to close and sent `QUIT`");
        let (told, _) = departure("C: QUIT\nS: 221 bye\nclose", b"QUIT\r\n");
        assert_eq!(told, "");
    }

    #[test]
    fn bytes_are_said_and_heard_as_a_transcript_shows_them() {
        let dialogue = "S: one\\\nS: \\xff\\0\ndrip: a\nC: x\\e\\\nS: \\\nclose";
        assert_eq!(departure(dialogue, b"x\x1b"), (String::new(), b"one\xff\0\r\na\r\n".to_vec()));
    }

    #[test]
    #[should_panic(expected = "had to send `QUIT` and sent `NOOP`")]
    fn a_departure_that_nobody_asks_for_fails_when_the_server_is_dropped() {
        let server = Replay::start("C: QUIT").unwrap();
        TcpStream::connect(server.address).unwrap().write_all(b"NOOP\r\n").unwrap();
    }

    #[test]
    fn a_server_that_nobody_connects_to_ends() {
        for server in [Replay::start("S: 220 hi").unwrap(), Replay::repeat("S: 220 hi").unwrap()] {
            assert!(matches!(server.finish(), Err(Departure::Nobody)));
        }
        Replay::start("S: 220 hi").unwrap().leave();
        let wrong = Replay::start("S: 220 hi\n220 hi").unwrap_err();
        assert!(wrong.to_string().contains("`220 hi` is no line of a dialogue"), "{wrong}");
    }

    #[test]
    fn any_number_of_clients_are_played_to_and_each_is_held_to_the_dialogue() {
        let server = Replay::repeat("S: 220 hi\nC: QUIT\nS: 221 bye\nclose").unwrap();
        let say = |line: &[u8]| {
            let mut client = TcpStream::connect(server.address).unwrap();
            client.write_all(line).unwrap();
            drop(client.read_to_end(&mut Vec::new()));
        };
        say(b"QUIT\r\n");
        say(b"NOOP\r\n");
        say(b"QUIT\r\n");
        let departure = server.finish().unwrap_err();
        assert_eq!(departure.to_string(), "the client had to send `QUIT` and sent `NOOP`");
    }
}
