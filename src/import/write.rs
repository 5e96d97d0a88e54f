//! Writes the steps that were read as a script.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::expected;
use super::literal::{bytes, regex, text};
use super::{ANSWER, Act, Format, Imported, Read, Step};
use crate::visible;

/// Writes the script.
pub(super) fn script(name: &str, format: Format, read: Read) -> Imported {
    let mut writer = Writer::new(&read.steps);
    let mut head = String::new();
    let file = visible::escape(name.rsplit('/').next().unwrap_or(name).as_bytes());
    let _ = writeln!(head, "// What {file} says ({}).", format.describe());
    let (notes, unread): (Vec<_>, Vec<_>) =
        read.unread.iter().partition(|unread| unread.text.is_empty());
    let parts =
        [("Not read, and so not in this script", unread), ("Other than in the file", notes)];
    for (title, lines) in parts.into_iter().filter(|(_, lines)| !lines.is_empty()) {
        let _ = writeln!(head, "//\n// {title}:");
        for line in lines {
            let _ = writeln!(head, "//   {line}");
        }
    }
    head.push('\n');
    match (format, branches(&read.steps)) {
        (Format::Exim, Some(branches)) => writer.together(&read.steps, &branches),
        _ => writer.all(&read.steps, &(0..read.steps.len()).collect::<Vec<_>>()),
    }
    let script = head + writer.script.as_str();
    Imported { format, script, unread: read.unread, secrets: writer.secrets }
}

/// Splits the steps into branches: those of each server, and those of all clients. A branch lists
/// the indices of its steps. The clients talk to the program under test, and that program talks to
/// the servers at the same time, so the branches run concurrently. Returns `None` if there is no
/// server or no client.
fn branches(steps: &[Step]) -> Option<Vec<Vec<usize>>> {
    let mut servers = BTreeMap::new();
    for step in steps {
        if let Act::Let(expression) = &step.act {
            servers.insert(step.session, expression.split('.').next().unwrap_or_default());
        }
    }
    let is_client = |step: &Step| !servers.contains_key(&step.session);
    let connects = |step: &Step| is_client(step) && matches!(step.act, Act::Connect { .. });
    if servers.is_empty() || !steps.iter().any(connects) {
        return None;
    }
    let mut branches: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        if !matches!(step.act, Act::Listen { .. }) {
            branches.entry(servers.get(&step.session).copied()).or_default().push(at);
        }
    }
    Some(branches.into_values().rev().collect())
}

/// A line that a client sends.
struct Line {
    /// What sends it: a text without its line end, or bytes with it.
    expression: String,
    is_text: bool,
}

struct Writer {
    script: String,
    /// The variable of each session.
    names: Vec<String>,
    /// The parameter of each URL, by what its name begins with.
    params: BTreeMap<String, BTreeMap<Option<String>, String>>,
    secrets: Vec<(usize, String)>,
    /// The values in each reply that differ from run to run, by the index of the step.
    varying: BTreeMap<usize, Vec<String>>,
    /// The sessions whose protocol has no replies.
    streams: BTreeSet<usize>,
    step: usize,
    /// Whether the script has declared the variable for answers.
    has_groups: bool,
    /// The number of listeners.
    listeners: usize,
}

impl Writer {
    fn new(steps: &[Step]) -> Self {
        let sessions = steps.iter().map(|step| step.session).max().map_or(0, |last| last + 1);
        let names = match sessions {
            0 | 1 => vec!["s".to_owned()],
            many => (1..=many).map(|number| format!("s{number}")).collect(),
        };
        Self {
            script: String::new(),
            names,
            params: BTreeMap::new(),
            secrets: Vec::new(),
            varying: expected::varying(steps),
            streams: steps.iter().filter(|step| is_stream(step)).map(|step| step.session).collect(),
            step: 0,
            has_groups: false,
            listeners: steps.iter().filter(|step| matches!(step.act, Act::Listen { .. })).count(),
        }
    }

    /// Writes the steps with these indices.
    fn all(&mut self, steps: &[Step], places: &[usize]) {
        let chosen: Vec<_> = places.iter().map(|at| steps[*at].clone()).collect();
        let mut at = 0;
        while at < chosen.len() {
            self.step = places[at];
            at += self.run(&chosen[at..]);
        }
    }

    /// Writes the listeners, and then the branches, which the script runs concurrently.
    fn together(&mut self, steps: &[Step], branches: &[Vec<usize>]) {
        let listens = |at: &usize| matches!(steps[*at].act, Act::Listen { .. });
        self.all(steps, &(0..steps.len()).filter(listens).collect::<Vec<_>>());
        let mut whole = std::mem::take(&mut self.script);
        whole.push_str("together([\n");
        for places in branches {
            self.all(steps, places);
            let body = std::mem::take(&mut self.script);
            let lines = body.lines().map(|line| {
                if line.is_empty() { "\n".to_owned() } else { format!("        {line}\n") }
            });
            let _ = write!(whole, "    || {{\n{}    }},\n", lines.collect::<String>());
        }
        whole.push_str("]);\n");
        self.script = whole;
    }

