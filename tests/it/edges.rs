//! The edges of the program: signals, special files, names and descriptors.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::program::{folder, run};

const GREETING: &str = "// The greeting.\nconnect().expect(220);\n";

#[test]
fn a_script_holds_what_it_is_given_and_the_others_go_on() {
    let grow = |megabytes: usize| {
        format!(
            "// Grows.\nlet all = #{{}};\nfor n in 0..{megabytes} {{ all[`${{n}}`] = blob(1000000, n); }}\n\
             connect().expect(220);\n"
        )
    };
    let files = [("a.rhai", &*grow(100)), ("b.rhai", &*grow(10)), ("c.rhai", &*grow(400))];
    let folder = folder(&files);
    let kinds = |memory: &[&str]| {
        let args = [&["run", "a.rhai", "b.rhai", "c.rhai", "-j", "3"], memory].concat();
        let ran = run(folder.path(), &args);
        let told = ran.out.matches("error: the script is out of bounds: it holds too much memory");
        let told = told.count();
        let passed = format!("{} passed", 3 - told);
        assert!(ran.out.contains(&passed), "{ran:?}");
        assert!(told == 0 || ran.out.contains("--memory"), "{ran:?}");
        (ran.code, told)
    };
    assert_eq!(kinds(&[]), (Some(2), 1));
    assert_eq!(kinds(&["--memory", "32M"]), (Some(2), 2));
    assert_eq!(kinds(&["--memory", "1 GiB"]), (Some(0), 0));
    let ran = run(folder.path(), &["run", "b.rhai", "--memory", "much"]);
    assert!(ran.code == Some(2) && ran.err.contains("a size is given as 256M or 1G"), "{ran:?}");
}

#[test]
fn texts_that_operators_make_are_bounded_whatever_a_script_may_hold() {
    let grow = |value: &str| format!("let t = {value};\nfor n in 0..30 {{ t += t; }}\nt.len();\n");
    let (text, blob) = (grow("\"x\""), grow("blob(1)"));
    let folder = folder(&[("text.rhai", &text), ("blob.rhai", &blob)]);
    for script in ["text.rhai", "blob.rhai"] {
        let ran = run(folder.path(), &["run", script, "--memory", "2G"]);
        assert!(ran.code == Some(2) && ran.out.contains("64 MiB"), "{ran:?}");
    }
}

#[test]
fn a_name_server_that_never_answers_holds_nobody_longer_than_the_deadline() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nameserver = silent.local_addr().unwrap().to_string();
    let files = [
        ("a.rhai", "// An exchanger.\nconnect(\"mx://a.example\").expect(220);\n"),
        ("b.rhai", "// An address.\nconnect(\"smtp://b.example\").expect(220);\n"),
        ("c.rhai", "// A port.\nexpect_port(\"c.example:25\", \"open\");\n"),
    ];
    let folder = folder(&files);
    let asked = |bound: &str| {
        let scripts = ["run", "a.rhai", "b.rhai", "c.rhai", "-j", "3"];
        let args = [&scripts[..], &["--nameserver", &nameserver, bound, "300ms"]].concat();
        let began = Instant::now();
        let ran = run(folder.path(), &args);
        // Without the deadline, each look-up would take 10 s.
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}: {ran:?}", began.elapsed());
        ran
    };
    let ran = asked("--timeout");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let ran = asked("--deadline");
    assert!(
        ran.out.matches("error: the deadline of the whole script ran out").count() == 3,
        "{ran:?}"
    );
}

