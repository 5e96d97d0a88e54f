//! Saves a dialogue as a script.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use crate::cli::dialogue::Script;
use crate::cli::written;
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::secrets::Learned;
use crate::transcript::{Close, Event, Transcript, What};

/// Where the dialogue is saved, and facts that its events do not contain.
#[derive(Debug, Default)]
pub(super) struct Saving {
    path: Option<PathBuf>,
    force: bool,
    /// The ranges of events that a verb caused, each with the call of the verb.
    verbs: Vec<(Range<usize>, Verb)>,
    /// The indices of events that were sent before their turn.
    ahead: BTreeSet<usize>,
}

/// What a verb did, for the script.
#[derive(Debug)]
pub(super) enum Verb {
    /// It is called like this.
    Called(String),
    /// It sent this message.
    Data(Vec<u8>),
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

    pub(super) fn verb(&mut self, events: Range<usize>, verb: Verb) {
        self.verbs.push((events, verb));
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
        transcript: &Transcript,
    ) -> Result<Option<PathBuf>> {
        let events = &*transcript.events();
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
        let text = self.text(url, speech, events, &transcript.learned());
        written::create(path, &text, self.force)?;
        Ok(Some(path.clone()))
    }

    fn text(&self, url: &str, speech: Speech, events: &[Event], secrets: &Learned) -> String {
        let title = format!("A dialogue with {url}, as it was typed.");
        let mut script = Script::new(speech, url, &title);
        let (mut at, mut is_left) = (0, false);
        while at < events.len() {
            if let Some((span, verb)) = self.verbs.iter().find(|(span, _)| span.start == at) {
                match verb {
                    Verb::Called(call) => {
                        let mut call = call.clone();
                        secrets.mask_text(&mut call);
                        script.call(&call);
                    }
                    Verb::Data(message) => script.data(&secrets.mask(message, &[])),
                }
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
        let transcript = Transcript::new();
        transcript.record_on(transcript.open(), What::Client(long));
        let error = saving.write("smtp://x", Speech::Smtp, &transcript).unwrap_err();
        assert!(error.message().contains("too long"), "{error}");
    }
}
