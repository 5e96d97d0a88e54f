//! The HTML report, in a browser.

use std::fs;

use crate::browser::Browser;
use crate::program::{folder, run};

const WIDE: u32 = 1200;
const PHONE: u32 = 390;

/// A script for each kind of outcome. One of them knows a secret, and its server sends markup.
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
    let Some(mut browser) = Browser::start() else { return };
    let folder = scripts();
    run(folder.path(), &["run", "--html", "report.html"]);
    let file = folder.path().join("report.html");
    browser.open(&file, "#r0s0", WIDE, "light");
    assert_eq!(browser.value("document.title"), "1 of 3 failed");
    assert_eq!(browser.value("document.getElementById('r0').open"), true, "a link opens it");
    let shown = "[...document.querySelectorAll('.script:not([hidden])')].map(s => s.id).join()";
    for (query, ids) in [("?q=greets", "r0"), ("?status=fail", "r1"), ("?q=no%20TLS", "r2")] {
        browser.open(&file, query, WIDE, "light");
        assert_eq!(browser.value(shown), ids, "{query}");
        assert_eq!(browser.value("found.textContent"), "1 of 3 shown", "{query}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_page_is_used_by_keyboard() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = scripts();
    run(folder.path(), &["run", "--html", "report.html"]);
    browser.open(&folder.path().join("report.html"), "", WIDE, "light");
    let focus = "document.activeElement.closest('.script')?.id ?? document.activeElement.id";
    let shown = "document.querySelectorAll('main > .script:not([hidden])').length";
    browser.press("n");
    assert_eq!(browser.value(focus), "r1", "the next failure");
    let is_open = "document.getElementById('r1').open";
    browser.press("Enter");
    assert_eq!(browser.value(is_open), false);
    browser.press("Enter");
    assert_eq!(browser.value(is_open), true);
    browser.press("/");
    assert_eq!(browser.value(focus), "search");
    for key in ["w", "e", "l", "l"] {
        browser.press(key);
    }
    assert_eq!(browser.value(shown), 1, "r0 greets well");
    browser.press("Escape");
    browser.press("Tab");
    assert_eq!(browser.value("document.activeElement.name"), "status", "the first check box");
}

#[test]
fn the_page_fits_a_phone_and_is_dark_in_the_dark() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = scripts();
    run(folder.path(), &["run", "--html", "report.html"]);
    let file = folder.path().join("report.html");
    let back = "getComputedStyle(document.body).backgroundColor";
    browser.open(&file, "", PHONE, "light");
    assert_eq!(browser.value("document.documentElement.scrollWidth"), PHONE);
    assert_eq!(browser.value(back), "rgb(255, 255, 255)");
    browser.open(&file, "", PHONE, "dark");
    assert_eq!(browser.value(back), "rgb(13, 17, 23)");
    // The lines of a reply begin at the same column, even those without a time.
    let lefts = "new Set([...document.querySelectorAll('#r1 .dialogue .server span')]\
                 .map(s => s.getBoundingClientRect().left)).size";
    assert_eq!(browser.value(lefts), 1);
}

#[test]
fn a_report_that_cannot_be_written_fails_the_run_at_its_start() {
    let folder = scripts();
    let long = "x".repeat(256);
    for (args, why) in [
        (&["run", "--html", "none/report.html"][..], "cannot write none/report.html"),
        (&["run", "--html", "none/"], "cannot write none/: it names a folder"),
        (&["run", "--junit", "a.rhai/"], "cannot write a.rhai/"),
        (&["run", "--trace-file", &long], "cannot write xxx"),
        (&["run", "--junit", ""], "a value is required"),
        (&["run", "--format", "json="], "the name of the file is missing"),
        (&["clients", "--junit", "none/x", "--", "true"], "cannot write none/x"),
    ] {
        let ran = run(folder.path(), args);
        assert!(ran.code == Some(2) && ran.err.contains(why), "{ran:?}");
        assert!(ran.out.is_empty(), "nothing was run: {ran:?}");
    }
}
