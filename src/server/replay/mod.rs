//! A server that plays a written dialogue.

mod departure;
mod heard;
mod play;
mod step;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

pub use departure::Departure;
use play::Stage;
use socket2::{Domain, Socket, Type};
use step::Step;

use crate::error::{Error, Kind, Result as Fallible};
use crate::transcript::Transcript;

/// A server on loopback that plays a dialogue, in a thread of its own.
///
/// The dialogue is text, written as in a transcript, one line for each step:
///
/// | line | the server |
/// | --- | --- |
/// | `S: text` | sends this text with CRLF; in one write with an `S:` line that follows |
/// | `C: text` | reads a line, which has to be this one |
/// | `C:` | reads any line |
/// | `re: regex` | reads a line in which this [`Regex`](crate::Regex) is found |
/// | `message` | reads a message with any content, up to its final dot |
/// | `tls` | starts TLS, with a certificate of the CA that [`Replay::ca`] returns; as the first line, before the greeting |
/// | `drip: text` | sends as `S:` does, each byte in a write of its own |
/// | `flood N` | sends lines of `x`, N bytes in all |
/// | `flood N text` | sends this text again and again, N bytes in all |
/// | `stall` | sends nothing more, whatever the client sends, until the client has closed |
/// | `eof` | waits until the client has closed its side |
/// | `close` | closes the connection |
/// | `reset` | resets the connection |
///
/// `\r`, `\n`, `\t`, `\0`, `\e` and `\xHH` stand for bytes. A line that ends with `\n` or with a
/// single `\` gets no CRLF; the single `\` also ends the write. Blank lines are ignored. After the
/// last line the client has to close without sending anything more, unless that line is `stall`,
/// `close` or `reset`.
///
/// A client that departs from the dialogue makes the test fail: [`Replay::finish`] returns the
/// difference, and dropping the server panics with it, unless a panic is in progress.
/// [`Replay::leave`] ends the server without a check. [`Replay::transcript`] records the dialogues,
/// each client as a session, with secrets masked.
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
    stage: Arc<Stage>,
    over: Arc<Over>,
    thread: Mutex<Option<JoinHandle<Result<(), Departure>>>>,
}

/// The local address of our own connection that ends the wait for clients.
type Over = OnceLock<SocketAddr>;

impl Replay {
    /// Listens on a free port of 127.0.0.1 and plays the dialogue to the first client.
    ///
    /// # Errors
    /// Invalid input for a line that is not part of the notation; else the error of listening.
    pub fn start(dialogue: &str) -> io::Result<Self> {
        Self::serve([dialogue], |listener, over, players| {
            let (stream, client) = listener.accept()?;
            drop(listener);
            if over.get() == Some(&client) {
                Err(Departure::Nobody)
            } else {
                players[0].play(stream)
            }
        })
    }

    /// Plays the dialogue to any number of clients, until it is finished or dropped. The first
    /// departure is reported.
    ///
    /// # Errors
    /// Same as [`Replay::start`].
    pub fn repeat(dialogue: &str) -> io::Result<Self> {
        Self::serve([dialogue], |listener, over, players| {
            let mut clients = Vec::new();
            let mut ended = Ok(());
            loop {
                let (stream, client) = listener.accept()?;
                if over.get() == Some(&client) {
                    break;
                }
                // A thread that has ended keeps its stack until it is joined.
                for thread in clients.extract_if(.., |thread| JoinHandle::is_finished(thread)) {
                    ended = ended.and(joined(thread));
                }
                let player = players[0].clone();
                clients.push(thread::spawn(move || player.play(stream)));
            }
            if clients.is_empty() {
                return Err(Departure::Nobody);
            }
            clients.into_iter().map(joined).fold(ended, Result::and)
        })
    }

