//! A peer that does exactly what a test says: send, drip, read, close, reset, flood, lie.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

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

/// A server for any number of connections. It greets, and then calls `answer` for each read, with
/// the bytes that `answer` has kept so far, the new bytes, and the number of the connection.
pub(crate) fn reader(
    answer: impl Fn(&mut Vec<u8>, &[u8], u32) -> String + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (number, stream) in (1..).zip(listener.incoming()) {
            // A client that leaves early is no error here.
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
