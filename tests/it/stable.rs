//! Golden transcripts of real servers hold: from run to run, from server to server of the same kind, and however the stream is cut.

use std::fs;
use std::path::Path;

use crate::program::{Ran, folder, project, run};
use crate::real::available;
use crate::servers::{Server, Unavailable, exim, mailserver, sendmail};

/// How often each script is run against the golden of its first run.
const TIMES: &str = "50";

/// Makes each shipped script's golden against one server, and holds many runs against it, and some against another server that
/// was started later: other ports, other folders, other identifiers.
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
    let set = server.parameters().into_iter().flat_map(|(name, value)| ["--set".to_owned(), format!("{name}={value}")]);
    // The others are parameters of no shipped script.
    let known = ["smtp=", "submission=", "user=", "password=", "to=", "from="];
    let set: Vec<_> = set.collect();
    let set = set.chunks(2).filter(|pair| known.iter().any(|known| pair[1].starts_with(known))).flatten();
    let args: Vec<_> = ["run", "."].into_iter().chain(args.iter().copied()).chain(set.map(String::as_str)).collect();
    run(folder, &args)
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
