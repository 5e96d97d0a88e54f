//! Writes the steps that were read as a script.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::literal::{bytes, escaped, regex, text};
use super::tokens::{has_token, without_tokens};
use super::words::is_smtp_reply;
use super::{ANSWER, Act, Format, Imported, Read, Step};
use crate::redaction::Redaction;
use crate::transcript::{Event, Excerpt, What};
use crate::visible;

/// The width of a line of the script in columns, if its texts allow it.
const WIDTH: usize = 100;

/// Writes the script.
pub(super) fn script(name: &str, format: Format, read: Read) -> Imported {
    let mut writer = Writer::new(&read.steps);
    let mut head = String::new();
    let file = visible::escape(name.rsplit('/').next().unwrap_or(name).as_bytes());
    let _ = writeln!(head, "// What {file} says ({}).", format.describe());
    if !read.unread.is_empty() {
        let _ = writeln!(head, "//\n// Not read, and so not in this script:");
        for unread in &read.unread {
            let _ = writeln!(head, "//   {unread}");
        }
    }
    head.push('\n');
    let steps = &read.steps;
    let mut at = 0;
    while at < steps.len() {
        at += writer.run(&steps[at..]);
    }
    let script = head + writer.script.as_str();
    Imported { format, script, unread: read.unread, secrets: writer.secrets }
}

struct Writer {
    script: String,
    /// The variables of the sessions.
    names: Vec<String>,
    /// The URL of each parameter that was named so far.
    params: BTreeMap<String, Option<String>>,
    secrets: Vec<(usize, String)>,
    /// The values in each reply that differ from run to run, by the index of the step.
    varying: BTreeMap<usize, Vec<String>>,
    step: usize,
    /// Whether the variable for answers was declared.
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
            varying: varying(steps),
            step: 0,
            has_groups: false,
            listeners: steps.iter().filter(|step| matches!(step.act, Act::Listen { .. })).count(),
        }
    }

    /// Writes the next steps, and returns how many. Lines that are sent without a reply between
    /// them are written together.
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

    /// Writes lines of the client. Lines that are sent before a reply that is owed are pipelined.
    fn sends(&mut self, name: &str, steps: &[Step]) {
        let owes = |step: &Step| matches!(step.act, Act::Send { owes: true, .. });
        let runs_ahead = steps[..steps.len() - 1].iter().any(owes);
        let lines: Vec<_> =
            steps.iter().map(|step| (self.said(step), step.remark.as_deref())).collect();
        if !runs_ahead {
            for (line, remark) in lines {
                let remark = remark.map(|remark| format!("  // {}", comment(remark)));
                let _ = writeln!(self.script, "{name}.{line}{}", remark.unwrap_or_default());
            }
            return;
        }
        let all_text = lines.iter().all(|(line, _)| line.starts_with("send("));
        if all_text {
            let _ = writeln!(self.script, "{name}.pipeline([");
            for (line, remark) in lines {
                let inside = line.strip_prefix("send(").and_then(|line| line.strip_suffix(");"));
                let remark = remark.map(|remark| format!("  // {}", comment(remark)));
                let _ = writeln!(
                    self.script,
                    "    {},{}",
                    inside.unwrap_or_default(),
                    remark.unwrap_or_default()
                );
            }
            let _ = writeln!(self.script, "]);");
        } else {
            for step in steps {
                if let Act::Send { line, .. } = &step.act {
                    let bytes = [line.as_slice(), b"\r\n"].concat();
                    let _ = writeln!(self.script, "{name}.send_raw({});", self::bytes(&bytes));
                }
            }
        }
    }

    /// The call that sends a line.
    fn said(&mut self, step: &Step) -> String {
        let Act::Send { line, secret, .. } = &step.act else { return String::new() };
        let Ok(whole) = std::str::from_utf8(line) else {
            return format!("send_raw({});", bytes(&[line.as_slice(), b"\r\n"].concat()));
        };
        let Some(span) = secret.clone().filter(|span| whole.get(span.clone()).is_some()) else {
            return format!("send({});", text(whole));
        };
        let param = self.secret(step.line, &whole[span.clone()]);
        let (before, behind) = (&whole[..span.start], &whole[span.end..]);
        let mut parts = Vec::new();
        parts.extend((!before.is_empty()).then(|| text(before)));
        parts.push(param);
        parts.extend((!behind.is_empty()).then(|| text(behind)));
        format!("send({});", parts.join(" + "))
    }

    /// The expression for a parameter that replaces a secret.
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
            Act::Reply(lines) => self.reply(name, lines),
            Act::Block(lines) => block(name, lines, self.varying.contains_key(&self.step)),
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
            // The line that connects this session is the last one, and the expectation replaces it.
            let connect = format!("let {name} = connect(");
            if let Some(at) = self.script.rfind(&connect) {
                let line = self.script.split_off(at);
                let place = line.trim_end().trim_start_matches(&connect).trim_end_matches(");");
                return statement.replacen('@', place, 1);
            }
        }
        let mut statement = statement.replace("$.", &format!("{name}."));
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

    /// The name of a parameter for a place. The same place gets the same name.
    fn named(&mut self, base: &str, url: Option<String>) -> String {
        let mut name = base.to_owned();
        let mut number = 1;
        while self.params.get(&name).is_some_and(|known| *known != url) {
            number += 1;
            name = format!("{base}_{number}");
        }
        self.params.insert(name.clone(), url);
        name
    }

    /// The variable of a listener.
    fn listener(&self, number: usize) -> String {
        if self.listeners == 1 { "l".to_owned() } else { format!("l{}", number + 1) }
    }

    /// An expression in which the listener's number is replaced by its variable.
    fn with_listener(&self, expression: &str) -> String {
        let number = expression.strip_prefix('@').and_then(|rest| rest.split_once('.'));
        match number.and_then(|(number, call)| Some((number.parse().ok()?, call))) {
            Some((number, call)) => format!("{}.{call}", self.listener(number)),
            None => expression.to_owned(),
        }
    }

    /// The expectation of a complete reply: its text, or a regex if something in it differs from
    /// run to run.
    fn reply(&self, name: &str, lines: &[Vec<u8>]) -> String {
        let shown: Vec<_> =
            lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let varying = self.varying.get(&self.step);
        if varying.is_some()
            || shown.iter().any(|line| line.contains('\u{fffd}') || has_token(line))
        {
            let mut pattern =
                shown.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\\r\\n");
            for was in varying.into_iter().flatten() {
                pattern = pattern.replacen(&escaped(was), ".+", 1);
            }
            return format!("{name}.expect({});", regex(&format!("^{}", without_tokens(&pattern))));
        }
        if let [line] = shown.as_slice() {
            return format!("{name}.expect({});", text(line));
        }
        let is_smtp = is_smtp_reply(&shown[0]);
        if is_smtp {
            return format!(
                "assert_eq({name}.expect({}).lines, {});",
                &shown[0][..3],
                list(&shown)
            );
        }
        format!("{name}.expect({});", text(&shown.join("\r\n")))
    }
}

