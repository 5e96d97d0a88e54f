//! Listeners as scripts hold them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rhai::NativeCallContext;

use super::raise::Spot;
use crate::error::Result;
use crate::server::Listener;
use crate::transcript::{Event, Watcher};

/// A listener as scripts hold it, and where it was used last, for what turns out at the end.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    listener: Arc<Listener>,
    used: Arc<Mutex<Option<Used>>>,
}

/// Where a listener was used.
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

    /// Notes where the operation is written that begins, and the step in which it is.
    pub(super) fn note(&self, context: &NativeCallContext<'_>, step: Option<String>) {
        let used = Used { spot: Spot::of(context), step };
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(used);
    }

    /// Where it was used last.
    pub(super) fn used(&self) -> Option<Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where the listeners of a script are to be, if its caller says so, and who is told of them.
pub(crate) struct Listens {
    /// By their schemes.
    at: BTreeMap<String, SocketAddr>,
    /// That of the first listener whose scheme is not among these.
    first: Mutex<Option<SocketAddr>>,
    told: Arc<Tell>,
}

type Tell = dyn Fn(Told<'_>) -> Result<()> + Send + Sync;

/// What the caller of a script that serves is told.
pub(crate) enum Told<'a> {
    Listening {
        url: &'a str,
        ca: Option<&'a str>,
    },
    /// At a server that runs beside the script, which has a transcript of its own.
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

    /// Where to listen for a scheme, if the caller has said that and the script does not.
    pub(super) fn place(&self, scheme: &str) -> Option<SocketAddr> {
        if scheme.contains([':', '+']) {
            return None;
        }
        self.at.get(scheme).copied().or_else(|| {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            first.take()
        })
    }

    /// Tells the caller where a listener is.
    ///
    /// # Errors
    /// Usage if the caller cannot be told.
    pub(super) fn tell(&self, url: &str, ca: Option<&str>) -> Result<()> {
        (self.told)(Told::Listening { url, ca })
    }

    /// Who is told of what happens at the server with this URL. A client may come before the caller
    /// was told where the server is; its events wait until the URL is set.
    pub(super) fn watcher(&self, url: Arc<OnceLock<String>>) -> Watcher {
        let told = Arc::clone(&self.told);
        Arc::new(move |event| {
            // Events are never refused.
            let _ = told(Told::Happened { server: url.wait(), event });
        })
    }
}
