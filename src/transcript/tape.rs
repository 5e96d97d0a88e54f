//! The recording of a run: each write and each read with its time, which the transcript does not
//! keep.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::masked::{mask_text, without};
use super::{SessionId, What};
use crate::secrets::Learned;

/// The number of bytes that are kept of a run. Later passages are only counted.
const LARGEST: usize = 16 << 20;
/// The number of passages that are kept. Later ones are only counted.
const MOST: usize = 100_000;

/// A recording in progress, shared by the sessions of a run.
#[derive(Clone, Debug)]
pub(crate) struct Tape(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    began: Instant,
    passages: Vec<Passage>,
    held: usize,
    omitted: u64,
}

/// Something that a session sent or received, or another event.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    /// The time since the script began.
    pub(crate) at: Duration,
    pub(crate) session: Option<SessionId>,
    pub(crate) what: Passed,
}

/// The kinds of passages.
#[derive(Clone, Debug)]
pub(crate) enum Passed {
    /// The bytes of one write by the client, or of one read from it.
    Client(Bytes),
    /// The bytes of one write by the server, or of one read from it.
    Server(Bytes),
    /// A TLS handshake succeeded; its properties by name.
    Secured(Vec<(&'static str, String)>),
    /// Any other event of the transcript, except bytes of a dialogue.
    Event(What),
}

/// A finished recording.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) passages: Vec<Passage>,
    /// The number of passages that were not kept.
    pub(crate) omitted: u64,
}

impl Tape {
    pub(super) fn new() -> Self {
        let kept = Kept { began: Instant::now(), passages: Vec::new(), held: 0, omitted: 0 };
        Self(Arc::new(Mutex::new(kept)))
    }

    /// Keeps a passage.
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

    /// Keeps an event, except bytes of a dialogue: those are kept when they pass, not when an
    /// operation takes them.
    pub(super) fn happened(&self, session: Option<SessionId>, what: &What) {
        match what {
            What::Client(_)
            | What::Server(_)
            | What::Unread(_)
            | What::UnreadClient(_)
            | What::Complaint(_) => {}
            other => self.pass(session, Passed::Event(other.clone())),
        }
    }

    /// Takes all passages out, with secrets masked.
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
        // The list stays consistent if a thread panics with the lock held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "script")]
impl Recorded {
    /// The events that are no bytes of a dialogue.
    pub(crate) fn events(&mut self) -> impl Iterator<Item = &mut What> {
        self.passages.iter_mut().filter_map(|passage| match &mut passage.what {
            Passed::Event(what) => Some(what),
            _ => None,
        })
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

/// Masks secrets. All bytes of one side of a session are searched as one, because a secret may have
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
    use crate::transcript::Excerpt;

    #[test]
    fn a_secret_that_came_in_two_reads_is_masked() {
        let tape = Tape::new();
        let session = Some(SessionId::of(1));
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
    fn bytes_that_nobody_took_are_kept_once() {
        let tape = Tape::new();
        let session = Some(SessionId::of(1));
        tape.pass(session, Passed::Client(Bytes::from_static(b"QUIT\r\n")));
        tape.happened(session, &What::UnreadClient(Excerpt::of(b"QUIT\r\n")));
        tape.happened(session, &What::Unread(Excerpt::of(b"250 ok\r\n")));
        assert_eq!(tape.take(&Learned::default()).passages.len(), 1);
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
