//! A listening server that plays a recording.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Departed, Playback, Recording, Tell, parse};
use crate::error::{Error, Kind, Result};
use crate::server::host::{self, Host, Port, Shared};
use crate::server::site::Site;
use crate::session::DEFAULT_GRACE;
use crate::tls::Authority;
use crate::transcript::Transcript;

/// How many departures are kept. Later ones are only told to the callback, because a server may run
/// for any time and serve any number of clients.
const KEPT: usize = 1000;

/// How long a client may be silent.
const IDLE: Duration = Duration::from_mins(30);

/// Plays a golden or another transcript: one port for each scheme in it, and on each port the
/// sessions of the scheme in order, one for each connection; after the last, the first session
/// again.
///
/// A redacted part fits any text that the client sends. If the server sends a redacted part, it
/// sends a plausible value; within a session, the same token always has the same value. IMAP tags
/// are those of the client. The contents of messages, chunks and literals are not compared. A client
/// that sends another line has departed from the recording. If the recording has the line later on,
/// the playback continues there; otherwise the reply is an error of the protocol.
///
/// ```
/// use mailexpect::{Session, block_on, server::Player};
///
/// let golden = "*** connecting to smtp://[SMTP]\nS: 220 mail.example\nC: NOOP\nS: 250 [QUEUE_ID#1]\nC: QUIT\nS: 221 bye\n*** closed as agreed\n";
/// let player = Player::start(golden, |_| ([127, 0, 0, 1], 0).into(), None, |_| {})?;
/// let url = player.urls().remove(0);
/// block_on(async {
///     let mut session = Session::connect(&url).await?;
///     session.expect(220).await?;
///     session.send("NOOP now").await?;
///     session.expect(500).await?;
///     session.quit().await.map(drop)
/// })?;
/// assert_eq!(player.departures()[0].to_string(), "connection 1, line 3 of the recording: expected `NOOP`, got `NOOP now`");
/// # Ok::<_, mailexpect::Error>(())
/// ```
#[derive(Debug)]
pub struct Player {
    addresses: Vec<(String, SocketAddr)>,
    authority: Arc<Authority>,
    departures: Arc<Mutex<Vec<Departed>>>,
    /// Serves the ports until it is dropped.
    host: Host,
}

impl Player {
    /// Listens at the address that `at` returns for each scheme, records the dialogues in the
    /// transcript, and reports each departure at once.
    ///
    /// # Errors
    /// Usage if there is no session in the recording, or if an address cannot be listened on.
    pub fn start(
        recording: &str,
        at: impl Fn(&str) -> SocketAddr,
        transcript: Option<Transcript>,
        told: impl Fn(&Departed) + Send + Sync + 'static,
    ) -> Result<Self> {
        let departures = Arc::<Mutex<Vec<Departed>>>::default();
        let kept = Arc::clone(&departures);
        let tell: Arc<Tell> = Arc::new(move |departed| {
            told(&departed);
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT {
                kept.push(departed);
            }
        });
        let mut by_scheme: Vec<(String, Vec<Arc<Recording>>)> = Vec::new();
        for session in parse::sessions(recording)? {
            let scheme = session.scheme.clone();
            match by_scheme.iter_mut().find(|(known, _)| *known == scheme) {
                Some((_, sessions)) => sessions.push(session.into()),
                None => by_scheme.push((scheme, vec![session.into()])),
            }
        }
        let connections = Arc::new(AtomicUsize::new(0));
        let (mut addresses, mut ports) = (Vec::new(), Vec::new());
        for (scheme, sessions) in by_scheme {
            let port = port(at(&scheme), sessions, &tell, &connections).map_err(|error| {
                Error::usage(format!("cannot listen for {scheme}: {error}"))
                    .hint("another program may hold the port; port 0 takes a free one")
            })?;
            addresses.push((scheme, port.1));
            ports.push(port.0);
        }
        let authority = Arc::<Authority>::default();
        let shared = Shared {
            read_rate: None,
            authority: Arc::clone(&authority),
            // The transcript masks what a departure shows.
            transcript: transcript.or_else(|| Some(Transcript::observed(|_| {}))),
            spool: Arc::clone(&Site::default().spool),
            open: Arc::default(),
        };
        let host = Host::start(ports, shared, DEFAULT_GRACE)
            .map_err(|error| Error::new(Kind::Io, format!("cannot serve: {error}")))?;
        Ok(Self { addresses, authority, departures, host })
    }

