//! The programs that a script runs, as the script holds them.

use std::cell::RefCell;
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::order::InOrder;
use super::raise::Spot;
use super::scope::Scope;
use crate::error::{Error, Kind, Result};
use crate::transcript::{About, Excerpt, Transcript, What};
use crate::transport::{Program, Written};
use crate::visible;

/// The most bytes of a program's output that an error shows.
const SHOWN: usize = 1000;

/// The most programs of a run. A script that starts more has a loop that does not end.
const MOST: usize = 1000;

/// A program, as scripts hold it. A word that waits for the program takes it out of its slot.
#[derive(Clone, Debug)]
pub(super) struct Running(Arc<Mutex<Slot>>);

#[derive(Debug)]
struct Slot {
    command: String,
    spot: Spot,
    /// The step in which the program was started.
    step: Option<String>,
    program: Option<Box<Program>>,
    /// What the program writes, also while a word waits for it.
    output: Written,
    errors: Written,
    /// How the program ended, after that is known and in the transcript.
    status: Option<ExitStatus>,
    /// Whether the script has looked at how the program ended, or ended it.
    is_seen: bool,
}

impl Running {
    pub(super) fn new(
        command: String,
        (spot, step): (Spot, Option<String>),
        program: Program,
    ) -> Self {
        let (output, errors) = (program.output(), program.errors());
        let program = Some(Box::new(program));
        let (status, is_seen) = (None, false);
        let held = Slot { command, spot, step, program, output, errors, status, is_seen };
        Self(Arc::new(Mutex::new(held)))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn command(&self) -> String {
        self.slot().command.clone()
    }

    /// Records that the script has looked at how the program ended.
    pub(super) fn see(&self) {
        self.slot().is_seen = true;
    }

    /// Does something with the program that may take time.
    pub(super) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut Program) -> std::io::Result<T>,
    ) -> Result<T> {
        let program = self.slot().program.take();
        let mut taken = Taken { running: self.clone(), program };
        let program = taken.program.as_mut().ok_or_else(|| {
            Error::new(Kind::Busy, "another word already waits for this command")
                .hint("use a command from one place at a time")
        })?;
        work(program).await.map_err(|error| {
            Error::new(Kind::Io, format!("the command `{}`: {error}", self.command()))
        })
    }

    /// What the program writes to stdout.
    pub(super) fn output(&self) -> Written {
        self.slot().output.clone()
    }

    /// What the program writes to stderr.
    pub(super) fn errors(&self) -> Written {
        self.slot().errors.clone()
    }

    /// Waits for the end of the program. The end goes into the transcript once.
    pub(super) async fn ended(&self, transcript: &Transcript) -> Result<ExitStatus> {
        let known = self.slot().status;
        if let Some(status) = known {
            return Ok(status);
        }
        let status = self.with(async |program| program.ended().await).await?;
        self.note_end(transcript, status, "");
        Ok(status)
    }

    /// Stops the program with its whole process group.
    pub(super) async fn stop(&self, transcript: &Transcript) -> Result<ExitStatus> {
        self.see();
        let known = self.slot().status;
        if let Some(status) = known {
            return Ok(status);
        }
        let status = self.with(async |program| program.stop().await).await?;
        self.note_end(transcript, status, "stopped: ");
        Ok(status)
    }

    fn note_end(&self, transcript: &Transcript, status: ExitStatus, how: &str) {
        self.slot().status = Some(status);
        let text = format!("{how}{}: {status}", self.command()).into();
        transcript.note(What::Note { about: About::Ended, text });
    }

    /// Makes the error about how the program ended.
    pub(super) fn ended_wrong(
        &self,
        transcript: &Transcript,
        message: &str,
        status: ExitStatus,
    ) -> Error {
        let mut said = self.errors().first();
        if said.is_empty() {
            said = self.output().first();
        }
        let mut said = visible::excerpt(&said, SHOWN);
        transcript.learned().mask_text(&mut said);
        let said = if said.is_empty() { String::new() } else { format!("\n{said}") };
        Error::new(Kind::Unexpected, format!("the command `{}` {message}", self.command()))
            .with_got(format!("{status}{said}"))
    }
}

/// A program that was taken out of its slot. Dropping this puts the program back.
struct Taken {
    running: Running,
    program: Option<Box<Program>>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(program) = self.program.take() {
            self.running.slot().program = Some(program);
        }
    }
}

