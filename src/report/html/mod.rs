//! The HTML report: one file that needs no other file, no network and no framework.
//!
//! All text goes through [`visible`] first and is then escaped for HTML, by the formatter of the
//! templates and nowhere else. Markup that passed both would still not run: the page's content
//! security policy allows only its own style and script, by their hashes.

mod clock;
mod view;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, Output, State, Value, context};
use sha2::{Digest as _, Sha256};

use super::matrix::Cell;
use super::{Planned, Report, Summary, Tally};
use crate::outcome::Outcome;
use crate::{duration, visible};
use view::Script;

const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

/// Scripts are rendered as they end, so that their transcripts need not be kept until the run ends.
pub(crate) struct Html {
    templates: Environment<'static>,
    targets: Vec<String>,
    /// The scripts, by their number and by the number of the row within the script.
    scripts: BTreeMap<(usize, usize), Rendered>,
    /// The first error of a template, which is always a bug of ours.
    failed: Option<minijinja::Error>,
}

/// A script as it appears in the page.
struct Rendered {
    id: String,
    path: String,
    target: String,
    status: &'static str,
    /// The verdict for the table of targets.
    verdict: Cell,
    html: String,
}

impl Default for Html {
    fn default() -> Self {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        templates.set_formatter(gate);
        let failed = [
            ("page.html", include_str!("page.html")),
            ("script.html", include_str!("script.html")),
            ("attempt.html", include_str!("attempt.html")),
        ]
        .into_iter()
        .find_map(|(name, text)| templates.add_template(name, text).err());
        Self { templates, targets: Vec::new(), scripts: BTreeMap::new(), failed }
    }
}

/// Writes a value: makes text printable, then escapes it. Text that was rendered before is safe
/// already.
fn gate(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if value.kind() == ValueKind::String && !value.is_safe() {
        let text = visible::printable_lines(value.as_str().unwrap_or_default());
        return minijinja::escape_formatter(out, state, &Value::from(text));
    }
    minijinja::escape_formatter(out, state, value)
}

impl Report for Html {
    fn run_started(&mut self, planned: &Planned) -> String {
        self.targets = planned.targets.iter().map(ToString::to_string).collect();
        String::new()
    }

    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        let mut shown = outcome.reported();
        if !outcome.cases.is_empty() && !outcome.failed_attempts.is_empty() {
            // The attempts of a script are those of all its rows, so the script itself is shown as
            // well, once.
            shown.retain(|shown| !std::ptr::eq(*shown, outcome));
            shown.push(outcome);
        }
        for (row, outcome) in shown.into_iter().enumerate() {
            let id = if row == 0 { number.to_string() } else { format!("{number}-{row}") };
            let script = Script::of(&id, outcome);
            let html = self.rendered("script.html", Value::from(Serde(&script)));
            let Script { path, target, status, .. } = script;
            let verdict = Cell::of(outcome);
            let rendered = Rendered { id, path, target, status, verdict, html };
            self.scripts.insert((number, row), rendered);
        }
        String::new()
    }

    fn run_ended(&mut self, summary: &Summary) -> String {
        let scripts = std::mem::take(&mut self.scripts);
        let targets = if self.targets.len() > 1 { self.targets.clone() } else { Vec::new() };
        let matrix = if targets.is_empty() { Vec::new() } else { matrix(&scripts, &targets) };
        let (counts, statuses) = (counts(summary), statuses(&scripts));
        let failed = summary.tally.failed;
        let title = match (failed, summary.not_run) {
            (0, 0) => "All passed".to_owned(),
            (0, not_run) => format!("{not_run} not run"),
            (failed, not_run) => {
                let Tally { passed, skipped, .. } = summary.tally;
                format!("{failed} of {} failed", passed + failed + skipped + not_run)
            }
        };
        let scripts: Vec<_> =
            scripts.into_values().map(|script| Value::from_safe_string(script.html)).collect();
        let page = context! {
            title, counts, statuses, targets, matrix, scripts,
            elapsed => duration::show(summary.elapsed),
            version => env!("CARGO_PKG_VERSION"),
            css => Value::from_safe_string(CSS.to_owned()), css_hash => hash(CSS),
            js => Value::from_safe_string(JS.to_owned()), js_hash => hash(JS),
        };
        let page = self.rendered("page.html", page);
        match self.failed.take() {
            // The page shows the error in place of the report.
            Some(error) => format!(
                "<!doctype html><title>mailexpect</title><pre>the report cannot be made: {}</pre>\n",
                visible::escape(error.to_string().as_bytes())
            ),
            None => page,
        }
    }
}

impl Html {
    fn rendered(&mut self, template: &str, values: Value) -> String {
        let template = self.templates.get_template(template);
        match template.and_then(|template| template.render(values)) {
            Ok(text) => text,
            Err(error) => {
                self.failed.get_or_insert(error);
                String::new()
            }
        }
    }
}

