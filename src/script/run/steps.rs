//! The steps of a script, and the metrics that it measures.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::outcome::{Measured, Metric};
use crate::script::branch::Branch;

/// The most steps that are timed, and the most metrics that are kept. More would be of no use to a
/// monitoring system.
const MOST_MEASURED: usize = 1000;

/// The step that a script is in, the steps so far, and the metrics.
#[derive(Default)]
pub(in crate::script) struct Steps {
    current: RefCell<Option<Arc<str>>>,
    /// The steps so far, each with the time at which it began.
    begun: RefCell<Vec<(Arc<str>, Instant)>>,
    /// The metrics that the script has measured.
    metrics: RefCell<Vec<Metric>>,
}

impl Steps {
    /// Begins a step. If a branch is running, the step is the branch's.
    pub(in crate::script) fn begin(&self, title: &str) {
        let title: Arc<str> = title.into();
        if let Some(branch) = Branch::current() {
            // Branches run concurrently, so the time of their steps would say nothing.
            branch.step.replace(Some(title));
            return;
        }
        self.current.replace(Some(Arc::clone(&title)));
        let mut steps = self.begun.borrow_mut();
        if steps.len() < MOST_MEASURED {
            steps.push((title, Instant::now()));
        }
    }

    /// Makes the step of a branch that failed the current step.
    pub(in crate::script) fn resume(&self, step: Arc<str>) {
        match Branch::current() {
            Some(outer) => outer.step.replace(Some(step)),
            None => self.current.replace(Some(step)),
        };
    }

    /// Keeps a metric. A later metric of the same name replaces an earlier one.
    pub(in crate::script) fn measure(&self, metric: Metric) -> Result<()> {
        let mut metrics = self.metrics.borrow_mut();
        metrics.retain(|known| known.name != metric.name);
        if metrics.len() >= MOST_MEASURED {
            return Err(Error::usage(format!("a script has {MOST_MEASURED} metrics at most")));
        }
        metrics.push(metric);
        Ok(())
    }

    /// Returns the times of the steps, the last of which ends now, and the metrics.
    pub(in crate::script) fn measured(&self) -> Measured {
        let mut measured = Measured::default();
        let mut until = Instant::now();
        for (title, began) in self.begun.take().into_iter().rev() {
            measured.steps.push((title, until.saturating_duration_since(began)));
            until = began;
        }
        measured.steps.reverse();
        measured.metrics = self.metrics.take();
        measured
    }

    /// Returns the title of the step that the script or the running branch is in.
    pub(in crate::script) fn title(&self) -> Option<String> {
        self.current().as_deref().map(str::to_owned)
    }

    /// Does the same as [`Steps::title`], without a copy of the text.
    pub(in crate::script) fn current(&self) -> Option<Arc<str>> {
        let of_branch = Branch::current().and_then(|branch| branch.step.borrow().clone());
        of_branch.or_else(|| self.current.borrow().clone())
    }
}
