//! How to listen.

use crate::chance::Seed;
use crate::session::{Fault, Options};
use crate::tls::ServerOptions;

/// How to listen.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing listens until it is bound"]
pub struct ListenerOptions {
    pub(super) session: Options,
    pub(super) tls: ServerOptions,
    pub(super) faults: Vec<Fault>,
    pub(super) seed: Seed,
    /// Which of a script's listeners it is.
    pub(super) number: u64,
    pub(super) read_rate: Option<u32>,
}

impl ListenerOptions {
    /// What holds on the sessions that are accepted: deadlines, the transcript, how writes are cut.
    pub fn session(self, session: Options) -> Self {
        Self { session, ..self }
    }

    /// How TLS is put on, from the start or by STARTTLS.
    pub fn tls(self, tls: ServerOptions) -> Self {
        Self { tls, ..self }
    }

    /// Has this go wrong on the sessions that are accepted, unless a word says what goes wrong with
    /// it. Of several, the first that fits happens: [`Fault::at`], [`Fault::connection`],
    /// [`Fault::number`], [`Fault::address`] and [`Fault::chance`] say when.
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

    /// Decides what is left to chance in faults: the same seed has it the same again. The system
    /// chooses one if none is given; [`Listener::seed`](super::Listener::seed) says which.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Seed::of(seed), ..self }
    }

    /// The same, of a script's listener with that number.
    #[cfg(feature = "script")]
    pub(crate) fn seeded(self, (seed, number): (Seed, u64)) -> Self {
        Self { seed, number, ..self }
    }

    /// Reads no more than so many bytes a second of each client; with 0, nothing.
    pub fn read_rate(self, bytes_per_second: u32) -> Self {
        Self { read_rate: Some(bytes_per_second), ..self }
    }
}
