//! A text file for the textfile collector of Prometheus' node exporter. Metrics that
//! `blackbox_exporter` has as well have the same names here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::SystemTime;

use super::matrix::Cell;
use super::unique::unique;
use super::{Report, Summary};
use crate::outcome::{Measured, Outcome, Verdict};
use crate::transcript::{Event, What};
use crate::visible;

/// All outcomes, kept until the end of the run, because the samples of a metric have to be
/// together.
#[derive(Debug, Default)]
pub(crate) struct Prometheus {
    outcomes: Vec<(usize, Outcome)>,
}

/// The metrics with their help texts, in the order in which they are written.
const METRICS: [(&str, &str); 13] = [
    ("probe_success", "Whether the script passed."),
    ("probe_duration_seconds", "How long the script took."),
    ("probe_dns_lookup_time_seconds", "How long the host of the first session was looked up."),
    ("probe_ip_protocol", "The IP version of the first session, 4 or 6."),
    ("probe_ssl_earliest_cert_expiry", "When the first certificate expires, in Unix time."),
    ("probe_tls_version_info", "The TLS version of the first session with TLS."),
    ("probe_tls_cipher_info", "The cipher suite of the first session with TLS."),
    ("mailexpect_connect_duration_seconds", "How long the slowest connection took to make."),
    ("mailexpect_tls_duration_seconds", "How long the slowest TLS handshake took."),
    ("mailexpect_step_duration_seconds", "How long a step took."),
    ("mailexpect_step_reply_code", "The last reply code of a session in a step."),
    ("mailexpect_metric", "A number that the script measured."),
    ("mailexpect_failure_info", "The kind of the failure, and the step that it was in."),
];

/// The lines with the samples of each metric.
type Samples = BTreeMap<&'static str, Vec<String>>;

impl Report for Prometheus {
    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        self.outcomes.push((number, outcome.clone()));
        String::new()
    }

    fn run_ended(&mut self, _: &Summary) -> String {
        self.outcomes.sort_by_key(|(number, _)| *number);
        let mut samples = Samples::new();
        for outcome in one_of_each(&self.outcomes) {
            // A script that was skipped has no samples.
            if !matches!(outcome.verdict, Verdict::Skipped(_)) {
                whole(&mut samples, outcome);
                steps(&mut samples, outcome);
            }
        }
        let mut text = String::new();
        for (name, help) in METRICS {
            let Some(lines) = samples.get(name) else { continue };
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            text.extend(lines.iter().map(|line| format!("{line}\n")));
        }
        text
    }
}

/// One run of each script for each target: the last of the worst. Two runs would have samples with
/// the same labels, which Prometheus does not accept.
fn one_of_each(outcomes: &[(usize, Outcome)]) -> Vec<&Outcome> {
    let mut found: BTreeMap<_, &Outcome> = BTreeMap::new();
    for (_, outcome) in outcomes {
        let known = found.entry(labels(outcome)).or_insert(outcome);
        if Cell::of(outcome) >= Cell::of(known) {
            *known = outcome;
        }
    }
    found.into_values().collect()
}

/// The labels of all samples of a script.
fn labels(outcome: &Outcome) -> Vec<String> {
    let script = outcome.path.to_string_lossy();
    let target = outcome.target.as_deref().map(|target| ("target", target));
    [("script", &*script)].into_iter().chain(target).map(label).collect()
}

fn label((name, value): (&str, &str)) -> String {
    format!("{name}=\"{}\"", escaped(value))
}

/// Adds a sample. Its labels follow those of the script.
fn add(
    samples: &mut Samples,
    name: &'static str,
    outcome: &Outcome,
    own: &[(&str, &str)],
    value: f64,
) {
    let mut all = labels(outcome);
    all.extend(own.iter().copied().map(label));
    let line = format!("{name}{{{}}} {value}", all.join(","));
    samples.entry(name).or_default().push(line);
}