#[test]
fn a_script_that_takes_long_to_compile_ends_at_its_deadline() {
    // Rhai compares each key of a map with all before it.
    let keys = (0..200_000).fold(String::new(), |keys, key| keys + format!("k{key}:0,").as_str());
    let files = [
        ("a.rhai", format!("let m = #{{{keys}}};\n")),
        ("lib/b.rhai", format!("fn f() {{ #{{{keys}}} }}\n")),
        ("b.rhai", "import \"lib/b\" as b;\nassert(true);\n".to_owned()),
        ("quick.rhai", "assert(true);\n".to_owned()),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let folder = folder(&files);
    let began = Instant::now();
    let ran = run(folder.path(), &["run", "a.rhai", "b.rhai", "quick.rhai", "--deadline", "300ms"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}: {ran:?}", began.elapsed());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = "error: the deadline of the whole script ran out before it was compiled";
    assert_eq!(ran.out.matches(said).count(), 2, "{ran:?}");
    assert!(ran.out.contains("1 passed"), "{ran:?}");
    // Parameters are looked for in the text, before scripts run.
    let ran = run(folder.path(), &["run", "a.rhai", "--set", "x=y", "--deadline", "300ms"]);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}: {ran:?}", began.elapsed());
    assert!(ran.code == Some(1) && ran.out.contains(said), "{ran:?}");
}

#[test]
fn a_script_is_at_most_two_mebibytes_with_its_imports() {
    let comment = format!("// {}\n", "x".repeat(1500 << 10));
    let larger = comment.repeat(2);
    let files = [
        ("a.rhai", "import \"lib/a\" as a;\nimport \"lib/b\" as b;\nassert(true);\n"),
        ("lib/a.rhai", comment.as_str()),
        ("lib/b.rhai", comment.as_str()),
        ("b.rhai", larger.as_str()),
    ];
    let ran = run(folder(&files).path(), &["run", "a.rhai", "b.rhai"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.out.contains("a.rhai:2:1"), "{ran:?}");
    assert!(ran.out.contains("the script has more than 2 MiB with its imports"), "{ran:?}");
    assert!(ran.out.contains("hint: put long data into files of their own: read("), "{ran:?}");
    assert!(ran.out.contains("cannot read b.rhai: it has more than 2097152 bytes"), "{ran:?}");
}

#[test]
fn files_that_are_none_are_refused_at_once() {
    let folder = folder(&[
        ("a.rhai", GREETING),
        ("imports.rhai", "import \"fifo\" as f;\nconnect().expect(220);\n"),
        ("b.rhai", GREETING),
        ("snapshots/b.snap", ""),
        ("project/a.rhai", GREETING),
    ]);
    for fifo in ["fifo.rhai", "snapshots/b.snap", "project/mailexpect.toml"] {
        let path = folder.path().join(fifo);
        let _ = std::fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    }
    for (args, why) in [
        (&["run", "fifo.rhai"][..], "it is a FIFO"),
        (&["check", "fifo.rhai"], "it is a FIFO"),
        (&["run", "imports.rhai"], "it is a FIFO"),
        (&["run", "b.rhai"], "it is a FIFO"),
        (&["run", "a.rhai", "--cacert", "fifo.rhai"], "it is a FIFO"),
        (&["run", "a.rhai", "--cacert", "/dev/zero"], "it is a device"),
        (&["run", "/dev/zero"], "it is a device"),
        (&["redact", "fifo.rhai"], "it is a FIFO"),
        (&["run", "a.rhai", "--junit", "fifo.rhai"], "FIFO or a socket that nobody reads"),
        (&["run", "a.rhai", "--format", "json=fifo.rhai"], "that nobody reads"),
        (&["serve", "--ca", "fifo.rhai"], "that nobody reads"),
    ] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(ran.out.contains(why) || ran.err.contains(why), "{args:?} {ran:?}");
    }
    let ran = run(&folder.path().join("project"), &["run", "a.rhai"]);
    assert!(ran.code == Some(2) && ran.err.contains("it is a FIFO"), "{ran:?}");
}

#[test]
fn a_unix_socket_elsewhere_needs_a_grant() {
    let elsewhere = folder(&[]);
    let path = elsewhere.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = std::thread::spawn(move || {
        let streams = [(); 2].map(|()| {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, b"220 hi\r\n").unwrap();
            stream
        });
        // Each connection stays open until its script has ended.
        for mut stream in streams {
            std::io::Read::read_to_end(&mut stream, &mut Vec::new()).unwrap();
        }
    });
    let url = format!("smtp+unix://{}", path.display());
    let literal = format!("// Says it itself.\nconnect(\"{url}\").expect(220);\n");
    let folder = folder(&[
        ("a.rhai", &literal),
        ("b.rhai", "// Is given it.\nconnect(param(\"url\")).expect(220);\n"),
    ]);
    let ran = run(folder.path(), &["run", "a.rhai"]);
    assert!(ran.code == Some(2) && ran.out.contains("--allow-sockets"), "{ran:?}");
    let ran = run(folder.path(), &["run", "a.rhai", "--allow-sockets"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &["run", "b.rhai", "--set", &format!("url={url}")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serving.join().unwrap();
}

#[test]
fn hosts_can_be_limited() {
    let folder =
        folder(&[("a.rhai", "// Somewhere.\nconnect(\"smtp://localhost:1\").expect(220);\n")]);
    for (allowed, code) in [("mail.example.com", 2), ("*.localhost", 2), ("LOCALHOST", 3)] {
        let ran = run(folder.path(), &["run", "a.rhai", "--allow-host", allowed]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert_eq!(ran.out.contains("--allow-host localhost"), code == 2, "{ran:?}");
    }
}

#[test]
fn no_script_is_passed_over_whatever_its_name_is() {
    let folder = folder(&[("a.rhai", GREETING)]);
    let name = OsStr::from_bytes(b"b\xff.rhai");
    std::fs::write(folder.path().join(name), GREETING).unwrap();
    for args in [&["run"][..], &["run", "*.rhai"], &["check"]] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(ran.out.contains("is not UTF-8"), "{args:?} {ran:?}");
    }
}

#[test]
fn scripts_may_come_from_other_editors_and_name_their_program() {
    let crlf = "\u{feff}// The greeting.\r\nlet text = `a\r\nb`;\r\nassert_eq(text.len(), 3);\r\nconnect().expect(220);\r\n";
    let folder = folder(&[
        ("crlf.rhai", crlf),
        (
            "bang.rhai",
            "#!/usr/bin/env -S mailexpect run\n// The greeting.\nconnect().expect(220);\n",
        ),
    ]);
    let ran = run(folder.path(), &["run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.matches("The greeting.").count(), 2, "{ran:?}");
    let bang = folder.path().join("bang.rhai");
    std::fs::set_permissions(&bang, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_mailexpect")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new(&bang).env("PATH", path).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn too_few_descriptors_are_an_error_that_names_the_limit() {
    let folder = folder(&[("a.rhai", GREETING)]);
    let program = env!("CARGO_BIN_EXE_mailexpect");
    let to_connect = [
        "run a.rhai",
        "serve",
        "probe 127.0.0.1:1",
        "doctor 127.0.0.1",
        "talk 127.0.0.1:1",
        "send --server 127.0.0.1:1 --to a@example.com",
        "watch a.rhai --every 1s",
        "clients -- true",
        "record --listen smtp://127.0.0.1:0 --to smtp://127.0.0.1:1",
    ];
    for limit in 4..20 {
        for command in to_connect {
            let line = format!("ulimit -n {limit}; timeout 20 {program} {command} </dev/null");
            let output = Command::new("bash")
                .args(["-c", &line])
                .current_dir(folder.path())
                .output()
                .unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.code() == Some(1) && err.contains("ulimit"),
                "{limit} {output:?}"
            );
            assert!(!err.contains("panicked"), "{err}");
        }
    }
}

#[test]
fn a_golden_that_takes_long_to_compare_ends_with_the_script_and_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let script = "// Many matches, each to the end of a long line.\n\
        redact(\"(?P<v>a)[^x]*\", \"A\");\nlet text = \"a\";\ntext.pad(400000, \"a\");\nsnapshot(text);\n\
        assert_eq(1, 1);\n";
    std::fs::write(folder.path().join("a.rhai"), script).unwrap();
    let ran = run(folder.path(), &["run", "a.rhai", "--record", "--deadline", "2s"]);
    let said = "error: the deadline of the whole script ran out while the golden was compared";
    assert!(ran.out.contains(said), "{}{}", ran.out, ran.err);
    let ran = run(folder.path(), &["run", "a.rhai", "--record", "--global-timeout", "2s"]);
    let said = "error: the time of the run, 2 s, is up";
    assert!(ran.out.contains(said), "{}{}", ran.out, ran.err);
    assert!(!folder.path().join("snapshots").exists(), "a golden was written");
}
