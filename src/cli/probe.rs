//! `mailexpect probe`: shows which mail ports of a host are open, and how far a dialogue gets.

use std::time::Duration;

use clap::Args;

use super::descriptors;
use super::options::{Connecting, parse_duration, parse_name, parse_recipient};
use super::screen::Screen;
use super::tls::Tls;
use super::value;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::probe::{self, Depth, Found, Host, HostPorts, State};
use crate::report::{Probed, Unexpected};
use crate::session::{Options, block_on};
use crate::transport::{Family, Proxy};

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Probe {
    /// Hosts, each with the ports to probe: `mail.example.com`, `mail.example.com:25,587,imaps`,
    /// `[::1]:25`, or a URL such as `smtp://localhost:2525`. Without ports, those of mail: 25, 110,
    /// 143, 465, 587, 993, 995 and 4190.
    #[arg(value_name = "HOST[:PORTS]", required = true)]
    hosts: Vec<String>,
    /// Go this deep: banner, ehlo, tls, auth, rcpt (a transaction that is reset), data (a message
    /// is sent) or delivered (and found by IMAP). By default EHLO, and TLS if it is offered.
    /// IMAP, POP3 and ManageSieve end at auth: from rcpt on, a port of SMTP or LMTP has to be open.
    #[arg(long, value_name = "DEPTH")]
    to: Option<Depth>,
    /// Fail unless ports are in these states, open, closed, filtered or unreachable:
    /// `--expect open=25,587 closed=110`.
    #[arg(long, value_name = "STATE=PORTS", num_args = 1.., value_parser = parse_expected)]
    expect: Vec<Expected>,
    /// Set the deadline of each port, from the connection to the end: `--timeout 30s`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    /// Print one line for each host and exit with 0 or 1, for the HEALTHCHECK of a container.
    #[arg(short, long, conflicts_with_all = ["json", "verbose"])]
    quiet: bool,
    /// Print the results as JSON, as docs/json.md describes.
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    /// Also show the dialogue with each open port.
    #[arg(short, long)]
    verbose: bool,
    /// Connect only to IPv4 addresses.
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Connect only to IPv6 addresses.
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Refused: a UDP "connection" proves nothing.
    #[arg(short, long, hide = true)]
    udp: bool,
    /// Begin each connection with a PROXY header of version 1 or 2.
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(1..=2))]
    proxy: Option<u8>,
    /// Count a certificate that is not valid as a failure.
    #[arg(long, conflicts_with = "insecure")]
    verify: bool,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    connecting: Connecting,
    #[command(flatten)]
    dialogue: Dialogue,
}

/// The client's part of the dialogue: its name, addresses and account.
#[derive(Args, Debug)]
#[command(next_help_heading = "Dialogue")]
struct Dialogue {
    /// Introduce the client by this name; by default its address, as `[192.0.2.1]`.
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    helo: Option<String>,
    /// Name this sender; by default the null sender, `<>`.
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true, value_parser = parse_name)]
    from: String,
    /// Name this recipient: `--to rcpt --rcpt postmaster@example.com`.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_recipient)]
    rcpt: Option<String>,
    /// Authenticate as this user. TLS with a valid certificate is required then, except with
    /// --insecure.
    #[arg(long, value_name = "USER", requires = "password")]
    user: Option<String>,
    /// Take the password from `env:NAME`, `file:PATH`, `cmd:PROGRAM` or `prompt`.
    #[arg(long, value_name = "SOURCE", requires = "user")]
    password: Option<String>,
    /// Look for the sent message in this INBOX: `--imap imaps://mail.example.com`; by default in
    /// that of the host, over IMAPS.
    #[arg(long, value_name = "URL")]
    imap: Option<String>,
}

const EXAMPLES: &str =
    "Exit codes: 0 everything is as expected, 1 a port is in another state or its
dialogue failed, 2 the command line is wrong, 3 nothing could be reached; with
-q 0 or 1. A port is open if it is open at one of the host's addresses. Without
--expect, each named port has to be open, or one of the usual ports if none is
named.

Examples:
  mailexpect probe mail.example.com
  mailexpect probe mail.example.com --expect open=25,587 closed=110,143
  mailexpect probe localhost:25 -q --to rcpt --rcpt postmaster@localhost
  mailexpect probe mail.example.com:465 --to auth --user me --password env:PW";

/// A state, and the ports that should be in it.
#[derive(Clone, Debug)]
struct Expected {
    state: State,
    ports: Vec<u16>,
}

fn parse_expected(text: &str) -> Result<Expected, String> {
    let (state, ports) = text.split_once('=').ok_or_else(|| {
        "it is a state with ports, as open=25,587; write hosts in front of --expect".to_owned()
    })?;
    let ports = probe::ports(ports).map_err(|error| error.message().to_owned())?;
    let ports = ports.into_iter().map(|port| port.number).collect();
    Ok(Expected { state: State::parse(state)?, ports })
}

