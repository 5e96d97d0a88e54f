//! The options of a listener.

use crate::chance::Seed;
use crate::session::{Fault, Options};
use crate::tls::ServerOptions;

/// The options of a listener.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing listens until it is bound"]
pub struct ListenerOptions {
    pub(super) session: Options,
    pub(super) tls: ServerOptions,
    pub(super) faults: Vec<Fault>,
    pub(super) seed: Seed,
    /// The number of the listener in its script: listeners with the same seed make different
    /// choices.
    pub(super) number: u64,
    pub(super) read_rate: Option<u32>,
}

impl ListenerOptions {
    /// The options of accepted sessions: deadlines, the transcript, how writes are split.
    pub fn session(self, session: Options) -> Self {
        Self { session, ..self }
    }

    /// The TLS options, for TLS from the start and for STARTTLS.
    pub fn tls(self, tls: ServerOptions) -> Self {
        Self { tls, ..self }
    }

    /// Injects this fault into the accepted sessions. A fault that is given to one call, such as
    /// [`Session::reply`](crate::Session::reply), takes precedence. Of several faults, the first
    /// that applies is injected: [`Fault::at`], [`Fault::connection`], [`Fault::number`],
    /// [`Fault::address`] and [`Fault::chance`] say when a fault applies.
    ///
    /// ```
    /// use mailexpect::{Fault, Session, block_on, server::Listener};
    ///
    /// # fn main() -> mailexpect::Result<()> {
    /// block_on(async {
    ///     let fault = Fault::new().at("GREETING").connection(2).cut(3);
    ///     let listener = Listener::options().fault(fault).bind("smtp").await?;
    ///     for is_good in [true, false] {
    ///         let mut client = Session::connect(&listener.url()).await?;
    ///         listener.accept().await?.greet("220 hi").await?;
    ///         assert_eq!(client.expect(220).await.is_ok(), is_good);
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The seed of all random choices in faults: the same seed gives the same choices. By default
    /// the system chooses a seed; [`Listener::seed`](super::Listener::seed) returns it.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Seed::of(seed), ..self }
    }

    /// Sets the seed, and the number of the listener in its script.
    #[cfg(feature = "script")]
    pub(crate) fn seeded(self, (seed, number): (Seed, u64)) -> Self {
        Self { seed, number, ..self }
    }

    /// Reads at most this many bytes a second from each client; 0 reads nothing.
    pub fn read_rate(self, bytes_per_second: u32) -> Self {
        Self { read_rate: Some(bytes_per_second), ..self }
    }
}
