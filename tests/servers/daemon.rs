//! A server's process, with all that it starts.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long anything may take here. Only a broken machine needs more than a fraction of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the server as the leader of a session, so that all that it starts can be found, with one
/// more process in it: that waits for the end of a pipe which we hold and never write to. It comes
/// with our own end, also where we are killed or interrupted and nothing is dropped.
const WATCHED: &str = r#"exec 3<&0; ( (read _ <&3; kill -s TERM 0) & ); exec "$@" 3<&- </dev/null"#;

/// A process in the foreground of a session of its own. Dropping it ends the session.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts a command line whose program stays in the foreground; what it prints goes to the log.
    pub(crate) fn start(command_line: &Command, log: File) -> io::Result<Self> {
        let mut command = Command::new("setsid");
        command
            .args(["sh", "-c", WATCHED, "sh"])
            .arg(command_line.get_program())
            .args(command_line.get_args());
        let child = command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self { child })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::from_raw(0)))
    }

    fn session(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Daemon {
    /// The signal goes to the whole group: Dovecot's master alone would leave its auth process
    /// after, half a minute long if somebody is connected to it.
    fn drop(&mut self) {
        for signal in [Signal::TERM, Signal::KILL] {
            // Fails where nothing is left of it, which is what is wanted.
            let _ = kill_process_group(self.session(), signal);
            if wait_until(|| self.ended().is_some() && !is_running(self.session())) {
                return;
            }
        }
    }
}

/// Whether anything of a session still runs. A zombie does not: when it goes depends on the
/// machine's init, and in a container there may be none that cares.
fn is_running(session: Pid) -> bool {
    let session = session.as_raw_pid().to_string();
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // pid (name) state parent group session ...; the name can hold anything, even a
        // parenthesis.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let mut fields = fields.split(' ');
        !matches!(fields.next(), Some("Z" | "X")) && fields.nth(2) == Some(&session)
    })
}

/// Asks until the answer is yes, or for too long: a process says neither that it listens nor that
/// its last child is gone in any way that could be waited for. The pause in between is a receive
/// that nobody will ever send to.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let (_sender, pause) = mpsc::channel::<()>();
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        let _ = pause.recv_timeout(Duration::from_millis(5));
    }
    true
}
