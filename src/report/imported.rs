//! Shows what the import of a file turned into a script, and what it left out.

use std::fmt::Write as _;

use super::Human;
use super::style::{DIM, ODD};
use crate::import::Imported;

/// How many lines that are not in the script are shown. The head of the script lists all of them.
const SHOWN: usize = 50;

impl Human {
    /// The lines that are not in the script, and the places of secrets.
    pub(crate) fn imported(imported: &Imported) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{DIM}read as {}{DIM:#}", imported.format.describe());
        for unread in imported.unread.iter().take(SHOWN) {
            let _ = writeln!(text, "{ODD}{unread}{ODD:#}");
        }
        let more = imported.unread.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(text, "{ODD}and {more} more: the head of the script has all{ODD:#}");
        }
        for (line, name) in &imported.secrets {
            let _ = if name.is_empty() {
                writeln!(
                    text,
                    "{ODD}line {line}: a secret that is not there is a parameter without a value{ODD:#}"
                )
            } else {
                writeln!(
                    text,
                    "{ODD}line {line}: the script contains a secret, as the default of {name}; --set {name}=env:NAME gives another{ODD:#}"
                )
            };
        }
        text
    }
}
