//! `mailexpect doctor`: answers questions about the mail hosts of a domain.

use std::env;
use std::time::Duration;

use clap::Args;

use super::descriptors;
use super::options::{Connecting, parse_duration, parse_name, parse_recipient};
use super::screen::Screen;
use super::tls::Tls;
use super::value;
use crate::doctor::{Answer, Doctor as Asker, Question};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::report::{Diagnosis, Language};
use crate::session::{Options, block_on};

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Doctor {
    /// A domain, whose mail exchangers are looked up, or a host.
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// Ask whether this address is accepted; by default the domain's postmaster.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_recipient)]
    rcpt: Option<String>,
    /// Deliver a message to the recipient, and look for it by IMAP: needs --user and --password.
    #[arg(long, requires = "user")]
    deliver: bool,
    /// Look for the message as this user.
    #[arg(long, value_name = "USER", requires_all = ["password", "deliver"])]
    user: Option<String>,
    /// Take the password from `env:NAME`, `file:PATH`, `cmd:PROGRAM` or `prompt`.
    #[arg(long, value_name = "SOURCE", requires = "user")]
    password: Option<String>,
    /// Look for the message in this INBOX: `--imap imaps://mail.example.com`; by default in that of
    /// the first exchanger, over IMAPS.
    #[arg(long, value_name = "URL", requires = "deliver")]
    imap: Option<String>,
    /// Answer in this language, en or ja; by default that of `LC_ALL`, `LC_MESSAGES` or `LANG`.
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    lang: Option<Language>,
    /// Set the deadline of each port and dialogue: `--timeout 30s`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    /// Introduce the client by this name; by default its address, as `[192.0.2.1]`.
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    helo: Option<String>,
    /// Speak SMTP at this port.
    #[arg(long, value_name = "PORT", default_value = "25")]
    smtp_port: u16,
    /// Look for submission at this port.
    #[arg(long, value_name = "PORT", default_value = "587")]
    submission_port: u16,
    /// Print the answers as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    connecting: Connecting,
}

const EXAMPLES: &str =
    "Each answer is shown with the line that proves it. Only envelopes are sent, and
cancelled with RSET, unless --deliver is given. Of more than 20 exchangers, the
first 20 are asked. Exit codes: 0 nothing is wrong,
1 an answer is not as it should be, 3 the domain or all of its hosts cannot be
reached.

Examples:
  mailexpect doctor example.com
  mailexpect doctor mail.example.com --lang ja
  mailexpect doctor example.com --deliver --rcpt me@example.com --user me \\
    --password env:PW";

fn parse_language(text: &str) -> Result<Language, String> {
    Language::parse(text).ok_or_else(|| "a language is en or ja".to_owned())
}

/// The language that the environment asks for; English if none.
fn language() -> Language {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
    set.filter(|value| !value.is_empty())
        .find_map(|value| Language::parse(&value))
        .unwrap_or_default()
}

pub(super) fn doctor(args: Doctor, screen: &mut Screen) -> Result<ExitCode> {
    let domain = args.domain.trim_end_matches('.').to_owned();
    if domain.is_empty() || domain.contains(|c: char| c.is_whitespace() || "/@?#".contains(c)) {
        let error = Error::usage(format!("`{}` is neither a domain nor a host", args.domain));
        return Err(error.hint("mailexpect doctor example.com"));
    }
    // An IPv6 address has more colons than one.
    if let Some((host, port)) = domain.split_once(':').filter(|(_, port)| !port.contains(':')) {
        let error = Error::usage(format!("`{domain}` is a host and a port"));
        let hint = format!("mailexpect doctor {host} --smtp-port {port} asks that port");
        return Err(error.hint(hint));
    }
    let deliver = match args.user {
        Some(user) => Some((value::account(user, args.password.as_deref())?, args.imap)),
        None => None,
    };
    descriptors::provide(descriptors::NEEDED)?;
    let tls = args.tls.options(crate::tls::Options::new())?;
    let doctor = Asker {
        options: args
            .connecting
            .options(Options::new().unjudged(), &[])
            .tls(tls)
            .timeout(args.timeout),
        timeout: args.timeout,
        helo: args.helo,
        ports: (args.smtp_port, args.submission_port),
        rcpt: args.rcpt,
        deliver,
    };
    let interrupt = Interrupt::listen()?;
    let Some(examined) = block_on(interrupt.unless_pressed(doctor.examine(&domain))) else {
        return Ok(ExitCode::Interrupted);
    };
    let examined = examined?;
    let language = args.lang.unwrap_or_else(language);
    let diagnosis = Diagnosis { examined: &examined, language };
    screen.show(&if args.json { diagnosis.json() } else { diagnosis.text() });
    Ok(code(&examined.answers))
}

fn code(answers: &[Answer]) -> ExitCode {
    let mut reachable =
        answers.iter().filter(|answer| answer.question == Question::Reachable).peekable();
    let none = reachable.peek().is_some() && reachable.all(|answer| answer.is_well == Some(false));
    if none {
        ExitCode::Unreachable
    } else if answers.iter().any(|answer| answer.is_well == Some(false)) {
        ExitCode::Failed
    } else {
        ExitCode::Passed
    }
}
