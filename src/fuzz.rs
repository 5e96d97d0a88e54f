//! What `fuzz/` calls of the parts that are private: entries that take any bytes, and assert what
//! has to hold of them.

use std::path::{Path, PathBuf};

use crate::golden::Goldens;
use crate::project::Project;
use crate::proto::{Protocol, Speech};
use crate::redaction::{Redaction, Strictness};
use crate::secrets::Secrets;
use crate::transcript;

/// How many protocols there are; a target takes the number of one.
pub const PROTOCOLS: usize = Speech::ALL.len() - 1;

fn dialogue(protocol: usize) -> Box<dyn Protocol> {
    let facts = Speech::ALL[protocol % PROTOCOLS].facts();
    (facts.dialogue)(facts.schemes[0].name)
}

/// Frames what a server says after the greeting, in one piece and byte by byte.
///
/// # Panics
/// If the replies depend on how the stream is cut.
pub fn framing(protocol: usize, said: &[u8]) {
    let whole = frames(dialogue(protocol).as_mut(), said, said.len().max(1));
    let bytes = frames(dialogue(protocol).as_mut(), said, 1);
    assert_eq!(whole, bytes, "the replies depend on how the stream is cut");
}

/// The ends of replies, and why the last bytes are none.
fn frames(dialogue: &mut dyn Protocol, said: &[u8], step: usize) -> Vec<Result<usize, String>> {
    let (mut found, mut start, mut end) = (Vec::new(), 0, 0);
    if let Some(framing) = dialogue.framing() {
        framing.restart();
    }
    loop {
        let held = &said[start..end];
        match dialogue.framing().map_or(Ok(None), |framing| framing.frame(held)) {
            Ok(Some(length)) => {
                assert!(0 < length && length <= held.len(), "a reply of {length} bytes");
                found.push(Ok(length));
                dialogue.received(&held[..length]);
                start += length;
            }
            Err(malformed) => {
                found.push(Err(malformed.why));
                return found;
            }
            Ok(None) if end == said.len() => return found,
            Ok(None) => end = said.len().min(end + step),
        }
    }
}

/// Follows a dialogue: what the sides say in turn is parted by 0xff.
///
/// # Panics
/// If what is taken for a secret does not lie in what was said.
pub fn following(protocol: usize, said: &[u8]) {
    let (mut dialogue, mut secrets) = (dialogue(protocol), Secrets::default());
    for (number, piece) in said.split(|byte| *byte == 0xff).enumerate() {
        if number % 2 == 0 {
            frames(dialogue.as_mut(), piece, 7);
            continue;
        }
        let spans = dialogue.sent(piece, &mut secrets);
        assert!(spans.iter().all(|span| span.start <= span.end && span.end <= piece.len()));
        let masked = secrets.mask(piece, &spans);
        assert!(!masked.is_empty() || piece.is_empty(), "nothing is left of what was sent");
    }
}

/// Reads a transcript and renders it, and that again.
///
/// # Panics
/// If the second time gives another one.
pub fn transcript(text: &str) {
    let once = rendered(text);
    assert_eq!(rendered(&once), once, "a transcript is read as another one than was rendered");
}

fn rendered(text: &str) -> String {
    let events = transcript::read(text).0;
    transcript::lines(&events).iter().map(|line| format!("{line}\n")).collect()
}

/// Redacts a transcript by all presets, at each strictness.
pub fn redaction(text: &str) {
    let (events, _) = transcript::read(text);
    for strictness in [Strictness::Text, Strictness::Enhanced, Strictness::Codes] {
        let all = "default,headers,sizes,imap,pop3,sasl,banner";
        let redaction = Redaction::new().select(all).map(|on| on.strictness(strictness));
        // Too much to redact is an error and no fault.
        drop(redaction.and_then(|redaction| redaction.apply(&events)));
    }
}

/// Reads a file as a golden.
pub fn golden(path: &Path) {
    // A file that is none is an error and no fault.
    drop(Goldens::read(path));
}

/// Reads a project file, and what it says of redaction.
pub fn project(text: &str) {
    if let Ok(project) = Project::parse(PathBuf::from("mailexpect.toml"), text) {
        drop(project.redaction(None));
    }
}
