//! What can be said on the command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};

use super::screen::Color;
use crate::duration;
use crate::redaction::Strictness;
use crate::session::Options;
use crate::workers::Rules;

/// Run scripted mail dialogues against real servers, in lock-step.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 80,
    after_help = "Exit codes: 0 all passed, 1 an expectation or a golden failed, 2 a script or the\ncommand line is wrong, 3 a server could not be reached or TLS failed, 130\ninterrupted; the worst one wins.\n\nExample: mailexpect run relay.rhai --set smtp=smtp://mail.example.com"
)]
pub(super) struct Args {
    /// Colour the output: auto (on a terminal, unless `NO_COLOR` is set), always or never.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Color,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scripts.
    Run(Box<Run>),
    /// Check syntax, words and parameters of scripts without connecting.
    Check(Check),
    /// List the scripts that `run` would run, one line each.
    List(List),
    /// Write scripts that are inside of the program to files, to be changed.
    Eject(super::eject::Eject),
    /// Review transcripts that differ from their goldens, one by one.
    Review(Review),
    /// Accept transcripts that wait for review as the goldens.
    Accept(Decide),
    /// Delete transcripts that wait for review.
    Reject(Decide),
    /// Redact a transcript as goldens are, and explain which rule changed what.
    Redact(Redact),
    /// Run the embedded SMTP and submission server and show each dialogue.
    Serve(Serve),
    /// Print the reference manual of the script language, as Markdown.
    Reference,
}

/// Which scripts.
#[derive(Arguments, Debug)]
pub(super) struct Paths {
    /// Files, globs, folders (all `*.rhai` except those in folders named `lib`), `@relay` and other
    /// names that `list --shipped` shows, or `-` for stdin; by default `scripts`, or `.` if there
    /// is no such folder.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Arguments, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Run {
    /// Scripts, and the servers that they speak with. Scripts are files, globs, folders (all
    /// `*.rhai` except those in folders named `lib`), `@relay` and other names that `list
    /// --shipped` shows, or `-` for stdin; by default `scripts`, or `.` if there is no such folder.
    /// A server is a URL: `smtp://localhost:2525`; beside `-e` and `@relay` a host will do.
    #[arg(value_name = "SCRIPTS AND SERVERS")]
    pub(super) paths: Vec<PathBuf>,
    /// Run this code, in which `s` is a session with the server that stands beside it:
    /// `-e 's.expect(220); s.ehlo("x")' smtp://localhost:2525`.
    #[arg(short = 'e', long, value_name = "CODE", allow_hyphen_values = true)]
    #[arg(conflicts_with = "rerun_failed")]
    pub(super) eval: Option<String>,
    /// Set a parameter: `--set smtp=smtp://localhost:2525`, and a secret by
    /// `--set password=env:NAME`, `file:PATH` or `cmd:PROGRAM`. Repeat for more.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(super) set: Vec<(String, String)>,
    /// Set the deadline of each operation that has none of its own: `--timeout 30s`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub(super) timeout: Duration,
    /// Wait this long at the end of a dialogue for the server to close; what it says until then is
    /// judged: `--grace 3s`.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    pub(super) grace: Duration,
    /// Set the deadline of each script as a whole: `--deadline 1m`.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub(super) deadline: Duration,
    /// Run N scripts at once; by default as many as there are cores. A script that waits takes no
    /// thread, so N may be thousands; above the number of cores, one core is left to the servers.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) jobs: Option<u32>,
    /// Run each script N times and report rate, CPU per run and latency percentiles, with the first
    /// failure of each kind.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeat: Option<u32>,
    #[command(flatten)]
    pub(super) connecting: Connecting,
    #[command(flatten)]
    pub(super) tls: super::tls::Tls,
    #[command(flatten)]
    pub(super) cutting: super::segment::Cutting,
    /// Allow scripts to start processes with `pipe("sendmail -bs")`.
    #[arg(long = "allow-run")]
    pub(super) allow_processes: bool,
    /// Allow scripts to connect to unix sockets outside of their folder and of the current one:
    /// `smtp+unix:///run/mail.sock`.
    #[arg(long)]
    pub(super) allow_sockets: bool,
    /// Show whole transcripts, of scripts that passed, too (with --repeat only of failures).
    #[arg(short, long)]
    pub(super) verbose: bool,
    // Those with a heading stand last: a heading holds for all that follows it.
    #[command(flatten)]
    pub(super) selection: super::selection::Selection,
    #[command(flatten)]
    pub(super) attempts: Attempts,
    #[command(flatten)]
    pub(super) reporting: super::reporting::Reporting,
    #[command(flatten)]
    pub(super) goldens: Goldens,
}

