//! UDP sockets that also hear the answers of name servers that repeat no question. A name server
//! that cannot read a question answers with the header alone (RFC 1035 section 4.1.1: FORMERR), and
//! hickory takes an answer without the question for a forgery and waits on.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hickory_resolver::net::runtime::{
    DnsUdpSocket, RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime,
};
use tokio::net::UdpSocket;

/// The length of the header of a message (RFC 1035 section 4.1.1).
const HEADER: usize = 12;

type Opening<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Opens connections to name servers.
#[derive(Clone, Default)]
pub(super) struct Sockets(TokioRuntimeProvider);

impl RuntimeProvider for Sockets {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = Socket;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> TokioHandle {
        self.0.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        allowed: Option<Duration>,
    ) -> Opening<Self::Tcp> {
        self.0.connect_tcp(server, local, allowed)
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Opening<Socket> {
        let socket = self.0.bind_udp(local, server);
        Box::pin(async move { Ok(Socket { socket: socket.await?, asked: Mutex::default() }) })
    }
}

/// The socket of one question.
pub(super) struct Socket {
    socket: UdpSocket,
    /// The message that was sent last.
    asked: Mutex<Vec<u8>>,
}

impl DnsUdpSocket for Socket {
    type Time = TokioTime;

    fn poll_recv_from(
        &self,
        context: &mut Context<'_>,
        message: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let (length, from) = ready!(DnsUdpSocket::poll_recv_from(&self.socket, context, message))?;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        Poll::Ready(Ok((with_question(message, length, &asked).unwrap_or(length), from)))
    }

    fn poll_send_to(
        &self,
        context: &mut Context<'_>,
        message: &[u8],
        server: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        message.clone_into(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        DnsUdpSocket::poll_send_to(&self.socket, context, message, server)
    }
}

/// Puts the question that was asked into an error message without one, in place of what follows
/// the header. Returns the new length; `None` for another message.
fn with_question(message: &mut [u8], length: usize, asked: &[u8]) -> Option<usize> {
    let header = message.get_mut(..length)?.get_mut(..HEADER)?;
    let (is_response, code) = (header[2] & 0x80 != 0, header[3] & 0x0F);
    if !is_response || code == 0 || header[4..6] != [0, 0] {
        return None;
    }
    // One question, and no records.
    header[4..].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    let question = question(asked)?;
    let end = HEADER + question.len();
    message.get_mut(HEADER..end)?.copy_from_slice(question);
    Some(end)
}

/// The question in a message: a name, a type and a class.
fn question(message: &[u8]) -> Option<&[u8]> {
    let mut end = HEADER;
    loop {
        let label = usize::from(*message.get(end)?);
        end += 1 + label;
        if label == 0 {
            return message.get(HEADER..end + 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_question_gets_the_one_that_was_asked() {
        let asked =
            [&[7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1][..], b"\x01a\x02bc\0\0\x0F\0\x01", b"OPT"]
                .concat();
        let question = b"\x01a\x02bc\0\0\x0F\0\x01";
        let mut heard = [0; 40];
        heard[..4].copy_from_slice(&[7, 7, 0x81, 0x81]);
        assert_eq!(with_question(&mut heard, HEADER, &asked), Some(HEADER + question.len()));
        assert_eq!(heard[..HEADER], [7, 7, 0x81, 0x81, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(heard[HEADER..][..question.len()], *question);
        // Now it has a question, and stays as it is.
        assert_eq!(with_question(&mut heard, 23, &asked), None);
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        for header in [[7, 7, 0x81, 0x80, 0, 0], [7, 7, 0x01, 0x81, 0, 0], [7, 7, 0x81, 0x81, 0, 1]]
        {
            let mut heard = [0; 40];
            heard[..6].copy_from_slice(&header);
            assert_eq!(with_question(&mut heard, HEADER, &[0; 20]), None, "{header:?}");
        }
        let mut short = [0xFF; 40];
        for (length, asked) in [(3, &[0; 20][..]), (HEADER, &[]), (HEADER, &[9; 14])] {
            short[4..6].fill(0);
            assert_eq!(with_question(&mut short, length, asked), None, "{length}");
        }
        let mut small = [0x81; HEADER];
        small[4..6].fill(0);
        assert_eq!(with_question(&mut small, HEADER, &[0; 20]), None);
    }
}
