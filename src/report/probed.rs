//! Shows the results of a probe: a table for people, one line for a health check, JSON for
//! programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::explained::step_without_script;
use super::human;
use super::json::line;
use super::style::{BAD, DIM, GOOD, ODD};
use super::wrapped::{COLUMNS, wrapped};
use crate::duration;
use crate::error::Error;
use crate::probe::{Depth, Found, Host, HostPorts, Service, State};
use crate::tls::Established;
use crate::transcript;
use crate::visible;

/// The version of the JSON. An incompatible change needs a new version.
const VERSION: u32 = 1;
/// The indentation of the second line of a port, in columns.
const INDENT: usize = 7;
/// The number of columns left for text in that line.
const ROOM: usize = COLUMNS - INDENT;

/// A result that is not the expected one.
#[derive(Clone, Debug)]
pub(crate) enum Unexpected {
    /// A port is in another state than expected.
    State { port: u16, is: State, expected: State },
    /// The dialogue with an open port failed at this depth.
    Failed { port: u16, at: Depth, error: Error },
    /// A transaction was asked for, but no open port has transactions: IMAP and POP3 accept no
    /// recipients.
    NoRecipient,
    /// No port is open at all.
    Nothing,
}

/// The results of a probe of one host.
pub(crate) struct Probed<'a> {
    pub(crate) host: &'a Host,
    pub(crate) wrong: &'a [Unexpected],
    pub(crate) at: &'a HostPorts,
}

impl Probed<'_> {
    /// The table for people.
    pub(crate) fn table(&self, verbose: bool) -> String {
        let mut text = String::new();
        let mut address = None;
        for found in &self.host.found {
            let ip = found.address.ip();
            if address.replace(ip) != Some(ip) {
                let host = visible::escape(self.host.name.as_bytes());
                let shown =
                    if ip.to_string() == self.host.name { host } else { format!("{host} ({ip})") };
                let _ = writeln!(text, "{shown}");
            }
            row(&mut text, found, verbose);
        }
        for wrong in self.wrong {
            // A failed dialogue is shown in the row of its port.
            if !matches!(wrong, Unexpected::Failed { .. }) {
                let _ = writeln!(text, "{BAD}{wrong}{BAD:#}");
            }
        }
        text
    }

    /// The text for a health check, which keeps only one line.
    pub(crate) fn line(&self) -> String {
        let host = visible::escape(self.host.name.as_bytes());
        if self.wrong.is_empty() {
            let ports: Vec<_> = self.at.ports.iter().map(|port| port.number).collect();
            let states = ports.iter().map(|port| format!("{port} {}", self.host.state(*port)));
            return format!("OK {host}: {}\n", states.collect::<Vec<_>>().join(", "));
        }
        let wrong: Vec<_> = self.wrong.iter().map(ToString::to_string).collect();
        format!("FAIL {host}: {}\n", wrong.join("; "))
    }

    /// The line for a host whose name was not found.
    pub(crate) fn unresolved(host: &str, error: &Error) -> String {
        format!("FAIL {}: {}\n", visible::escape(host.as_bytes()), with_reason(error))
    }

    /// The text for programs: a JSON object in one line.
    pub(crate) fn json(&self) -> String {
        let ports: Vec<_> = self.host.found.iter().map(port).collect();
        let wrong: Vec<_> = self.wrong.iter().map(ToString::to_string).collect();
        let host = json!({
            "version": VERSION,
            "host": self.host.name,
            "ok": self.wrong.is_empty(),
            "unexpected": wrong,
            "ports": ports,
        });
        line(&host)
    }

    /// The object for a host whose name was not found.
    pub(crate) fn unresolved_json(host: &str, error: &Error) -> String {
        let wrong = [with_reason(error)];
        let host = json!({
            "version": VERSION,
            "host": host,
            "ok": false,
            "unexpected": wrong,
            "ports": [],
        });
        line(&host)
    }
}

impl std::fmt::Display for Unexpected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::State { port, is, expected } => {
                write!(f, "{port} is {is}, and was to be {expected}")
            }
            Self::Failed { port, at, error } => {
                write!(f, "{port} failed at {at}: {}", error.in_short())
            }
            Self::NoRecipient => f.write_str("no port that is open takes recipients"),
            Self::Nothing => f.write_str("no port is open"),
        }
    }
}

fn with_reason(error: &Error) -> String {
    let got = error.got().map(|got| format!(": {got}")).unwrap_or_default();
    format!("{}{got}", error.message())
}