/// When a script is run again, and when no more are.
#[derive(Arguments, Debug)]
#[command(next_help_heading = "Retries and limits")]
pub(super) struct Attempts {
    /// Run a script that fails up to N times more; one that passes then is flaky.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["repeat", "segment"])]
    retries: u32,
    /// Whether flaky scripts pass or fail.
    #[arg(long, value_enum, default_value_t, value_name = "RESULT")]
    flaky_result: FlakyResult,
    /// Begin no further script after one has failed; those in progress end.
    #[arg(long, conflicts_with_all = ["repeat", "segment"])]
    fail_fast: bool,
    /// Cancel all scripts after this time: `--global-timeout 10m`.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    #[arg(conflicts_with_all = ["repeat", "segment"])]
    global_timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FlakyResult {
    #[default]
    Pass,
    Fail,
}

impl Attempts {
    pub(super) fn rules(&self) -> Rules {
        Rules {
            retries: self.retries,
            flaky_fails: self.flaky_result == FlakyResult::Fail,
            fail_fast: self.fail_fast,
            time: self.global_timeout,
        }
    }
}

/// What transcripts are held against.
#[derive(Arguments, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(next_help_heading = "Golden transcripts")]
pub(super) struct Goldens {
    /// Write the golden of each script that passes, whether there is one or not.
    #[arg(long, conflicts_with_all = ["update", "check", "repeat"])]
    pub(super) record: bool,
    /// Overwrite existing goldens that differ.
    #[arg(long, conflicts_with_all = ["check", "repeat"])]
    pub(super) update: bool,
    /// Never write files: no goldens, no `.snap.new`. On by default if `CI` is set.
    #[arg(long)]
    pub(super) check: bool,
    /// Run against a server of `mailexpect.toml`: parameters from `[target.NAME]`, goldens from
    /// `<script>@NAME.snap` if there are such.
    #[arg(long, value_name = "NAME")]
    pub(super) target: Option<String>,
    #[command(flatten)]
    pub(super) redacting: Redacting,
    /// Fail the run if the script or the target of a golden at or below these paths is gone, and
    /// list them.
    #[arg(long)]
    pub(super) unreferenced: bool,
}

/// What is redacted.
#[derive(Arguments, Debug)]
pub(super) struct Redacting {
    /// Add presets and groups to what is redacted, or remove them with a minus:
    /// `--redact imap,-timing`. Repeat for more.
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true)]
    pub(super) redact: Vec<String>,
    /// Redact what a regex, or its group `v`, matches to `[TOKEN#1]`:
    /// `--redact-regex 'TICKET=ticket (?P<v>\\d+)'`. Repeat for more.
    #[arg(long, value_name = "TOKEN=REGEX", value_parser = parse_redact_regex)]
    pub(super) redact_regex: Vec<(String, String)>,
    /// Compare this much of replies: text, enhanced (codes, enhanced codes, data) or codes; what
    /// servers offer counts in each.
    #[arg(long, value_name = "STRICTNESS")]
    pub(super) strictness: Option<Strictness>,
}

/// How sessions are opened.
#[derive(Arguments, Debug)]
pub(super) struct Connecting {
    /// Use an address for a host instead of DNS: `--resolve mail.example.com=127.0.0.1`. Repeat for
    /// more.
    #[arg(long, value_name = "HOST=IP", value_parser = parse_resolve)]
    pub(super) resolve: Vec<(String, IpAddr)>,
    /// Ask this name server for the mail exchangers of `mx://domain`, not those of the system:
    /// `--nameserver 192.0.2.53`.
    #[arg(long, value_name = "IP[:PORT]", value_parser = parse_nameserver)]
    pub(super) nameserver: Option<SocketAddr>,
    /// Allow scripts to connect to this host, and to no other that is not named so: `--allow-host
    /// mail.example.com`, `--allow-host '*.example.com'`. Repeat for more.
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
}

