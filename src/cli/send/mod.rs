//! `mailexpect send`.

mod mail;
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::options::{Connecting, parse_duration};
use super::screen::Screen;
use super::{server, value, written};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::sasl::Known;
use crate::script::{Runner, Settings};
use crate::session::{Options, block_on};
use crate::tls;

const EXAMPLES: &str = "Examples:
  mailexpect send --to hoge@example.com
  mailexpect send --server localhost:2525 --from a@example.com --to b@example.com
  mailexpect send --server submission://mail.example.com --tls --user hoge \\
    --password env:PASSWORD --to b@example.com --body 'At noon?' --attach plan.pdf
  mailexpect send --server mail.example.com --to b@example.net --quit-after rcpt
  mailexpect send --lmtp --server /run/dovecot/lmtp --to hoge --data message.eml
  mailexpect send --server localhost --to b@example.com --save send.rhai";

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Send {
    /// Send to this server: a URL, a host, `HOST:PORT`, or the path of a unix socket; by default
    /// to the mail exchangers of the first recipient's domain.
    #[arg(short, long, value_name = "SERVER")]
    server: Option<String>,
    /// Send from this address; by default from you at this host. An empty one is the null sender.
    #[arg(short, long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Send to this address. Repeat for more.
    #[arg(short, long, value_name = "ADDRESS", required = true)]
    to: Vec<String>,
    /// Say this name in EHLO, HELO or LHLO; by default that of this host.
    #[arg(long, value_name = "NAME", visible_alias = "helo")]
    ehlo: Option<String>,
    /// Speak LMTP.
    #[arg(long)]
    lmtp: bool,
    /// Send MAIL, RCPT and DATA in one write (RFC 2920).
    #[arg(long, conflicts_with = "quit_after")]
    pipeline: bool,
    /// Say QUIT after this stage, so that nothing is delivered.
    #[arg(long, value_enum, value_name = "STAGE")]
    quit_after: Option<Stage>,
    /// Set the deadline of each operation: `--timeout 30s`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    /// Write the dialogue to this file, as a script that `mailexpect run` runs.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Replace the file that --save names if it is there.
    #[arg(long, requires = "save")]
    force: bool,
    #[command(flatten)]
    connecting: Connecting,
    #[command(flatten)]
    message: mail::Content,
    #[command(flatten)]
    secured: Secured,
    #[command(flatten)]
    options: super::tls::Tls,
}

/// TLS and AUTH.
#[derive(Args, Debug)]
#[command(next_help_heading = "TLS and AUTH")]
struct Secured {
    /// Say STARTTLS: always, or only if it is offered. TLS from the start is a scheme:
    /// `--server smtps://mail.example.com`.
    #[arg(long, value_enum, value_name = "WHEN", num_args = 0..=1, default_missing_value = "always")]
    tls: Option<Starttls>,
    /// Authenticate by this mechanism; by default by the strongest that is offered.
    #[arg(long, value_name = "MECHANISM", requires = "user")]
    auth: Option<String>,
    /// Authenticate as this user.
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Take the password from `env:NAME`, `file:PATH` or `cmd:PROGRAM`; by default the terminal
    /// is asked for it.
    #[arg(short, long, value_name = "SOURCE", requires = "user")]
    password: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Starttls {
    Always,
    Offered,
}

/// How far a dialogue goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Stage {
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

/// The name of the script in what is said of it.
const NAME: &str = "send";

pub(super) fn send(args: Send, screen: &mut Screen) -> Result<ExitCode> {
    let url = url(&args)?;
    let text = script::text(&args, &url)?;
    if let Some(path) = &args.save {
        written::create(path, &text, args.force)?;
        screen.note(&Human::wrote(path));
    }
    let params = params(&args, screen)?;
    let options = args.connecting.options(Options::new().timeout(args.timeout), &[]);
    let options = options.tls(args.options.options(tls::Options::new())?);
    let settings = Settings { params, options, ..Settings::default() };
    let shown = screen.clone();
    let runner = Runner::new(settings).watched(move |event| {
        shown.clone().show(&Human::alone(event));
    });
    let name = args.save.as_deref().unwrap_or(Path::new(NAME));
    runner.give(name, text);
    let interrupt = Interrupt::listen()?;
    let outcome = block_on(runner.run(name, interrupt.pressed()));
    screen.show(&Human::sent(&outcome, args.quit_after.is_none()));
    Ok(outcome.exit_code())
}

/// The server: the one that was named, or the exchangers of the first recipient.
fn url(args: &Send) -> Result<String> {
    let scheme = if args.lmtp { "lmtp" } else { "smtp" };
    if let Some(named) = &args.server {
        let url = server::url(named, None, scheme)?;
        let spoken = url.split([':', '+']).next().unwrap_or_default();
        return match (args.lmtp, spoken) {
            (false, "smtp" | "smtps" | "submission" | "submissions" | "mx" | "lmtp")
            | (true, "lmtp") => Ok(url),
            (true, "smtp") if !named.contains("://") => Ok(url.replacen("smtp", "lmtp", 1)),
            _ => {
                let error = Error::usage(format!(
                    "`{url}` is not where {} is spoken",
                    scheme.to_uppercase()
                ));
                Err(error.hint("mail is sent to smtp, smtps, submission, submissions, lmtp and mx"))
            }
        };
    }
    let to = args.to.first().map_or("", String::as_str);
    match to.rsplit_once('@') {
        Some((_, domain)) if !args.lmtp && !domain.is_empty() => Ok(format!("mx://{domain}")),
        _ => {
            let error = Error::usage("no server to send to");
            Err(error.hint("name it: --server mail.example.com"))
        }
    }
}

/// What the script is told: who authenticates.
fn params(args: &Send, screen: &Screen) -> Result<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    if args.secured.user.is_some() && needs_password(args.secured.auth.as_deref()) {
        let source = args.secured.password.clone().unwrap_or_else(|| "prompt".to_owned());
        if value::is_clear(&source) {
            let error = Error::usage("the password stands on the command line, for others to see");
            let error = error.hint("--password env:NAME, file:PATH or cmd:PROGRAM fetches it, and without --password the terminal is asked");
            screen.note(&Human::warning(&error));
        }
        params.insert("password".to_owned(), source);
        value::fetch(&mut params)?;
    }
    Ok(params)
}

fn needs_password(mechanism: Option<&str>) -> bool {
    !mechanism.is_some_and(Known::takes_no_secret)
}