/// The value of a label, escaped for the text format.
fn escaped(value: &str) -> String {
    let value = visible::printable_lines(&value.replace('\r', ""));
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn whole(samples: &mut Samples, outcome: &Outcome) {
    let mut say = |name, value| add(samples, name, outcome, &[], value);
    let Measured { sessions, metrics, .. } = &outcome.measured;
    say("probe_success", f64::from(u8::from(outcome.is_ok())));
    say("probe_duration_seconds", outcome.elapsed.as_secs_f64());
    if let Some(first) = sessions.first() {
        say("probe_dns_lookup_time_seconds", first.lookup.as_secs_f64());
        if let Some(address) = first.address {
            say("probe_ip_protocol", if matches!(address, IpAddr::V4(_)) { 4.0 } else { 6.0 });
        }
    }
    let expiry = outcome.measured.first_to_expire().and_then(|tls| tls.expiry);
    if let Some(since) = expiry.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()) {
        say("probe_ssl_earliest_cert_expiry", since.as_secs_f64());
    }
    let connect = outcome.measured.longest(|opened| Some(opened.connect));
    let handshake = |opened: &crate::outcome::Opened| Some(opened.tls.as_ref()?.handshake);
    let tls = outcome.measured.longest(handshake);
    for (name, span) in
        [("mailexpect_connect_duration_seconds", connect), ("mailexpect_tls_duration_seconds", tls)]
    {
        if let Some(span) = span {
            say(name, span.as_secs_f64());
        }
    }
    if let Some(tls) = sessions.iter().find_map(|opened| opened.tls.as_ref()) {
        let version = format!("TLS {}", tls.version);
        add(samples, "probe_tls_version_info", outcome, &[("version", &version)], 1.0);
        add(samples, "probe_tls_cipher_info", outcome, &[("cipher", &tls.cipher)], 1.0);
    }
    for metric in metrics {
        let labels = [("name", metric.name.as_str()), ("unit", metric.unit.as_str())];
        add(samples, "mailexpect_metric", outcome, &labels, metric.value);
    }
    let kind = match &outcome.verdict {
        Verdict::Differs(_) => Some("differs"),
        _ => outcome.failure().map(|failure| failure.error.kind().name()),
    };
    if let Some(kind) = kind {
        let step = outcome.failure().and_then(|failure| failure.step.as_deref());
        let labels = [("kind", kind), ("step", step.unwrap_or_default())];
        add(samples, "mailexpect_failure_info", outcome, &labels, 1.0);
    }
}

/// The last reply code of a session in a step.
struct Said {
    step: usize,
    session: String,
    code: Option<u16>,
}

fn steps(samples: &mut Samples, outcome: &Outcome) {
    let steps = &outcome.measured.steps;
    let names = unique(steps.iter().map(|(title, _)| &**title));
    let said = said(&outcome.transcript);
    for (number, ((_, span), name)) in steps.iter().zip(&names).enumerate() {
        let last = said.iter().rev().find(|said| said.step == number + 1);
        let session = last.map(|said| said.session.as_str()).unwrap_or_default();
        let labels = [("step", name.as_str()), ("session", session)];
        add(samples, "mailexpect_step_duration_seconds", outcome, &labels, span.as_secs_f64());
    }
    for said in said {
        let Some(code) = said.code else { continue };
        // Replies before the first step have no name.
        let step = said.step.checked_sub(1).and_then(|step| names.get(step));
        let step = step.map(String::as_str).unwrap_or_default();
        let labels = [("step", step), ("session", said.session.as_str())];
        add(samples, "mailexpect_step_reply_code", outcome, &labels, f64::from(code));
    }
}

/// The sessions that received replies, for each step, each with the last code.
fn said(events: &[Event]) -> Vec<Said> {
    let mut found: Vec<Said> = Vec::new();
    let mut step = 0;
    for event in events {
        match (&event.what, event.session) {
            (What::Step(_), _) => step += 1,
            (What::Server(said), Some(session)) => {
                let session = session.to_string();
                let code = code(said.head());
                let known = found.iter_mut().find(|one| one.step == step && one.session == session);
                match known {
                    Some(known) => known.code = code.or(known.code),
                    None => found.push(Said { step, session, code }),
                }
            }
            _ => {}
        }
    }
    found
}

/// The code at the start of an SMTP reply.
fn code(reply: &[u8]) -> Option<u16> {
    let digits = reply.get(..3)?;
    let is_code = digits.iter().all(u8::is_ascii_digit)
        && matches!(reply.get(3), None | Some(b' ' | b'-' | b'\r' | b'\n'));
    is_code.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::error::Error;

    #[test]
    fn a_script_that_ran_more_than_once_has_the_samples_of_its_last_failure() {
        let mut report = Prometheus::default();
        for (number, failed) in [None, Some("first"), Some("last"), None].into_iter().enumerate() {
            let verdict = failed.map_or(Verdict::Passed, |step| {
                let mut failure = crate::outcome::Failure::from(Error::usage("x"));
                failure.step = Some(step.to_owned());
                Verdict::Failed(Box::new(failure))
            });
            let mut outcome = Outcome::new(Path::new("a.rhai"), verdict);
            outcome.elapsed = Duration::from_secs(number as u64);
            report.script_ended(number, &outcome);
        }
        let text = report.run_ended(&Summary::default());
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "probe_success{script=\"a.rhai\"} 0",
                "probe_duration_seconds{script=\"a.rhai\"} 2",
                "mailexpect_failure_info{script=\"a.rhai\",kind=\"usage\",step=\"last\"} 1"
            ]
        );
    }
}
