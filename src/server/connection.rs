//! The bytes of one connection, in and out.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::conversation::Conversation;
use crate::transcript::Close;

/// How much is read at once.
const CHUNK: usize = 16 << 10;
/// How long a client may take to see that the server has closed, and how much it may send until then.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// Holds the conversation until either side ends it; `idle` is how long the client may neither send nor read.
pub(super) async fn serve(mut stream: TcpStream, mut conversation: Conversation, idle: Duration) {
    let close = converse(&mut stream, &mut conversation, idle).await.unwrap_or_else(|error| blame(&error));
    conversation.closed(close);
    if close == Close::ByServer {
        let _ = timeout(LINGER, linger(&mut stream)).await;
    }
}

async fn converse(stream: &mut TcpStream, conversation: &mut Conversation, idle: Duration) -> io::Result<Close> {
    // Each reply is one write, and nothing comes behind it until the client answers: there is nothing to wait for.
    stream.set_nodelay(true)?;
    let mut chunk = vec![0; CHUNK];
    let mut outgoing = conversation.greet();
    loop {
        timeout(idle, stream.write_all(&outgoing.replies)).await??;
        if outgoing.close {
            return Ok(Close::ByServer);
        }
        outgoing = match timeout(idle, stream.read(&mut chunk)).await {
            Ok(read) => match read? {
                0 => return Ok(Close::ByClient),
                count => conversation.receive(&chunk[..count]),
            },
            Err(_) => conversation.idle(),
        };
    }
}

/// Whose doing an error is.
fn blame(error: &io::Error) -> Close {
    match error.kind() {
        ErrorKind::TimedOut => Close::ByServer,
        ErrorKind::BrokenPipe => Close::ByClient,
        _ => Close::ResetByClient,
    }
}

/// Lets the client read to the end: closing while bytes of its are unread would reset the connection, and the last replies
/// could be lost.
async fn linger(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut chunk = vec![0; CHUNK];
    let mut left = LINGER_BYTES;
    while left > 0 {
        match stream.read(&mut chunk).await? {
            0 => break,
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}
