//! Golden transcripts of real servers stay valid: from run to run, from server to server of the
//! same kind, and for each way of cutting the stream.

use std::fs;
use std::path::Path;

use crate::program::{Ran, folder, project, run};
use crate::real::available;
use crate::servers::{Server, Unavailable, exim, mailserver, sendmail};

/// How often each script is compared with the golden of its first run.
const TIMES: &str = "50";

/// Makes the goldens of shipped scripts with one server. Compares many runs with them, and some
/// runs with a server that was started later and has other ports, folders and identifiers.
fn hold(start: fn() -> Result<Server, Unavailable>) {
    let Some(server) = available(start()) else { return };
    let folder = folder(&[]);
    for script in ["relay", "smoke", "submission"] {
        let name = format!("{script}.rhai");
        fs::copy(project().join("scripts").join(&name), folder.path().join(name)).unwrap();
    }
    passes(&scripts(folder.path(), &server, &["--record"]), &server);
    let ran = scripts(folder.path(), &server, &["--repeat", TIMES, "-j", "2"]);
    passes(&ran, &server);
    assert_eq!(ran.out.matches(&format!("  passed      {TIMES}\n")).count(), 3, "{ran:?}");
    passes(&scripts(folder.path(), &server, &["--segment", "--check"]), &server);
    drop(server);
    let Some(server) = available(start()) else { return };
    passes(&scripts(folder.path(), &server, &["--check"]), &server);
}

fn scripts(folder: &Path, server: &Server, args: &[&str]) -> Ran {
    let text = ["relay", "smoke", "submission"]
        .map(|name| fs::read_to_string(folder.join(format!("{name}.rhai"))).unwrap())
        .concat();
    let set = set(server, &text);
    run(
        folder,
        &[&["run", "."], args, &set.iter().map(String::as_str).collect::<Vec<_>>()].concat(),
    )
}

/// The parameters of a server that a script takes. All parameters if the script computes their
/// names.
fn set(server: &Server, script: &str) -> Vec<String> {
    let is_free = script.matches("param(").count() > script.matches("param(\"").count();
    let asked = |name: &String| is_free || script.contains(&format!("param(\"{name}\""));
    let known = server.parameters().into_iter().filter(|(name, _)| asked(name));
    known.flat_map(|(name, value)| ["--set".to_owned(), format!("{name}={value}")]).collect()
}

/// Makes the golden of a script with one server, and compares it with one that was started later.
fn hold_one(name: &str, redact: &str) {
    let script = format!("{name}.rhai");
    let text = fs::read_to_string(project().join("tests/scripts/real").join(&script)).unwrap();
    let folder = folder(&[(&script, &text)]);
    for flag in ["--record", "--check"] {
        let Some(server) = available(mailserver::start()) else { return };
        let set = set(&server, &text);
        let set: Vec<_> = set.iter().map(String::as_str).collect();
        passes(
            &run(folder.path(), &[&["run", flag, "--redact", redact], &set[..]].concat()),
            &server,
        );
    }
}

fn passes(ran: &Ran, server: &Server) {
    assert_eq!(ran.code, Some(0), "{}{}\n{}", ran.out, ran.err, server.log());
}

#[test]
fn a_golden_of_postfix_holds() {
    hold(mailserver::start);
}

#[test]
fn a_golden_of_exim_holds() {
    hold(exim::start);
}

#[test]
fn a_golden_of_sendmail_holds() {
    hold(sendmail::start);
}

#[test]
fn goldens_of_mailboxes_hold() {
    for script in ["lmtp", "mailboxes", "pop3", "imap", "delivery"] {
        hold_one(script, "imap,pop3,sizes,headers");
    }
}

#[test]
fn goldens_of_tls_and_of_every_mechanism_hold() {
    for script in ["mechanisms", "tls", "certificate", "xclient"] {
        hold_one(script, "pop3");
    }
}
