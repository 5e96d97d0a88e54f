//! Listeners, as scripts hold them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rhai::NativeCallContext;

use super::raise::Spot;
use crate::error::Result;
use crate::server::Listener;
use crate::transcript::{Event, Watcher};

/// A listener, as scripts hold it, with the place that used it last, for an error that turns up at
/// the end.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    listener: Arc<Listener>,
    used: Arc<Mutex<Option<Used>>>,
}

/// The place and the step in which a listener was used.
#[derive(Clone, Debug)]
pub(super) struct Used {
    pub(super) spot: Spot,
    pub(super) step: Option<String>,
}

impl Listening {
    pub(super) fn new(listener: Listener) -> Self {
        Self { listener: Arc::new(listener), used: Arc::default() }
    }

    pub(super) fn listener(&self) -> &Arc<Listener> {
        &self.listener
    }

    /// Records the position and the step of an operation that begins.
    pub(super) fn note(&self, context: &NativeCallContext<'_>, step: Option<String>) {
        let used = Used { spot: Spot::of(context), step };
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(used);
    }

    /// Returns where the listener was used last.
    pub(super) fn used(&self) -> Option<Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The addresses on which the listeners of a script have to listen, if the caller sets them, and
/// the function that is told of the listeners.
pub(crate) struct Listens {
    /// The addresses by scheme.
    at: BTreeMap<String, SocketAddr>,
    /// The address for the first listener whose scheme is not in `at`.
    first: Mutex<Option<SocketAddr>>,
    told: Arc<Tell>,
}

type Tell = dyn Fn(Told<'_>) -> Result<()> + Send + Sync;

/// An event of which the caller of a serving script is told.
pub(crate) enum Told<'a> {
    Listening {
        url: &'a str,
        ca: Option<&'a str>,
    },
    /// An event of a server that runs in the background and has its own transcript.
    Happened {
        server: &'a str,
        event: &'a Event,
    },
}

impl Listens {
    pub(crate) fn new(
        at: BTreeMap<String, SocketAddr>,
        first: Option<SocketAddr>,
        told: impl Fn(Told<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { at, first: Mutex::new(first), told: Arc::new(told) }
    }

    /// Returns the address to listen on for a scheme, if the caller has set one and the script has
    /// not.
    pub(super) fn place(&self, scheme: &str) -> Option<SocketAddr> {
        if scheme.contains([':', '+']) {
            return None;
        }
        self.at.get(scheme).copied().or_else(|| {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            first.take()
        })
    }

    /// Tells the caller where a listener listens.
    ///
    /// # Errors
    /// Usage if the caller cannot be told.
    pub(super) fn tell(&self, url: &str, ca: Option<&str>) -> Result<()> {
        (self.told)(Told::Listening { url, ca })
    }

    /// Returns the watcher for events of the server with this URL. A client may come before the
    /// caller was told the URL; its events wait until the URL is set.
    pub(super) fn watcher(&self, url: Arc<OnceLock<String>>) -> Watcher {
        let told = Arc::clone(&self.told);
        Arc::new(move |event| {
            // The result is dropped because events are never refused.
            let _ = told(Told::Happened { server: url.wait(), event });
        })
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::runtime;
    use crate::script::{Runner, Settings};
    use crate::transcript::What;

    #[test]
    fn a_script_that_serves_keeps_the_last_dialogues_of_any_number() {
        const SCRIPT: &str = r#"
            let l = listen("smtp");
            let text = "";
            text.pad(20000, 'x');
            for n in 0..500 {
                let c = connect(l.url);
                let s = l.accept();
                s.greet();
                c.expect(220);
                c.send("NOOP " + text);
                s.expect_command();
                s.reply(250, `dialogue ${n}`);
                c.expect(250);
                c.reset();
                s.reset();
            }"#;
        let settings = Settings { allow_listen: true, ..Settings::default() };
        let runner =
            Runner::new(settings).listening(Listens::new(BTreeMap::new(), None, |_| Ok(())));
        let path = Path::new("loop.rhai");
        runner.give(path, SCRIPT.to_owned());
        let runtime = runtime::current_thread().unwrap();
        let outcome = runtime.block_on(runner.run(path, std::future::pending()));
        assert!(outcome.is_ok(), "{:?}", outcome.failure());
        assert!(matches!(outcome.transcript[0].what, What::Omitted(1..)));
        let bytes: usize = outcome.transcript.iter().map(Event::bytes).sum();
        assert!(bytes < 5 << 20, "{bytes} bytes, and 20 MB were said");
        let last = crate::transcript::lines(&outcome.transcript);
        assert!(last.iter().any(|line| line.to_string().contains("dialogue 499")));
    }
}
