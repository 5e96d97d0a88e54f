//! The process of a server, and all processes that it starts.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// The timeout of every wait here. Only a broken machine needs more than a fraction of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the server as the leader of a session, so that all processes that it starts can be found.
/// Another process in the session waits for the end of a pipe that the test holds open and never
/// writes to, and then ends the session. So the server ends with the test, even if the test is
/// killed and drops nothing.
const WATCHED: &str = r#"exec 3<&0; ( (read _ <&3; kill -s TERM 0) & ); exec "$@" 3<&- </dev/null"#;

/// A process that leads its own session. Dropping it ends the session.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts a command whose program stays in the foreground. Its output goes to the log.
    pub(crate) fn start(command_line: &Command, log: File) -> io::Result<Self> {
        let mut command = Command::new("setsid");
        command
            .args(["sh", "-c", WATCHED, "sh"])
            .arg(command_line.get_program())
            .args(command_line.get_args());
        let child = command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self { child })
    }

    /// The exit status of the process, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::from_raw(0)))
    }

    fn session(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Daemon {
    /// Signals the whole process group: if only Dovecot's master got the signal, its auth process
    /// would run on for up to half a minute while a client is connected to it.
    fn drop(&mut self) {
        for signal in [Signal::TERM, Signal::KILL] {
            // This fails if no process of the group is left, which is the goal.
            let _ = kill_process_group(self.session(), signal);
            if wait_until(|| self.ended().is_some() && !is_running(self.session())) {
                return;
            }
        }
    }
}

/// Whether any process of a session still runs. Zombies do not count: when they disappear depends
/// on the init process of the machine, and a container may have none that reaps them.
fn is_running(session: Pid) -> bool {
    let session = session.as_raw_pid().to_string();
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // The fields are: pid (name) state parent group session ... The name may contain
        // parentheses.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let mut fields = fields.split(' ');
        !matches!(fields.next(), Some("Z" | "X")) && fields.nth(2) == Some(&session)
    })
}

/// Calls `done` again and again until it returns true. Returns false if that takes too long. There
/// is no event to wait for when a process begins to listen, or when its last child has ended.
/// Between two calls, this waits on a channel that nobody sends to.
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
