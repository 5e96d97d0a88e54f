//! What went by on the sessions of a run, as it went: each write and each read with its time, which
//! the transcript does not keep.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::masked::{mask_text, without};
use super::{SessionId, What};
use crate::secrets::Learned;

/// How many bytes are kept of a run. What passes after that is only counted.
const LARGEST: usize = 16 << 20;
/// How many passages are kept, beside their bytes.
const MOST: usize = 100_000;

/// A recording in the making, shared by the sessions of a run.
#[derive(Clone, Debug)]
pub(crate) struct Tape(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    began: Instant,
    passages: Vec<Passage>,
    held: usize,
    omitted: u64,
}

/// Something that went by.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    /// Since the script began.
    pub(crate) at: Duration,
    pub(crate) session: Option<SessionId>,
    pub(crate) what: Passed,
}

/// What went by.
#[derive(Clone, Debug)]
pub(crate) enum Passed {
    /// One write of the client's, or what one read had of it.
    Client(Bytes),
    /// The same of the server's.
    Server(Bytes),
    /// TLS is spoken from here on; what is known of it, by name.
    Secured(Vec<(&'static str, String)>),
    /// Anything else that a transcript has, except what was said.
    Event(What),
}

/// What was recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) passages: Vec<Passage>,
    /// How many passages were not kept.
    pub(crate) omitted: u64,
}

impl Tape {
    pub(super) fn new() -> Self {
        let kept = Kept { began: Instant::now(), passages: Vec::new(), held: 0, omitted: 0 };
        Self(Arc::new(Mutex::new(kept)))
    }

    /// Keeps what went by.
    pub(crate) fn pass(&self, session: Option<SessionId>, what: Passed) {
        let mut kept = self.kept();
        let held = kept.held + what.octets();
        if held > LARGEST || kept.passages.len() >= MOST {
            kept.omitted += 1;
            return;
        }
        kept.held = held;
        let at = kept.began.elapsed();
        kept.passages.push(Passage { at, session, what });
    }

    /// Keeps what happened, except what was said: that passes when it does, and not when it is
    /// taken.
    pub(super) fn happened(&self, session: Option<SessionId>, what: &What) {
        match what {
            What::Client(_) | What::Server(_) | What::Unread(_) | What::Complaint(_) => {}
            other => self.pass(session, Passed::Event(other.clone())),
        }
    }

    /// All of it, without what is secret.
    pub(super) fn take(&self, learned: &Learned) -> Recorded {
        let mut kept = self.kept();
        let mut passages = std::mem::take(&mut kept.passages);
        let omitted = std::mem::take(&mut kept.omitted);
        kept.held = 0;
        drop(kept);
        if !learned.is_empty() {
            mask(&mut passages, learned);
        }
        Recorded { passages, omitted }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves the list whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passed {
    fn octets(&self) -> usize {
        match self {
            Self::Client(bytes) | Self::Server(bytes) => bytes.len(),
            Self::Secured(_) | Self::Event(_) => 0,
        }
    }
}

/// Masks what is secret. The bytes of one side of a session are looked at as one: a secret may have
/// come in two reads.
fn mask(passages: &mut [Passage], learned: &Learned) {
    let mut streams: BTreeMap<(Option<SessionId>, bool), Vec<usize>> = BTreeMap::new();
    for (number, passage) in passages.iter_mut().enumerate() {
        match &mut passage.what {
            Passed::Event(what) => mask_text(what, learned),
            Passed::Client(_) => streams.entry((passage.session, true)).or_default().push(number),
            Passed::Server(_) => streams.entry((passage.session, false)).or_default().push(number),
            Passed::Secured(_) => {}
        }
    }
    for numbers in streams.into_values() {
        let mut whole = Vec::new();
        let mut parts = Vec::new();
        for number in numbers {
            if let Passed::Client(bytes) | Passed::Server(bytes) = &passages[number].what {
                parts.push((number, whole.len()..whole.len() + bytes.len()));
                whole.extend_from_slice(bytes);
            }
        }
        let spans = learned.spans(&whole);
        if spans.is_empty() {
            continue;
        }
        for (number, part) in parts {
            if let Passed::Client(bytes) | Passed::Server(bytes) = &mut passages[number].what {
                *bytes = without(&whole, &part, &spans);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_came_in_two_reads_is_masked() {
        let tape = Tape::new();
        let session = Some(SessionId(1));
        for bytes in ["250 hunter2", "-abc ok\r\n", "250 next\r\n"] {
            tape.pass(session, Passed::Server(Bytes::from_static(bytes.as_bytes())));
        }
        tape.happened(None, &What::Step("hunter2-abc".to_owned()));
        let learned = Learned::default();
        learned.learn(b"hunter2-abc");
        let recorded = tape.take(&learned);
        assert!(!format!("{recorded:?}").contains("hunter2"), "{recorded:?}");
        assert_eq!((recorded.passages.len(), recorded.omitted), (4, 0));
    }

    #[test]
    fn a_flood_is_bounded() {
        let tape = Tape::new();
        let chunk = Bytes::from(vec![b'x'; LARGEST / 4]);
        (0..6).for_each(|_| tape.pass(None, Passed::Server(chunk.clone())));
        let recorded = tape.take(&Learned::default());
        assert_eq!((recorded.passages.len(), recorded.omitted), (4, 2));
    }
}
