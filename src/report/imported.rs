//! Shows what the import of a file turned into a script, and what it left out.

use std::fmt::Write as _;

use super::Human;
use super::style::{DIM, ODD};
use crate::import::Imported;

impl Human {
    /// The lines that are not in the script, and the places of secrets.
    pub(crate) fn imported(imported: &Imported) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{DIM}read as {}{DIM:#}", imported.format.describe());
        for unread in &imported.unread {
            let _ = writeln!(text, "{ODD}{unread}{ODD:#}");
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
