//! The output of a monitoring plugin: a line with the state and the performance data, the failures
//! below it, and an exit code of its own
//! (<https://www.monitoring-plugins.org/doc/guidelines.html>).

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::threshold::{Threshold, Thresholds};
use super::unique::unique;
use super::{Human, Report, Summary, difference, explained, failed};
use crate::duration;
use crate::error::{Error, Kind};
use crate::outcome::{ExitCode, Outcome, Verdict};
use crate::target;
use crate::transcript::{self, Event, What};
use crate::visible;

/// The number of bytes that Nagios reads of a plugin's output.
const LONGEST: usize = 8 << 10;
/// The number of characters of text in the first line, at most 4000 bytes.
const HEADLINE: usize = 1000;
/// The number of bytes of performance data, limited so that the first line is never cut. Metrics
/// that find no room are only left out of the output: thresholds are judged on all of them.
const LONGEST_DATA: usize = 4 << 10;
/// The number of transcript lines shown.
const LAST_LINES: usize = 20;

/// The state of a service, as defined for plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The exit code whose number is that of the state.
    fn code(self) -> ExitCode {
        match self {
            Self::Ok => ExitCode::Passed,
            Self::Warning => ExitCode::Failed,
            Self::Critical => ExitCode::Wrong,
            Self::Unknown => ExitCode::Unreachable,
        }
    }

    fn of(outcome: &Outcome) -> Self {
        match &outcome.verdict {
            Verdict::Passed => Self::Ok,
            // Nothing was checked.
            Verdict::Skipped(_) | Verdict::Interrupted(_) => Self::Unknown,
            Verdict::Differs(_) => Self::Critical,
            // A refused port is a fault of the server. An error of the script or of this program
            // says nothing about the server.
            Verdict::Failed(failure) => match failure.error.kind() {
                Kind::Usage | Kind::Busy | Kind::Vacuous => Self::Unknown,
                _ => Self::Critical,
            },
        }
    }
}

/// The output of a plugin that could not run.
pub(crate) fn unknown(error: &Error) -> (String, ExitCode) {
    let hint = error.next_step().map(|hint| format!("; {hint}")).unwrap_or_default();
    let lines = error.message().split("\\n").map(str::trim).filter(|line| !line.is_empty());
    let message = lines.collect::<Vec<_>>().join(" ");
    let text = bar_free(&format!("{message}{hint}"));
    (format!("MAIL UNKNOWN - {}\n", cut(&text, HEADLINE)), State::Unknown.code())
}

/// A number that thresholds may limit.
struct Measure {
    label: String,
    /// The name for which thresholds are given.
    name: String,
    value: f64,
    unit: String,
    /// Whether the number cannot be below 0.
    from_zero: bool,
}

/// All outcomes, kept until the end of the run, and the thresholds for their metrics.
#[derive(Debug)]
pub(crate) struct Nagios {
    thresholds: Thresholds,
    outcomes: Vec<(usize, Outcome)>,
    state: Option<State>,
}

impl Nagios {
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, outcomes: Vec::new(), state: None }
    }
}

impl Report for Nagios {
    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        self.outcomes.push((number, outcome.clone()));
        String::new()
    }

    fn run_ended(&mut self, summary: &Summary) -> String {
        self.outcomes.sort_by_key(|(number, _)| *number);
        let outcomes: Vec<_> = self.outcomes.iter().map(|(_, outcome)| outcome).collect();
        let measures = measures(&outcomes, summary.elapsed);
        let mut alerts = alerts(&self.thresholds, &measures);
        let mut state = outcomes.iter().map(|outcome| State::of(outcome)).max();
        if summary.not_run > 0 {
            alerts.push((State::Unknown, format!("{} scripts were not run", summary.not_run)));
        }
        let is_well = state == Some(State::Ok);
        if let Some(unknown) = self.thresholds.without(&measures).filter(|_| is_well) {
            alerts.push((State::Unknown, unknown));
        }
        // The worst comes first, because the first line may be cut.
        alerts.sort_by_key(|(state, _)| Reverse(*state));
        let worst = alerts.first().map(|(state, _)| *state);
        state = state.max(worst);
        let state = state.unwrap_or(State::Unknown);
        self.state = Some(state);
        let headline = headline(&outcomes, &alerts, summary.elapsed);
        let mut text = format!("{} {} - {}", service(&outcomes), state.name(), headline);
        self.thresholds.performance(&mut text, &measures);
        text.push('\n');
        for outcome in outcomes.iter().filter(|outcome| State::of(outcome) != State::Ok) {
            detail(&mut text, outcome);
        }
        bounded(text)
    }

    fn exit_code(&self) -> Option<ExitCode> {
        self.state.map(State::code)
    }
}

