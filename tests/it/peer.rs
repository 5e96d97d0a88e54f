//! Servers that do exactly what a test says: a peer that plays a written dialogue, and servers that
//! answer by a function.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use mailexpect::server::Replay;
use socket2::{Domain, Socket, Type};

/// A server that plays a dialogue in the notation of [`Replay`]. It does not judge the client,
/// because many tests have a client that leaves early. After the last line it closes.
pub(crate) struct Peer(Option<Replay>);

impl Peer {
    pub(crate) fn parse(dialogue: &str) -> Self {
        let last = dialogue.lines().next_back();
        let ends = last.is_some_and(|last| ["stall", "close", "reset"].contains(&last));
        let end = if ends { "" } else { "close" };
        Self(Some(Replay::start(&format!("{dialogue}\n{end}")).unwrap()))
    }

    /// Sends these bytes and then stalls.
    pub(crate) fn saying(bytes: &[u8]) -> Self {
        Self::parse(&format!("{}\nstall", says(bytes)))
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        self.replay().url(scheme)
    }

    /// The bytes that the peer has read, after the connection is over.
    pub(crate) fn heard(self) -> Vec<u8> {
        // The client may leave before the end of the dialogue, which is no error here.
        let _ = self.replay().finish();
        self.replay().heard()
    }

    /// Waits until the bytes that the peer has read end with these.
    pub(crate) fn wait_until_heard(&self, bytes: &[u8]) {
        self.replay().wait_until_heard(bytes);
    }

    fn replay(&self) -> &Replay {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(replay) = self.0.take() {
            replay.leave();
        }
    }
}

/// A line of a dialogue that sends exactly these bytes.
pub(crate) fn says(bytes: &[u8]) -> String {
    let escaped = |byte: &u8| match byte {
        b'\\' => r"\\".to_owned(),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!(r"\x{byte:02x}"),
    };
    format!("S: {}\\", bytes.iter().map(escaped).collect::<String>())
}

/// A port that refuses connections. Nobody else gets the port while the socket is kept.
pub(crate) fn closed_port() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

/// A client of a server that a test writes as a function.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes())
    }

    /// The next line, without its line end. The end of the stream is an error.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        (&mut self.0).lines().next().unwrap_or(Err(io::ErrorKind::UnexpectedEof.into()))
    }

    /// The bytes of one read; none at the end of the stream.
    pub(crate) fn read(&mut self) -> io::Result<Vec<u8>> {
        let read = self.0.fill_buf()?.to_vec();
        self.0.consume(read.len());
        Ok(read)
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.0.into_inner()
    }
}

/// A server for any number of connections. Each has a thread, which calls `serve` with the client
/// and the number of the connection, from 1. A client that leaves early is no error.
pub(crate) fn serving(
    serve: impl Fn(Client, u32) -> io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for (number, stream) in (1..).zip(listener.incoming()) {
            let (stream, serve) = (stream.unwrap(), Arc::clone(&serve));
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || serve(Client(BufReader::new(stream)), number).ok());
        }
    });
    address
}

/// A server that greets and answers each line. It closes after 221.
pub(crate) fn answering(
    greeting: &str,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> SocketAddr {
    let greeting = greeting.to_owned();
    serving(move |mut client, _| {
        let mut said = greeting.clone();
        loop {
            client.say(&said)?;
            if said.starts_with("221") {
                return Ok(());
            }
            said = answer(&client.line()?);
        }
    })
}
