//! Commands whose answers are decided on another thread, by the code that started the server.

use tokio::sync::{mpsc, oneshot};

use super::conduct::Conduct;
use crate::error::Result;
use crate::proto::Speech;

/// A command, and the channel to the connection that waits for the decision.
#[derive(Debug)]
pub(crate) struct Question {
    /// Which decider is asked: the number that was given with the rule.
    pub(crate) decider: usize,
    /// The command without its line end, in IMAP with its tag; for a message, its content.
    pub(crate) command: Vec<u8>,
    pub(crate) speech: Speech,
    /// The number of the connection on this server, from 1.
    pub(crate) connection: u64,
    /// How many commands this rule has had, this one included, over all connections.
    pub(crate) number: u64,
    tell: oneshot::Sender<Conduct>,
}

/// The channel to the deciders. If nobody receives a question, the command is answered as without a
/// rule.
pub(crate) type Asker = mpsc::UnboundedSender<Question>;

/// The channel on which the decision arrives.
pub(super) type Decision = oneshot::Receiver<Conduct>;

impl Question {
    /// Asks a decider; the decision arrives later.
    pub(super) fn ask(
        asker: &Asker,
        decider: usize,
        number: u64,
        (connection, speech): (u64, Speech),
        command: Vec<u8>,
    ) -> Decision {
        let (tell, decision) = oneshot::channel();
        let question = Self { decider, command, speech, connection, number, tell };
        // If the receiver is gone, the question is dropped, which closes the decision's channel as
        // well.
        let _ = asker.send(question);
        decision
    }

    /// Decides what the server does: steps, one per line, as in a rule.
    ///
    /// # Errors
    /// Usage for a step that cannot be read, and for a reply code in a protocol that has none; the
    /// command is then answered as without a rule.
    #[cfg(feature = "script")]
    pub(crate) fn decide(self, steps: &str) -> Result<()> {
        let conduct = Conduct::read(steps)?;
        conduct.check(self.speech)?;
        // Sending fails if the connection has ended.
        let _ = self.tell.send(conduct);
        Ok(())
    }
}
