//! Goldens of the shipped scripts for each real server. They hold after each start of the server,
//! and so for any port, folder, time and identifier. `INSTA_UPDATE=always` writes them anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mailexpect::script::Case;

use crate::program::{Ran, folder, project, run};
use crate::real::available;
use crate::servers::{Server, Unavailable, exim, mailserver, sendmail};
use crate::shipped::{OF_MAIL, OF_MAILBOXES};

/// Redactions for what else varies from start to start: mailboxes get new numbers, and a greeting
/// contains the installed version.
const REDACT: &str = "imap,pop3,sizes,headers,banner";

fn is_updating() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always")
}

fn goldens(server: &str) -> PathBuf {
    project().join("tests/goldens").join(server)
}

/// The parameters that any of the scripts takes.
fn set(scripts: &[&str], server: &Server, named: &[(&str, &str)]) -> Vec<String> {
    let asked: BTreeSet<_> =
        scripts.iter().flat_map(|script| Case::new(*script).params().known.into_keys()).collect();
    let known = server.parameters().into_iter().filter(|(name, _)| asked.contains(name));
    let known = known.map(|(name, value)| {
        let other = named.iter().find(|(known, _)| *known == name);
        let value = other.map_or(value, |(_, listener)| server.parameter(listener));
        format!("{name}={value}")
    });
    known.flat_map(|set| ["--set".to_owned(), set]).collect()
}

/// Runs the scripts one after the other, because a mailbox keeps what earlier scripts have left
/// there.
fn held(folder: &Path, scripts: &[&str], set: &[String], flag: &str) -> Ran {
    let set: Vec<_> = set.iter().map(String::as_str).collect();
    let args = ["run", "-j", "1", flag, "--redact", REDACT];
    run(folder, &[&args[..], scripts, &set].concat())
}

/// Compares the scripts with the goldens of a server twice, each time with a new start of the
/// server. `named` maps parameters to listeners that have another name.
fn hold(
    name: &str,
    start: fn() -> Result<Server, Unavailable>,
    scripts: &[&str],
    named: &[(&str, &str)],
) {
    let place = goldens(name);
    if is_updating() {
        let Some(server) = available(start()) else { return };
        fs::create_dir_all(&place).unwrap();
        for script in scripts {
            let _ = fs::remove_file(place.join(format!("snapshots/{script}.snap")));
        }
        let ran = held(&place, scripts, &set(scripts, &server, named), "--record");
        assert_eq!(ran.code, Some(0), "{}{}\n{}", ran.out, ran.err, server.log());
    }
    let folder = folder(&[]);
    fs::create_dir(folder.path().join("snapshots")).unwrap();
    for script in scripts {
        let golden = format!("snapshots/{script}.snap");
        fs::copy(place.join(&golden), folder.path().join(&golden)).unwrap();
    }
    for _ in 0..2 {
        let Some(server) = available(start()) else { return };
        let ran = held(folder.path(), scripts, &set(scripts, &server, named), "--check");
        assert_eq!(ran.code, Some(0), "{}{}\n{}", ran.out, ran.err, server.log());
        assert!(ran.out.contains(&format!("{} passed", scripts.len())), "{ran:?}");
    }
}

#[test]
fn the_goldens_of_postfix_with_dovecot_hold() {
    let scripts = [&OF_MAIL[..], &["@banner", "@sendmail-25-noauth"]].concat();
    hold("postfix-dovecot", mailserver::start, &scripts, &[]);
}

/// Without the scripts that send mail and do not wait for its arrival.
#[test]
fn the_goldens_of_dovecots_mailboxes_hold() {
    hold("postfix-dovecot", mailserver::start, &OF_MAILBOXES, &[]);
}

#[test]
fn the_goldens_of_exim_hold() {
    hold("exim", exim::start, &[&OF_MAIL[..], &["@sendmail-25-noauth"]].concat(), &[]);
}

/// The port with `M=A`, which has no AUTH, and the submission port with `M=Ea`.
#[test]
fn the_goldens_of_sendmail_hold() {
    let scripts = [&OF_MAIL[..], &["@sendmail-25-noauth"]].concat();
    hold("sendmail", sendmail::start, &scripts, &[("smtp", "noauth")]);
}

/// No golden is left that no test compares.
#[test]
fn each_golden_is_of_a_script_and_a_server_that_are_held() {
    if is_updating() {
        return;
    }
    let count = |name: &str| fs::read_dir(goldens(name).join("snapshots")).unwrap().count();
    let of_mail = OF_MAIL.len() + 1;
    assert_eq!(count("postfix-dovecot"), of_mail + OF_MAILBOXES.len() + 1);
    assert_eq!((count("exim"), count("sendmail")), (of_mail, of_mail));
    assert_eq!(fs::read_dir(project().join("tests/goldens")).unwrap().count(), 3);
}
