//! How failures read. Each script in `tests/scripts/failing` is run against its peer, and the
//! output is compared with a golden beside the script.

use std::path::Path;

use crate::filters::filtered;
use crate::peer::Peer;
use crate::program::{project, run};

/// Only ports and times may vary. The goldens of this test stand where those of the scripts would,
/// which is told of a script whose rows are compared.
const FILTERS: [(&str, &str); 4] = [
    (r"(127\.0\.0\.1|localhost):\d{4,5}", "$1:PORT"),
    (r"\b\d+(\.\d+)? (ms|s|min) of ", "TIME of "),
    (r"\(\d+(\.\d+)? (ms|s)\)", "(TIME)"),
    (r"(?m)^error: .* is the snapshot of some other test: .*\n.*\n = hint: .*\n", ""),
];

fn scripts(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> =
        entries.filter_map(|name| Some(name.strip_suffix(".rhai")?.to_owned())).collect();
    names.sort();
    names
}

/// The parameter of a script. The name of the script begins with the protocol, unless this is SMTP.
fn target(script: &str, peer: &Peer) -> String {
    match script.split('-').next() {
        Some(scheme @ ("imap" | "pop3" | "sieve")) => format!("{scheme}={}", peer.url(scheme)),
        Some("stream") => format!("smtp={}", peer.url("tcp")),
        _ => format!("smtp={}", peer.url("smtp")),
    }
}

#[test]
fn every_failing_script_fails_as_its_golden_says() {
    let folder = project().join("tests/scripts/failing");
    let names = scripts(&folder);
    assert!(names.len() >= 20, "{} scripts", names.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder.join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for name in names {
        let peer = std::fs::read_to_string(folder.join(format!("{name}.peer")))
            .ok()
            .map(|text| Peer::parse(&text));
        let script = format!("{name}.rhai");
        let mut args = vec!["run".to_owned(), script, "--timeout".to_owned(), "300ms".to_owned()];
        args.extend(peer.iter().flat_map(|peer| ["--set".to_owned(), target(&name, peer)]));
        let ran = run(&folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
        let said = format!("exit code {}\n{}{}", ran.code.unwrap(), ran.out, ran.err);
        insta::assert_snapshot!(name, filtered(&said, &FILTERS));
    }
}

#[test]
fn every_passing_script_passes() {
    let folder = project().join("tests/scripts/passing");
    for name in scripts(&folder) {
        let peer = std::fs::read_to_string(folder.join(format!("{name}.peer")))
            .ok()
            .map(|text| Peer::parse(&text));
        let mut args = vec!["run".to_owned(), format!("{name}.rhai")];
        args.extend(peer.iter().flat_map(|peer| ["--set".to_owned(), target(&name, peer)]));
        let ran = run(&folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ran.code, Some(0), "{name}: {}{}", ran.out, ran.err);
    }
}
