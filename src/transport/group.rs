//! Child processes, each in a process group of its own that ends with it. Processes that a child has
//! started end with it, too, if they have left the group.

use std::collections::BTreeSet;
use std::io;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::descendants::Descendants;

/// The process groups of all children that sessions speak with.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills all children of sessions and their process groups, because this process is about to exit
/// without running destructors.
#[cfg(feature = "cli")]
pub(crate) fn kill_processes() {
    groups().iter().filter_map(|group| Pid::from_raw(*group)).for_each(kill);
}

fn kill(group: Pid) {
    let descendants = Descendants::of(group);
    // An error means that the group is gone already.
    let _ = kill_process_group(group, Signal::KILL);
    descendants.signal(Signal::KILL);
}

/// The process group of a child. It is killed when this is dropped, even if the child has exited,
/// because processes that the child started may still run.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Option<Pid>,
    /// The processes that were asked to end. They are not found any more once the child has exited.
    asked: Mutex<Descendants>,
}

/// A child with pipes for its output.
#[derive(Debug)]
pub(super) struct Piped {
    pub(super) group: Group,
    pub(super) child: Child,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Group {
    /// Starts a command in a process group of its own.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Piped> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Self::of(&child);
        let missing = || io::Error::other("the child lacks a pipe");
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        Ok(Piped { group, child, stdout, stderr })
    }

    /// The group of a child that was started in its own process group.
    pub(crate) fn of(child: &Child) -> Self {
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        groups().extend(group.map(|group| group.as_raw_nonzero().get()));
        Self { leader: group, asked: Mutex::default() }
    }

    #[cfg(feature = "script")]
    pub(super) fn kill(&self) {
        self.leader.into_iter().for_each(kill);
        self.asked().signal(Signal::KILL);
    }

    #[cfg(feature = "script")]
    fn asked(&self) -> MutexGuard<'_, Descendants> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks all processes of the group, and all that the child has started, to end (SIGTERM).
    #[cfg(feature = "script")]
    pub(super) fn terminate(&self) {
        if let Some(group) = self.leader {
            let descendants = Descendants::of(group);
            // An error means that the group is gone already.
            let _ = kill_process_group(group, Signal::TERM);
            descendants.signal(Signal::TERM);
            *self.asked() = descendants;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.leader {
            groups().remove(&group.as_raw_nonzero().get());
            kill(group);
            self.asked.get_mut().unwrap_or_else(PoisonError::into_inner).signal(Signal::KILL);
        }
    }
}