/// The hash by which the content security policy allows a style or a script.
fn hash(text: &str) -> Value {
    Value::from_safe_string(STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// The counts of the run. The entries of the page are not counted: one of them may show what the
/// rows of a script have in common.
fn counts(Summary { tally, not_run, .. }: &Summary) -> Vec<Value> {
    let passed = match tally.flaky {
        0 => "passed".to_owned(),
        flaky => format!("passed ({flaky} flaky)"),
    };
    let counts = [
        ("pass", passed.as_str(), tally.passed),
        ("fail", "failed", tally.failed),
        ("skip", "skipped", tally.skipped),
        ("none", "not run", *not_run),
    ];
    let counts = counts.into_iter().filter(|(.., number)| *number > 0);
    counts.map(|(status, word, number)| context! { status, word, number }).collect()
}

/// The statuses of the entries of the page, by which they can be filtered.
fn statuses(scripts: &BTreeMap<(usize, usize), Rendered>) -> Vec<Value> {
    let words = [
        ("pass", "passed"),
        ("fail", "failed"),
        ("differs", "differ"),
        ("flaky", "flaky"),
        ("skip", "skipped"),
        ("stop", "stopped"),
    ];
    let is_there = |status: &str| scripts.values().any(|script| script.status == status);
    let there = words.into_iter().filter(|(status, _)| is_there(status));
    there.map(|(status, word)| context! { status, word }).collect()
}

/// A row for each script, with a cell for each target. Of several runs of a script, the cell shows
/// the first of the worst.
fn matrix(scripts: &BTreeMap<(usize, usize), Rendered>, targets: &[String]) -> Vec<Value> {
    let mut rows: BTreeMap<&str, Vec<Option<&Rendered>>> = BTreeMap::new();
    for script in scripts.values() {
        let row = rows.entry(&script.path).or_insert_with(|| vec![None; targets.len()]);
        let at = targets.iter().position(|target| *target == script.target);
        if let Some(cell) = at.and_then(|at| row.get_mut(at))
            && cell.is_none_or(|shown| shown.verdict < script.verdict)
        {
            *cell = Some(script);
        }
    }
    let cell = |script: &Rendered| context! { number => &script.id, status => script.status };
    let row = |(path, cells): (&str, Vec<Option<&Rendered>>)| {
        let cells: Vec<_> = cells.into_iter().map(|script| script.map(cell)).collect();
        context! { path, cells }
    };
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Error;
    use crate::outcome::Verdict;
    use crate::transcript::{Event, Excerpt, What};

    fn page(outcomes: &[Outcome]) -> String {
        let mut html = Html::default();
        let mut targets: Vec<_> = outcomes.iter().filter_map(|one| one.target.clone()).collect();
        targets.dedup();
        let planned = Planned { scripts: Some(outcomes.len()), targets };
        let mut tally = Tally::default();
        html.run_started(&planned);
        for (number, outcome) in outcomes.iter().enumerate() {
            tally.add(outcome);
            html.script_ended(number, outcome);
        }
        html.run_ended(&Summary {
            scripts: outcomes.len(),
            not_run: 0,
            wanted: None,
            timed_out: false,
            tally,
            elapsed: std::time::Duration::from_secs(1),
        })
    }

    #[test]
    fn hostile_bytes_are_text_in_the_page() {
        let hostile = "</p><script>alert(1)</script>\u{202e}\u{1b}[2J\"'&amp;";
        let error = Error::usage(hostile).with_expected(hostile).with_got(hostile).hint(hostile);
        let path = format!("{hostile}.rhai");
        let mut outcome = Outcome::new(Path::new(&path), Verdict::Failed(Box::new(error.into())));
        outcome.title = Some(hostile.to_owned());
        outcome.params = vec![(hostile.to_owned(), hostile.to_owned())];
        let bytes = Excerpt::of(format!("220 {hostile}\r\n").as_bytes());
        outcome.transcript = vec![
            Event::new(None, What::Step(hostile.to_owned())),
            Event::new(None, What::Server(bytes)),
            Event::new(None, What::Printed(hostile.to_owned())),
        ];
        let page = page(&[outcome]);
        assert_eq!(page.matches("<script>").count(), 1, "the page's own: {page}");
        assert!(!page.contains(['\u{202e}', '\u{1b}']), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"), "{page}");
    }

    #[test]
    fn the_table_of_targets_shows_the_worst_of_several_runs() {
        let failed = || Verdict::Failed(Box::new(Error::usage("x").into()));
        let one = |target: &str, verdict| {
            let target = Some(target.into());
            Outcome { target, ..Outcome::new(Path::new("a.rhai"), verdict) }
        };
        let rounds = [Verdict::Passed, failed(), Verdict::Passed].map(|verdict| one("t1", verdict));
        let page = page(&[&rounds[..], &[one("t2", Verdict::Passed)]].concat());
        let cells: Vec<_> = page.split("<a class=\"pill ").skip(1).collect();
        assert!(cells.len() == 2, "{page}");
        assert!(cells[0].starts_with("fail\" href=\"#r1\""), "{}", cells[0]);
        assert!(cells[1].starts_with("pass\" href=\"#r3\""), "{}", cells[1]);
    }

    #[test]
    fn the_policy_names_the_style_and_the_script_that_the_page_has() {
        let page = page(&[]);
        for (text, open, close) in [(CSS, "<style>", "</style>"), (JS, "<script>", "</script>")] {
            assert!(page.contains(&format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))));
            let (_, rest) = page.split_once(open).unwrap();
            assert_eq!(rest.split_once(close).unwrap().0, text);
        }
        for outside in ["http:", "https:", "src=", "url(", "@import"] {
            assert!(!page.contains(outside), "the page needs no other file: {outside}");
        }
    }
}
