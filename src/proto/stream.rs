//! A plain stream: no replies, no verbs; `expect` searches, as in expect(1).

use std::ops::Range;

use super::{Framing, Protocol};
use crate::redact::Secrets;

/// Turn-taking where nothing is known of the protocol: what was sent wants some answer before more is sent.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    unanswered: bool,
}

impl Protocol for Stream {
    fn name(&self) -> &'static str {
        "stream"
    }

    fn framing(&mut self) -> Option<&mut dyn Framing> {
        None
    }

    fn sent(&mut self, _bytes: &[u8], _secrets: &mut Secrets) -> Vec<Range<usize>> {
        self.unanswered = true;
        Vec::new()
    }

    fn secrets(&self, _bytes: &[u8]) -> Vec<Range<usize>> {
        Vec::new()
    }

    fn received(&mut self, bytes: &[u8]) {
        self.unanswered &= bytes.is_empty();
    }

    fn owed(&self) -> usize {
        usize::from(self.unanswered)
    }

    fn waive(&mut self) {
        self.unanswered = false;
    }

    fn is_closing(&self) -> bool {
        false
    }
}
