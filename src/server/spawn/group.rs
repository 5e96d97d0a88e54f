//! A server's process with all that it starts, as one group that ends together.

use std::io::{self, PipeWriter};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};
use tokio::sync::watch;

use super::log::Log;
use super::template::Template;

/// How long a server may take to end when it is told to, before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// Waits for the end of a pipe that we hold and never write to. It comes with our own end, also
/// where we are killed and nothing is dropped; then the group is ended from here.
const GUARD: &str =
    r#"trap '' TERM HUP INT; read -r _; kill -s TERM -- "-$1"; sleep 2; kill -s KILL -- "-$1""#;

/// A process that leads a group of its own. Dropping it ends the group.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    /// How the leader ended, once it has.
    ended: watch::Receiver<Option<ExitStatus>>,
    /// Hears of that too, for who is in no runtime; after a lock so that a server can be a
    /// `static`.
    bell: Mutex<mpsc::Receiver<()>>,
    /// If it could not be started, nothing is lost but what it is for.
    guard: Option<Child>,
}

impl Group {
    /// Starts a command without input; what it and its kin print comes into the log.
    pub(super) fn start(template: &Template) -> io::Result<(Self, Log)> {
        let (reader, writer) = io::pipe()?;
        // The commands hold the pipe's other end, without which the log would never come to its
        // end: they are gone behind this.
        let child = match spawn(template.in_session(), &writer) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                spawn(template.in_group(), &writer)?
            }
            started => started?,
        };
        drop(writer);
        let (says, ended) = watch::channel(None);
        let (ring, bell) = mpsc::channel();
        let group = Self { guard: guard(&child), ended, bell: Mutex::new(bell), child };
        let leader = group.leader()?;
        thread::Builder::new().name("end of a server".into()).spawn(move || {
            says.send_replace(Some(wait(leader)));
            // Who does not listen any more need not be told.
            let _ = ring.send(());
        })?;
        Ok((group, Log::drain(reader)?))
    }

    /// How the leader ended, if it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Waits for the leader to end.
    pub(super) async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = ended.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        status.unwrap_or_default()
    }

    fn leader(&self) -> io::Result<Pid> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| io::Error::other("the process has no number"))
    }
}

impl Drop for Group {
    /// The leader is asked to end in good order, with the others; what it leaves behind is killed.
    fn drop(&mut self) {
        if let Ok(leader) = self.leader() {
            // These fail where nothing is left of it, which is what is wanted.
            let _ = kill_process_group(leader, Signal::TERM);
            let _ = self.bell.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(GRACE);
            let _ = kill_process_group(leader, Signal::KILL);
        }
        // Only now is its number free for others.
        let _ = self.child.wait();
        if let Some(guard) = &mut self.guard {
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}

fn spawn(mut command: Command, log: &PipeWriter) -> io::Result<Child> {
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?).spawn()
}

/// Waits without taking note of the end for the system: until that is done, no other process gets
/// the number, so that a signal cannot go to a stranger.
fn wait(leader: Pid) -> ExitStatus {
    let ended = retry_on_intr(|| {
        waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    });
    ended.ok().flatten().map_or_else(ExitStatus::default, |status| status_of(&status))
}

fn status_of(status: &WaitIdStatus) -> ExitStatus {
    let code = status.exit_status().map(|code| (code & 0xff) << 8);
    ExitStatus::from_raw(code.or(status.terminating_signal()).unwrap_or_default())
}

fn guard(child: &Child) -> Option<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "guard", &child.id().to_string()]).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}
