//! Entry points for `fuzz/` to private parts of the crate: each takes any bytes, and asserts what
//! has to be true for them.

use std::path::{Path, PathBuf};

use crate::golden::Goldens;
use crate::project::Project;
use crate::proto::{Protocol, Speech};
use crate::redaction::{Redaction, Strictness};
use crate::secrets::Secrets;
use crate::transcript;

/// The number of protocols; a fuzz target passes the number of one of them.
pub const PROTOCOLS: usize = Speech::ALL.len() - 1;

fn dialogue(protocol: usize) -> Box<dyn Protocol> {
    let facts = Speech::ALL[protocol % PROTOCOLS].facts();
    (facts.dialogue)(facts.schemes[0].name)
}

/// Frames what a server says after the greeting, at once and byte by byte.
///
/// # Panics
/// If the replies depend on how the stream is cut.
pub fn framing(protocol: usize, said: &[u8]) {
    let whole = frames(dialogue(protocol).as_mut(), said, said.len().max(1));
    let bytes = frames(dialogue(protocol).as_mut(), said, 1);
    assert_eq!(whole, bytes, "the replies depend on how the stream is cut");
}

/// The ends of replies, and why the last bytes are no reply.
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

/// Follows a dialogue. The server's and the client's bytes alternate, separated by 0xff.
///
/// # Panics
/// If a span that counts as secret lies outside of the sent bytes.
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

/// Parses a transcript and renders it, then does both again with the result.
///
/// # Panics
/// If the second rendering differs from the first.
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
        // Too much to redact is an error, and no bug.
        drop(redaction.and_then(|redaction| redaction.apply(&events)));
    }
}

/// Reads a file as a golden.
pub fn golden(path: &Path) {
    // A file that is no golden is an error, and no bug.
    drop(Goldens::read(path));
}

/// Parses a project file, with its settings for redaction.
pub fn project(text: &str) {
    if let Ok(project) = Project::parse(PathBuf::from("mailexpect.toml"), text) {
        drop(project.redaction(None));
    }
}
