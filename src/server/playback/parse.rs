//! Reads the text of a golden or a transcript into recordings.

use super::{Recording, Step, announced};
use crate::error::{Error, Result};
use crate::proto::Speech;
use crate::target;
use crate::transcript::{self, About, Close, Event, Excerpt, SessionId, What};

/// The sessions of a recording, in the order in which they were opened.
///
/// # Errors
/// Usage if the recording has no session that a server could play.
pub(in crate::server) fn sessions(text: &str) -> Result<Vec<Recording>> {
    let (events, _) = transcript::read(text);
    check(&events)?;
    let numbers = Numbers::of(text);
    let mut ids: Vec<Option<SessionId>> = Vec::new();
    for event in &events {
        if !ids.contains(&event.session) && is_dialogue(event) {
            ids.push(event.session);
        }
    }
    let recordings = ids.into_iter().filter_map(|id| {
        let events: Vec<_> = events.iter().filter(|event| event.session == id).collect();
        recording(&events, &numbers)
    });
    let recordings: Vec<_> = recordings.collect();
    if recordings.is_empty() {
        let error = Error::usage("the recording has no session in it");
        return Err(error.hint(
            "give a golden (snapshots/x.snap), or a transcript as mailexpect run -v shows it",
        ));
    }
    Ok(recordings)
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

/// The lines of a recording, to find line numbers.
struct Numbers(Vec<String>);

impl Numbers {
    fn of(text: &str) -> Self {
        Self(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// The line number, from 1, of this line of a client; the search begins after line `from`.
    fn find(&self, from: usize, line: &[u8]) -> usize {
        let shown = crate::visible::escape(line.strip_suffix(b"\r\n").unwrap_or(line));
        let wanted = format!("C: {shown}");
        let rest = self.0.iter().enumerate().skip(from);
        rest.clone()
            .find(|(_, line)| line.ends_with(wanted.trim_end()))
            .map_or(from, |(at, _)| at + 1)
    }
}

fn recording(events: &[&Event], numbers: &Numbers) -> Option<Recording> {
    let url = events.iter().find_map(|event| match &event.what {
        What::Connecting(url) => Some(url.clone()),
        _ => None,
    });
    let scheme = url.as_deref().and_then(|url| url.split(':').next()).unwrap_or("smtp");
    let speech = url.as_deref().and_then(target::speech);
    let speech = speech.filter(|speech| *speech != Speech::Stream).or_else(|| greeted(events))?;
    let mut steps = Vec::new();
    let mut line = 0;
    for event in events {
        match &event.what {
            What::Client(excerpt) => {
                let in_content = content_follows(&steps, speech);
                heard(excerpt, (in_content, speech), &mut steps, (numbers, &mut line));
            }
            What::Server(excerpt) | What::Unread(excerpt) => said(excerpt, speech, &mut steps),
            What::Tls(words) if !words.starts_with("failed") => steps.push(Step::Tls),
            What::Closed(Close::ByServer | Close::Agreed) => steps.push(Step::Close),
            _ => {}
        }
    }
    let is_tls = steps.first() == Some(&Step::Tls);
    if is_tls {
        steps.remove(0);
    }
    let scheme = scheme.strip_suffix("+unix").unwrap_or(scheme).to_owned();
    Some(Recording { speech, scheme, is_tls, steps: paired(steps, speech) })
}

fn greeted(events: &[&Event]) -> Option<Speech> {
    events.iter().find_map(|event| match &event.what {
        What::Server(excerpt) => Speech::of_greeting(excerpt.head()),
        _ => None,
    })
}

/// Whether the server has asked for the content of a message.
fn content_follows(steps: &[Step], speech: Speech) -> bool {
    let said = match steps.last() {
        Some(Step::Say(bytes)) => bytes.as_slice(),
        _ => return false,
    };
    let last = crate::proto::last_line(said);
    speech.facts().has_messages && last.starts_with(b"354")
}

fn heard(
    excerpt: &Excerpt,
    (in_content, speech): (bool, Speech),
    steps: &mut Vec<Step>,
    (numbers, at): (&Numbers, &mut usize),
) {
    let bytes = [excerpt.head(), excerpt.tail()].concat();
    let mut rest = bytes.as_slice();
    if in_content {
        steps.push(Step::Octets { of_literal: false });
        let end = memchr::memmem::find(rest, b"\r\n.\r\n").map_or(rest.len(), |end| end + 5);
        rest = if rest.starts_with(b".\r\n") { &rest[3..] } else { &rest[end..] };
    }
    if let [.., Step::Hear { line, .. }, Step::Say(_), Step::Octets { of_literal: true }] = &**steps
        && let Some((octets, _)) = announced(line, speech)
    {
        let octets = usize::try_from(octets).unwrap_or(usize::MAX).min(rest.len());
        rest = &rest[octets..];
    }
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, behind) = rest.split_at(end);
        rest = behind;
        *at = numbers.find(*at, line);
        steps.push(Step::Hear { line: line.to_vec(), number: *at });
        if let Some((octets, waits)) = announced(line, speech) {
            // A recording may leave out a part of a literal; the next command is not taken for that
            // part.
            let octets = usize::try_from(octets).unwrap_or(usize::MAX).min(rest.len());
            if !waits {
                steps.push(Step::Octets { of_literal: true });
                rest = &rest[octets..];
            }
        }
    }
}

fn said(excerpt: &Excerpt, speech: Speech, steps: &mut Vec<Step>) {
    let left_out = usize::try_from(excerpt.omitted()).unwrap_or(usize::MAX).min(64 << 20);
    let bytes = [excerpt.head(), &vec![b'x'; left_out], excerpt.tail()].concat();
    let goes_ahead = speech == Speech::Imap && bytes.starts_with(b"+");
    let after_literal =
        matches!(steps.last(), Some(Step::Hear { line, .. }) if announced(line, speech).is_some());
    match steps.last_mut() {
        Some(Step::Say(before)) => before.extend(bytes),
        _ => steps.push(Step::Say(bytes)),
    }
    if goes_ahead && after_literal {
        steps.push(Step::Octets { of_literal: true });
    }
}

/// Splits commands that were sent together and answered together into pairs of a command and its
/// reply, so that a client that waits for each reply can be played to as well.
fn paired(steps: Vec<Step>, speech: Speech) -> Vec<Step> {
    let mut paired: Vec<Step> = Vec::new();
    let mut run: Vec<Step> = Vec::new();
    for step in steps {
        match step {
            Step::Hear { .. } => run.push(step),
            Step::Say(bytes) if run.len() > 1 => {
                let replies = replies(&bytes, speech);
                if replies.len() == run.len() {
                    let both = run.drain(..).zip(replies);
                    paired.extend(both.flat_map(|(hear, say)| [hear, Step::Say(say)]));
                } else {
                    paired.append(&mut run);
                    paired.push(Step::Say(bytes));
                }
            }
            other => {
                paired.append(&mut run);
                paired.push(other);
            }
        }
    }
    paired.append(&mut run);
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
