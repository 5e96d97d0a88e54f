//! The process of a server and all processes that it starts, as one group that ends together.

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

/// How long a server may take to end after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// A script that waits for the end of a pipe, of which this process holds the write end and to
/// which it never writes. The pipe ends with this process, even if it is killed and nothing is
/// dropped; the script then ends the group.
const GUARD: &str =
    r#"trap '' TERM HUP INT; read -r _; kill -s TERM -- "-$1"; sleep 2; kill -s KILL -- "-$1""#;

/// A process that leads a group of its own. Dropping it ends the group.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    /// How the leader ended; `None` while it runs.
    ended: watch::Receiver<Option<ExitStatus>>,
    /// Signals the end of the leader to code outside of a runtime. In a lock, so that a server can
    /// be in a `static`.
    bell: Mutex<mpsc::Receiver<()>>,
    /// Runs [`GUARD`]. `None` if the script could not be started; then the group outlives a process
    /// that is killed.
    guard: Option<Child>,
}

impl Group {
    /// Starts a command without input. The output of the command and of all that it starts goes
    /// into the log.
    pub(super) fn start(template: &Template) -> io::Result<(Self, Log)> {
        let (reader, writer) = io::pipe()?;
        // The commands hold write ends of the pipe, and are dropped in this statement: the log ends
        // only after all write ends are closed.
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
            // Fails if the group was dropped; then nobody needs the signal.
            let _ = ring.send(());
        })?;
        Ok((group, Log::drain(reader)?))
    }

    /// How the leader ended; `None` while it runs.
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
    /// Asks the whole group to end, waits for the leader, and kills what is left.
    fn drop(&mut self) {
        if let Ok(leader) = self.leader() {
            // The signals fail if no process of the group is left, which is the goal.
            let _ = kill_process_group(leader, Signal::TERM);
            let _ = self.bell.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(GRACE);
            let _ = kill_process_group(leader, Signal::KILL);
        }
        // Reaps the leader only after the signals: its process id is then free for other processes.
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

/// Waits for the end of the leader without reaping it. Until it is reaped, no other process gets
/// its process id, so a signal cannot reach an unrelated process.
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