pub(super) fn probe(args: Probe, screen: &mut Screen) -> Result<ExitCode> {
    if args.udp {
        return Err(crate::target::udp_refused());
    }
    let hosts = args.hosts.iter().map(|host| HostPorts::parse(host)).collect::<Result<Vec<_>>>()?;
    let (quiet, json, verbose) = (args.quiet, args.json, args.verbose);
    let expected = args.expect.clone();
    descriptors::provide(descriptors::NEEDED)?;
    let mut prober = prober(args)?;
    let own_mailbox = prober.mailbox.is_none() && prober.depth == Depth::Delivered;
    let interrupt = Interrupt::listen()?;
    let mut worst = ExitCode::Passed;
    for mut at in hosts {
        at.add(expected.iter().flat_map(|expected| expected.ports.iter().copied()));
        if own_mailbox {
            let account = prober.account.clone();
            prober.mailbox = account.map(|account| (at.url("imaps", 993), account));
        }
        let Some(found) = block_on(interrupt.unless_pressed(prober.host(&at))) else {
            return Ok(ExitCode::Interrupted);
        };
        let judged = found.map(|host| {
            let wrong = judge(&host, &at, &expected, prober.depth);
            (host, wrong)
        });
        let code = match judged {
            Ok((host, wrong)) => {
                let shown = Probed { host: &host, wrong: &wrong, at: &at };
                screen.show(&match (quiet, json) {
                    (true, _) => shown.line(),
                    (_, true) => shown.json(),
                    _ => shown.table(verbose),
                });
                code(&host, &wrong)
            }
            Err(error) if quiet && !error.is_usage() => {
                screen.show(&Probed::unresolved(&at.host, &error));
                ExitCode::Failed
            }
            Err(error) if error.is_usage() => return Err(error),
            Err(error) if json => {
                screen.show(&Probed::unresolved_json(&at.host, &error));
                error.exit_code()
            }
            Err(error) => {
                screen.complain(&error);
                error.exit_code()
            }
        };
        worst = worst.max(code);
    }
    Ok(if quiet { worst.min(ExitCode::Failed) } else { worst })
}

fn code(host: &Host, wrong: &[Unexpected]) -> ExitCode {
    if wrong.is_empty() {
        ExitCode::Passed
    } else if host.found.iter().any(|found| found.state == State::Open) {
        ExitCode::Failed
    } else {
        ExitCode::Unreachable
    }
}

/// Lists each port that is not in its expected state, and each dialogue that failed.
fn judge(host: &Host, at: &HostPorts, expected: &[Expected], depth: Depth) -> Vec<Unexpected> {
    let mut wrong = Vec::new();
    for Expected { state, ports } in expected {
        for port in ports {
            let is = host.state(*port);
            if !is.is(state) {
                wrong.push(Unexpected::State { port: *port, is, expected: state.clone() });
            }
        }
    }
    if expected.is_empty() && at.is_named {
        for port in &at.ports {
            let is = host.state(port.number);
            if is != State::Open {
                wrong.push(Unexpected::State { port: port.number, is, expected: State::Open });
            }
        }
    } else if expected.is_empty() && !host.found.iter().any(|found| found.state == State::Open) {
        wrong.push(Unexpected::Nothing);
    }
    for found in host.found.iter().filter(|found| found.state == State::Open) {
        if let Some(error) = &found.failure {
            let port = found.address.port();
            wrong.push(Unexpected::Failed { port, at: found.at, error: error.clone() });
        }
    }
    let took = |found: &Found| found.reached >= Some(Depth::Rcpt);
    if wrong.is_empty() && depth >= Depth::Rcpt && !host.found.iter().any(took) {
        wrong.push(Unexpected::NoRecipient);
    }
    wrong
}

fn prober(args: Probe) -> Result<probe::Probe> {
    let Dialogue { helo, from, rcpt, user, password, imap } = args.dialogue;
    let depth = args.to.unwrap_or(Depth::Tls);
    if depth >= Depth::Rcpt && rcpt.is_none() {
        let error = Error::usage(format!("--to {depth} needs a recipient"));
        return Err(error.hint("--rcpt postmaster@example.com"));
    }
    if user.is_none() && [Depth::Auth, Depth::Delivered].contains(&depth) {
        let error = Error::usage(format!("--to {depth} needs an account"));
        return Err(error.hint("--user me@example.com --password env:PASSWORD"));
    }
    let account = user.map(|user| value::account(user, password.as_deref())).transpose()?;
    let mut tls = args.tls.options(crate::tls::Options::new())?;
    if !args.verify && account.is_none() {
        // A bad certificate is reported, but the dialogue goes on.
        tls = tls.verify(false);
    }
    let mut options = args.connecting.options(Options::new().unjudged(), &[]).tls(tls);
    options = match (args.ipv4, args.ipv6) {
        (true, _) => options.family(Family::V4),
        (_, true) => options.family(Family::V6),
        _ => options,
    };
    options = match args.proxy {
        Some(1) => options.proxy(Proxy::V1),
        Some(_) => options.proxy(Proxy::V2),
        None => options,
    };
    let mut prober = probe::Probe::new(options, args.timeout);
    prober.depth = depth;
    prober.wants_tls = args.to == Some(Depth::Tls);
    (prober.helo, prober.from, prober.rcpt) = (helo, from, rcpt);
    prober.mailbox = imap.zip(account.clone());
    prober.account = account;
    Ok(prober)
}
