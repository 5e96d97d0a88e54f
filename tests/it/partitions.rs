//! A run in parts, whose reports are merged into one.

use std::fs;
use std::process::Command;

use crate::filters::filtered;
use crate::program::{folder, run};

/// A report without its times and ports.
fn shown(text: &str) -> String {
    let filters = [
        (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
        (r"\d+(\.\d+)? (ms|s)\b", "TIME"),
        (r#"time="[0-9.]+""#, "time"),
        (r"(?m)^ +\d+\.\d{4} +\+\d+\.\d{4} ", "TIMES "),
        (r#""elapsed":[0-9.e-]+"#, "elapsed"),
    ];
    filtered(&text, &filters)
}

#[test]
fn four_parts_make_the_report_of_one_run() {
    let scripts: Vec<_> = (0..10)
        .map(|n| {
            let code = if n % 3 == 0 { 554 } else { 220 };
            let text = match n {
                5 => "skip(\"not here\");\n".to_owned(),
                7 => "cases([220, 554, 221], |row| connect().expect(row));\n".to_owned(),
                _ => format!("// Script {n}.\nconnect().expect({code});\n"),
            };
            (format!("scripts/{n}.rhai"), text)
        })
        .collect();
    let scripts: Vec<_> =
        scripts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let folder = folder(&scripts);
    let whole = run(folder.path(), &["run", "--junit", "whole.xml", "--html", "whole.html"]);
    for part in 1..=4 {
        let (slice, file) = (format!("slice:{part}/4"), format!("json=part-{part}.json"));
        run(folder.path(), &["run", "--partition", &slice, "--format", &file]);
    }
    let parts = ["part-1.json", "part-2.json", "part-3.json", "part-4.json"];
    let merge =
        [&["report", "merge", "--junit", "merged.xml", "--html", "merged.html"], &parts[..]];
    let merged = run(folder.path(), &merge.concat());
    assert_eq!(merged.code, whole.code, "{merged:?}");
    assert_eq!(shown(&merged.out), shown(&whole.out));
    let read = |name: &str| shown(&fs::read_to_string(folder.path().join(name)).unwrap());
    assert_eq!(read("merged.xml"), read("whole.xml"));
    assert_eq!(read("merged.html").lines().count(), read("whole.html").lines().count());
    match Command::new("xmllint").arg("--noout").arg(folder.path().join("merged.xml")).output() {
        Ok(lint) => assert!(lint.status.success(), "{lint:?}"),
        Err(error) => eprintln!("skipped: xmllint cannot be run: {error}"),
    }
}

#[test]
fn a_part_that_was_cut_off_or_is_no_stream_says_so() {
    let folder =
        folder(&[("a.rhai", "connect().expect(220);\n"), ("b.rhai", "connect().expect(220);\n")]);
    let ran = run(folder.path(), &["run", "-j", "1", "--format", "json"]);
    let cut: Vec<_> = ran.out.lines().take(3).collect();
    fs::write(folder.path().join("cut.json"), cut.join("\n")).unwrap();
    let merged = run(folder.path(), &["report", "merge", "cut.json"]);
    assert!(merged.code == Some(1) && merged.err.contains("does not tell the end"), "{merged:?}");
    assert!(merged.out.contains("1 not run"), "{merged:?}");
    // A run that was appended to the file does not make up for the one that was cut off.
    let appended = [cut.join("\n"), run(folder.path(), &["run", "--format", "json"]).out];
    fs::write(folder.path().join("both.json"), appended.join("\n")).unwrap();
    let merged = run(folder.path(), &["report", "merge", "both.json"]);
    assert!(merged.code == Some(1) && merged.err.contains("does not tell the end"), "{merged:?}");
    assert!(merged.out.contains("1 not run, 3 passed"), "{merged:?}");
    fs::write(folder.path().join("no.json"), "<xml/>\n").unwrap();
    let merged = run(folder.path(), &["report", "merge", "no.json"]);
    assert!(merged.code == Some(2) && merged.err.contains("line 1"), "{merged:?}");
}

#[test]
fn a_part_that_was_cut_within_a_line_or_is_empty_does_not_cost_the_other_parts() {
    let folder = folder(&[("a.rhai", "// 中継\nconnect().expect(220);\n")]);
    let whole = run(folder.path(), &["run", "--format", "json=whole.json"]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let text = fs::read_to_string(folder.path().join("whole.json")).unwrap();
    let within = &text.as_bytes()[..=text.rfind('中').unwrap()];
    let merge = ["report", "merge", "whole.json", "part.json", "--junit", "report.xml"];
    let first = text.lines().next().unwrap();
    let twice = format!("{text}{}", &text[..9]);
    let cuts = ["", &first[..10], &text[..text.len() - 30], &twice].map(str::as_bytes);
    for part in cuts.into_iter().chain([within]) {
        fs::write(folder.path().join("part.json"), part).unwrap();
        let merged = run(folder.path(), &merge);
        assert_eq!(merged.code, Some(1), "{part:?} {merged:?}");
        assert!(merged.err.contains("part.json does not tell the end of its run"), "{merged:?}");
        let report = fs::read_to_string(folder.path().join("report.xml")).unwrap();
        assert!(report.contains("a.rhai"), "{report}");
        fs::remove_file(folder.path().join("report.xml")).unwrap();
    }
    // A blank line is no event.
    fs::write(folder.path().join("part.json"), format!("{text}\n")).unwrap();
    assert_eq!(run(folder.path(), &merge).code, Some(0));
    let cut = text.replacen("\"}", "", 1);
    fs::write(folder.path().join("part.json"), cut).unwrap();
    assert_eq!(run(folder.path(), &merge).code, Some(2), "a cut line is only at the end");
}

#[test]
fn the_exit_code_is_the_worst_of_the_runs_that_a_file_has() {
    let folder = folder(&[
        ("a.rhai", "connect(\"smtp://127.0.0.1:1\").expect(220);\n"),
        ("b.rhai", "connect().expect(220);\n"),
    ]);
    let parts =
        ["a.rhai", "b.rhai"].map(|script| run(folder.path(), &["run", script, "--format", "json"]));
    assert_eq!(parts.each_ref().map(|part| part.code), [Some(3), Some(0)]);
    fs::write(folder.path().join("all.json"), parts.map(|part| part.out).concat()).unwrap();
    let merged = run(folder.path(), &["report", "merge", "all.json"]);
    assert!(merged.code == Some(3) && merged.out.contains("1 passed, 1 failed"), "{merged:?}");
}

#[test]
fn a_script_that_lacks_a_parameter_is_skipped_if_that_is_asked_for() {
    let folder =
        folder(&[("a.rhai", "param(\"who\");\nparam(\"what\");\nconnect().expect(220);\n")]);
    let ran = run(folder.path(), &["run", "--skip-incomplete"]);
    assert!(ran.code == Some(0) && ran.out.contains("skipped: no value for what, who"), "{ran:?}");
    for more in [&["--repeat", "2"][..], &["--segment=bytes"], &["--segment"]] {
        let ran = run(folder.path(), &[&["run", "--skip-incomplete"], more].concat());
        assert!(ran.code == Some(0) && ran.out.contains("skipped"), "{ran:?}");
    }
    let ran = run(folder.path(), &["run"]);
    assert!(
        ran.code == Some(2) && ran.out.contains("`who`") && ran.out.contains("`what`"),
        "{ran:?}"
    );
}
