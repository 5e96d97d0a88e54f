//! The shipped scripts and the quirks of `field`, with real servers.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::PathBuf;

use mailexpect::script::Case;

use crate::program::{folder, project};
use crate::sasl_secrets::in_base64;
use crate::servers::{
    OTHER_PASSWORD, PASSWORD, Server, TOKEN, Unavailable, exim, mailserver, sendmail,
};

/// The server. If it is not available, says that the test is skipped and returns `None`.
pub(crate) fn available<T>(server: Result<T, Unavailable>) -> Option<T> {
    match server {
        Ok(server) => Some(server),
        Err(why) => {
            assert!(
                std::env::var_os("MAILEXPECT_NO_SKIP").is_none(),
                "no test may be skipped here: {why}"
            );
            eprintln!("skipped: {why}");
            None
        }
    }
}

fn case(script: impl Into<PathBuf>, server: &Server) -> Case {
    with_parameters(Case::new(script), server)
}

/// Sets the parameters that the script takes.
pub(crate) fn with_parameters(case: Case, server: &Server) -> Case {
    let params = case.params();
    let taken = server
        .parameters()
        .into_iter()
        .filter(|(name, _)| params.others || params.known.contains_key(name));
    taken.fold(case, |case, (name, value)| case.set(name, value))
}

fn passes(case: &Case, server: &Server) {
    let outcome = case.run();
    assert!(outcome.is_ok(), "{outcome:#}\n{}", server.log());
}

fn shipped(server: &Server) {
    for script in ["smoke", "relay", "submission"] {
        let case = case(project().join(format!("scripts/{script}.rhai")), server);
        for _ in 0..runs() {
            passes(&case, server);
        }
    }
}

