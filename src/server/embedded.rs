//! The embedded server: the ports it serves, and the mail it accepted.

mod options;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::auth;
use super::host::Host;
use super::mail::Mail;
use super::service::{SERVICES, Service};
use super::site::Site;
use crate::chance::Seed;
use crate::tls::Authority;

pub use options::Options;

/// A small well-behaved mail server on loopback, for trying scripts without an installed mail
/// server.
///
/// SMTP (RFC 5321) accepts mail for `example.com` and `localhost` from anybody, except for
/// `nobody`, which is refused as unknown. Submission (RFC 6409) accepts mail for any address from
/// [`Embedded::USER`], after AUTH PLAIN, LOGIN, CRAM-MD5 or SCRAM-SHA-256 (RFC 4954). Both support
/// PIPELINING, SIZE, 8BITMIME, STARTTLS (RFC 3207) and ENHANCEDSTATUSCODES. LMTP (RFC 2033) accepts
/// local mail. Nothing is relayed: accepted mail stays in memory, at most 64 MiB of it, for
/// [`Embedded::mails`]. Mail for the user is also in the INBOX that IMAP (RFC 3501, with IDLE,
/// UIDPLUS, MOVE, LITERAL+, NAMESPACE, UNSELECT) and POP3 (RFC 1939) show. `ManageSieve` (RFC 5804)
/// stores scripts and runs none.
///
/// [`Embedded::submissions`], [`Embedded::imaps`] and [`Embedded::pop3s`] have TLS from the start
/// (RFC 8314); the others begin TLS when the client asks for it. The certificate is for `localhost`
/// and the loopback addresses. Its CA, [`Embedded::ca`], is made when TLS is first needed.
///
/// The server runs on a thread of its own, so synchronous and asynchronous code can start it.
/// Dropping it closes its ports and ends the thread, after clients that are connected have had a
/// moment to finish: [`Options::grace`].
///
/// ```
/// use std::io::{Read as _, Write as _};
/// use mailexpect::server::Embedded;
///
/// let server = Embedded::start()?;
/// let mut client = std::net::TcpStream::connect(server.smtp().trim_start_matches("smtp://"))?;
/// client.write_all(b"HELO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\nHi.\r\n.\r\nQUIT\r\n")?;
/// let mut replies = String::new();
/// client.read_to_string(&mut replies)?;
/// assert!(replies.ends_with("Message accepted for delivery\r\n221 2.0.0 localhost closing connection\r\n"));
/// assert_eq!(server.mails()[0].to, ["a@example.com"]);
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Embedded {
    /// The address of each service; `None` if the service is not served.
    addresses: [Option<SocketAddr>; SERVICES.len()],
    authority: Arc<Authority>,
    site: Arc<Site>,
    seed: Seed,
    /// Serves the ports until it is dropped.
    host: Host,
}

/// Defines a method for the URL of each port.
macro_rules! urls {
    ($($(#[$meta:meta])* $scheme:ident;)*) => {$(
        $(#[$meta])*
        #[must_use]
        pub fn $scheme(&self) -> String {
            self.url(stringify!($scheme)).unwrap_or_default()
        }
    )*};
}

impl Embedded {
    /// The user who may submit mail and who has a mailbox, unless [`Options::user`] sets others.
    pub const USER: &str = auth::USER;
    /// The password of [`Embedded::USER`].
    pub const PASSWORD: &str = auth::PASSWORD;

    /// Starts a server on free ports of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// The system's error if it gives no port or no thread.
    pub fn start() -> io::Result<Self> {
        Self::options().start()
    }

    /// Options to start a server with.
    pub fn options() -> Options {
        Options::default()
    }

    /// The schemes that can be served, in the order of [`Embedded::urls`].
    pub fn schemes() -> impl Iterator<Item = &'static str> {
        SERVICES.iter().map(|service| service.scheme)
    }

    /// The URL of the port for a scheme, such as `imap://127.0.0.1:40143`; `None` if the scheme is
    /// not served.
    #[must_use]
    pub fn url(&self, scheme: &str) -> Option<String> {
        let at = self.addresses[Service::place(scheme)?]?;
        Some(format!("{scheme}://{at}"))
    }

    /// The URLs of all ports.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        Self::schemes().filter_map(|scheme| self.url(scheme))
    }

    urls! {
        /// The URL of the SMTP port, such as `smtp://127.0.0.1:40025`.
        smtp;
        /// The URL of the submission port, such as `submission://127.0.0.1:40587`.
        submission;
        /// The URL of the submission port with TLS from the start, such as
        /// `submissions://127.0.0.1:40465`.
        submissions;
        /// The URL of the LMTP port.
        lmtp;
        /// The URL of the IMAP port.
        imap;
        /// The URL of the IMAP port with TLS from the start.
        imaps;
        /// The URL of the POP3 port.
        pop3;
        /// The URL of the POP3 port with TLS from the start.
        pop3s;
        /// The URL of the `ManageSieve` port.
        sieve;
    }

    /// The PEM certificate of the CA that issued the server's certificate.
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded, tls};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// let trusting = tls::Options::new().ca(server.ca()?);
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::options().tls(trusting).connect(&server.submissions()).await?;
    /// session.expect(220).await?;
    /// assert_eq!(session.tls().unwrap().certificate.as_ref().unwrap().subject, "CN=localhost");
    /// session.quit().await?;
    /// # session.expect_close().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the system gives no random numbers to make keys from.
    pub fn ca(&self) -> io::Result<&str> {
        self.authority.pem().map_err(io::Error::other)
    }

    /// The seed of all random choices, for [`Options::seed`]: print it if a test fails.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed.value()
    }

    /// The address of the port for a scheme; `None` if the scheme is not served.
    ///
    /// ```
    /// use mailexpect::server::Embedded;
    ///
    /// let server = Embedded::start()?;
    /// assert!(server.addr("smtp").is_some_and(|addr| addr.ip().is_loopback()));
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[must_use]
    pub fn addr(&self, scheme: &str) -> Option<SocketAddr> {
        self.addresses[Service::place(scheme)?]
    }

    /// The mail that was accepted on all ports, the oldest first. A message is listed before the
    /// client gets the reply to it.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.site.spool.list()
    }

    /// Waits for mail for which `fits` returns true, and which may have arrived already; `None` if
    /// none arrives in this time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mailexpect::{block_on, server::Embedded};
    ///
    /// let server = Embedded::start().unwrap();
    /// let none = block_on(server.wait_for_mail(|mail| mail.from.is_empty(), Duration::from_millis(1)));
    /// assert_eq!(none, None);
    /// ```
    pub async fn wait_for_mail(
        &self,
        fits: impl Fn(&Mail) -> bool,
        time: Duration,
    ) -> Option<Mail> {
        let mut changes = self.site.store.watch();
        let found = async {
            loop {
                if let Some(mail) = self.site.spool.find(&fits) {
                    return mail;
                }
                // `changed` does not fail, because the store lives as long as the server.
                drop(changes.changed().await);
            }
        };
        tokio::time::timeout(time, found).await.ok()
    }

    /// Accepts no more connections, and gives the clients that are connected this time to finish.
    #[cfg(feature = "script")]
    pub(crate) fn stop(&self, grace: Duration) {
        self.host.stop(grace);
    }

    /// Waits until no client is connected.
    #[cfg(feature = "script")]
    pub(crate) async fn idle(&self) {
        self.host.idle().await;
    }

    /// Adds a message to the mailbox of a user, as if it had arrived by SMTP.
    pub fn deliver(&self, user: &str, message: &[u8]) {
        self.site.store.deliver(user, message);
    }
}
