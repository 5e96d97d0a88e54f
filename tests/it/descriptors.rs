//! The limit on open file descriptors.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Ran, folder};

/// Runs the program in a shell that lowers its limits first.
fn with_limit(folder: &Path, limit: &str, args: &str) -> Ran {
    let line = format!("ulimit {limit} && exec {} {args}", env!("CARGO_BIN_EXE_mailexpect"));
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A script that holds 60 sessions open at the same time.
const MANY_SESSIONS: &str = "let all = []; for n in 0..60 { let s = connect(param(\"smtp\")); s.expect(220); all.push(s); }\n\
for s in all { s.send(\"QUIT\"); s.expect(221); }";

#[test]
fn the_limit_on_file_descriptors_is_raised_where_that_is_allowed() {
    let server = mailexpect::server::Embedded::start().unwrap();
    let folder = folder(&[("many.rhai", MANY_SESSIONS)]);
    let ran = with_limit(
        folder.path(),
        "-S -n 40",
        &format!("run many.rhai --set smtp={}", server.smtp()),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn the_limit_on_file_descriptors_is_named_whatever_a_script_opens() {
    for call in ["listen(\"smtp\")", "serve(\"smtp\")", "pipe(\"cat\")"] {
        let script = format!("// Opens.\nlet all = []; for n in 0..60 {{ all.push({call}); }}\n");
        let folder = folder(&[("many.rhai", &*script)]);
        let ran = with_limit(folder.path(), "-n 60", "run many.rhai --allow-run");
        assert!(ran.out.contains("raise the limit (ulimit -n)"), "{call}: {ran:?}");
    }
}

#[test]
fn the_limit_on_file_descriptors_is_named_where_it_cannot_be_raised() {
    let server = mailexpect::server::Embedded::start().unwrap();
    let folder = folder(&[("many.rhai", MANY_SESSIONS)]);
    let ran =
        with_limit(folder.path(), "-n 40", &format!("run many.rhai --set smtp={}", server.smtp()));
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.out.contains("this process may have 40 file descriptors"), "{}", ran.out);
}

#[test]
fn the_limit_on_file_descriptors_is_named_where_the_embedded_server_lacks_them() {
    // The clients take all descriptors, mostly before the server has taken the last connections.
    let script = "// Opens.\nlet all = [];\n\
                  try { loop { all.push(connect(param(\"smtp\"))); } } catch { }\n\
                  for s in all { s.expect(220, #{timeout: \"1s\"}); }\n";
    let folder = folder(&[("many.rhai", script)]);
    let ran = with_limit(folder.path(), "-n 40", "run many.rhai");
    let is_named = ran.out.contains("raise the limit (ulimit -n)");
    assert!(ran.code == Some(0) || is_named, "{ran:?}");
}
