//! An operation, and how its caller gives it options.

use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::call::Call;
use super::{Fault, Session, Untagged};
use crate::duration;
use crate::error::{Error, Kind, Result};
use crate::pattern::IntoPattern;
use crate::proto::imap::Literals;
use crate::tls;

/// An operation in progress. It is boxed so that a script which waits holds little of its stack.
type Running<'s, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 's>>;
type Run<'s, T> = Box<dyn FnOnce(&'s mut Session, Call) -> Running<'s, T> + Send + 's>;

/// An operation of a session that has not begun. Await it, or first set options that hold for this
/// operation alone.
///
/// ```
/// use std::time::Duration;
/// use mailexpect::{Session, server::Embedded};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Embedded::start()?;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Session::connect(&server.smtp()).await?;
/// session.expect(220).await?;
/// session.mail("hoge@example.com").expect(503).timeout(Duration::from_secs(30)).await?;
/// session.quit().await?;
/// # Ok::<_, mailexpect::Error>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
///
/// An option that the operation does not use is a usage error when the operation is awaited.
#[must_use = "an operation does nothing unless it is awaited"]
pub struct Operation<'s, T> {
    session: &'s mut Session,
    call: Call,
    run: Run<'s, T>,
}

impl<T> Operation<'_, T> {
    /// Sets the deadline of this operation, in place of the session's deadline.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// let late = session.expect(250).timeout(std::time::Duration::from_millis(10)).await;
    /// assert!(late.unwrap_err().is_timeout());
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.call.timeout = Some(timeout);
        self
    }

    /// Adds a parameter to MAIL or RCPT, which is sent as it is given (RFC 5321 section 4.1.1.11).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: MAIL FROM:<a@client.example> SIZE=1000\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.mail("a@client.example").parameter("SIZE=1000").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn parameter(mut self, parameter: impl Into<String>) -> Self {
        self.call.parameters.push(parameter.into());
        self
    }

    /// Sets the reply that a verb expects, in place of the protocol's success.
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.smtp()).await?;
    /// session.expect(220).await?;
    /// session.mail("hoge@example.com").expect(503).await?;
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn expect(mut self, pattern: impl IntoPattern) -> Self {
        self.call.expect = Some(pattern.into_pattern());
        self
    }

    /// Sets the pattern for each of the replies to a message: over LMTP, `data` and `bdat` get one
    /// reply for each recipient (RFC 2033 section 4.2).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example LMTP
    ///     C: LHLO client.example
    ///     S: 250 mail.example
    ///     C: MAIL FROM:<hoge@example.com>
    ///     S: 250 2.1.0 Ok
    ///     C: RCPT TO:<alice@example.com>
    ///     S: 250 2.1.5 Ok
    ///     C: RCPT TO:<full@example.com>
    ///     S: 250 2.1.5 Ok
    ///     C: DATA
    ///     S: 354 go on
    ///     C: Subject: hello
    ///     C: .
    ///     S: 250 2.0.0 delivered
    ///     S: 452 4.2.2 mailbox full
    /// ")?;
    /// let mut session = Session::connect(&server.url("lmtp")).await?;
    /// session.expect(220).await?;
    /// session.lhlo("client.example").await?;
    /// session.mail("hoge@example.com").await?;
    /// session.rcpt("alice@example.com").await?;
    /// session.rcpt("full@example.com").await?;
    /// let replies = session.data("Subject: hello\n").expect_each([250, 452]).await?;
    /// assert_eq!(replies[1].text(), "452 4.2.2 mailbox full");
    /// # Ok(())
    /// # }
    /// ```
    pub fn expect_each<P: IntoPattern>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        let patterns = patterns.into_iter().map(IntoPattern::into_pattern);
        self.call.expect_each = Some(patterns.collect());
        self
    }

    /// With `false`, drops the bytes of the block or of the stream once they are taken, and keeps
    /// only their number, however many they are.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: RETR 1
    ///     S: +OK
    ///     S: Subject: hi
    ///     S:
    ///     S: .
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let message = session.retr(1).keep(false).await?;
    /// assert_eq!((message.octets(), message.bytes()), (15, &b""[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep(mut self, keep: bool) -> Self {
        self.call.keep = Some(keep);
        self
    }

    /// Sets what the untagged responses to a verb of IMAP must contain.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay, Untagged};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 NOOP
    ///     S: * 4 EXISTS
    ///     S: a1 OK done
    ///     C: a2 NOOP
    ///     S: a2 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// session.noop().untagged(Untagged::new().require("* 4 EXISTS")).await?;
    /// let missing = session.noop().untagged(Untagged::new().require("* 5 EXISTS")).await;
    /// assert!(missing.unwrap_err().is_mismatch());
    /// # Ok(())
    /// # }
    /// ```
    pub fn untagged(mut self, untagged: Untagged) -> Self {
        self.call.untagged = Some(untagged);
        self
    }

    /// Sets how a verb of IMAP sends literals. Unless set, a literal is sent after the server asks
    /// for it.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay, imap::Literals};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 APPEND Lab {13+}
    ///     C: Subject: hi
    ///     C:
    ///     S: a1 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// session.append("Lab", "", "Subject: hi\n").literals(Literals::Plus).await?;
    /// assert!(session.transcript().to_string().contains("{13+}"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn literals(mut self, literals: Literals) -> Self {
        self.call.literals = Some(literals);
        self
    }

    /// Makes a verb of IMAP name messages by their unique identifiers: `UID FETCH` and similar (RFC
    /// 3501 section 6.4.8).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 UID FETCH 7 FLAGS
    ///     S: * 1 FETCH (UID 7 FLAGS (\Seen))
    ///     S: a1 OK done
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let messages = session.fetch("7", "FLAGS").by_uid().await?;
    /// assert_eq!((messages[0].number(), messages[0].uid()), (1, Some(7)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn by_uid(mut self) -> Self {
        self.call.by_uid = true;
        self
    }

    /// Accepts an OK of an IMAP server without the data that the command asks for: SELECT without
    /// EXISTS, SEARCH without its list, FETCH without the requested items.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: * OK ready\nC: a1 SEARCH UNSEEN\nS: a1 OK done")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// assert!(session.search("UNSEEN").bare().await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn bare(mut self) -> Self {
        self.call.bare = true;
        self
    }

    /// Sets a fault that the server plays on purpose, for the operations of the server's side that
    /// send.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.call.fault = Some(Box::new(fault));
        self
    }

    /// Sets how `starttls` and `tls_handshake` set up TLS, in place of [`Options::tls`].
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded, tls};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// let mut session = Session::connect(&server.smtp()).await?;
    /// session.expect(220).await?;
    /// let options = tls::Options::new().ca(server.ca()?).min(tls::Version::V1_3);
    /// session.starttls().tls(options).await?;
    /// assert_eq!(session.tls().unwrap().version, "1.3");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`Options::tls`]: super::Options::tls
    pub fn tls(mut self, options: tls::Options) -> Self {
        self.call.tls = Some(Box::new(options));
        self
    }

    /// Sets how long the operation must take at least, to check that a server delays on purpose.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// let early = session.expect(220).after(Duration::from_secs(60)).await;
    /// assert_eq!(early.unwrap_err().message(), "it came earlier than it may");
    /// # Ok(())
    /// # }
    /// ```
    pub fn after(mut self, after: Duration) -> Self {
        self.call.after = Some(after);
        self
    }

    /// Sets all options that a script gave, in place of options that were set before.
    #[cfg(feature = "script")]
    pub(crate) fn with(mut self, call: Call) -> Self {
        self.call = call;
        self
    }
}

