//! How far a run has come, for a person at a terminal: a bar, what runs now and for how long, and
//! what has failed so far. It is drawn on stderr, and taken away before anything else is shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::screen::Screen;
use crate::duration;
use crate::outcome::Outcome;
use crate::report::Planned;
use crate::visible;
use crate::workers::Job;

/// How often a second the bar is drawn at most.
const DRAWN: u8 = 10;
/// How often the bar is drawn while nothing happens, for the time that goes on.
const TICK: Duration = Duration::from_millis(250);
/// How many characters of a script's name are shown: its end, which tells more of it.
const NAME: usize = 32;

/// The progress of one run.
pub(super) struct Progress {
    screen: Screen,
    bar: ProgressBar,
    running: Arc<Mutex<Running>>,
    total: Option<usize>,
    ended: usize,
    failed: usize,
    /// What the bar of the window or the task list shows, in percent.
    shown: Option<usize>,
}

/// The scripts that run, by their numbers, each since when.
#[derive(Default)]
struct Running(BTreeMap<usize, (String, Instant)>);

impl Running {
    /// The one that has run longest, and how many others there are.
    fn shown(&self) -> String {
        let Some((name, since)) = self.0.values().min_by_key(|(_, since)| *since) else {
            return String::new();
        };
        let mut text = format!("{name} ({})", duration::show(since.elapsed()));
        if self.0.len() > 1 {
            let _ = write!(text, " and {} more", self.0.len() - 1);
        }
        text
    }
}

impl Progress {
    /// A bar for this run, if somebody sees it.
    pub(super) fn start(planned: &Planned, screen: &Screen) -> Option<Self> {
        let is_seen = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if !is_seen || is_dumb || planned.scripts == Some(1) {
            return None;
        }
        let length = planned.scripts.map(|scripts| scripts as u64);
        let target = ProgressDrawTarget::stderr_with_hz(DRAWN);
        let bar = ProgressBar::with_draw_target(length, target);
        let running = Arc::<Mutex<Running>>::default();
        bar.set_style(style(length.is_some(), &running)?);
        bar.enable_steady_tick(TICK);
        screen.draw_around(Some(bar.clone()));
        let screen = screen.clone();
        Some(Self {
            screen,
            bar,
            running,
            total: planned.scripts,
            ended: 0,
            failed: 0,
            shown: None,
        })
    }

    pub(super) fn started(&mut self, number: usize, job: &Job) {
        let name = match &job.against.target {
            Some(target) => format!("{} @{target}", job.script.display()),
            None => job.script.display().to_string(),
        };
        let name = visible::escape(name.as_bytes());
        let skipped = name.chars().count().saturating_sub(NAME);
        let end: String = name.chars().skip(skipped).collect();
        let name = if skipped > 0 { format!("...{end}") } else { end };
        lock(&self.running).0.insert(number, (name, Instant::now()));
    }

    pub(super) fn ended(&mut self, number: usize, outcome: &Outcome) {
        lock(&self.running).0.remove(&number);
        self.ended += 1;
        if !outcome.is_ok() {
            self.failed += 1;
            self.bar.set_message(format!("{} failed  ", self.failed));
        }
        self.bar.set_position(self.ended as u64);
        let percent = self.total.map(|total| self.ended * 100 / total.max(1));
        if percent != self.shown {
            self.shown = percent;
            self.screen.show_in_window(percent, self.failed > 0);
        }
    }
}

/// The bar is taken away, and what the window shows of it.
impl Drop for Progress {
    fn drop(&mut self) {
        self.screen.draw_around(None);
        self.bar.finish_and_clear();
        self.screen.show_in_window(None, false);
    }
}

/// A line of at most the terminal's width; none if the template is wrong, which is a mistake of
/// ours.
fn style(has_end: bool, running: &Arc<Mutex<Running>>) -> Option<ProgressStyle> {
    let template = if has_end {
        "{bar:20.green} {pos}/{len} {elapsed} {msg:.red}{running}"
    } else {
        "{spinner} {pos} {elapsed} {msg:.red}{running}"
    };
    let running = Arc::clone(running);
    let shown = move |_: &ProgressState, line: &mut dyn std::fmt::Write| {
        // Writing to memory does not fail.
        let _ = line.write_str(&lock(&running).shown());
    };
    let style = ProgressStyle::with_template(template).ok()?;
    Some(style.with_key("running", shown).progress_chars("=> "))
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
