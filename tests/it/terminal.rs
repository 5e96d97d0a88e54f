//! Text that drives a terminal, hides text or reorders it, from every source of text there is:
//! nothing of it reaches the terminal, or a file that a terminal shows.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use rcgen::DnType;

use crate::escaped::assert_harmless;
use crate::peer::{answering, serving};
use crate::program::{folder, program};
use crate::tls_server::{Ca, converse, params, tls};

/// Text that controls a terminal, and that hides and reorders text.
const EVIL: &str =
    "\u{1b}[2J\u{1b}]52;c;AAAA\u{7}\u{1b}[8m\u{9b}2J\u{200b}\u{feff}\u{202e}x\u{2066}\u{7f}";

/// The port of a server that sends such text in every reply.
fn evil_replies() -> u16 {
    let greeting = format!("220-{EVIL}\r\n220 hi {EVIL}\r\n");
    let offers = format!("250-{EVIL}\r\n250-SIZE {EVIL}\r\n250 AUTH X{EVIL} PLAIN\r\n");
    let refuses = format!("550-{EVIL}\r\n550 5.7.1 {EVIL}\r\n");
    let answer =
        move |line: &str| if line.starts_with("EHLO") { &offers } else { &refuses }.clone();
    answering(&greeting, answer).port()
}

/// The port of a server with such text in its certificate, as subject and issuer.
fn evil_certificate() -> u16 {
    let mut subject = params("localhost");
    subject.distinguished_name.push(DnType::OrganizationName, EVIL);
    subject.distinguished_name.push(DnType::LocalityName, "a\r\nS: 250 ok");
    let config = Ca::new(EVIL).sign(&subject).config();
    let server = serving(move |client, _| {
        converse(tls(config.clone(), client.into_stream()));
        Ok(())
    });
    server.port()
}

/// The text as a script, a project file or a shell says it.
fn written() -> String {
    EVIL.replace('\u{1b}', "\\x1b").replace('\u{7}', "\\x07")
}

/// A folder with such text in scripts, names, a golden, a project file and a transcript.
fn sources() -> tempfile::TempDir {
    let line = written();
    let throws = format!("// A title {EVIL}.\nthrow \"{line}\";\n");
    let prints = format!(
        "// Prints.\nprint(\"{line}\");\nstep(\"{line}\");\nconnect().expect(220);\nassert(false, \"{line}\");\n"
    );
    let source = format!("// Source.\nlet x = 1; conect(); // {EVIL}\n");
    let offers = "// Offers.\nlet s = connect(param(\"url\"));\ns.expect(220);\ns.ehlo(\"a\");\nsnapshot(s.capabilities.keywords);\ns.auth(\"u\", \"p\");\n";
    let process = "// A process.\nlet r = run([\"printf\", \"\\\\033[2J\"]);\nprint(r.stdout);\nlet s = pipe([\"sh\", \"-c\", \"printf '\\\\033[2J' >&2; printf '220 \\\\033[2J\\\\r\\\\n'; exit 7\"], #{protocol: \"smtp\"});\ns.expect(250);\n";
    let certificate = "// A certificate.\nconnect(param(\"tls\")).expect(220);\n";
    let greeting = "// The greeting.\nconnect().expect(220);\n";
    let golden = format!("---\nsource: {EVIL:?}\n---\nS: 220 {EVIL}\n");
    folder(&[
        ("throws.rhai", &throws),
        ("prints.rhai", &prints),
        ("source.rhai", &source),
        ("offers.rhai", offers),
        ("process.rhai", process),
        ("certificate.rhai", certificate),
        ("golden/a.rhai", greeting),
        ("golden/snapshots/a.snap", &golden),
        (&format!("name{EVIL}.rhai"), greeting),
        ("target/mailexpect.toml", &format!("[target.a]\n\"{line}\" = \"x\"\n")),
        ("target/a.rhai", greeting),
        ("said.txt", &format!("S: 220 {EVIL}\nC: EHLO {EVIL}\nS: 250 {EVIL}\n")),
        ("events", &format!("{{\"event\":\"{EVIL}\"}}\n")),
    ])
}