impl<'s, T: 's> Operation<'s, T> {
    /// Returns this operation with its outcome converted by `turn`.
    pub(super) fn map<U>(self, turn: impl FnOnce(T) -> U + Send + 's) -> Operation<'s, U> {
        let Self { session, call, run } = self;
        let run: Run<'s, U> =
            Box::new(|session, call| Box::pin(async move { run(session, call).await.map(turn) }));
        Operation { session, call, run }
    }
}

impl<'s, T: 's> IntoFuture for Operation<'s, T> {
    type Output = Result<T>;
    type IntoFuture = Running<'s, T>;

    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        let caller = self.session.caller.clone();
        let after = self.call.after.map(|after| (after, self.session.name()));
        let mut running = (self.run)(self.session, self.call);
        if let Some((after, name)) = after {
            running = Box::pin(not_before(after, running, name));
        }
        match caller {
            Some(caller) => Box::pin(caller.hold(Location::caller(), running)),
            None => running,
        }
    }
}

/// Fails if the operation takes less time than `after`.
async fn not_before<T>(after: Duration, running: Running<'_, T>, session: String) -> Result<T> {
    let began = Instant::now();
    let outcome = running.await?;
    let took = began.elapsed();
    if took >= after { Ok(outcome) } else { Err(too_early(after, took).with_session(session)) }
}

fn too_early(after: Duration, took: Duration) -> Error {
    let error = Error::new(Kind::Unexpected, "it came earlier than it may");
    let (after, took) = (duration::show(after), duration::show(took));
    error.with_expected(format!("not before {after}")).with_got(format!("after {took}"))
}

impl<T> fmt::Debug for Operation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("call", &self.call).finish_non_exhaustive()
    }
}

impl Session {
    /// Returns an operation that calls `run` once it is awaited.
    pub(super) fn operation<'s, T>(
        &'s mut self,
        run: impl FnOnce(&'s mut Self, Call) -> Running<'s, T> + Send + 's,
    ) -> Operation<'s, T> {
        Operation { session: self, call: Call::default(), run: Box::new(run) }
    }
}