    /// Writes the next step, and returns the number of steps written. Consecutive lines of a client
    /// are written together, because they may be pipelined.
    fn run(&mut self, steps: &[Step]) -> usize {
        let first = &steps[0];
        let name = self.names[first.session].clone();
        if let Act::Send { .. } = first.act {
            let count = steps
                .iter()
                .take_while(|step| {
                    step.session == first.session && matches!(step.act, Act::Send { .. })
                })
                .count();
            self.sends(&name, &steps[..count]);
            self.step += count;
            return count;
        }
        let remark = first.remark.as_deref().map(|remark| format!("  // {}", comment(remark)));
        let statement = self.statement(&name, first);
        let mut lines = statement.lines();
        if let Some(line) = lines.next() {
            let _ = writeln!(self.script, "{line}{}", remark.unwrap_or_default());
        }
        for line in lines {
            let _ = writeln!(self.script, "{line}");
        }
        self.step += 1;
        1
    }

    /// Writes consecutive lines of a client. They are pipelined if the client does not wait for a
    /// reply that the server owes.
    fn sends(&mut self, name: &str, steps: &[Step]) {
        let owes = |step: &Step| matches!(step.act, Act::Send { owes: true, .. });
        let runs_ahead = steps[..steps.len() - 1].iter().any(owes);
        let lines: Vec<_> = steps
            .iter()
            .filter_map(|step| Some((self.said(step)?, step.remark.as_deref())))
            .collect();
        let is_pipelined = runs_ahead && lines.iter().all(|(line, _)| line.is_text);
        if is_pipelined {
            let _ = writeln!(self.script, "{name}.pipeline([");
        }
        for (Line { expression, is_text }, remark) in lines {
            let remark = remark.map(|remark| format!("  // {}", comment(remark)));
            let remark = remark.unwrap_or_default();
            let _ = match (is_text, runs_ahead) {
                (true, true) if is_pipelined => {
                    writeln!(self.script, "    {expression},{remark}")
                }
                (true, true) => {
                    let line_end = text("\r\n");
                    writeln!(self.script, "{name}.send_raw({expression} + {line_end});{remark}")
                }
                (true, false) => writeln!(self.script, "{name}.send({expression});{remark}"),
                (false, _) => writeln!(self.script, "{name}.send_raw({expression});{remark}"),
            };
        }
        if is_pipelined {
            let _ = writeln!(self.script, "]);");
        }
    }

    /// Returns the line that a step sends; `None` if the step sends none.
    fn said(&mut self, step: &Step) -> Option<Line> {
        let Act::Send { line, secret, .. } = &step.act else { return None };
        let Ok(whole) = std::str::from_utf8(line) else {
            let expression = bytes(&[line.as_slice(), b"\r\n"].concat());
            return Some(Line { expression, is_text: false });
        };
        let Some(span) = secret.clone().filter(|span| whole.get(span.clone()).is_some()) else {
            return Some(Line { expression: text(whole), is_text: true });
        };
        let param = self.secret(step.line, &whole[span.clone()]);
        let (before, behind) = (&whole[..span.start], &whole[span.end..]);
        let mut parts = Vec::new();
        parts.extend((!before.is_empty()).then(|| text(before)));
        parts.push(param);
        parts.extend((!behind.is_empty()).then(|| text(behind)));
        Some(Line { expression: parts.join(" + "), is_text: true })
    }

    /// Returns the expression for the parameter that replaces a secret. The secret in the file is
    /// its default, except if the file shows only a mask such as `***`.
    fn secret(&mut self, line: usize, value: &str) -> String {
        let name = format!("secret_{}", self.secrets.len() + 1);
        let is_gone = value.contains("[SECRET]")
            || value.contains("<hidden>")
            || (value.len() > 2
                && value.trim_end_matches('=').bytes().all(|byte| b"*xX.".contains(&byte)));
        self.secrets.push((line, if is_gone { String::new() } else { name.clone() }));
        if is_gone {
            format!("param({})", text(&name))
        } else {
            format!("param({}, {})", text(&name), text(value))
        }
    }

