//! Commands that somebody else decides about: who started the server, on another thread.

use tokio::sync::{mpsc, oneshot};

use super::conduct::Conduct;
use crate::error::Result;
use crate::proto::Speech;

/// A command, with who waits for what is to be done.
#[derive(Debug)]
pub(crate) struct Question {
    /// Which of the deciders is asked: the number that was given with the rule.
    pub(crate) decider: usize,
    /// The command without its line end; of IMAP with its tag. Of a message, its content.
    pub(crate) command: Vec<u8>,
    pub(crate) speech: Speech,
    /// Which connection of the server it came on, from 1.
    pub(crate) connection: u64,
    /// How many commands of this rule have come with it, over all connections.
    pub(crate) number: u64,
    tell: oneshot::Sender<Conduct>,
}

/// Where questions go. One that nobody takes any more is answered well.
pub(crate) type Asker = mpsc::UnboundedSender<Question>;

/// What will be done.
pub(super) type Decision = oneshot::Receiver<Conduct>;

impl Question {
    /// Asks; the decision comes later.
    pub(super) fn ask(
        asker: &Asker,
        decider: usize,
        number: u64,
        (connection, speech): (u64, Speech),
        command: Vec<u8>,
    ) -> Decision {
        let (tell, decision) = oneshot::channel();
        let question = Self { decider, command, speech, connection, number, tell };
        // Who is gone leaves the other end of the decision closed, too.
        let _ = asker.send(question);
        decision
    }

    /// Has this done: steps, a line each, as a rule has them.
    ///
    /// # Errors
    /// Usage for a step that cannot be read; then the command is answered well.
    #[cfg(feature = "script")]
    pub(crate) fn decide(self, steps: &str) -> Result<()> {
        let conduct = Conduct::read(steps)?;
        // The connection may be gone.
        let _ = self.tell.send(conduct);
        Ok(())
    }
}