fn ran(folder: &Path, args: &[&str], stdin: &str) -> Output {
    let mut command = program();
    command.current_dir(folder).args(args).env("EDITOR", EVIL).env("LANG", EVIL);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that has ended before reads nothing.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn assert_harmless_with_and_without_colors(folder: &Path, args: &[&str]) {
    for color in ["never", "always"] {
        let args = [&["--color", color][..], args].concat();
        let output = ran(folder, &args, "EHLO a\r\nNOOP\r\n");
        assert_harmless(&format!("{args:?} stdout"), &output.stdout);
        assert_harmless(&format!("{args:?} stderr"), &output.stderr);
        assert!(output.stdout.len() + output.stderr.len() > 10, "{args:?} said nothing");
    }
}

#[test]
fn nothing_that_others_say_drives_the_terminal() {
    let server = evil_replies();
    let (smtp, place) = (format!("smtp://127.0.0.1:{server}"), format!("127.0.0.1:{server}"));
    let url = format!("url={smtp}");
    let secure = format!("tls=smtps://localhost:{}", evil_certificate());
    let name = format!("name{EVIL}.rhai");
    let set = format!("{EVIL}=x");
    let failing = format!("password=cmd:printf '{}' >&2; exit 3", written());
    let port = server.to_string();
    let folder = sources();
    let cases: &[&[&str]] = &[
        &["run", ".", "-v", "--check", "--allow-run", "--set", &url, "--set", &secure],
        &["run", "offers.rhai", "--set", &url],
        &["run", "offers.rhai", "--trace", "on", "--check", "--set", &url],
        &["run", "offers.rhai", "--repeat", "2", "--check", "--set", &url],
        &["run", "offers.rhai", "--segment", "--check", "--set", &url],
        &["run", "process.rhai", "--allow-run"],
        &["run", "certificate.rhai", "-v", "--set", &secure],
        &["run", "certificate.rhai", "-v", "--insecure", "--set", &secure],
        &["run", "golden/a.rhai"],
        &["review", "golden"],
        &["check", "."],
        &["list", "."],
        &["diff", "offers.rhai", &smtp, &smtp],
        &["talk", &smtp],
        &["send", "--server", &smtp, "--from", "a@example.com", "--to", EVIL],
        &["probe", &place, "-v", "--to", "rcpt"],
        &["probe", &smtp, "--json"],
        &["doctor", "127.0.0.1", "--smtp-port", &port, "--timeout", "2s"],
        &["explain", &format!("550 5.7.1 {EVIL}")],
        &["redact", "said.txt"],
        &["import", "said.txt"],
        &["serve", "--replay", "events"],
        &["report", "merge", "events"],
        &["show", "events"],
        &["run", EVIL],
        &["run", &name, "--set", &set],
        &["run", &name, "--set", &format!("x=env:{EVIL}")],
        &["run", &name, "--set", &format!("x=file:{EVIL}")],
        &["run", &name, "--set", &failing],
        &["run", &name, "--target", EVIL],
        &["run", "target/a.rhai", "--target", EVIL],
        &["run", &name, "--redact", EVIL],
        &["run", &name, "--cacert", EVIL],
        &["run", &name, "--allow-host", EVIL],
        &["run", "--jobs", EVIL],
        &["run", "--resolve", EVIL],
        &["run", &format!("--{EVIL}")],
        &["redact", EVIL],
        &["review", EVIL],
        &["reference", EVIL],
        &["sasl", EVIL, EVIL],
        &["connect", EVIL],
        &[EVIL],
    ];
    for args in cases {
        assert_harmless_with_and_without_colors(folder.path(), args);
    }
}

/// The lines of a report on stdout and in a file.
fn reports(folder: &Path, name: &str, format: &[&str], to_file: &[&str]) -> [String; 2] {
    let server = format!("url=smtp://127.0.0.1:{}", evil_replies());
    let common = ["run", ".", "--check", "--set", &server];
    let shown = ran(folder, &[&common, format].concat(), "");
    ran(folder, &[&common, to_file].concat(), "");
    let file = fs::read(folder.join(name)).unwrap();
    for (what, bytes) in [("stdout", &shown.stdout), ("file", &file)] {
        assert_harmless(&format!("{name} {what}"), bytes);
    }
    [shown.stdout, file].map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn reports_for_programs_can_be_read_whatever_they_report() {
    let said = "\u{2014} \u{201c}q\u{201d} \u{1f600}";
    let title = format!("// A title {said}.\nstep(\"{said}\");\nconnect().expect(220);\n");
    let folder = sources();
    fs::write(folder.path().join("dashes.rhai"), title).unwrap();
    for report in reports(folder.path(), "a", &["--format", "json"], &["--format", "json=a"]) {
        let events = report.lines().map(|line| {
            serde_json::from_str::<serde_json::Value>(line)
                .unwrap_or_else(|e| panic!("{e}: {line}"))
        });
        let titles = events.filter_map(|event| event["title"].as_str().map(str::to_owned));
        let titles: Vec<_> = titles.collect();
        assert!(titles.iter().any(|title| title.contains(said)), "{titles:?}");
        assert!(titles.iter().any(|title| title.contains(EVIL)), "{titles:?}");
    }
    for report in reports(folder.path(), "b", &["--format", "tap"], &["--format", "tap=b"]) {
        let messages = report.lines().filter_map(|line| line.strip_prefix("  message: "));
        assert!(messages.map(serde_json::from_str::<String>).all(|message| message.is_ok()));
    }
    let prometheus = ["--format", "prometheus", "--format", "prometheus=c"];
    for report in reports(folder.path(), "c", &prometheus[..2], &prometheus[2..]) {
        // The text format knows these escapes in labels, and no other.
        let mut rest = report.as_str();
        while let Some((_, after)) = rest.split_once('\\') {
            assert!(after.starts_with(['\\', '"', 'n']), "{}", &after[..after.len().min(80)]);
            rest = &after[1..];
        }
    }
    for (name, option) in [("d", "--junit"), ("e", "--html")] {
        reports(folder.path(), name, &[option, name], &[option, name]);
    }
}
