//! Faults that happen before TLS and the greeting.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::session::{Fault, Incoming, Then};
use crate::transcript::Close;
use crate::transport::Transport;

/// The longest time that a fault keeps a silent connection open.
const SILENCE: Duration = Duration::from_hours(1);
/// Sent in place of a TLS handshake: bytes that no TLS client accepts.
pub(in crate::server) const GARBAGE: &[u8] = b"220 this is no TLS\r\n";

/// A connection that a fault has ended before it could be accepted.
#[derive(Debug)]
pub(super) struct Spoilt {
    /// The client's URL.
    pub(super) peer: String,
    pub(super) said: &'static [u8],
    /// How the connection ended; `None` if the client only got no answer.
    pub(super) close: Option<Close>,
}

impl Spoilt {
    fn by(fault: &Fault, peer: String) -> Self {
        let said = if fault.garbage { GARBAGE } else { b"" };
        let close = match fault.then {
            Some(Then::Reset) => Some(Close::ResetByServer),
            Some(Then::HalfClose) => Some(Close::HalfByServer),
            Some(Then::Silence) => None,
            Some(Then::Close | Then::CutTls) | None => Some(Close::ByServer),
        };
        Self { peer, said, close }
    }
}

/// Injects a fault. Returns the connection if it is to be accepted all the same. If not, calls
/// `over` before anything is sent, so that the queue is up to date before the client can notice.
pub(super) async fn spoil(
    mut incoming: Incoming,
    fault: &Fault,
    over: impl FnOnce(Spoilt),
) -> Option<Incoming> {
    let jitter = fault.jitter.unwrap_or_default();
    let pause = fault.after.unwrap_or_default() + incoming.faults.dice().up_to(jitter);
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    incoming.read_rate = fault.read_rate.or(incoming.read_rate);
    if fault.then.is_none() && !fault.garbage {
        return Some(incoming);
    }
    over(Spoilt::by(fault, incoming.peer));
    let mut transport = incoming.transport;
    if fault.garbage {
        // The client sends first. Unread bytes would reset the connection before the client has
        // read our bytes.
        let mut hello = [0; 4096];
        let _ = timeout(SILENCE, transport.read(&mut hello)).await;
        let _ = transport.write_all(GARBAGE).await;
    }
    match fault.then {
        Some(Then::Reset) => drop(transport.reset()),
        Some(Then::HalfClose) => {
            let _ = transport.shutdown().await;
            hear_out(transport).await;
        }
        Some(Then::Silence) => hear_out(transport).await,
        Some(Then::Close | Then::CutTls) | None => {
            let _ = transport.shutdown().await;
        }
    }
    None
}

/// Reads and discards all input until the client closes.
async fn hear_out(mut transport: Transport) {
    let heard = async {
        let mut chunk = [0; 4096];
        while transport.read(&mut chunk).await.is_ok_and(|count| count > 0) {}
    };
    let _ = timeout(SILENCE, heard).await;
}
