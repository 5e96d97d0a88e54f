//! The arguments of `mailexpect send`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::options::{Connecting, parse_duration, parse_name, parse_recipient};
use crate::cli::tls;
use crate::error::{Error, Result};
use crate::sasl::Known;

const EXAMPLES: &str = "Examples:
  mailexpect send --to hoge@example.com
  mailexpect send --server localhost --from a@example.com --to b@example.com
  mailexpect send --server submission://mail.example.com --tls --user hoge \\
    --password env:PASSWORD --to b@example.com --body 'At noon?' --attach plan.pdf
  mailexpect send --server mail.example.com --to b@example.net --quit-after rcpt
  mailexpect send --lmtp --server /run/dovecot/lmtp --to hoge --data message.eml
  mailexpect send --server localhost --to b@example.com --save send.rhai";

/// The arguments of `mailexpect send`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Send {
    /// Send to this server: a URL, a host, `HOST:PORT`, or the path of a unix socket; by default
    /// to the mail exchangers of the first recipient's domain.
    #[arg(short, long, value_name = "SERVER")]
    pub(super) server: Option<String>,
    /// Send from this address; by default from your user name at this host. An empty address is the
    /// null sender.
    #[arg(short, long, value_name = "ADDRESS", value_parser = parse_name)]
    pub(super) from: Option<String>,
    /// Send to this address. Repeat for more. If some recipients are refused, they are named, and
    /// the others get the message.
    #[arg(short, long, value_name = "ADDRESS", required = true, value_parser = parse_recipient)]
    pub(super) to: Vec<String>,
    /// Say this name in EHLO or LHLO; by default that of this host. HELO follows if the server does
    /// not know EHLO.
    #[arg(long, value_name = "NAME", visible_alias = "helo", value_parser = parse_name)]
    pub(super) ehlo: Option<String>,
    /// Speak LMTP.
    #[arg(long)]
    pub(super) lmtp: bool,
    /// Send MAIL, RCPT and DATA in one write (RFC 2920).
    #[arg(long, conflicts_with = "quit_after")]
    pub(super) pipeline: bool,
    /// Say QUIT after this stage, so that nothing is delivered. The stage `tls` needs --tls, and
    /// `auth` needs --user.
    #[arg(long, value_enum, ignore_case = true, value_name = "STAGE")]
    pub(super) quit_after: Option<Stage>,
    /// Set the deadline of each operation: `--timeout 30s`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub(super) timeout: Duration,
    /// Write the dialogue to this file, as a script that `mailexpect run` runs.
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Replace the file that --save names if it is there.
    #[arg(long, requires = "save")]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) connecting: Connecting,
    #[command(flatten)]
    pub(super) message: Content,
    #[command(flatten)]
    pub(super) secured: Secured,
    #[command(flatten)]
    pub(super) options: tls::Tls,
}

impl Send {
    /// Fails if the dialogue would end before the stage after which it should.
    ///
    /// # Errors
    /// Usage, with the option that is missing.
    pub(super) fn check_stage(&self, url: &str) -> Result<()> {
        let scheme = url.split([':', '+']).next().unwrap_or_default();
        let has_tls = self.secured.tls.is_some() || ["smtps", "submissions"].contains(&scheme);
        let lacks = match self.quit_after {
            Some(Stage::Tls) if !has_tls => "--tls",
            Some(Stage::Auth) if self.secured.user.is_none() => "--user",
            _ => return Ok(()),
        };
        let error = Error::usage("the dialogue does not reach the stage of --quit-after");
        Err(error.hint(format!("add {lacks}")))
    }
}

/// TLS and AUTH.
#[derive(Args, Debug)]
#[command(next_help_heading = "TLS and AUTH")]
pub(super) struct Secured {
    /// Say STARTTLS: always, or only if it is offered. TLS from the start is a scheme:
    /// `--server smtps://mail.example.com`.
    #[arg(long, value_enum, value_name = "WHEN", num_args = 0..=1, default_missing_value = "always")]
    pub(super) tls: Option<Starttls>,
    /// Authenticate with this mechanism; by default with the strongest that the server offers.
    #[arg(long, value_name = "MECHANISM", requires = "user")]
    pub(super) auth: Option<String>,
    /// Authenticate as this user.
    #[arg(short, long, value_name = "USER")]
    pub(super) user: Option<String>,
    /// Take the password from `env:NAME`, `file:PATH` or `cmd:PROGRAM`; by default the terminal
    /// is asked for it.
    #[arg(short, long, value_name = "SOURCE", requires = "user")]
    pub(super) password: Option<String>,
}

impl Secured {
    /// Whether the mechanism takes a password.
    pub(super) fn needs_password(&self) -> bool {
        !self.auth.as_deref().is_some_and(Known::takes_no_secret)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Starttls {
    Always,
    Offered,
}

/// The last stage of a dialogue before QUIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Stage {
    #[value(aliases = ["connect", "banner"])]
    Greeting,
    #[value(aliases = ["helo", "lhlo", "first-ehlo", "first-helo"])]
    Ehlo,
    #[value(alias = "starttls")]
    Tls,
    Auth,
    #[value(aliases = ["from", "mail-from"])]
    Mail,
    #[value(aliases = ["to", "rcpt-to"])]
    Rcpt,
}

/// The message.
#[derive(Args, Debug)]
#[command(next_help_heading = "Message")]
pub(super) struct Content {
    /// Add a header, or replace an existing one: `--header 'Subject: lunch'`. Repeat for more.
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    pub(super) header: Vec<(String, String)>,
    /// Send this text; by default a message that says who sent it, and why.
    #[arg(long, value_name = "TEXT")]
    pub(super) body: Option<String>,
    /// Attach a file of up to 8 MiB. Repeat for more.
    #[arg(long, value_name = "FILE")]
    pub(super) attach: Vec<PathBuf>,
    /// Send this file of up to 8 MiB unchanged, including its headers; `-` is stdin.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["header", "body", "attach"])]
    pub(super) data: Option<PathBuf>,
}

fn parse_header(text: &str) -> std::result::Result<(String, String), String> {
    let header = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    match header {
        Some((name, value)) if is_name(name) && !value.contains(['\r', '\n']) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("a header is given as 'Name: value', such as 'Subject: lunch'".to_owned()),
    }
}