/// Adds the lines of one port.
fn row(text: &mut String, found: &Found, verbose: bool) {
    let port = found.address.port();
    let style = match found.state {
        State::Open if found.failure.is_some() => BAD,
        State::Open => GOOD,
        _ => DIM,
    };
    let state = &found.state;
    let _ = write!(text, "{port:>5}  {style}{state:<11}{style:#}");
    match state {
        State::Open => open(text, found),
        State::Closed => {}
        State::Filtered => {
            let _ = write!(text, " {DIM}no answer in {}{DIM:#}", duration::show(found.elapsed));
        }
        State::Unreachable(why) => {
            let _ = write!(text, " {DIM}{}{DIM:#}", reason(why, found));
        }
    }
    text.push('\n');
    if let Some(greeting) = &found.service.greeting {
        let _ = writeln!(text, "{:INDENT$}{}", "", cut(greeting));
    }
    let fault = found.service.tls.as_ref().and_then(|tls| tls.fault.as_deref());
    if let Some(fault) = fault {
        for line in wrapped(&format!("the certificate is not valid: {fault}"), ROOM) {
            let _ = writeln!(text, "{:INDENT$}{ODD}{line}{ODD:#}", "");
        }
    }
    if let Some(error) = &found.failure {
        for line in wrapped(&format!("failed at {}: {}", found.at, error.in_short()), ROOM) {
            let _ = writeln!(text, "{:INDENT$}{BAD}{line}{BAD:#}", "");
        }
        if let Some(step) = step_without_script(error) {
            for line in wrapped(&format!("hint: {step}"), ROOM) {
                let _ = writeln!(text, "{:INDENT$}{DIM}{line}{DIM:#}", "");
            }
        }
    }
    if verbose && found.state == State::Open {
        for line in transcript::lines(&found.transcript) {
            let _ = writeln!(text, "{:INDENT$}{}", "", human::styled(&line, usize::MAX));
        }
    }
}

/// Adds what is known of an open port, after its state.
fn open(text: &mut String, found: &Found) {
    let service = &found.service;
    let speaks = service.speech.map_or("unknown", |speech| speech.facts().name);
    let tls = encrypted(service);
    let days = match service.tls.as_ref().and_then(|tls| tls.certificate.as_ref()) {
        Some(certificate) if certificate.days_left() < 0 => "expired".to_owned(),
        Some(certificate) => format!("{} days", certificate.days_left()),
        None => String::new(),
    };
    let took = duration::show(found.elapsed);
    let _ = write!(text, " {speaks:<11} {tls:<13} {days:<10} {DIM}{took}{DIM:#}");
}

/// How a dialogue is encrypted, in one or two words.
fn encrypted(service: &Service) -> String {
    let version = service.tls.as_ref().map(|tls| tls.version.as_str());
    match (version, service.is_tls, service.starttls) {
        (Some(version), true, _) => format!("TLS {version}"),
        (Some(version), false, _) => format!("STARTTLS {version}"),
        (None, true, _) => "TLS".to_owned(),
        (None, false, Some(true)) => "STARTTLS".to_owned(),
        (None, false, Some(false)) => "no TLS".to_owned(),
        (None, false, None) => String::new(),
    }
}

/// The system's error without the address, which is shown above.
fn reason(why: &str, found: &Found) -> String {
    why.strip_prefix(&found.address.to_string()).unwrap_or(why).trim().to_owned()
}

/// A line from the server, shortened so that it fits into the table.
fn cut(line: &str) -> String {
    if line.chars().count() <= ROOM {
        return line.to_owned();
    }
    let shown: String = line.chars().take(ROOM - 3).collect();
    format!("{shown}...")
}

fn port(found: &Found) -> Value {
    let service = &found.service;
    let reason = match &found.state {
        State::Unreachable(why) => Some(reason(why, found)),
        _ => None,
    };
    json!({
        "address": found.address.ip().to_string(),
        "port": found.address.port(),
        "state": found.state.name(),
        "reason": reason,
        "protocol": service.speech.map(|speech| speech.facts().name),
        "greeting": service.greeting,
        "implicit_tls": service.is_tls,
        "starttls": service.starttls,
        "tls": service.tls.as_ref().map(tls),
        "mechanisms": service.mechanisms,
        "reached": found.reached.map(Depth::name),
        "failure": found.failure.as_ref().map(failure),
        "elapsed": found.elapsed.as_secs_f64(),
    })
}

fn failure(error: &Error) -> Value {
    json!({
        "kind": error.kind().name(),
        "message": error.message(),
        "expected": error.expected(),
        "got": error.got(),
        "sent": error.sent(),
        "hint": error.next_step(),
    })
}

fn tls(tls: &Established) -> Value {
    let certificate = tls.certificate.as_ref().map(|certificate| {
        json!({
            "subject": certificate.subject,
            "names": certificate.sans,
            "issuer": certificate.issuer,
            "not_before": crate::tls::timestamp(certificate.not_before),
            "not_after": crate::tls::timestamp(certificate.not_after),
            "days_left": certificate.days_left(),
            "fingerprint": certificate.fingerprint,
        })
    });
    json!({
        "version": tls.version,
        "cipher": tls.cipher,
        "verified": tls.is_verified(),
        "fault": tls.fault,
        "certificate": certificate,
    })
}
