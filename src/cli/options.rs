//! Arguments that several commands take, and parsers for values of arguments.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::duration;
use crate::error::{Error, Result};
use crate::redaction::Strictness;
use crate::session::Options;

/// The scripts of a command.
#[derive(Args, Debug)]
pub(super) struct Paths {
    /// Files, globs, folders (all `*.rhai` except those in folders named `lib`), `@relay` and other
    /// names that `list --shipped` shows, or `-` for stdin; by default `scripts`, or `.` if there
    /// is no such folder.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
}

/// The goldens that transcripts are compared with.
#[derive(Args, Debug, Default)]
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
    /// Run against a server of `mailexpect.toml`, with the parameters and options of
    /// `[target.NAME]`, and compare with the golden `<script>@NAME.snap` if it exists. Repeat to
    /// run each script against several; `all` stands for all targets of the file.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) target: Vec<String>,
    #[command(flatten)]
    pub(super) redacting: Redacting,
    /// Fail the run if the script or the target of a golden at or below these paths is gone, and
    /// list them.
    #[arg(long)]
    pub(super) unreferenced: bool,
}

/// The redaction of transcripts.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Redacting {
    /// Add presets and groups to what is redacted, or remove them with a minus:
    /// `--redact imap,-timing`. Repeat for more.
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true)]
    pub(super) redact: Vec<String>,
    /// Redact what a regex, or its group `v`, matches to `[TOKEN#1]`:
    /// `--redact-regex 'TICKET=ticket (?P<v>\\d+)'`. Repeat for more.
    #[arg(long, value_name = "TOKEN=REGEX", value_parser = parse_redact_regex)]
    pub(super) redact_regex: Vec<(String, String)>,
    /// Compare this much of each reply: text, enhanced (codes, enhanced codes, data) or codes. What
    /// a server offers is always compared.
    #[arg(long, value_name = "STRICTNESS")]
    pub(super) strictness: Option<Strictness>,
}

/// The options of connections.
#[derive(Args, Debug)]
pub(super) struct Connecting {
    /// Use an address for a host instead of DNS: `--resolve mail.example.com=127.0.0.1`. Repeat for
    /// more.
    #[arg(long, value_name = "HOST=IP", value_parser = parse_resolve)]
    pub(super) resolve: Vec<(String, IpAddr)>,
    /// Ask this name server for addresses and mail exchangers, not those of the system:
    /// `--nameserver 192.0.2.53`.
    #[arg(long, value_name = "IP[:PORT]", value_parser = parse_nameserver)]
    pub(super) nameserver: Option<SocketAddr>,
    /// Allow connections to this host, and to no host that is not allowed in this way:
    /// `--allow-host mail.example.com`, `--allow-host '*.example.com'`. Repeat for more.
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
}

impl Connecting {
    /// Adds these options. The hosts that the project file allows count only if `--allow-host` is
    /// not given.
    pub(super) fn options(&self, options: Options, allowed: &[String]) -> Options {
        let resolve = self.resolve.iter();
        let options = resolve.fold(options, |options, (host, ip)| options.resolve(host, *ip));
        let allowed = if self.allow_host.is_empty() { allowed } else { &self.allow_host };
        let options = allowed.iter().fold(options, Options::allow_host);
        match self.nameserver {
            Some(nameserver) => options.nameserver(nameserver),
            None => options,
        }
    }
}

pub(super) fn parse_set(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => {
            Err("a parameter is given as name=value, such as smtp=smtp://localhost:2525".to_owned())
        }
    }
}

/// Parses a name or an address that goes into one line of a command. With a line end in it, it would
/// be two commands.
pub(super) fn parse_name(text: &str) -> std::result::Result<String, String> {
    if text.contains(['\r', '\n']) {
        return Err("a line end would begin another command".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses the address of a recipient. Only a sender may be empty (RFC 5321 section 4.1.2).
pub(super) fn parse_recipient(text: &str) -> std::result::Result<String, String> {
    if text.is_empty() {
        return Err("only a sender may be empty".to_owned());
    }
    parse_name(text)
}

fn parse_redact_regex(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((token, regex)) if !token.is_empty() && !regex.is_empty() => {
            Ok((token.to_owned(), regex.to_owned()))
        }
        _ => Err("a regex is given as TOKEN=regex, such as TICKET='ticket (?P<v>\\d+)'".to_owned()),
    }
}

fn parse_resolve(text: &str) -> std::result::Result<(String, IpAddr), String> {
    let pinned =
        text.split_once('=').and_then(|(host, ip)| Some((host.to_owned(), ip.parse().ok()?)));
    pinned
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(|| "a host is pinned as host=ip, such as mail.example.com=127.0.0.1".to_owned())
}

fn parse_nameserver(text: &str) -> std::result::Result<SocketAddr, String> {
    /// The port of name servers (RFC 1035 section 4.2).
    const PORT: u16 = 53;
    let address = text.parse().or_else(|_| text.parse().map(|ip| SocketAddr::new(ip, PORT)));
    address.map_err(|_| {
        "a name server is an IP address, with a colon and a port unless the port is 53".to_owned()
    })
}

pub(super) fn parse_duration(text: &str) -> std::result::Result<Duration, String> {
    let parsed = duration::parse(text).map_err(|error| {
        format!("{}; {}", error.message(), error.next_step().unwrap_or_default())
    })?;
    if parsed.is_zero() {
        Err("a deadline of 0 leaves no time for anything".to_owned())
    } else {
        Ok(parsed)
    }
}

/// Parses a number of bytes: `256M`, `1G`, `512 MiB`. Units are powers of 1024.
pub(super) fn parse_size(text: &str) -> std::result::Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(0),
        "k" | "kb" | "kib" => Some(10),
        "m" | "mb" | "mib" => Some(20),
        "g" | "gb" | "gib" => Some(30),
        _ => None,
    };
    let number = number.parse::<usize>().ok();
    let bytes = number.zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "a size is given as 256M or 1G".to_owned())
}

/// Collects the values of parameters. Fails if a name is set twice, because this is probably a
/// mistake.
pub(super) fn params(set: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    for (name, value) in set {
        if params.insert(name.clone(), value).is_some() {
            return Err(Error::usage(format!("the parameter `{name}` is set twice")));
        }
    }
    Ok(params)
}
