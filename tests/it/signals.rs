//! Signals that end a run.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{Ran, folder, program};

/// A run of `a.rhai` that has connected to this process. From then on, the run handles signals.
fn connected(folder: &Path, args: &[&str]) -> (Child, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("url=tcp://{}", listener.local_addr().unwrap());
    let child = program()
        .current_dir(folder)
        .args(["run", "a.rhai", "--set", &url])
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    (child, listener.accept().unwrap().0)
}

pub(crate) fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Whether this process, and with it its children, ignores SIGHUP.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1)
}

#[test]
fn each_signal_that_ends_a_run_ends_a_script_that_only_computes() {
    let folder = folder(&[("a.rhai", "// Computes.\nlet s = connect(param(\"url\"));\nloop {}\n")]);
    let signals = [Signal::INT, Signal::TERM, Signal::HUP];
    // Under `nohup`, SIGHUP is ignored and stays so.
    let heard = signals.iter().filter(|signal| **signal != Signal::HUP || !is_hangup_ignored());
    for signal in heard {
        let (child, _stream) = connected(folder.path(), &[]);
        kill_process(Pid::from_child(&child), *signal).unwrap();
        let ran = ended(child);
        assert_eq!(ran.code, Some(130), "{ran:?}");
        assert!(ran.out.contains("STOP a.rhai") && ran.out.contains("--> a.rhai:3:"), "{ran:?}");
    }
}

/// The server takes the connection and never says a word.
#[test]
fn a_signal_ends_each_command_that_waits_for_a_server() {
    for command in [
        &["talk", "smtps://127.0.0.1:PORT"][..],
        &["talk", "127.0.0.1:PORT"],
        &["probe", "127.0.0.1:PORT", "--timeout", "60s"],
        &["doctor", "127.0.0.1", "--smtp-port", "PORT", "--submission-port", "PORT"],
        &["send", "--server", "smtps://127.0.0.1:PORT", "--to", "a@b.example"],
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let child = program()
            .args(command.iter().map(|argument| argument.replace("PORT", &port)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _stream = listener.accept().unwrap().0;
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let mut child = child;
        let stdin = child.stdin.take();
        let ran = ended(child);
        drop(stdin);
        assert_eq!(ran.code, Some(130), "{command:?}: {ran:?}");
    }
}

#[test]
fn a_script_that_waits_at_its_end_for_the_server_to_close_is_interrupted() {
    let script = "// Waits.\nlet s = connect(param(\"url\"));\ns.expect_bytes(\"hi\");\n";
    let folder = folder(&[("a.rhai", script)]);
    let (child, mut stream) = connected(folder.path(), &["--grace", "60s"]);
    stream.write_all(b"hi").unwrap();
    // The script closes its side at its end, and then waits for the server to close.
    stream.read_to_end(&mut Vec::new()).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let began = Instant::now();
    let ran = ended(child);
    assert!(ran.code == Some(130) && began.elapsed() < Duration::from_secs(30), "{ran:?}");
    assert!(ran.out.contains("error: interrupted") && ran.out.contains("--> a.rhai:"), "{ran:?}");
}

#[test]
fn a_script_that_is_interrupted_at_its_end_is_interrupted() {
    for (end, said) in [("throw \"no\";\n", "the script threw: no"), ("", "interrupted")] {
        let script = format!(
            "// Ends.\nlet s = connect(param(\"url\"));\n\
             defer(|| {{ s.send(\"x\"); s.expect_bytes(\"never\"); }});\n{end}"
        );
        let folder = folder(&[("a.rhai", &script)]);
        let (child, mut stream) = connected(folder.path(), &[]);
        stream.read_exact(&mut [0]).unwrap();
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let ran = ended(child);
        assert!(ran.code == Some(130) && ran.out.contains(said), "{ran:?}");
    }
}

#[test]
fn a_setup_that_is_interrupted_ends_with_its_deferred_closures_and_its_dialogue() {
    let setup = "// Waits.\nlet s = connect(param(\"url\"));\ndefer(|| s.send_raw(\"BYE\\r\\n\"));\n\
                 s.send(\"HELLO\");\ns.expect_bytes(\"never\");\n";
    let user = "connect().expect(220);";
    let folder = folder(&[("setup.rhai", setup), ("a.rhai", user), ("b.rhai", user)]);
    // Another script of the folder may wait for the same setup.
    let (child, mut stream) = connected(folder.path(), &["b.rhai", "-j", "2", "--timeout", "60s"]);
    let mut heard = [0; 7];
    stream.read_exact(&mut heard).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "BYE\r\n");
    let ran = ended(child);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    for part in ["interrupted while setup.rhai ran", "--> setup.rhai:5:", "C: HELLO", "C: BYE"] {
        assert!(ran.out.contains(part), "{part}: {ran:?}");
    }
}

#[test]
fn no_core_is_dumped_that_would_hold_passwords() {
    let folder = folder(&[(
        "a.rhai",
        "// Waits.\nlet s = connect(param(\"url\"));\ns.expect_bytes(\"never\");\n",
    )]);
    let (child, _stream) = connected(folder.path(), &[]);
    // The program's parent may allow core files of any size, so the limit is raised here.
    let pid = Pid::from_child(&child);
    let unlimited = rustix::process::Rlimit { current: None, maximum: None };
    // Without the permission to raise it, the limit of the system stays, which does not matter.
    let _ = rustix::process::prlimit(Some(pid), rustix::process::Resource::Core, unlimited);
    kill_process(pid, Signal::ABORT).unwrap();
    let status = child.wait_with_output().unwrap().status;
    assert!(!std::os::unix::process::ExitStatusExt::core_dumped(&status), "{status:?}");
}

#[test]
fn a_second_signal_ends_a_program_that_ignores_the_first() {
    // Nobody reads the output, so the program blocks in writing it.
    let script = "// Talks.\nlet s = connect(param(\"url\"));\ns.reset();\n\
                  for i in 0..4000 { print(\"a line that is longer than nothing at all\"); }\nloop {}\n";
    let folder = folder(&[("a.rhai", script)]);
    let (mut child, _stream) = connected(folder.path(), &[]);
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        std::thread::yield_now();
    };
    assert_eq!(code, Some(130));
}

