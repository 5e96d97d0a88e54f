//! Saves a dialogue as a script.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use crate::cli::dialogue::Script;
use crate::cli::written;
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::transcript::{Close, Event, What};

/// Where the dialogue is saved, and facts that its events do not contain.
#[derive(Debug, Default)]
pub(super) struct Saving {
    path: Option<PathBuf>,
    force: bool,
    /// The ranges of events that a verb caused, each with the call of the verb.
    verbs: Vec<(Range<usize>, String)>,
    /// The indices of events that were sent before their turn.
    ahead: BTreeSet<usize>,
}

impl Saving {
    /// # Errors
    /// Usage if the file exists and may not be replaced.
    pub(super) fn new(path: Option<PathBuf>, force: bool) -> Result<Self> {
        let mut saving = Self { force, ..Self::default() };
        path.map_or(Ok(()), |path| saving.name(path))?;
        Ok(saving)
    }

    /// # Errors
    /// Usage if the file exists and may not be replaced.
    pub(super) fn name(&mut self, path: PathBuf) -> Result<()> {
        if path.exists() && !self.force {
            let error = Error::usage(format!("{} is there", path.display()));
            return Err(error.hint("--force replaces it"));
        }
        self.path = Some(path);
        Ok(())
    }

    pub(super) fn verb(&mut self, events: Range<usize>, call: String) {
        self.verbs.push((events, call));
    }

    pub(super) fn ahead(&mut self, event: usize) {
        self.ahead.insert(event);
    }

    /// Writes the script, if a file was named. Returns the path of the file.
    ///
    /// # Errors
    /// If the file cannot be written, or if some events were not kept.
    pub(super) fn write(
        &self,
        url: &str,
        speech: Speech,
        events: &[Event],
    ) -> Result<Option<PathBuf>> {
        let Some(path) = &self.path else { return Ok(None) };
        let is_cut = |(at, event): (usize, &Event)| match &event.what {
            What::Omitted(_) => true,
            // The call of a verb contains what the verb sent.
            What::Client(bytes) => {
                bytes.omitted() > 0 && !self.verbs.iter().any(|(span, _)| span.contains(&at))
            }
            _ => false,
        };
        if events.iter().enumerate().any(is_cut) {
            let error = Error::new(Kind::TooLong, "the dialogue was too long to be saved");
            return Err(error.hint("its middle was not kept"));
        }
        written::create(path, &self.text(url, speech, events), self.force)?;
        Ok(Some(path.clone()))
    }

    fn text(&self, url: &str, speech: Speech, events: &[Event]) -> String {
        let title = format!("A dialogue with {url}, as it was typed.");
        let mut script = Script::new(speech, url, &title);
        let (mut at, mut is_left) = (0, false);
        while at < events.len() {
            if let Some((span, call)) = self.verbs.iter().find(|(span, _)| span.start == at) {
                script.call(call);
                at = span.end.max(at + 1);
                continue;
            }
            match &events[at].what {
                What::Server(bytes) => {
                    script.heard_ends(bytes.head(), bytes.omitted(), bytes.tail());
                }
                What::Client(bytes) => script.sent(bytes.head(), self.ahead.contains(&at)),
                What::Closed(Close::HalfByClient) => is_left = true,
                // If the client has closed its side, the server's close is expected already.
                What::Closed(Close::ByServer) if !is_left => script.closed(),
                _ => {}
            }
            at += 1;
        }
        script.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Excerpt;

    #[test]
    fn a_line_that_was_not_kept_whole_is_not_saved() {
        let folder = tempfile::tempdir().unwrap();
        let saving = Saving::new(Some(folder.path().join("a.rhai")), false).unwrap();
        let long = Excerpt::of("x".repeat(30_000).as_bytes());
        let event = Event::new(None, What::Client(long));
        let error = saving.write("smtp://x", Speech::Smtp, &[event]).unwrap_err();
        assert!(error.message().contains("too long"), "{error}");
    }
}
