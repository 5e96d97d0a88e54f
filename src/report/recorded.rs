//! The messages of a proxy about the sessions that it saves.

use std::path::Path;

use super::Human;
use super::style::{DIM, ODD};
use crate::visible;

impl Human {
    /// The first line of a proxy.
    pub(crate) fn passing_on(from: &str, to: &str, folder: &Path) -> String {
        let folder = visible::escape(folder.to_string_lossy().as_bytes());
        format!(
            "{} is passed on to {}; sessions are saved in {folder}; Ctrl-C ends\n",
            visible::escape(from.as_bytes()),
            visible::escape(to.as_bytes())
        )
    }

    /// The message that a session was saved; if it has no golden, with the reason.
    pub(crate) fn saved(script: &Path, without_golden: Option<&str>) -> String {
        let script = visible::escape(script.to_string_lossy().as_bytes());
        match without_golden {
            None => format!("saved {script} {DIM}with its trace and its golden{DIM:#}\n"),
            Some(why) => format!(
                "saved {script} {DIM}with its trace{DIM:#}\n{ODD}no golden: {}{ODD:#}\n",
                visible::printable_lines(why)
            ),
        }
    }
}