    fn statement(&mut self, name: &str, step: &Step) -> String {
        match &step.act {
            Act::Connect { scheme, place } => {
                let param = self.param(scheme, place.as_deref());
                format!("let {name} = connect({param});")
            }
            Act::Listen { listener, place } => {
                let url = place.as_ref().map(|place| format!("tcp{place}"));
                let default = url.clone().unwrap_or_else(|| "tcp".to_owned());
                let param = self.named("listen", url);
                format!(
                    "let {} = listen(param({}, {}));",
                    self.listener(*listener),
                    text(&param),
                    text(&default)
                )
            }
            Act::Let(expression) => format!("let {name} = {};", self.with_listener(expression)),
            Act::Raw(raw) => format!("{name}.send_raw({});", bytes(raw)),
            Act::Reply(lines) => {
                let is_stream = self.streams.contains(&step.session);
                expected::reply(name, lines, self.varying.get(&self.step), is_stream)
            }
            Act::Block(lines) => {
                expected::block(name, lines, self.varying.contains_key(&self.step))
            }
            Act::Match(pattern) => format!("{name}.expect({});", regex(pattern)),
            Act::Unordered(patterns) => {
                let patterns: Vec<_> =
                    patterns.iter().map(|pattern| format!("    {},\n", regex(pattern))).collect();
                format!("{name}.expect_unordered([\n{}]);", patterns.concat())
            }
            Act::Handshake => format!("{name}.tls_handshake();"),
            Act::Closed => format!("{name}.expect_close();"),
            Act::Send { .. } | Act::Close => String::new(),
            Act::Step(title) => format!("\nstep({});", text(title)),
            Act::Statement(statement) => self.verbatim(name, statement),
        }
    }

    fn verbatim(&mut self, name: &str, statement: &str) -> String {
        if statement.starts_with("expect_port(@") {
            // The last line of the script connects this session. The expectation replaces that
            // line.
            let connect = format!("let {name} = connect(");
            if let Some(at) = self.script.rfind(&connect) {
                let line = self.script.split_off(at);
                let place = line.trim_end().trim_start_matches(&connect).trim_end_matches(");");
                return statement.replacen('@', place, 1);
            }
        }
        // The session stands first in a line. Later in it, `$.` belongs to a text.
        let session = format!("{name}.");
        let lines: Vec<_> =
            statement.lines().map(|line| line.replacen("$.", &session, 1)).collect();
        let mut statement = lines.join("\n");
        if statement.contains(&format!("{ANSWER} = ")) {
            let declared = std::mem::replace(&mut self.has_groups, true);
            let declaration = if declared { "r = " } else { "let r = " };
            statement = statement.replace(&format!("{ANSWER} = "), declaration);
        }
        statement.replace(ANSWER, "r")
    }

    /// The expression for the parameter of a session's URL.
    fn param(&mut self, scheme: &str, place: Option<&str>) -> String {
        let url = place.map(|place| {
            let place = if place.matches(':').count() > 1
                && !place.starts_with('[')
                && place.parse::<std::net::IpAddr>().is_ok()
            {
                format!("[{place}]")
            } else {
                place.to_owned()
            };
            format!("{scheme}://{place}")
        });
        let name = self.named(scheme, url.clone());
        match url {
            Some(url) => format!("param({}, {})", text(&name), text(&url)),
            None => format!("param({})", text(&name)),
        }
    }

    /// Returns the name of the parameter for a URL. The same URL gets the same name.
    fn named(&mut self, base: &str, url: Option<String>) -> String {
        let names = self.params.entry(base.to_owned()).or_default();
        let number = names.len() + 1;
        let next = || if number == 1 { base.to_owned() } else { format!("{base}_{number}") };
        names.entry(url).or_insert_with(next).clone()
    }

    /// The variable of a listener.
    fn listener(&self, number: usize) -> String {
        if self.listeners == 1 { "l".to_owned() } else { format!("l{}", number + 1) }
    }

    /// Replaces the number of a listener in an expression by its variable.
    fn with_listener(&self, expression: &str) -> String {
        let number = expression.strip_prefix('@').and_then(|rest| rest.split_once('.'));
        match number.and_then(|(number, call)| Some((number.parse().ok()?, call))) {
            Some((number, call)) => format!("{}.{call}", self.listener(number)),
            None => expression.to_owned(),
        }
    }
}

/// Whether a step connects to a server whose protocol has no replies.
fn is_stream(step: &Step) -> bool {
    matches!(&step.act, Act::Connect { scheme: "tcp" | "tls", .. })
}

/// Returns a remark as the text of a comment on one line.
fn comment(remark: &str) -> String {
    let bare = remark.trim_start_matches(|c: char| !c.is_alphanumeric());
    let is_inside = bare.len() < remark.len() && !bare.contains(['(', '\u{ff08}']);
    let bare = if is_inside { bare.trim_end_matches([')', '\u{ff09}']) } else { bare };
    visible::printable(bare)
}
