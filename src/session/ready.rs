//! Waiting until a server is ready: until it greets, which is more than listening.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Options;
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::target::Target;
use crate::tls;
use crate::transcript::{Transcript, What};

/// How long to wait before connecting again, at first and at most. No system reports when a server
/// begins to listen, so it has to be tried. The first pauses are short because most servers start
/// in a moment; they double, to leave the processor to a server that is slow.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// The greeting by which a server shows that it is ready.
struct Greeting(Speech);

impl Options {
    /// Waits until a server greets at this URL as its protocol demands (`220`, `+OK`, `* OK`, or
    /// the capabilities of ManageSieve). For `tcp` and `tls`, whose greeting is not known, a
    /// connection is enough.
    ///
    /// If nothing listens yet, if the connection is closed before a greeting is complete or in the
    /// middle of the TLS handshake, or if the greeting says that the service is not available (4yz
    /// or 5yz, `* BYE`, `-ERR`, `BYE`), it connects again until the deadline, which is
    /// [`Options::timeout`].
    /// Certificates are not verified, and nothing is sent. The transcript gets one line when the
    /// server is ready, however many connections that took.
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// Session::options().wait_ready(&server.smtp()).await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Unreachable if the server does not greet in time, with the outcome of the last connection;
    /// mismatch or malformed at once if it greets with something else; `tls` if the handshake
    /// fails in another way; a usage error for a URL that cannot be read.
    pub async fn wait_ready(self, url: &str) -> Result<()> {
        // The future is boxed so that a script which waits for something else later does not keep
        // room for it on its stack.
        Box::pin(self.until_ready(url)).await
    }

    async fn until_ready(self, url: &str) -> Result<()> {
        let target = Target::parse(url)?;
        let transcript = self.recorded().clone();
        let greeting = Greeting(target.scheme.speech);
        let wait = Wait::new(self.allowed());
        let ready = self.greeted(url, &greeting, wait).await;
        let ready = ready.map_err(|last| match last.session() {
            _ if greeting.may_follow(&last) => greeting.missing(&target, &last, wait),
            // The error names the session of one attempt, which the caller never saw, and the time
            // that was left for this attempt. It has to name the target and the whole time.
            Some(_) => last.with_session(target.to_string()).with_waited(wait.waited()),
            None => last,
        });
        if ready.is_ok() {
            transcript
                .note(What::Attempt { address: target.to_string().into(), result: "ready".into() });
        }
        ready
    }

    /// Connects until the greeting has come. Otherwise returns the error of the last attempt.
    async fn greeted(self, url: &str, greeting: &Greeting, wait: Wait) -> Result<()> {
        let unverified = self.tls_options().clone().verify(false);
        let options = self.tls(unverified);
        let (mut pause, longest) = PAUSES;
        loop {
            let left = wait.deadline().saturating_duration_since(Instant::now());
            // Each attempt has its own transcript, because the number of attempts says nothing
            // about the server.
            let attempt = options.clone().timeout(left).transcript(Transcript::new());
            let Err(error) = greeting.expect(attempt, url, wait).await else { return Ok(()) };
            if !greeting.may_follow(&error) || Instant::now() + pause >= wait.deadline() {
                return Err(error);
            }
            // Nothing reports when a daemon that is starting will listen. It can only be tried
            // again, at growing intervals.
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }
}

impl Greeting {
    /// Whether another connection may succeed after this error: the server does not listen yet, or
    /// is not available yet. A proxy in front of it accepts connections before the server does, and
    /// closes them at once or says that the server is away.
    fn may_follow(&self, error: &Error) -> bool {
        let mut refusals = self.0.facts().refusals.iter();
        let mut refuses = |reply: &str| refusals.any(|refusal| refusal.fits(reply.as_bytes()));
        let is_refused = error.is_mismatch() && error.got().is_some_and(&mut refuses);
        let is_tls_cut = error.is_tls() && tls::CUT.iter().any(|why| error.message().contains(why));
        error.is_unreachable() || is_refused || is_tls_cut || is_cut(error)
    }

    async fn expect(&self, options: Options, url: &str, wait: Wait) -> Result<()> {
        let mut session = options.connect(url).await?;
        session.set_timeout(wait.deadline().saturating_duration_since(Instant::now()));
        let greeting = self.0.facts().greeting;
        if !greeting.is_empty() {
            session.expect_any(greeting.iter().copied()).await?;
        }
        session.hang_up();
        Ok(())
    }

    /// Makes the error for a deadline that ran out; `last` is the error of the last attempt.
    fn missing(&self, target: &Target, last: &Error, wait: Wait) -> Error {
        let error = Error::new(Kind::Unreachable, format!("{target} was not ready in time"))
            .with_expected(self);
        let came = last.got().filter(|came| *came != "nothing").unwrap_or(last.message());
        let error = error.with_got(came).with_waited(wait.waited());
        error.hint("look at the server's log for why it has not come up; give a slow one longer with #{timeout: \"1m\"} as the last argument, or --timeout")
    }
}

/// Whether the peer left before its greeting was complete.
fn is_cut(error: &Error) -> bool {
    let is_incomplete =
        error.kind() == Kind::Malformed && error.message().contains("in the middle of");
    is_incomplete || error.kind() == Kind::Closed
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Speech::Stream => f.write_str("a connection"),
            speech => write!(f, "the greeting of {speech}"),
        }
    }
}
