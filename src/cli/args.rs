//! What can be said on the command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};

use crate::duration;
use crate::redaction::Strictness;
use crate::session::Options;
use crate::workers::Rules;

/// Run scripted mail dialogues against real servers, in lock-step.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 all passed, 1 an expectation or a golden failed, 2 a script or the command line is wrong,\n3 a server could not be reached or talked to, 130 interrupted; the worst one wins."
)]
pub(super) struct Args {
    /// When to colour the output: where it is a terminal and `NO_COLOR` is not set, always, or
    /// never.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Color,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scripts.
    Run(Box<Run>),
    /// Look scripts over without connecting: syntax, words, parameters.
    Check(Check),
    /// List the scripts that `run` would run, one line each.
    List(List),
    /// Go through the transcripts that differ from their goldens: see each change, accept it,
    /// reject it or leave it.
    Review(Review),
    /// Make transcripts that wait for review the golden ones.
    Accept(Decide),
    /// Throw transcripts that wait for review away.
    Reject(Decide),
    /// Redact a transcript as golden ones are, and say which rule changed what.
    Redact(Redact),
    /// Run the embedded SMTP and submission server and show each dialogue as it happens.
    Serve(Serve),
    /// Print the reference manual of the script language, as Markdown.
    Reference,
}

/// Which scripts.
#[derive(Arguments, Debug)]
pub(super) struct Paths {
    /// Files, folders (all `*.rhai` in them but for folders named `lib`) or globs; `scripts` if
    /// there is that folder, else `.`.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Arguments, Debug)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) paths: Paths,
    #[command(flatten)]
    pub(super) selection: super::selection::Selection,
    /// Give a parameter a value; again for more.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(super) set: Vec<(String, String)>,
    #[command(flatten)]
    pub(super) attempts: Attempts,
    #[command(flatten)]
    pub(super) reporting: super::reporting::Reporting,
    /// The deadline of each operation, unless the script says otherwise.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub(super) timeout: Duration,
    /// How long to wait at the end of a dialogue for the server to close too; what it says until then is
    /// judged.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    pub(super) grace: Duration,
    /// The deadline of each script as a whole.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub(super) deadline: Duration,
    #[command(flatten)]
    pub(super) goldens: Goldens,
    /// How many scripts run at once; as many as there are cores, unless given. It may be far more:
    /// a script that waits takes no thread. Beyond the number of cores, one core is left to the
    /// servers.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) jobs: Option<u32>,
    /// Run each script so many times and show, instead of each run, the first failure of each kind,
    /// the rate, the processor time a run (without the embedded server's) and the latencies of the
    /// runs that passed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeat: Option<u32>,
    #[command(flatten)]
    pub(super) connecting: Connecting,
    #[command(flatten)]
    pub(super) tls: super::tls::Tls,
    #[command(flatten)]
    pub(super) cutting: super::segment::Cutting,
    /// Let scripts start processes (`pipe`).
    #[arg(long = "allow-run")]
    pub(super) allow_processes: bool,
    /// Show whole transcripts, also of what passed (but not with --repeat, which does not keep
    /// them).
    #[arg(short, long)]
    pub(super) verbose: bool,
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
    /// Write the golden transcript of each script that passes, whether there is one or not.
    #[arg(long, conflicts_with_all = ["update", "check", "repeat"])]
    pub(super) record: bool,
    /// Write the golden transcripts anew that are there and that differ.
    #[arg(long, conflicts_with_all = ["check", "repeat"])]
    pub(super) update: bool,
    /// Write nothing, not even what is to be reviewed; so it is, too, where CI is set.
    #[arg(long)]
    pub(super) check: bool,
    /// The server that the run is against: its parameters stand in `mailexpect.toml` under
    /// `[target.NAME]`, and its golden transcripts are `<script>@NAME.snap`, where there are such.
    #[arg(long, value_name = "NAME")]
    pub(super) target: Option<String>,
    #[command(flatten)]
    pub(super) redacting: Redacting,
    /// Say which golden transcripts in the folders of these scripts have no script any more; they
    /// fail the run.
    #[arg(long)]
    pub(super) unreferenced: bool,
}

/// What is redacted.
#[derive(Arguments, Debug)]
pub(super) struct Redacting {
    /// Presets and groups to add to what is redacted, and with a minus to take out: `imap,-timing`;
    /// again for more.
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true)]
    pub(super) redact: Vec<String>,
    /// A regex of your own to redact: what its group `v` finds, or all of it, becomes `[TOKEN#1]`;
    /// again for more.
    #[arg(long, value_name = "TOKEN=REGEX", value_parser = parse_redact_regex)]
    pub(super) redact_regex: Vec<(String, String)>,
    /// How much of what servers say counts: text, enhanced (codes with enhanced codes) or codes.
    #[arg(long, value_name = "STRICTNESS")]
    pub(super) strictness: Option<Strictness>,
}

/// How sessions are opened.
#[derive(Arguments, Debug)]
pub(super) struct Connecting {
    /// Take this address for a host instead of looking it up; again for more.
    #[arg(long, value_name = "HOST=IP", value_parser = parse_resolve)]
    pub(super) resolve: Vec<(String, IpAddr)>,
    /// The name server to ask for the mail exchangers of `mx://domain`; those of the system unless
    /// given.
    #[arg(long, value_name = "IP[:PORT]", value_parser = parse_nameserver)]
    pub(super) nameserver: Option<SocketAddr>,
}

impl Connecting {
    pub(super) fn options(self, options: Options) -> Options {
        let options =
            self.resolve.into_iter().fold(options, |options, (host, ip)| options.resolve(host, ip));
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
    /// Values that a run would be given: each must be a parameter of some script.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(super) set: Vec<(String, String)>,
}

#[derive(Arguments, Debug)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) paths: Paths,
    #[command(flatten)]
    pub(super) selection: super::selection::Selection,
    /// Show tags and parameters, too.
    #[arg(short, long)]
    pub(super) verbose: bool,
}

#[derive(Arguments, Debug)]
pub(super) struct Redact {
    /// A transcript, as `mailexpect run -v` shows it, or a golden; what comes on stdin if none is
    /// given.
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Say below each line which rule changed what.
    #[arg(long)]
    pub(super) explain: bool,
    /// List all presets, with their groups and their places, instead.
    #[arg(long, conflicts_with_all = ["file", "explain"])]
    pub(super) list: bool,
    #[command(flatten)]
    pub(super) redacting: Redacting,
}

#[derive(Arguments, Debug)]
pub(super) struct Review {
    /// Scripts, goldens, what waits beside them (`.snap.new`), or folders with all below them; the
    /// current folder if none is given.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Arguments, Debug)]
pub(super) struct Decide {
    /// Scripts, goldens, what waits beside them (`.snap.new`), or folders with all below them.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
    /// All that waits in the current folder and below.
    #[arg(long, conflicts_with = "paths")]
    pub(super) all: bool,
}

#[derive(Arguments, Debug)]
pub(super) struct Serve {
    /// Where to listen for SMTP; a free port of the loopback unless given.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(super) smtp: SocketAddr,
    /// Where to listen for submission.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(super) submission: SocketAddr,
    /// Where to listen for submission with TLS from the start.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(super) submissions: SocketAddr,
    /// Write the certificate of the CA that the server's own is from to this file (PEM), for
    /// clients to trust.
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
