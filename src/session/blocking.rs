//! Dialogues from code that is not async.

use std::cell::OnceCell;

use tokio::runtime::Runtime;

use crate::runtime;

thread_local! {
    /// The runtime is kept between calls because a session belongs to the runtime that it was
    /// opened on.
    static RUNTIME: OnceCell<Impatient> = const { OnceCell::new() };
}

/// A runtime that does not wait for its blocking tasks when it is dropped. The system's look-up of a
/// name is one, and takes up to half a minute if no name server answers.
struct Impatient(Option<Runtime>);

impl Drop for Impatient {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a dialogue, or one operation of it, to its end from code that is not async, such as a plain
/// `#[test]`. Each thread has one runtime for these calls, so a session that one call opens can be
/// used in later calls on the same thread.
///
/// ```
/// use mailexpect::{Session, block_on, server::Embedded};
///
/// fn the_server_greets() -> mailexpect::Result<()> {
///     let server = Embedded::start().unwrap();
///     block_on(async {
///         let mut session = Session::connect(&server.smtp()).await?;
///         session.expect(220).await?;
///         session.quit().await?;
///         session.finish().await
///     })
/// }
/// # the_server_greets().unwrap();
/// ```
///
/// # Panics
/// Inside an async runtime, which must not be blocked (await the dialogue there instead); and if
/// the system cannot create a runtime.
#[track_caller]
pub fn block_on<T>(dialogue: impl IntoFuture<Output = T>) -> T {
    let dialogue = dialogue.into_future();
    RUNTIME.with(|runtime| match runtime.get_or_init(runtime_of_its_own) {
        Impatient(Some(runtime)) => runtime.block_on(dialogue),
        Impatient(None) => unreachable!("only dropping it takes the runtime"),
    })
}

fn runtime_of_its_own() -> Impatient {
    Impatient(Some(runtime::current_thread().unwrap_or_else(|error| panic!("{error}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Embedded;
    use crate::session::Session;

    #[test]
    fn a_thread_ends_without_its_blocking_tasks() {
        let (end, task) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(|| {
            block_on(async { drop(tokio::task::spawn_blocking(move || task.recv())) });
        });
        // If the thread waited for the task, this would never return.
        thread.join().unwrap();
        drop(end);
    }

    #[test]
    fn a_session_goes_on_in_the_next_call() {
        let server = Embedded::start().unwrap();
        let mut session = block_on(Session::connect(&server.smtp())).unwrap();
        block_on(session.expect(220)).unwrap();
        block_on(session.quit()).unwrap();
        block_on(session.finish()).unwrap();
    }
}
