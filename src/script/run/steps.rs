//! The steps of a script, and the metrics that it measures.

use std::sync::Arc;

use tokio::time::Instant;

use super::Run;
use crate::error::{Error, Result};
use crate::outcome::{Measured, Metric};
use crate::script::branch::Branch;

/// The most steps that are timed, and the most metrics that are kept. More would be of no use to a
/// monitoring system.
const MOST_MEASURED: usize = 1000;

impl Run {
    /// Begins a step. If a branch is running, the step is the branch's.
    pub(in crate::script) fn begin_step(&self, title: &str) {
        let title: Arc<str> = title.into();
        if let Some(branch) = Branch::current() {
            // Branches run concurrently, so the time of their steps would say nothing.
            branch.step.replace(Some(title));
            return;
        }
        self.step.replace(Some(Arc::clone(&title)));
        let mut steps = self.steps.borrow_mut();
        if steps.len() < MOST_MEASURED {
            steps.push((title, Instant::now()));
        }
    }

    /// Makes the step of a branch that failed the current step.
    pub(in crate::script) fn resume_step(&self, step: Arc<str>) {
        match Branch::current() {
            Some(outer) => outer.step.replace(Some(step)),
            None => self.step.replace(Some(step)),
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

    /// Returns the times and metrics of the run, which ends now.
    pub(in crate::script) fn measured(&self) -> Measured {
        let mut measured = Measured::default();
        let mut until = Instant::now();
        for (title, began) in self.steps.take().into_iter().rev() {
            measured.steps.push((title, until.saturating_duration_since(began)));
            until = began;
        }
        measured.steps.reverse();
        measured.metrics = self.metrics.take();
        for handle in self.sessions() {
            handle.look(|session| measured.sessions.extend(session.opened()));
        }
        measured
    }

    pub(in crate::script) fn step_title(&self) -> Option<String> {
        self.step().as_deref().map(str::to_owned)
    }

    pub(in crate::script) fn step(&self) -> Option<Arc<str>> {
        let of_branch = Branch::current().and_then(|branch| branch.step.borrow().clone());
        of_branch.or_else(|| self.step.borrow().clone())
    }
}
