//! TLS on a session: the handshake, the parameters that it agreed on, and its errors.

use std::io;

use tokio::time::{Instant, timeout_at};

use super::Session;
use super::wait::{Arrival, is_reset};
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::tls::{self, Attempt, Established, Reason};
use crate::transcript::{Close, SessionId, Transcript, What};
use crate::transport::{Broken, Recorded, Segment, Tls, Transport};

/// How errors name the handshake as something that was wanted.
const WANTED: &str = "a TLS handshake";

impl Session {
    /// How TLS is set up, unless the options of the operation say otherwise.
    #[cfg(feature = "script")]
    pub(crate) fn tls_options(&self) -> &tls::Options {
        self.stream.tls_options()
    }

    /// Makes the handshake as part of an operation that has begun.
    pub(super) async fn handshake(
        &mut self,
        options: Option<Box<tls::Options>>,
        wait: Wait,
    ) -> Result<()> {
        self.transport()?;
        if self.ending.is_half_closed() {
            return Err(self.fault(
                Kind::Usage,
                "nothing can be sent after shutdown(), so no handshake is possible",
            ));
        }
        let started = Instant::now();
        let options = options.map_or_else(|| self.stream.tls_options().clone(), |options| *options);
        options.secrets().for_each(|line| self.record.secrets().learn(line));
        if !self.stream.buffer().is_empty() && !options.keeps_injected() {
            return Err(self.injected(wait));
        }
        let attempt = Attempt::new(&options, self.host().as_deref());
        let attempt = attempt.map_err(|error| error.with_session(self.name()))?;
        let Some(transport) = self.stream.take_transport() else { return Ok(()) };
        // Segmentation is for the dialogue. The handshake is not cut into pieces; the bytes inside
        // TLS are.
        let (transport, segment) = transport.into_uncut();
        let transport = match transport {
            Transport::Recorded(recorded) => return self.handshake_again(recorded, segment),
            transport => transport,
        };
        self.await_for(&WANTED, wait);
        let mut underway = Underway {
            transcript: self.record.transcript().clone(),
            session: self.record.id(),
            over: false,
        };
        // The future is boxed so that operations of sessions in clear, which may lead here, do not
        // get larger by it.
        let connecting = Box::pin(Tls::connect(&attempt, transport, options.keeps_injected()));
        let outcome = timeout_at(wait.deadline(), connecting).await;
        underway.over = outcome.is_ok();
        match outcome {
            Ok(Ok((tls, injected))) => {
                let left = self.stream.buffer().left();
                self.stream.buffer_mut().push(&injected[..injected.len().min(left)]);
                self.secured(tls, segment, &attempt, started)
            }
            Ok(Err(broken)) => Err(self.broken(broken, &attempt, wait).await),
            Err(_) => Err(self.stalled(wait)),
        }
    }

    /// Plays the recorded outcome of a handshake.
    fn handshake_again(&mut self, mut recorded: Box<Recorded>, segment: Segment) -> Result<()> {
        let outcome = recorded.handshake();
        self.stream.secure(Transport::Recorded(recorded), segment);
        match outcome {
            Ok(facts) => {
                self.established(Established::of(&facts));
                Ok(())
            }
            Err(why) => {
                self.record.note(What::Tls(format!("failed: {why}")));
                let error = self.fault(Kind::Tls, format!("TLS failed: {why}"));
                self.hang_up();
                Err(error.with_expected(WANTED).hint("the handshake is one of a recording"))
            }
        }
    }

    /// Records that TLS is on, with these parameters.
    fn established(&mut self, established: Established) {
        self.record.note(What::Tls(established.to_string()));
        self.record.secured(|| established.facts());
        self.stream.establish(established);
        self.capabilities = None;
    }

    fn secured(
        &mut self,
        tls: Tls,
        segment: Segment,
        attempt: &Attempt,
        started: Instant,
    ) -> Result<()> {
        let established = attempt.established(tls.connection());
        self.stream.secure(Transport::Tls(Box::new(tls)), segment);
        let mut established = established?;
        established.handshake = started.elapsed();
        self.established(established);
        Ok(())
    }