    /// The URLs at which the server listens.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|(scheme, at)| format!("{scheme}://{at}")).collect()
    }

    /// The PEM certificate of the CA that issued the server's certificate.
    ///
    /// # Errors
    /// If the system gives no random numbers to make keys from.
    pub fn ca(&self) -> io::Result<&str> {
        self.authority.pem().map_err(io::Error::other)
    }

    /// Accepts no more connections, and gives the clients that are connected this time to finish.
    #[cfg(feature = "cli")]
    pub(crate) fn stop(&self, grace: Duration) {
        self.host.stop(grace);
    }

    /// Ends the server as a drop does, and returns the departures of all clients: the first 1000.
    #[cfg(feature = "cli")]
    pub(crate) fn end(self) -> Vec<Departed> {
        let Self { host, departures, .. } = self;
        drop(host);
        let mut departures = departures.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut departures)
    }

    /// The departures of clients so far: the first 1000.
    #[must_use]
    pub fn departures(&self) -> Vec<Departed> {
        self.departures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn port(
    at: SocketAddr,
    sessions: Vec<Arc<Recording>>,
    tell: &Arc<Tell>,
    connections: &Arc<AtomicUsize>,
) -> io::Result<(Port, SocketAddr)> {
    let listener = host::listen(at)?;
    let address = listener.local_addr()?;
    let (tell, connections) = (Arc::clone(tell), Arc::clone(connections));
    let next = AtomicUsize::new(0);
    let (speech, is_tls) = (sessions[0].speech, sessions[0].is_tls);
    let make = move |_| -> Box<dyn crate::server::dialogue::Dialogue> {
        let place = next.fetch_add(1, Ordering::Relaxed) % sessions.len();
        let number = connections.fetch_add(1, Ordering::Relaxed) + 1;
        Box::new(Playback::new(Arc::clone(&sessions[place]), number, Arc::clone(&tell)))
    };
    Ok((
        Port { listener, speech, make: Arc::new(make), is_tls, idle: IDLE, changes: None },
        address,
    ))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpStream};

    use super::super::SHOWN;
    use super::*;

    /// Connects, sends these bytes, and reads to the end.
    fn client(player: &Player, bytes: &[u8]) {
        let mut stream = TcpStream::connect(player.addresses[0].1).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_departure_counts_that_comes_after_the_server_was_told_to_stop() {
        let at = |_: &str| SocketAddr::from(([127, 0, 0, 1], 0));
        let player = Player::start("S: 220 hi\nC: QUIT\nS: 221 bye", at, None, |_| {}).unwrap();
        let mut stream = TcpStream::connect(player.addresses[0].1).unwrap();
        stream.read_exact(&mut [0; 8]).unwrap();
        player.stop(Duration::from_mins(1));
        stream.write_all(b"NOOP\r\nQUIT\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(player.end().len(), 1);
    }

    #[test]
    fn only_the_first_departures_are_kept_and_all_are_told() {
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let tell = move |_: &Departed| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let at = |_: &str| SocketAddr::from(([127, 0, 0, 1], 0));
        let player = Player::start("S: 220 hi\nC: QUIT\nS: 221 bye", at, None, tell).unwrap();
        client(&player, &[&b"x".repeat(30_000)[..], b"\n"].concat());
        let kept = player.departures();
        assert!(kept[0].got.as_ref().is_some_and(|got| got.len() < 2 * SHOWN), "{kept:?}");
        // In rounds, so that a client never waits for a server that waits for the client to read.
        for _ in 0..12 {
            client(&player, &b"NOOP\n".repeat(100));
        }
        assert_eq!(player.departures().len(), KEPT);
        assert!(told.load(Ordering::Relaxed) >= 1200, "{told:?}");
    }
}
