//! How a word that waits runs: the script is suspended until the operation is over.

use rhai::NativeCallContext;

use super::coroutine;
use super::ended::Ended;
use super::handle::Handle;
use super::raise::{Raised, raise};
use super::run::{self, Run};
use crate::error::Result;
use crate::session::Session;

impl Handle {
    /// Reads or sets something that takes no waiting.
    pub(super) fn with<T>(
        &self,
        context: &NativeCallContext<'_>,
        read: impl FnOnce(&mut Session) -> T,
    ) -> Result<T, Raised> {
        let mut taken = self.take().map_err(|error| raise(context, error))?;
        taken.session().map(read).map_err(|error| raise(context, error))
    }

    /// Runs an operation to its end, suspending the script while it waits.
    pub(super) fn operate<T>(
        &self,
        context: &NativeCallContext<'_>,
        operation: impl AsyncFnOnce(&mut Session) -> Result<T>,
    ) -> Result<T, Raised> {
        let mut taken = self.take().map_err(|error| raise(context, error))?;
        self.note(context, Run::current().ok().and_then(|run| run.step()));
        // In a box: a script that waits shall hold little of its stack.
        let outcome = match coroutine::wait(Box::pin(async { operation(taken.session()?).await })) {
            Ok(outcome) => outcome,
            Err(stop) => {
                let waiting =
                    taken.session().ok().and_then(|session| session.cut_off()).map(Box::new);
                return Err(run::end(context, Ended::Stopped(stop, waiting)));
            }
        };
        outcome.map_err(|error| raise(context, error))
    }
}

/// Waits for a future; where the script is to stop meanwhile, ends it.
pub(super) fn wait<F: Future>(
    context: &NativeCallContext<'_>,
    future: F,
) -> Result<F::Output, Raised> {
    coroutine::wait(future).map_err(|stop| run::end(context, Ended::Stopped(stop, None)))
}