    /// Makes the error for bytes that came in clear where only TLS may come: an attacker could have
    /// inserted them (CVE-2011-0411 is this attack on the server's side).
    fn injected(&self, wait: Wait) -> Error {
        let error = self.fault(Kind::Injected, "bytes came in clear after the go-ahead for TLS");
        error.with_expected("nothing before the handshake").with_got(self.shown_held()).with_waited(wait.waited()).hint(
            "a man in the middle can do this; to look at them, say starttls(#{injected: \"keep\"}), and read them after the handshake",
        )
    }

    async fn broken(&mut self, broken: Broken, attempt: &Attempt, wait: Wait) -> Error {
        let mut reason = attempt.reason(&broken.error);
        self.stream.put_back(broken.transport);
        if is_reset(&broken.error) {
            self.ending.seen(self.turn.role().peer().resets());
        } else if broken.error.kind() == io::ErrorKind::UnexpectedEof {
            self.ending.seen(self.turn.role().peer().closes());
        }
        let is_plain = reason.is_plain && !tls::looks_like_tls(&broken.began);
        if is_plain {
            self.take_in_line(&broken.began, wait).await;
            reason.came = Some(self.shown_held());
        }
        self.record.note(What::Tls(format!("failed: {}", reason.why)));
        // If a reply was owed, these bytes are that reply. The reply that ManageSieve owes after
        // the go-ahead has to come inside TLS, so it does not count.
        let by_tls =
            usize::from(self.turn.speech() == Speech::Sieve && self.turn.last_sent().is_some());
        // If TLS begins with the connection, there was no go-ahead that bytes could follow.
        let began_in_clear = self.stream.has_heard() || self.turn.last_sent().is_some();
        let is_injected = is_plain && began_in_clear && self.turn.owed_to_us() <= by_tls;
        let error = if is_injected {
            self.injected(wait)
        } else {
            self.tls_fault(reason).with_waited(wait.waited())
        };
        self.hang_up();
        error
    }

    /// Reads the rest of the line that a peer without TLS has begun, so that an error does not show
    /// half of it.
    async fn take_in_line(&mut self, began: &[u8], wait: Wait) {
        let left = self.stream.buffer().left();
        self.stream.buffer_mut().push(&began[..began.len().min(left)]);
        let until = wait.deadline().min(Instant::now() + self.stream.settle());
        while !self.stream.held().contains(&b'\n')
            && matches!(self.read(until).await, Ok(Arrival::Bytes))
        {}
    }

    fn tls_fault(&self, reason: Reason) -> Error {
        let error = self
            .fault(Kind::Tls, format!("TLS failed: {}", reason.why))
            .with_expected(reason.wanted)
            .hint(reason.hint);
        match reason.came {
            Some(came) => error.with_got(came),
            None => error,
        }
    }

    /// Makes the error for TLS that failed in the middle of the dialogue; `None` if `error` is not
    /// about TLS.
    pub(super) fn tls_broke(&self, error: &io::Error) -> Option<Error> {
        let reason = tls::of_stream(error)?;
        self.record.note(What::Tls(format!("failed: {}", reason.why)));
        Some(self.tls_fault(reason))
    }

    fn stalled(&mut self, wait: Wait) -> Error {
        let (kind, message) = if self.stream.has_heard() {
            (Kind::Timeout, "the server did not finish the TLS handshake in time")
        } else {
            (
                Kind::Unreachable,
                "the server accepted the connection and did not finish the TLS handshake in time",
            )
        };
        self.record.note(What::TimedOut(wait.allowed));
        let error = self.fault(kind, message).with_expected(WANTED).with_waited(wait.waited());
        error.hint(if self.turn.last_sent().is_none() {
            "if TLS begins with a command here, connect in clear and call starttls()".to_owned()
        } else {
            format!("look at the server's log; #{{timeout: \"{}\"}} gives it longer", wait.longer())
        })
    }
}

/// A handshake in progress, which owns the connection. If the handshake is dropped, the connection
/// is closed with it, and the transcript says so.
struct Underway {
    transcript: Transcript,
    session: SessionId,
    over: bool,
}

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.over {
            self.transcript.record_on(
                self.session,
                What::Tls("failed: given up in the middle of the handshake".to_owned()),
            );
            self.transcript.record_on(self.session, What::Closed(Close::ByClient));
        }
    }
}