/// How often to run a script whose verdict must not depend on time: 5 times by default.
/// `MAILEXPECT_RUNS=200` checks more thoroughly.
fn runs() -> usize {
    std::env::var("MAILEXPECT_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(5)
}

/// A script leaves a reply unexpected. Each run has to report this at its end, however late the
/// reply comes.
fn an_answer_too_many_is_found(server: &Server) {
    let script = "let s = connect(param(\"smtp\")); s.expect(220); s.ehlo(\"a.example\");\n\
                  s.pipeline([\"MAIL FROM:<>\", \"RSET\"]); s.expect(250);";
    let folder = folder(&[("extra.rhai", script)]);
    let case = case(folder.path().join("extra.rhai"), server);
    for _ in 0..runs() {
        let outcome = case.run();
        let failure = outcome.failure();
        let message = failure.map(|failure| failure.error.message());
        assert_eq!(
            message,
            Some("the reply to the last command was never expected"),
            "{outcome:#}"
        );
    }
}

fn shows_no_secret(report: &str) {
    for secret in [PASSWORD, OTHER_PASSWORD, TOKEN, "not-this-one"] {
        let forms = [vec![secret.to_owned()], in_base64(secret)].concat();
        let shown = forms.iter().find(|form| report.contains(form.as_str()));
        assert!(shown.is_none(), "{secret} is shown, as {shown:?}: {report}");
    }
}

/// Runs a script of `tests/scripts/real`.
fn holds(script: &str, server: &Server) {
    passes(&case(project().join(format!("tests/scripts/real/{script}.rhai")), server), server);
}

#[test]
fn the_shipped_scripts_pass_against_a_real_postfix() {
    let Some(server) = available(mailserver::start()) else { return };
    shipped(&server);
    an_answer_too_many_is_found(&server);
}

#[test]
fn the_shipped_scripts_pass_against_a_real_exim() {
    let Some(server) = available(exim::start()) else { return };
    shipped(&server);
    an_answer_too_many_is_found(&server);
}

#[test]
fn the_shipped_scripts_pass_against_a_real_sendmail() {
    let Some(server) = available(sendmail::start()) else { return };
    shipped(&server);
    an_answer_too_many_is_found(&server);
}

#[test]
fn a_wrong_password_is_refused_with_a_hint_and_shown_nowhere() {
    let Some(server) = available(mailserver::start()) else { return };
    let outcome = case(project().join("scripts/submission.rhai"), &server)
        .set("password", "not-this-one")
        .run();
    let error = &outcome.failure().unwrap().error;
    assert!(
        error.is_mismatch() && error.next_step().unwrap().contains("wrong credentials"),
        "{error}"
    );
    let report = format!("{outcome:#}");
    assert!(!report.contains("not-this-one") && !report.contains("bm90LXRoaXMtb25l"), "{report}");
}

#[test]
fn dialogues_that_only_postfix_has_can_be_held() {
    let Some(server) = available(mailserver::start()) else { return };
    holds("postfix", &server);
    holds("xclient", &server);
    holds("xforward", &server);
    holds("postfix-connections", &server);
    holds("postscreen", &server);
    assert!(
        server.log().contains("disconnect from mx.sender.example[192.0.2.55]"),
        "{}",
        server.log()
    );
    assert!(server.log().contains("client=mx.forwarded.example[192.0.2.88]"), "{}", server.log());
    assert!(server.log().contains("disconnect from unknown[192.0.2.66]"), "{}", server.log());
    assert!(server.log().contains("disconnect from unknown[192.0.2.77]"), "{}", server.log());
}

#[test]
fn dialogues_that_only_exim_has_can_be_held() {
    let Some(server) = available(exim::start()) else { return };
    holds("prdr", &server);
    holds("exim", &server);
}

#[test]
fn dialogues_that_only_sendmail_has_can_be_held() {
    let Some(server) = available(sendmail::start()) else { return };
    holds("sendmail", &server);
}

#[test]
fn lmtp_answers_for_each_recipient_and_a_sieve_script_files_what_it_delivers() {
    let Some(server) = available(mailserver::start()) else { return };
    holds("mailboxes", &server);
    holds("lmtp", &server);
}

#[test]
fn a_maildrop_is_seen_by_the_verbs_of_pop3() {
    let Some(server) = available(mailserver::start()) else { return };
    holds("pop3", &server);
}

#[test]
fn mailboxes_and_their_messages_are_seen_by_the_verbs_of_imap() {
    let Some(server) = available(mailserver::start()) else { return };
    holds("imap", &server);
    holds("compress", &server);
}

#[test]
fn a_submitted_mail_arrives_while_imap_is_idle() {
    let Some(server) = available(mailserver::start()) else { return };
    holds("delivery", &server);
}

#[test]
fn every_mechanism_lets_its_users_in_and_nobody_else() {
    for server in [mailserver::start(), exim::start(), sendmail::start()] {
        let Some(server) = available(server) else { continue };
        let outcome = case(project().join("tests/scripts/real/mechanisms.rhai"), &server).run();
        let report = format!("{outcome:#}");
        assert!(outcome.is_ok(), "{report}\n{}", server.log());
        shows_no_secret(&report);
    }
}

#[test]
fn tls_of_both_kinds_is_spoken_with_every_server_that_proves_itself() {
    for server in [mailserver::start(), exim::start(), sendmail::start()] {
        let Some(server) = available(server) else { continue };
        holds("tls", &server);
    }
}

#[test]
fn a_client_is_known_by_its_certificate() {
    let Some(server) = available(mailserver::start()) else { return };
    holds("certificate", &server);
    holds("external", &server);
}

#[test]
fn servers_that_run_at_the_same_time_are_apart_and_a_panic_stops_them() {
    let Some(server) = available(mailserver::start()) else { return };
    let Some(other) = available(mailserver::start()) else { return };
    let parts = |server: &Server| {
        let address = server.parameter("smtp").trim_start_matches("smtp://").to_owned();
        (TcpStream::connect(&address).unwrap(), address, server.path(""))
    };
    let (_connection, address, folder) = parts(&server);
    let (_, other_address, other_folder) = parts(&other);
    assert!(address != other_address && folder != other_folder && folder.exists());

    let panics = std::thread::spawn(move || {
        let _server = server;
        panic!("as a test that fails");
    });
    assert!(panics.join().is_err());
    let refused = TcpStream::connect(&address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused}");
    assert!(!folder.exists());
    parts(&other);
}