fn block(name: &str, lines: &[Vec<u8>], varies: bool) -> String {
    let shown: Vec<_> =
        lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let unstuffed: Vec<_> = shown
        .iter()
        .map(|line| line.strip_prefix("..").map_or_else(|| line.clone(), |rest| format!(".{rest}")))
        .collect();
    let is_exact =
        !varies && !shown.iter().any(|line| line.contains('\u{fffd}') || has_token(line));
    if is_exact {
        return format!("assert_eq({name}.expect_multiline().lines, {});", list(&unstuffed));
    }
    format!("assert_eq({name}.expect_multiline().lines.len(), {});", lines.len())
}

/// A list of texts, on one line if it fits.
fn list(lines: &[String]) -> String {
    let texts: Vec<_> = lines.iter().map(|line| text(line)).collect();
    let one = format!("[{}]", texts.join(", "));
    if one.len() < WIDTH - 30 { one } else { format!("[\n    {},\n]", texts.join(",\n    ")) }
}

/// The values in each reply that redaction finds. They differ from run to run.
fn varying(steps: &[Step]) -> BTreeMap<usize, Vec<String>> {
    let mut events = Vec::new();
    let mut numbers = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let said = |lines: &[Vec<u8>], end: &[u8]| {
            let mut bytes = lines
                .iter()
                .flat_map(|line| [line.as_slice(), b"\r\n"].concat())
                .collect::<Vec<_>>();
            bytes.extend(end);
            Excerpt::from(bytes::Bytes::from(bytes))
        };
        let what = match &step.act {
            Act::Connect { scheme, .. } => What::Connecting(format!("{scheme}://localhost:1")),
            Act::Send { line, .. } => What::Client(said(std::slice::from_ref(line), b"")),
            Act::Reply(lines) => What::Server(said(lines, b"")),
            Act::Block(lines) => What::Server(said(lines, b".\r\n")),
            _ => continue,
        };
        numbers.push(n);
        let session = u32::try_from(step.session + 1).unwrap_or(u32::MAX);
        events.push(Event::new(Some(crate::transcript::SessionId(session)), what));
    }
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let Ok(redacted) = Redaction::new().apply(&events) else { return found };
    for change in redacted.changes {
        // A normaliser only changes the order of values, which are the same in each run.
        if Redaction::normalisers().any(|(name, _)| *name == *change.rule) {
            continue;
        }
        let was = String::from_utf8_lossy(&change.was).into_owned();
        if matches!(events[change.event].what, What::Server(_)) && !was.is_empty() {
            found.entry(numbers[change.event]).or_default().push(was);
        }
    }
    found
}

/// A remark as a comment of one line.
fn comment(remark: &str) -> String {
    let bare = remark.trim_start_matches(|c: char| !c.is_alphanumeric());
    visible::printable(bare)
}