impl Connecting {
    pub(super) fn options(self, options: Options) -> Options {
        let options =
            self.resolve.into_iter().fold(options, |options, (host, ip)| options.resolve(host, ip));
        let options = self.allow_host.into_iter().fold(options, Options::allow_host);
        match self.nameserver {
            Some(nameserver) => options.nameserver(nameserver),
            None => options,
        }
    }
}

#[derive(Arguments, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) paths: Paths,
    /// Check that these are parameters of the scripts: `--set smtp=smtp://localhost`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(super) set: Vec<(String, String)>,
}

#[derive(Arguments, Debug)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) paths: Paths,
    /// Show tags and parameters, too.
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// List the scripts inside of the program: `mailexpect run @relay`.
    #[arg(long, conflicts_with = "paths")]
    pub(super) shipped: bool,
    #[command(flatten)]
    pub(super) selection: super::selection::Selection,
}

#[derive(Arguments, Debug)]
pub(super) struct Redact {
    /// A golden, or a transcript as `mailexpect run -v` shows it; by default stdin.
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Explain below each line which rule changed what.
    #[arg(long)]
    pub(super) explain: bool,
    /// List all presets with their groups and places instead.
    #[arg(long, conflicts_with_all = ["file", "explain"])]
    pub(super) list: bool,
    #[command(flatten)]
    pub(super) redacting: Redacting,
}

#[derive(Arguments, Debug)]
pub(super) struct Review {
    /// Scripts, goldens, `.snap.new` files, or folders with all below them; by default `.`.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Arguments, Debug)]
pub(super) struct Decide {
    /// Scripts, goldens, `.snap.new` files, or folders with all below them.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
    /// Take all that wait in the current folder and below.
    #[arg(long, conflicts_with = "paths")]
    pub(super) all: bool,
}

#[derive(Arguments, Debug)]
pub(super) struct Serve {
    /// Listen here for SMTP; port 0 is a free one: `--smtp 127.0.0.1:2525`.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(super) smtp: SocketAddr,
    /// Listen here for submission.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(super) submission: SocketAddr,
    /// Listen here for submission with TLS from the start.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(super) submissions: SocketAddr,
    /// Write the CA's certificate to this file (PEM), for clients to trust: `--ca ca.pem`.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => {
            Err("a parameter is given as name=value, such as smtp=smtp://localhost:2525".to_owned())
        }
    }
}

fn parse_redact_regex(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((token, regex)) if !token.is_empty() && !regex.is_empty() => {
            Ok((token.to_owned(), regex.to_owned()))
        }
        _ => Err("a regex is given as TOKEN=regex, such as TICKET='ticket (?P<v>\\d+)'".to_owned()),
    }
}

fn parse_resolve(text: &str) -> Result<(String, IpAddr), String> {
    let pinned =
        text.split_once('=').and_then(|(host, ip)| Some((host.to_owned(), ip.parse().ok()?)));
    pinned
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(|| "a host is pinned as host=ip, such as mail.example.com=127.0.0.1".to_owned())
}

fn parse_nameserver(text: &str) -> Result<SocketAddr, String> {
    /// Where name servers listen (RFC 1035 section 4.2).
    const PORT: u16 = 53;
    let address = text.parse().or_else(|_| text.parse().map(|ip| SocketAddr::new(ip, PORT)));
    address.map_err(|_| {
        "a name server is an IP address, with a port behind a colon where it is not 53".to_owned()
    })
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text).map_err(|error| {
        format!("{}; {}", error.message(), error.next_step().unwrap_or_default())
    })?;
    if parsed.is_zero() {
        Err("a deadline of nothing leaves no time for anything".to_owned())
    } else {
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