/// The name of the checked service: the protocol, if all sessions have the same one. A session that
/// could not be opened counts, so that the name stays the same when the server is down.
fn service(outcomes: &[&Outcome]) -> &'static str {
    let sessions = outcomes.iter().flat_map(|outcome| &outcome.measured.sessions);
    let attempts = outcomes.iter().flat_map(|outcome| &outcome.transcript).filter_map(attempted);
    let protocols: BTreeSet<_> = sessions.map(|opened| opened.protocol).chain(attempts).collect();
    let mut protocols = protocols.into_iter();
    match (protocols.next(), protocols.next()) {
        (Some(protocol), None) => protocol,
        _ => "MAIL",
    }
}

/// The protocol of the URL that a session was about to connect to.
fn attempted(event: &Event) -> Option<&'static str> {
    match &event.what {
        What::Connecting(url) => target::speech(url).map(|speech| speech.facts().name),
        _ => None,
    }
}

/// The text of the first line: what is wrong, or what was checked successfully.
fn headline(outcomes: &[&Outcome], alerts: &[(State, String)], elapsed: Duration) -> String {
    let failed: Vec<_> =
        outcomes.iter().filter(|outcome| State::of(outcome) != State::Ok).collect();
    let mut parts: Vec<_> = failed.iter().map(|outcome| wrong(outcome)).collect();
    parts.extend(alerts.iter().map(|(_, alert)| alert.clone()));
    if let [outcome] = outcomes
        && failed.is_empty()
    {
        let path = outcome.path.to_string_lossy();
        let title = outcome.title.as_deref().unwrap_or(&path);
        parts.push(title.trim_end_matches('.').to_owned());
        let steps = outcome.measured.steps.len();
        let steps = if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
        parts.push(format!("{steps} in {}", duration::show(elapsed)));
    } else if outcomes.len() > 1 {
        let passed = outcomes.len() - failed.len();
        let took = duration::show(elapsed);
        parts.push(format!("{passed} of {} scripts passed in {took}", outcomes.len()));
    }
    cut(&bar_free(&visible::escape(parts.join(", ").as_bytes())), HEADLINE)
}

/// What is wrong with one script, in one line: the step, the message, what came instead.
fn wrong(outcome: &Outcome) -> String {
    if let Verdict::Skipped(reason) = &outcome.verdict {
        return format!("skipped: {reason}");
    }
    if let Verdict::Differs(differs) = &outcome.verdict {
        return difference::message(differs).to_owned();
    }
    let Some(failure) = outcome.failure() else { return String::new() };
    let step = failure.step.as_deref().map(|step| format!("{step}: ")).unwrap_or_default();
    let error = &failure.error;
    let first = |part: Option<&str>, name: &str| {
        let part = part.and_then(|part| part.lines().next());
        part.map(|part| format!(", {name} {part}")).unwrap_or_default()
    };
    let expected = first(error.expected(), "expected");
    format!("{step}{}{expected}{}", error.message(), first(error.got(), "got"))
}

/// Adds the details of a failure below the first line.
fn detail(text: &mut String, outcome: &Outcome) {
    let (place, message) = Human::fault(outcome);
    let _ = writeln!(text, "{}", bar_free(&format!("{place}: {message}")));
    for (name, part) in outcome.failure().map(explained::notes).unwrap_or_default() {
        let _ = writeln!(text, "  {name}: {}", bar_free(&part.replace('\n', "\n    ")));
    }
    let events = &outcome.transcript;
    let events = match outcome.failure() {
        Some(failure) => failed::events(events, failure, LAST_LINES),
        None => events.into(),
    };
    for line in transcript::last_lines(&events, LAST_LINES, |_| true) {
        let _ = writeln!(text, "  {}", bar_free(&cut(&line.to_string(), 300)));
    }
}

/// All metrics of a run. If there are several scripts, each name includes the script's.
fn measures(outcomes: &[&Outcome], elapsed: Duration) -> Vec<Measure> {
    let mut found = vec![seconds("", "total", elapsed)];
    for outcome in outcomes {
        let stem = outcome.path.file_stem().unwrap_or_default().to_string_lossy();
        let target = outcome.target.as_deref().map(|name| format!("@{name}")).unwrap_or_default();
        let prefix = if outcomes.len() > 1 { format!("{stem}{target}/") } else { String::new() };
        if outcomes.len() > 1 {
            found.push(seconds(&prefix, "total", outcome.elapsed));
        }
        let measured = &outcome.measured;
        let connect = measured.longest(|opened| Some(opened.connect));
        let tls = measured.longest(|opened| opened.tls.as_ref().map(|tls| tls.handshake));
        for (name, span) in [("connect", connect), ("tls", tls)] {
            found.extend(span.map(|span| seconds(&prefix, name, span)));
        }
        if let Some(days) = measured.first_to_expire().and_then(|tls| tls.days_left) {
            #[allow(clippy::cast_precision_loss, reason = "days")]
            found.push(number(&prefix, "cert_days", days as f64, ""));
        }
        found.extend(measured.steps.iter().map(|(title, span)| seconds(&prefix, title, *span)));
        let own = measured.metrics.iter();
        found.extend(own.map(|own| number(&prefix, &own.name, own.value, &own.unit)));
    }
    let names = unique(found.iter().map(|measure| measure.label.as_str()));
    for (measure, name) in found.iter_mut().zip(names) {
        measure.label = name;
    }
    found
}

