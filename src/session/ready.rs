//! Waiting until a server is ready: it greets, and does not only listen.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Options;
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::target::Target;
use crate::transcript::{Transcript, What};

/// How long to wait before connecting anew, at first and at most: no system tells when somebody
/// begins to listen, so it has to be asked. The first pauses are short because most servers start
/// in a moment; they double, to leave a slow one the processor.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// What a server that is ready does.
struct Greeting(Speech);

impl Options {
    /// Waits until a server greets at this URL as its protocol has it (`220`, `+OK`, `* OK`, or the
    /// capabilities of ManageSieve). For `tcp` and `tls`, of which nothing is known to be said, a
    /// connection is enough.
    ///
    /// Where nothing listens yet, where the connection is closed before a word, and where SMTP is
    /// not available yet (421), it connects again until the deadline, which is
    /// [`Options::timeout`]. A certificate is not looked at, and nothing is sent. The transcript
    /// gets one line when the server is ready, however often it took.
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
    /// Unreachable where it does not greet in time, with what came of the last connection; mismatch
    /// or malformed at once where it greets with something else; `tls` where the handshake fails;
    /// usage for a URL that cannot be read.
    pub async fn wait_ready(self, url: &str) -> Result<()> {
        // Apart, so that a script that waits for something else later has no room left over on its
        // stack.
        Box::pin(self.until_ready(url)).await
    }

    async fn until_ready(self, url: &str) -> Result<()> {
        let target = Target::parse(url)?;
        let transcript = self.recorded().clone();
        let greeting = Greeting(target.scheme.speech);
        let wait = Wait::new(self.allowed());
        let ready = self.greeted(url, &greeting, wait).await;
        let ready = ready.map_err(|last| match last.session() {
            _ if is_passing(&last) => greeting.missing(&target, &last, wait),
            // That session is none of the caller's, and the time that it had left is not all of it.
            Some(_) => last.with_session(target.to_string()).with_waited(wait.waited()),
            None => last,
        });
        if ready.is_ok() {
            transcript
                .note(What::Attempt { address: target.to_string().into(), result: "ready".into() });
        }
        ready
    }

    /// Connects until the greeting has come, or the last error that there is time for.
    async fn greeted(self, url: &str, greeting: &Greeting, wait: Wait) -> Result<()> {
        let unverified = self.tls_options().clone().verify(false);
        let options = self.tls(unverified);
        let (mut pause, longest) = PAUSES;
        loop {
            let left = wait.deadline().saturating_duration_since(Instant::now());
            // A transcript of its own: how often it took says nothing of the server.
            let attempt = options.clone().timeout(left).transcript(Transcript::new());
            let Err(error) = greeting.expect(attempt, url, wait).await else { return Ok(()) };
            if !is_passing(&error) || Instant::now() + pause >= wait.deadline() {
                return Err(error);
            }
            // Nothing tells when a daemon that is starting will listen: it can only be asked again,
            // ever less often.
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }
}

/// Whether another connection may fare better: nobody is there yet, or not to be spoken with yet.
fn is_passing(error: &Error) -> bool {
    let is_busy = error.is_mismatch() && error.got().is_some_and(|reply| reply.starts_with("421"));
    error.is_unreachable() || is_busy
}

impl Greeting {
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

    /// The deadline has run out over attempts, of which this came last.
    fn missing(&self, target: &Target, last: &Error, wait: Wait) -> Error {
        let error = Error::new(Kind::Unreachable, format!("{target} was not ready in time"))
            .with_expected(self);
        let came = last.got().filter(|came| *came != "nothing").unwrap_or(last.message());
        let error = error.with_got(came).with_waited(wait.waited());
        error.hint("look at the server's log for why it has not come up; give a slow one longer with #{timeout: \"1m\"} as the last argument, or --timeout")
    }
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Speech::Stream => f.write_str("a connection"),
            speech => write!(f, "the greeting of {speech}"),
        }
    }
}
