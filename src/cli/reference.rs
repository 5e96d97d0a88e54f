//! `mailexpect reference`: prints the reference manual.

use clap::Args;

use super::screen::Screen;
use crate::error::{Error, Result};
use crate::outcome::ExitCode;
use crate::script::reference;
use crate::{suggest, visible};

/// The arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  mailexpect reference > reference.md\n  mailexpect reference expect_any"
)]
pub(super) struct Reference {
    /// Show this word alone.
    #[arg(value_name = "WORD")]
    word: Option<String>,
}

pub(super) fn reference(args: &Reference, screen: &mut Screen) -> Result<ExitCode> {
    let Some(word) = &args.word else {
        screen.show(&reference::markdown());
        return Ok(ExitCode::Passed);
    };
    let text = reference::word(word);
    if text.is_empty() {
        let shown = visible::escape(word.as_bytes());
        let error = Error::usage(format!("there is no word `{shown}`"));
        let words = reference::words();
        return Err(match suggest::nearest(word, words.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("mailexpect reference shows all"),
        });
    }
    screen.show(&text);
    Ok(ExitCode::Passed)
}
