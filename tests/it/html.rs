//! The report for browsers, in a browser.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::{folder, run};

/// A script of each kind of outcome; one knows a secret, and a server says what would be markup.
fn scripts() -> tempfile::TempDir {
    folder(&[
        ("a.rhai", "// Greets, <b>well</b>.\nstep(\"the greeting\");\nconnect().expect(220);\n"),
        (
            "b.rhai",
            "// Fails.\nlet s = connect(param(\"submission\"));\ns.expect(220);\ns.send(\"EHLO x\");\ns.expect(250);\n\
             s.send(\"AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3\");\ns.expect(235);\n\
             step(\"markup\");\ns.send(\"VRFY <script>document.title='owned'</script>\");\ns.expect(222);\n",
        ),
        ("c.rhai", "// Skips.\nskip(\"no TLS here\");\n"),
    ])
}

/// What the page is after its script ran, and what the browser complained of; nothing without
/// Chromium (Debian: chromium).
fn browse(file: &Path, query: &str) -> Option<(String, String)> {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
        // It would look for news of its own on the network.
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--no-first-run", "--disable-quic", "--disable-default-apps"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("file://{}{query}", file.display()))
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Some((text(&output.stdout), text(&output.stderr)))
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            eprintln!("skipped: Chromium cannot be run: {error}");
            None
        }
    }
}

#[test]
fn the_report_is_one_file_without_secrets_and_what_failed_is_open() {
    let folder = scripts();
    let ran = run(folder.path(), &["run", "--html", "report.html"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(!page.contains("pppwww") && !page.contains("AGhvZ2VA"), "{page}");
    assert!(page.contains("[SECRET]") && page.contains("1 of 3 failed"), "{page}");
    assert!(page.contains("hoge@example.com"), "SASL is decoded: {page}");
    for (id, is_open) in [("r0", false), ("r1", true), ("r2", false)] {
        let tag = page.split(&format!("id=\"{id}\"")).nth(1).unwrap().split('>').next().unwrap();
        assert_eq!(tag.ends_with(" open"), is_open, "{id}: {tag}");
    }
    assert!(page.contains("skipped: no TLS here"), "{page}");
}

#[test]
fn a_browser_runs_the_script_of_the_page_and_none_of_a_server() {
    let folder = scripts();
    run(folder.path(), &["run", "--html", "report.html"]);
    let file = folder.path().join("report.html");
    let Some((dom, complaints)) = browse(&file, "#r0s2") else { return };
    assert!(dom.contains("<title>1 of 3 failed</title>"), "{dom}");
    assert!(!complaints.contains("CONSOLE") && !complaints.contains("Refused"), "{complaints}");
    let Some((dom, _)) = browse(&file, "?q=greets") else { return };
    let hidden = |id: &str| {
        let tag = dom.split(&format!("id=\"{id}\"")).nth(1).unwrap();
        tag.split('>').next().unwrap().contains("hidden")
    };
    assert_eq!(["r0", "r1", "r2"].map(hidden), [false, true, true]);
    assert!(dom.contains("1 of 3 shown"), "{dom}");
    let Some((dom, _)) = browse(&file, "?status=fail") else { return };
    assert!(dom.contains("1 of 3 shown"), "{dom}");
}

#[test]
fn a_report_that_cannot_be_written_fails_the_run_at_its_start() {
    let folder = scripts();
    let ran = run(folder.path(), &["run", "--html", "none/report.html"]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot write none/report.html"), "{ran:?}");
    assert!(ran.out.is_empty(), "nothing was run: {ran:?}");
}
