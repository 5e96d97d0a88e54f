//! The examples of the README do what the README shows.

use mailexpect::script::Case;

use crate::program::{folder, program, project, run};
use crate::real::{available, with_parameters};
use crate::servers::{exim, mailserver, sendmail};

/// The fenced code blocks of the README in this language.
fn blocks(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    readme.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_first_script_passes_and_its_slip_fails_as_shown() {
    let script = blocks("rhai").remove(0);
    let folder = folder(&[
        ("first.rhai", &script),
        ("wrong.rhai", &script.replace("s.expect(5);", "s.expect(250, \"2.1.5\");")),
    ]);
    let ran = run(folder.path(), &["run", "first.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &["run", "wrong.rhai"]);
    assert_eq!(ran.code, Some(1));
    let shown = blocks("console").into_iter().find(|block| block.contains("FAIL")).unwrap();
    let varying = |text: &str| {
        let text = text
            .lines()
            .skip_while(|line| !line.starts_with("FAIL"))
            .collect::<Vec<_>>()
            .join("\n");
        let times = ["ms", "s"].iter().fold(text, |text, unit| mask(&text, unit));
        // A busy machine takes seconds for what is shown in milliseconds.
        mask_ports(&times).replace("N ms", "N s")
    };
    assert_eq!(varying(&ran.out), varying(&shown));
}

/// Replaces the numbers before this unit by `N`.
fn mask(text: &str, unit: &str) -> String {
    let words = text.split(' ').collect::<Vec<_>>();
    let is_number = |word: &str| word.trim_start_matches('(').parse::<f64>().is_ok();
    let masked = words.iter().enumerate().map(|(n, word)| {
        let before_unit = words
            .get(n + 1)
            .is_some_and(|next| next.trim_end_matches([')', '\n']).starts_with(unit));
        if before_unit && is_number(word) { "N" } else { word }
    });
    masked.collect::<Vec<_>>().join(" ")
}

fn mask_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        text + "127.0.0.1:PORT" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

#[test]
fn the_project_file_says_what_it_shows() {
    let project = blocks("toml").into_iter().find(|block| block.contains("[golden]")).unwrap();
    let folder = folder(&[
        ("mailexpect.toml", &project),
        ("a.rhai", "connect(param(\"smtp\")).expect(220);\n"),
    ]);
    let listed = run(folder.path(), &["redact", "--list"]).out;
    assert!(
        listed.contains("+ imap.uidvalidity") && listed.contains("- timing.seconds"),
        "{listed}"
    );
    let mut command = program();
    command.args([
        "run",
        "--target",
        "exim",
        "--resolve",
        "localhost=127.0.0.1",
        "--timeout",
        "1s",
    ]);
    command.env("EXIM_PASSWORD", "x").current_dir(folder.path());
    let ran = command.output().unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(out.contains("smtp://localhost:2525"), "{ran:?}");
}

/// CI runs the examples in a separate crate, `tests/downstream`.
#[test]
fn the_examples_in_rust_and_cargo_are_those_of_the_downstream_crate() {
    let downstream = project().join("tests/downstream");
    let read = |name: &str| std::fs::read_to_string(downstream.join(name)).unwrap();
    let tests = ["tests/dialogues.rs", "tests/release.rs", "tests/scripts.rs"].map(read);
    let rust = blocks("rust");
    assert_eq!(rust.len(), 4);
    for block in rust {
        assert!(
            tests.iter().any(|test| test.contains(&block)),
            "tests/downstream/tests has no\n{block}"
        );
    }
    let cargo = read("Cargo.toml");
    let blocks = blocks("toml").into_iter().filter(|block| !block.contains("[golden]"));
    for block in blocks {
        // Its `tests/scripts.rs` needs `harness`, which has `script` in it.
        let block = block.replace("../mailexpect", "../..").replace("\"script\"", "\"harness\"");
        assert!(cargo.contains(&block), "tests/downstream/Cargo.toml has no\n{block}");
    }
}

#[test]
fn the_first_script_passes_on_every_real_server() {
    let folder = folder(&[("first.rhai", &blocks("rhai").remove(0))]);
    for server in [mailserver::start(), exim::start(), sendmail::start()] {
        let Some(server) = available(server) else { continue };
        let case = Case::new(folder.path().join("first.rhai"));
        let outcome = case.set("smtp", server.parameter("smtp")).run();
        assert!(outcome.is_ok(), "{outcome:#}\n{}", server.log());
    }
}

#[test]
fn the_first_script_fails_without_the_line_that_expects_the_last_reply() {
    let script = blocks("rhai").remove(0);
    let folder = folder(&[("first.rhai", &script.replace("s.expect(221);\n", ""))]);
    let ran = run(folder.path(), &["run", "first.rhai"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn the_script_over_three_protocols_passes_against_real_servers() {
    let Some(server) = available(mailserver::start()) else { return };
    let script = blocks("rhai").into_iter().find(|block| block.contains("imap.idle()")).unwrap();
    let folder = folder(&[("mail.rhai", &script)]);
    let case = Case::new(folder.path().join("mail.rhai"));
    let case = with_parameters(case, &server);
    let submission = server.parameter("submission_tls");
    let outcome = case.set("submission", submission).run();
    assert!(outcome.is_ok(), "{outcome:#}\n{}", server.log());
}
