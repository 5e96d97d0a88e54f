//! `mailexpect run --watch`: runs scripts again that have changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::runtime;

/// How long files must stay the same before a change is complete. An editor writes a file in
/// several steps.
const QUIET: Duration = Duration::from_millis(100);

/// Watches files for changes.
pub(super) struct Watch {
    /// Kept, because dropping it ends the watch.
    _watcher: RecommendedWatcher,
    changes: UnboundedReceiver<PathBuf>,
    clock: Runtime,
}

impl Watch {
    /// Watches these files and folders, all below them, and the folder of the project file.
    ///
    /// # Errors
    /// Io if the system allows no more watches.
    pub(super) fn start(roots: &[PathBuf], project: &Path) -> Result<Self> {
        let failed = |why: String| {
            let error = Error::new(Kind::Io, format!("cannot watch for changes: {why}"));
            error.hint("run without --watch, or raise fs.inotify.max_user_watches")
        };
        let clock = runtime::current_thread()?;
        let (tell, changes) = unbounded_channel();
        let heard = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if !event.kind.is_access() {
                for path in event.paths.into_iter().filter(|path| counts(path)) {
                    // Sending fails only after the run has ended.
                    let _ = tell.send(path);
                }
            }
        };
        let mut watcher =
            notify::recommended_watcher(heard).map_err(|error| failed(error.to_string()))?;
        // The project folder is watched without its subfolders, which may be large and unrelated,
        // such as `target`. It comes first, because a later watch of the same folder replaces an
        // earlier one.
        watcher
            .watch(project, RecursiveMode::NonRecursive)
            .map_err(|error| failed(format!("{}: {error}", project.display())))?;
        for root in roots {
            // Watch the folder of a file, because an editor replaces the file by a new one.
            let folder = if root.is_dir() { Some(root.as_path()) } else { root.parent() };
            let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
            watcher
                .watch(folder.unwrap_or(Path::new(".")), RecursiveMode::Recursive)
                .map_err(|error| failed(format!("{}: {error}", root.display())))?;
        }
        Ok(Self { _watcher: watcher, changes, clock })
    }

    /// Waits for the next change, and returns the files that changed together; `None` after a
    /// signal.
    pub(super) fn next(&mut self, interrupt: &Interrupt) -> Option<BTreeSet<PathBuf>> {
        let Self { changes, clock, .. } = self;
        clock.block_on(async {
            let first = tokio::select! {
                () = interrupt.pressed() => return None,
                first = changes.recv() => first?,
            };
            let mut changed = BTreeSet::from([first]);
            while let Ok(Some(path)) = timeout(QUIET, changes.recv()).await {
                changed.insert(path);
            }
            Some(changed)
        })
    }
}

/// Whether a change of this file may change a result. The files that a run writes do not count.
fn counts(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_hidden = name.starts_with('.');
    !is_hidden && (extension == Some("rhai") || name == "mailexpect.toml")
}

/// Which scripts run again after a change: those that changed. If any other file changed, such as a
/// module or the project file, all scripts run.
pub(super) fn affected(scripts: &[PathBuf], changed: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let is_same =
        |script: &PathBuf, path: &PathBuf| match (script.canonicalize(), path.canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        };
    let of = |path: &PathBuf| scripts.iter().find(|script| is_same(script, path));
    let affected: Option<BTreeSet<&PathBuf>> = changed.iter().map(of).collect();
    match affected {
        Some(affected) => affected.into_iter().cloned().collect(),
        None => scripts.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_changed_runs_again_and_a_module_runs_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a.rhai", "b.rhai", "lib.rhai"] {
            std::fs::write(path(name), "").unwrap();
        }
        let scripts = [path("a.rhai"), path("b.rhai")];
        let affected =
            |names: &[&str]| affected(&scripts, &names.iter().map(|name| path(name)).collect());
        assert_eq!(affected(&["b.rhai"]), [path("b.rhai")]);
        assert_eq!(affected(&["a.rhai", "lib.rhai"]), scripts);
        assert!(counts(Path::new("x/mailexpect.toml")) && !counts(Path::new("x/.a.rhai")));
        assert!(!counts(Path::new("snapshots/a.snap.new")));
    }
}
