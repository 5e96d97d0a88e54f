//! The processes that a process has started, itself or through others. They may have left its
//! process group (`setsid`).

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal};

/// The most processes that are looked for: a process that starts others without an end must not
/// take all file descriptors.
const MOST: usize = 256;

/// The living descendants of a process at one moment. Each is held by a descriptor, because its
/// number may become that of another process.
#[derive(Debug, Default)]
pub(crate) struct Descendants(Vec<OwnedFd>);

impl Descendants {
    /// Finds those of a process; none if the process has ended, or if the system does not tell.
    pub(crate) fn of(ancestor: Pid) -> Self {
        let mut found = Vec::new();
        let (mut parents, mut known) = (vec![ancestor], BTreeSet::new());
        while let Some(parent) = parents.pop() {
            for child in children(parent) {
                if found.len() == MOST || !known.insert(child) {
                    continue;
                }
                let Some(process) = open(child) else { continue };
                // A process that is still a child of its parent is the one that was opened.
                if children(parent).contains(&child) {
                    found.push(process);
                    parents.extend(Pid::from_raw(child));
                }
            }
        }
        Self(found)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // An error means that the process has ended.
        self.0.iter().for_each(|process| send(process, signal));
    }
}

/// The children of a process, of all its threads.
fn children(parent: Pid) -> Vec<i32> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero()));
    let of_threads = threads.into_iter().flatten().flatten();
    let lists = of_threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |list: String| -> Vec<i32> {
        list.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
    };
    lists.flat_map(numbers).collect()
}

#[cfg(target_os = "linux")]
fn open(process: i32) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};

    pidfd_open(Pid::from_raw(process)?, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn open(_: i32) -> Option<OwnedFd> {
    None
}

#[cfg(target_os = "linux")]
fn send(process: &OwnedFd, signal: Signal) {
    let _ = rustix::process::pidfd_send_signal(process, signal);
}

#[cfg(not(target_os = "linux"))]
fn send(_: &OwnedFd, _: Signal) {}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::retry_on_intr;

    use super::*;

    fn ends(process: &OwnedFd) -> bool {
        let limit = Timespec::try_from(Duration::from_secs(20)).unwrap();
        let mut watched = [PollFd::new(process, PollFlags::IN)];
        // The children of other tests end too, and each end is a signal to this process.
        retry_on_intr(|| poll(&mut watched, Some(&limit))).unwrap() == 1
    }

    #[test]
    fn a_process_that_left_its_session_is_found_and_ended() {
        // The inner shell is in a session of its own and starts another process.
        let script = "setsid sh -c 'sleep 1000 & echo $$ $!; wait' & wait";
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Vec<_> =
            line.split_ascii_whitespace().map(|number| open(number.parse().unwrap())).collect();
        let leader = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        Descendants::of(leader).signal(Signal::KILL);
        assert_eq!(started.len(), 2);
        assert!(started.iter().flatten().all(ends), "{line}");
        child.wait().unwrap();
        assert_eq!(Descendants::of(leader).0.len(), 0);
    }
}
