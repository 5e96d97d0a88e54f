//! The errors of a listener.

use std::io;
use std::time::Duration;

use crate::error::{Error, Kind, Waited};
use crate::runtime;

/// The numbers of connections so far.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub(super) accepted: u32,
    /// The connections that faults ended before they could be accepted.
    pub(super) spoilt: u32,
}

/// Makes the error for an address on which the listener cannot listen.
pub(super) fn unavailable(to: &str, error: &io::Error) -> Error {
    let unavailable = Error::usage(format!("cannot listen on {to}: {error}"));
    let unavailable = runtime::explained(unavailable, error).of_moment();
    let is_unix = to.contains("+unix:");
    match error.kind() {
        io::ErrorKind::AddrInUse if is_unix => {
            unavailable.hint("if nobody listens there any more, remove the file")
        }
        io::ErrorKind::AddrInUse
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied
            if !is_unix =>
        {
            unavailable.hint("leave the port out for a free one: listen(\"smtp\")")
        }
        _ => unavailable,
    }
}

/// Makes the error for a client that connected while no client was expected.
pub(super) fn unwanted(span: Duration, came: String) -> Error {
    let error = Error::new(Kind::Unexpected, "a client connected, although none was expected")
        .with_expected(format!("no connection for {}", crate::duration::show(span)));
    error.with_got(came)
}

/// Makes the error for `left` connections that nobody accepted; `first` is the first of them.
pub(super) fn never_accepted(left: usize, first: String) -> Error {
    let message = match left {
        1 => "a connection was never accepted".to_owned(),
        left => format!("{left} connections were never accepted"),
    };
    let error = Error::new(Kind::Vacuous, message).with_expected("an accept() for every one");
    error.with_got(first).hint("accept it, or say refuse() before a client may come")
}

/// Makes the error for a time-out without a connection that can be accepted. It shows a connection
/// that is still in its handshake or in a fault, if there is one.
pub(super) fn nobody(waited: Waited, counts: Counts, hindered: Option<String>) -> Error {
    let error = Error::new(Kind::Timeout, "no client connected in time")
        .with_expected("a connection")
        .with_waited(waited);
    if let Some(hindered) = hindered {
        return error.with_got(hindered);
    }
    let before = match counts.accepted {
        1 => "1 that was accepted before".to_owned(),
        accepted => format!("{accepted} that were accepted before"),
    };
    let spoilt = match counts.spoilt {
        1 => "1 that a fault at CONNECT has ended".to_owned(),
        spoilt => format!("{spoilt} that a fault at CONNECT has ended"),
    };
    let error = error.with_got(match counts {
        Counts { accepted: 0, spoilt: 0 } => "none at all".to_owned(),
        Counts { spoilt: 0, .. } => before,
        Counts { accepted: 0, .. } => spoilt,
        _ => format!("{before}, and {spoilt}"),
    });
    if counts.spoilt > 0 {
        return error.hint("a fault at CONNECT with `then` or `garbage` leaves nothing to accept");
    }
    error
        .hint("look at the client's log for where it connected to: the listener's URL is its `url`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_fits_the_reason() {
        let step = |to: &str, kind: io::ErrorKind| {
            let error = unavailable(to, &io::Error::from(kind));
            error.next_step().map(str::to_owned).unwrap_or_default()
        };
        let in_use = io::ErrorKind::AddrInUse;
        assert!(step("smtp://127.0.0.1:25", in_use).contains("leave the port out"));
        assert!(step("lmtp+unix:///tmp/x", in_use).contains("remove the file"));
        assert_eq!(step("smtps://127.0.0.1:0", io::ErrorKind::InvalidInput), "");
    }
}