fn seconds(prefix: &str, name: &str, span: Duration) -> Measure {
    Measure { from_zero: true, ..number(prefix, name, span.as_secs_f64(), "s") }
}

fn number(prefix: &str, name: &str, value: f64, unit: &str) -> Measure {
    Measure {
        label: format!("{prefix}{name}").replace(['\'', '=', '|'], "_"),
        name: name.to_owned(),
        value,
        unit: unit.to_owned(),
        from_zero: false,
    }
}

/// The metrics that cross a threshold.
fn alerts(thresholds: &Thresholds, measures: &[Measure]) -> Vec<(State, String)> {
    let mut alerts = Vec::new();
    for measure in measures {
        let crossed = |all: &[Threshold]| {
            let mut all = all.iter().filter(|threshold| threshold.is_for(measure));
            all.find(|threshold| threshold.is_crossed(measure.value)).cloned()
        };
        let critical = crossed(&thresholds.critical).map(|threshold| (State::Critical, threshold));
        let warning = || crossed(&thresholds.warning).map(|found| (State::Warning, found));
        if let Some((state, threshold)) = critical.or_else(warning) {
            let (value, unit) = (shown(measure.value), &measure.unit);
            let label = &measure.label;
            alerts.push((state, format!("{label} is {value}{unit} (range {})", threshold.range)));
        }
    }
    alerts
}

impl Threshold {
    fn is_for(&self, measure: &Measure) -> bool {
        self.metric == measure.name || self.metric == measure.label
    }
}

impl Thresholds {
    /// The message about a threshold whose metric does not exist; `None` if all exist.
    fn without(&self, measures: &[Measure]) -> Option<String> {
        let all = self.warning.iter().chain(&self.critical);
        let mut missing = all.filter(|one| !measures.iter().any(|measure| one.is_for(measure)));
        let known: Vec<_> = measures.iter().map(|measure| measure.label.as_str()).collect();
        missing.next().map(|missing| {
            format!("there is no metric {} (there are {})", missing.metric, known.join(", "))
        })
    }

    /// Adds the performance data after a bar. If there is not room for all, metrics with a threshold
    /// come first.
    fn performance(&self, text: &mut String, measures: &[Measure]) {
        let is_limited = |measure: &Measure| {
            self.warning.iter().chain(&self.critical).any(|one| one.is_for(measure))
        };
        let data = measures.iter().map(|measure| (!is_limited(measure), self.datum(measure)));
        let mut data: Vec<_> = data.collect();
        let mut room = LONGEST_DATA;
        if data.iter().map(|(_, datum)| datum.len()).sum::<usize>() > room {
            data.sort_by_key(|(is_last, _)| *is_last);
        }
        text.push_str(" |");
        for (_, datum) in data {
            if let Some(rest) = room.checked_sub(datum.len()) {
                room = rest;
                text.push_str(&datum);
            }
        }
    }

    /// The performance data of a metric: `'label'=value[unit];[warn];[crit];[min]`.
    fn datum(&self, measure: &Measure) -> String {
        let range = |all: &[Threshold]| {
            let found = all.iter().find(|threshold| threshold.is_for(measure));
            found.map(|found| found.range.clone()).unwrap_or_default()
        };
        let label = &measure.label;
        let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let quote = if is_plain { "" } else { "'" };
        let (warning, critical) = (range(&self.warning), range(&self.critical));
        let min = if measure.from_zero { "0" } else { "" };
        let bounds = format!(";{warning};{critical};{min}");
        let bounds = bounds.trim_end_matches(';');
        let (label, value) = (visible::escape(label.as_bytes()), shown(measure.value));
        format!(" {quote}{label}{quote}={value}{}{bounds}", measure.unit)
    }
}

/// A number to a microsecond, without an exponent.
fn shown(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text without bars, because a bar begins the performance data.
fn bar_free(text: &str) -> String {
    text.replace('|', "\u{a6}")
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The part of the text that Nagios reads, in whole lines.
fn bounded(mut text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST - 4).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let end = text[..end].rfind('\n').map_or(end, |end| end + 1);
    text.truncate(end);
    text.push_str("...\n");
    text
}
