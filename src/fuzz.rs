//! Entry points for `fuzz/` to private parts of the crate: each takes any bytes, and asserts what
//! has to be true for them.

use std::path::{Path, PathBuf};

use crate::golden::Goldens;
use crate::project::Project;
use crate::proto::{Protocol, Speech};
use crate::redaction::{Redaction, Strictness};
use crate::secrets::Secrets;
use crate::session::Command;
use crate::{server, transcript};

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

/// Reads what a client sends, as a script that plays the server does, at once and byte by byte. The
/// client's and the server's bytes alternate, separated by 0xff.
///
/// # Panics
/// If the commands depend on how the stream is cut, or if one has more words than bytes.
pub fn listening(protocol: usize, said: &[u8]) {
    let whole = commands(dialogue(protocol).as_mut(), protocol, said, said.len().max(1));
    let bytes = commands(dialogue(protocol).as_mut(), protocol, said, 1);
    assert_eq!(whole, bytes, "the commands depend on how the stream is cut");
}

/// The commands of a client, and why its last bytes are none.
fn commands(
    dialogue: &mut dyn Protocol,
    protocol: usize,
    said: &[u8],
    step: usize,
) -> Vec<Result<Vec<u8>, String>> {
    let mut found = Vec::new();
    for (number, piece) in said.split(|byte| *byte == 0xff).enumerate() {
        if number % 2 == 1 {
            frames(dialogue, piece, 7);
            continue;
        }
        if let Some(framing) = dialogue.requests() {
            framing.restart();
        }
        let (mut start, mut end) = (0, 0);
        loop {
            let held = &piece[start..end];
            match dialogue.requests().map_or(Ok(None), |framing| framing.frame(held)) {
                // The next chunk is empty (BDAT 0), and nothing comes for it.
                Ok(Some(0)) => return found,
                Ok(Some(length)) => {
                    take(dialogue, protocol, &held[..length]);
                    found.push(Ok(held[..length].to_vec()));
                    start += length;
                }
                Ok(None) if end == piece.len() => break,
                Ok(None) => end = piece.len().min(end + step),
                Err(malformed) => {
                    found.push(Err(malformed.why));
                    return found;
                }
            }
        }
    }
    found
}

/// Takes a command, and reads its parts.
fn take(dialogue: &mut dyn Protocol, protocol: usize, bytes: &[u8]) {
    let spans = dialogue.sent(bytes, &mut Secrets::default());
    assert!(spans.iter().all(|span| span.start <= span.end && span.end <= bytes.len()));
    let command = Command::new(bytes.to_vec().into(), Speech::ALL[protocol % PROTOCOLS]);
    assert!(command.arguments().len() <= bytes.len(), "more words than bytes");
    assert!(command.verb().len() <= 3 * bytes.len(), "a verb longer than the command");
    drop((command.tag(), command.address(), command.parameters()));
}

/// Sends any bytes to a port of the embedded server, at once and byte by byte.
///
/// # Panics
/// If the number of lines that it answers depends on how the stream is cut.
pub fn serving(service: usize, said: &[u8]) {
    let whole = server::answers(service, said, said.len().max(1));
    let bytes = server::answers(service, said, 1);
    assert_eq!(whole, bytes, "the answers depend on how the stream is cut");
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