/// The programs of a run, in the order of the script, each with the scope that started it.
#[derive(Default)]
pub(super) struct Programs(RefCell<InOrder<(Rc<Scope>, Running)>>);

impl Programs {
    pub(super) fn add(&self, scope: Rc<Scope>, running: Running) -> Result<Running> {
        let mut all = self.0.borrow_mut();
        if all.len() >= MOST {
            return Err(Error::usage(format!("the script has started {MOST} commands")));
        }
        all.add(scope.order(), (scope, running.clone()));
        Ok(running)
    }

    /// Kills the programs that an attempt has started which failed. How they ended is not judged.
    pub(super) fn leave(&self, scope: &Scope, transcript: &Transcript) {
        let mut left = self.0.borrow().clone();
        left.retain(|(of, _)| scope.has(of));
        self.0.borrow_mut().retain(|(of, _)| !scope.has(of));
        for (_, running) in left.into_iter() {
            let is_known = running.slot().status.is_some();
            let status = running.slot().program.as_deref_mut().and_then(Program::kill);
            if !is_known {
                let command = running.command();
                let text = status.map_or_else(
                    || format!("killed: {command}"),
                    |status| format!("{command}: {status}"),
                );
                transcript.note(What::Note { about: About::Ended, text: text.into() });
            }
        }
    }

    /// Stops the programs that still run. Judges those that have ended by themselves, if the script
    /// has not looked at how they ended. Returns the error about the first program that failed,
    /// with the place and the step in which it was started.
    ///
    /// A program that the script has not looked at is stopped only when it is `age` old. Otherwise
    /// it would depend on the machine whether a program that fails at its start has failed before a
    /// quick script ends.
    pub(super) async fn end(
        &self,
        transcript: &Transcript,
        age: Duration,
    ) -> Option<(Error, Spot, Option<String>)> {
        let all = self.0.borrow().clone();
        let mut wrong = None;
        for (_, running) in all.into_iter() {
            let is_seen = running.slot().is_seen;
            let age = if is_seen { Duration::ZERO } else { age };
            let ended = running.with(async |program| Ok(program.ends_within(age).await)).await;
            let has_ended = ended.unwrap_or_default();
            let ended = if has_ended {
                running.ended(transcript).await
            } else {
                running.stop(transcript).await
            };
            let (is_seen, spot, step) = {
                let slot = running.slot();
                (slot.is_seen, slot.spot.clone(), slot.step.clone())
            };
            let error = match ended {
                Ok(status) if status.success() || is_seen => continue,
                Ok(status) => {
                    let message = "failed, and the script did not look at that";
                    let error = running.ended_wrong(transcript, message, status);
                    let error = error.with_expected("exit status: 0");
                    error.hint("expect_exit(...) says which exit status is right")
                }
                // It is not known how the program ended, so this is not a success.
                Err(error) => error,
            };
            wrong.get_or_insert((error, spot, step));
        }
        wrong
    }

    /// Returns the place and the step in which the first program was started.
    pub(super) fn first(&self) -> (Option<Spot>, Option<String>) {
        let all = self.0.borrow();
        let Some((_, running)) = all.iter().next() else { return (None, None) };
        let slot = running.slot();
        (Some(slot.spot.clone()), slot.step.clone())
    }

    /// Kills the programs of a script that failed, at once. For programs that had ended before, the
    /// transcript shows how they ended, because a server that died is most often the reason for the
    /// failure.
    pub(super) async fn kill(&self, transcript: &Transcript) {
        for (_, running) in self.0.take().into_iter() {
            let (program, known) = {
                let mut slot = running.slot();
                (slot.program.take(), slot.status)
            };
            let (Some(mut program), None) = (program, known) else { continue };
            let status = program.has_ended().await;
            let text = match status {
                Some(status) => format!("{}: {status}", running.command()),
                None => format!("killed: {}", running.command()),
            };
            transcript.note(What::Note { about: About::Ended, text: text.into() });
            let said = program.errors().first();
            if status.is_some_and(|status| !status.success()) && !said.is_empty() {
                let said = Bytes::copy_from_slice(&said[..said.len().min(SHOWN)]);
                transcript.note(What::Complaint(Excerpt::from(said)));
            }
        }
    }
}
