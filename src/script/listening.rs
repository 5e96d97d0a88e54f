//! Listeners as scripts hold them.

use std::sync::{Arc, Mutex, PoisonError};

use rhai::NativeCallContext;

use super::raise::Spot;
use crate::server::Listener;

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