/// Prints more than a pipe takes, and waits. What it printed is written when it has ended.
const PRINTS: &str = "// Talks.\nlet s = connect(param(\"url\"));\n\
    for i in 0..4000 { print(\"a line that is longer than nothing at all\"); }\n\
    s.send(\"x\");\ns.expect_bytes(\"never\");\n";

#[test]
fn a_program_whose_output_nobody_reads_ends_after_one_signal() {
    let folder = folder(&[("a.rhai", PRINTS)]);
    let (mut child, mut stream) = connected(folder.path(), &["-v"]);
    stream.read_exact(&mut [0]).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_script_that_passed_is_no_success_if_its_output_was_not_read() {
    let passes = PRINTS.replace("s.expect_bytes(\"never\");\n", "");
    let folder = folder(&[("a.rhai", &*passes)]);
    let (mut child, mut stream) = connected(folder.path(), &["-v"]);
    stream.read_exact(&mut [0]).unwrap();
    drop(stream);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_run_without_an_end_is_interrupted_whenever_the_signal_comes() {
    let folder = folder(&[("a.rhai", "// Quick.\nassert(true);\n")]);
    // Many tries, because most signals must come between two scripts for this to be seen.
    for option in [&["--until-fail"][..], &["--stress-for", "10m"]].repeat(8) {
        let mut child = program()
            .current_dir(folder.path())
            .args(["run", "a.rhai", "--format", "tap"])
            .args(option)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        // Scripts run from the first lines on.
        let mut line = String::new();
        while !line.starts_with("ok ") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0, "it has ended");
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        out.read_to_string(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{option:?}: {line}{err}");
        assert!(err.contains("interrupted: the run would have gone on"), "{err}");
    }
}

#[test]
fn a_program_whose_output_nobody_reads_ends_after_the_time_of_the_run() {
    let folder = folder(&[("a.rhai", PRINTS)]);
    let (mut child, _stream) = connected(folder.path(), &["-v", "--global-timeout", "300ms"]);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn an_interrupted_run_says_how_many_did_not_run() {
    let waiting = "// Waits.\nlet s = connect(param(\"url\"));\ns.expect_bytes(\"never\");\n";
    let quick = "// Quick.\nconnect(param(\"url\"));\n";
    let folder = folder(&[("a.rhai", waiting), ("b.rhai", quick), ("c.rhai", quick)]);
    for (args, said) in [
        (&["b.rhai", "c.rhai", "-j", "1"][..], "2 not run"),
        (&["--repeat", "7", "-j", "1"], "6 runs did not run"),
    ] {
        let (child, _stream) = connected(folder.path(), args);
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        // As a terminal that closes, or `timeout`: whoever ends a run may say so twice.
        let _ = kill_process(Pid::from_child(&child), Signal::HUP);
        let ran = ended(child);
        assert_eq!(ran.code, Some(130), "{ran:?}");
        assert!(ran.out.contains(said), "{ran:?}");
    }
}

#[test]
fn no_child_of_a_pipe_is_left() {
    // The shell ends soon, but its background process goes on.
    let script = "// Waits.\nlet p = pipe([\"sh\", \"-c\", \"sleep 1000 & echo $!; exec cat\"]);\n\
                  let s = connect(param(\"url\"));\ns.send(p.expect(re(`[0-9]+`))[0]);\n\
                  s.expect_bytes(\"never\");\n";
    let folder = folder(&[("a.rhai", script)]);
    for signals in [&[Signal::TERM][..], &[Signal::INT, Signal::INT]] {
        let (child, stream) = connected(folder.path(), &["--allow-run"]);
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(&stream), &mut line).unwrap();
        let sleeping = format!("/proc/{}/stat", line.trim());
        assert!(Path::new(&sleeping).exists(), "{line}");
        for signal in signals {
            // The first signal may have ended the program.
            let _ = kill_process(Pid::from_child(&child), *signal);
        }
        let ran = ended(child);
        assert_eq!(ran.code, Some(130), "{ran:?}");
        let until = Instant::now() + Duration::from_secs(5);
        let gone = || {
            let stat = std::fs::read_to_string(&sleeping).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        while !gone() {
            assert!(Instant::now() < until, "{line} still runs");
            std::thread::yield_now();
        }
    }
}
