//! Reads the text of a golden or a transcript into recordings.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::numbers::Numbers;
use super::omitted::filled;
use super::reader::Reader;
use super::{Content, Recording, Step};
use crate::error::{Error, Result};
use crate::proto::{Scheme, Speech};
use crate::target;
use crate::transcript::{self, About, Close, Event, SessionId, What};

/// The sessions of a recording, in the order in which they were opened.
///
/// # Errors
/// Usage if the recording has no session that a server could play.
pub(in crate::server) fn sessions(text: &str) -> Result<Vec<Recording>> {
    let (events, _) = transcript::read(&filled(text));
    check(&events)?;
    let numbers = Numbers::of(text);
    let recordings = by_session(&events).into_iter();
    let recordings: Vec<_> = recordings.filter_map(|events| recording(&events, &numbers)).collect();
    if recordings.is_empty() {
        let error = Error::usage("the recording has no session in it");
        return Err(error.hint(
            "give a golden (snapshots/x.snap), or a transcript as mailexpect run -v shows it",
        ));
    }
    Ok(recordings)
}

/// The events of each session, in the order of what each first said.
fn by_session(events: &[Event]) -> Vec<Vec<&Event>> {
    let mut by_id: HashMap<Option<SessionId>, Vec<&Event>> = HashMap::new();
    let mut ids: Vec<Option<SessionId>> = Vec::new();
    let mut begun = HashSet::new();
    for event in events {
        by_id.entry(event.session).or_default().push(event);
        if is_dialogue(event) && begun.insert(event.session) {
            ids.push(event.session);
        }
    }
    ids.iter().filter_map(|id| by_id.remove(id)).collect()
}

/// Refuses what cannot be played.
fn check(events: &[Event]) -> Result<()> {
    let is_compressed =
        |event: &&Event| matches!(event.what, What::Note { about: About::Compression, .. });
    let Some(event) = events.iter().find(is_compressed) else { return Ok(()) };
    let session = event.session.map_or_else(|| "the session".to_owned(), |id| id.to_string());
    let error = Error::usage(format!(
        "{session} of the recording is compressed, and what is compressed cannot be played"
    ));
    Err(error.hint(
        "record it without compress(): a client that is not offered COMPRESS has to go on in clear",
    ))
}

fn is_dialogue(event: &Event) -> bool {
    matches!(event.what, What::Connecting(_) | What::Client(_) | What::Server(_))
}

fn recording(events: &[&Event], numbers: &Numbers) -> Option<Recording> {
    let url = events.iter().find_map(|event| match &event.what {
        What::Connecting(url) => Some(url.as_str()),
        _ => None,
    });
    let accepted = events.iter().find_map(|event| match &event.what {
        What::Accepted(peer) => Some(peer.as_str()),
        _ => None,
    });
    let speech = url.or(accepted).and_then(target::speech);
    let speech = speech.filter(|speech| *speech != Speech::Stream).or_else(|| greeted(events))?;
    let mut reader = Reader::new(speech, events, numbers);
    for event in events {
        match &event.what {
            What::Client(excerpt) => reader.heard(excerpt),
            What::Server(excerpt) | What::Unread(excerpt) => reader.said(excerpt),
            What::Tls(words) if !words.starts_with("failed") => reader.step(Step::Tls),
            What::Closed(Close::ByServer | Close::Agreed) => reader.step(Step::Close),
            What::Closed(Close::ResetByServer) => reader.step(Step::Reset),
            _ => {}
        }
    }
    let mut steps = reader.steps();
    let is_tls = steps.first() == Some(&Step::Tls);
    if is_tls {
        steps.remove(0);
    }
    let scheme = scheme(url, speech, is_tls);
    let steps = paired(steps, speech);
    Some(Recording { speech, scheme, is_tls, steps, index: OnceLock::new() })
}

/// The scheme of the recorded URL. A recording without a URL has the first scheme of its protocol.
fn scheme(url: Option<&str>, speech: Speech, is_tls: bool) -> String {
    let usual = || {
        let schemes = speech.facts().schemes;
        let usual = schemes.iter().find(|scheme| Scheme::is_tls(scheme) == is_tls);
        usual.or(schemes.first()).map_or("tcp", |scheme| scheme.name)
    };
    let named = url.and_then(|url| url.split(':').next());
    let named = named.map(|name| name.strip_suffix("+unix").unwrap_or(name));
    named.unwrap_or_else(usual).to_owned()
}

fn greeted(events: &[&Event]) -> Option<Speech> {
    events.iter().find_map(|event| match &event.what {
        What::Server(excerpt) => Speech::of_greeting(excerpt.head()),
        _ => None,
    })
}

/// Splits commands that were sent together and answered together into pairs of a command and its
/// reply, so that a client that waits for each reply can be played to as well.
fn paired(steps: Vec<Step>, speech: Speech) -> Vec<Step> {
    let mut paired: Vec<Step> = Vec::new();
    let mut run: Vec<Vec<Step>> = Vec::new();
    for step in steps {
        match step {
            hear @ Step::Hear { .. } => run.push(vec![hear]),
            // The content of a chunk belongs to its command.
            Step::Octets(Content::Chunk) => {
                if let Some(command) = run.last_mut() {
                    command.push(step);
                }
            }
            Step::Say(bytes) if run.len() > 1 => {
                let replies = replies(&bytes, speech);
                if replies.len() == run.len() {
                    let both = run.drain(..).zip(replies);
                    paired.extend(
                        both.flat_map(|(command, say)| command.into_iter().chain([Step::Say(say)])),
                    );
                } else {
                    paired.extend(run.drain(..).flatten());
                    paired.push(Step::Say(bytes));
                }
            }
            other => {
                paired.extend(run.drain(..).flatten());
                paired.push(other);
            }
        }
    }
    paired.extend(run.drain(..).flatten());
    paired
}

/// The single replies in what a server sent in SMTP or LMTP; in other protocols, all of it is one
/// reply.
fn replies(bytes: &[u8], speech: Speech) -> Vec<Vec<u8>> {
    if !speech.facts().has_messages {
        return vec![bytes.to_vec()];
    }
    let mut replies = vec![Vec::new()];
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(reply) = replies.last_mut() {
            reply.extend_from_slice(line);
        }
        if line.get(3) != Some(&b'-') {
            replies.push(Vec::new());
        }
    }
    replies.retain(|reply| !reply.is_empty());
    replies
}
