//! Shows the progress of a run to a user at a terminal: a bar, which script runs and for how long,
//! and how many have failed so far. The bar is drawn on stderr, and is cleared before anything else
//! is printed.

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

/// How many times a second the bar is drawn at most.
const DRAWN: u8 = 10;
/// How often the bar is drawn while no script ends, so that the elapsed time goes on.
const TICK: Duration = Duration::from_millis(250);
/// How many characters of a script's name are shown at most. A longer name loses its beginning,
/// because the end says more.
const NAME: usize = 32;

/// The width of the bar in columns.
const BAR: usize = 20;
/// The width of the elapsed time in columns, such as `10s` or `2m`, with the blanks around it.
const ELAPSED: usize = 6;

/// The progress of one run.
pub(super) struct Progress {
    screen: Screen,
    bar: ProgressBar,
    running: Arc<Mutex<Running>>,
    total: Option<usize>,
    ended: usize,
    failed: usize,
    /// The percentage that the terminal's window or task bar shows.
    shown: Option<usize>,
}

/// The scripts in progress by their numbers, each with its start, and how many have failed so far.
#[derive(Default)]
struct Running {
    scripts: BTreeMap<usize, (String, Instant)>,
    failed: String,
}

impl Running {
    /// The script that has run longest, and how many others run. The text takes at most `room`
    /// columns, because a line that the terminal wraps cannot be cleared.
    fn shown(&self, room: usize) -> String {
        let Some((name, since)) = self.scripts.values().min_by_key(|(_, since)| *since) else {
            return String::new();
        };
        let mut behind = format!(" ({})", duration::show(since.elapsed()));
        if self.scripts.len() > 1 {
            let _ = write!(behind, " and {} more", self.scripts.len() - 1);
        }
        let left = room.saturating_sub(behind.chars().count()).min(NAME);
        let skipped = name.chars().count().saturating_sub(left);
        if skipped == 0 {
            return format!("{name}{behind}");
        }
        let dots = "...";
        let end: String = name.chars().skip(skipped + dots.len()).collect();
        let text = format!("{dots}{end}{behind}");
        text.chars().take(room).collect()
    }
}

impl Progress {
    /// Draws a bar for this run; `None` if nobody would see it, or for a single script.
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
        lock(&self.running).scripts.insert(number, (name, Instant::now()));
    }

    pub(super) fn ended(&mut self, number: usize, outcome: &Outcome) {
        lock(&self.running).scripts.remove(&number);
        self.ended += 1;
        if !outcome.is_ok() {
            self.failed += 1;
            let failed = format!("{} failed  ", self.failed);
            lock(&self.running).failed.clone_from(&failed);
            self.bar.set_message(failed);
        }
        self.bar.set_position(self.ended as u64);
        let percent = self.total.map(|total| self.ended * 100 / total.max(1));
        if percent != self.shown {
            self.shown = percent;
            self.screen.show_in_window(percent, self.failed > 0);
        }
    }
}

/// Clears the bar, and the percentage that the window shows.
impl Drop for Progress {
    fn drop(&mut self) {
        self.screen.draw_around(None);
        self.bar.finish_and_clear();
        self.screen.show_in_window(None, false);
    }
}

/// The style of a line that is at most as wide as the terminal. `None` only if the template is
/// invalid, which would be a mistake in this function.
fn style(has_end: bool, running: &Arc<Mutex<Running>>) -> Option<ProgressStyle> {
    let template = if has_end {
        "{bar:20.green} {pos}/{len} {elapsed} {msg:.red}{running}"
    } else {
        "{spinner} {pos} {elapsed} {msg:.red}{running}"
    };
    let running = Arc::clone(running);
    let shown = move |state: &ProgressState, line: &mut dyn std::fmt::Write| {
        let running = lock(&running);
        let counted = format!("{}/{}", state.pos(), state.len().unwrap_or_default());
        let before = BAR + 1 + counted.len() + ELAPSED + running.failed.len();
        let room = Screen::width().saturating_sub(before + 1);
        // Writing to memory does not fail.
        let _ = line.write_str(&running.shown(room));
    };
    let style = ProgressStyle::with_template(template).ok()?;
    Some(style.with_key("running", shown).progress_chars("=> "))
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_scripts_keep_to_the_columns_that_are_left() {
        let mut running = Running::default();
        assert_eq!(running.shown(10), "");
        let name = "scripts/imap/a-script-with-a-long-name.rhai @postfix".to_owned();
        running.scripts.insert(0, (name, Instant::now()));
        running.scripts.insert(1, ("b".to_owned(), Instant::now()));
        let shown = running.shown(40);
        assert!(shown.starts_with("...") && shown.contains(" @postfix ("), "{shown}");
        for room in [0, 5, 20, 40] {
            assert!(running.shown(room).chars().count() <= room, "{room}");
        }
        assert!(running.shown(200).chars().count() < 60);
    }
}