    /// Plays the first dialogue to the first client, the second to the second, and so on.
    /// Connections after the last dialogue are refused. Each dialogue needs a client.
    ///
    /// ```
    /// use mailexpect::{Session, block_on, server::Replay, tls};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let busy = "
    ///     S: 421 4.3.2 try again later
    ///     close
    /// ";
    /// let takes = "
    ///     S: 220 mail.example ESMTP
    ///     re: ^EHLO \\S+$
    ///     S: 250-mail.example
    ///     S: 250 STARTTLS
    ///     C: STARTTLS
    ///     S: 220 2.0.0 go ahead
    ///     tls
    ///     C: MAIL FROM:<kim@example.com>
    ///     S: 250 2.1.0 ok
    ///     C: RCPT TO:<lea@example.com>
    ///     S: 250 2.1.5 ok
    ///     C: DATA
    ///     S: 354 go on
    ///     message
    ///     S: 250 2.0.0 queued
    /// ";
    /// let server = Replay::in_turn([busy, takes])?;
    /// block_on(async {
    ///     let trusting = tls::Options::new().ca(server.ca()?);
    ///     let options = Session::options().tls(trusting);
    ///     options.clone().connect(&server.url("smtp")).await?.expect(421).await?;
    ///     let mut session = options.connect(&server.url("smtp")).await?;
    ///     session.expect(220).await?;
    ///     session.ehlo("client.example").await?;
    ///     session.starttls().await?;
    ///     session.mail("kim@example.com").await?;
    ///     session.rcpt("lea@example.com").await?;
    ///     session.data("Subject: hi\n\nHi.\n").await?;
    ///     session.finish().await
    /// })?;
    /// server.finish()?;
    /// assert!(server.transcript().to_string().contains("C: Subject: hi"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Same as [`Replay::start`], and invalid input if there is no dialogue.
    pub fn in_turn<'a>(dialogues: impl IntoIterator<Item = &'a str>) -> io::Result<Self> {
        Self::serve(dialogues, |listener, over, players| {
            let mut clients = Vec::new();
            for player in players {
                let (stream, client) = listener.accept()?;
                if over.get() == Some(&client) {
                    break;
                }
                let player = player.clone();
                clients.push(thread::spawn(move || player.play(stream)));
            }
            drop(listener);
            let (came, wanted) = (clients.len(), players.len());
            clients.into_iter().try_for_each(joined)?;
            if came < wanted { Err(Departure::Fewer { came, wanted }) } else { Ok(()) }
        })
    }

    fn serve<'a>(
        dialogues: impl IntoIterator<Item = &'a str>,
        serve: impl FnOnce(TcpListener, &Over, &[Player]) -> Result<(), Departure> + Send + 'static,
    ) -> io::Result<Self> {
        let stage = Arc::<Stage>::default();
        let player = |dialogue| {
            Ok::<_, io::Error>(Player {
                steps: step::parse(dialogue)?.into(),
                stage: Arc::clone(&stage),
            })
        };
        let players = dialogues.into_iter().map(player).collect::<io::Result<Vec<_>>>()?;
        if players.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no dialogue"));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let over = Arc::<Over>::default();
        let told = Arc::clone(&over);
        let thread = thread::Builder::new()
            .name("replay".to_owned())
            .spawn(move || serve(listener, &told, &players))?;
        Ok(Self { address, stage, over, thread: Mutex::new(Some(thread)) })
    }

    /// The URL of the server for a scheme: `replay.url("pop3")` is `pop3://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// The PEM certificate of the CA that issued the server's certificate.
    ///
    /// # Errors
    /// Usage if no CA can be made, because the system gives no random numbers.
    pub fn ca(&self) -> Fallible<&str> {
        let why =
            |why| Error::new(Kind::Io, format!("no authority can be made for the server: {why}"));
        self.stage.authority.pem().map_err(why)
    }

    /// The dialogues so far, each client as a session, with secrets masked.
    ///
    /// ```
    /// use mailexpect::{Session, block_on, server::Replay};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: QUIT\nS: 221 bye\nclose")?;
    /// block_on(async {
    ///     let mut session = Session::connect(&server.url("smtp")).await?;
    ///     session.expect(220).await?;
    ///     session.quit().await?;
    ///     session.finish().await
    /// })?;
    /// server.finish()?;
    /// let said = server.transcript().to_string();
    /// assert!(said.ends_with("S: 220 hi\nC: QUIT\nS: 221 bye\n*** closed by the server\n"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.stage.transcript
    }

    /// All bytes that clients have sent so far.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        self.stage.heard.bytes()
    }

    /// Waits until these bytes are the last that clients have sent.
    pub fn wait_until_heard(&self, bytes: &[u8]) {
        self.stage.heard.wait_until(|heard| heard.ends_with(bytes));
    }

    /// Waits until every client has left. A second call returns at once, and reports nothing.
    ///
    /// # Errors
    /// If a client departed from the dialogue, or did not connect.
    pub fn finish(&self) -> Result<(), Departure> {
        match self.take() {
            Some(thread) => {
                self.wake()?;
                joined(thread)
            }
            None => Ok(()),
        }
    }

    /// Ends the server without a check of its clients. The dialogue with a connected client
    /// continues.
    pub fn leave(self) {
        if self.take().is_some() {
            // If the thread cannot be woken, it ends with the process.
            drop(self.wake());
        }
    }

    fn take(&self) -> Option<JoinHandle<Result<(), Departure>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Wakes a thread that waits for clients, by a connection that queues after those of clients.
    /// If the listener is closed, the thread does not wait.
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
        // Panics with the departure alone; `finish` returns it as a value.
        if let Err(departure) = self.finish() {
            panic!("{departure}");
        }
    }
}

/// Plays a dialogue to a client.
#[derive(Clone)]
struct Player {
    steps: Arc<[Step]>,
    stage: Arc<Stage>,
}

impl Player {
    fn play(&self, stream: TcpStream) -> Result<(), Departure> {
        play::play(stream, &self.steps, &self.stage)
    }
}

fn joined(thread: JoinHandle<Result<(), Departure>>) -> Result<(), Departure> {
    let played = thread.join();
    played.unwrap_or_else(|_| Err(io::Error::other("its thread panicked").into()))
}

#[cfg(test)]
mod tests;
