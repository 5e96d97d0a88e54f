//! Masks the events once more before they are shown, because the run knows all its secrets by then.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::{Event, Excerpt, SessionId, What};
use crate::secrets::{Learned, SECRET};

/// Masks secrets in events, including those that their session had not yet learned when it recorded
/// them.
///
/// Consecutive bytes in one direction are searched as one, because a secret may have been sent in
/// two writes.
pub(crate) fn mask(events: &mut [Event], learned: &Learned) {
    if learned.is_empty() {
        return;
    }
    for event in &mut *events {
        mask_text(&mut event.what, learned);
    }
    for run in runs(events) {
        let mut bytes = Vec::new();
        let mut parts = Vec::new();
        for number in run {
            let Some(excerpt) = excerpt(&mut events[number].what) else { continue };
            for part in [excerpt.head(), excerpt.tail()] {
                parts.push((number, bytes.len()..bytes.len() + part.len()));
                bytes.extend_from_slice(part);
            }
        }
        let spans = learned.spans(&bytes);
        for pair in parts.chunks_exact(2) {
            let [(number, head), (_, tail)] = pair else { continue };
            let Some(excerpt) = excerpt(&mut events[*number].what) else { continue };
            let meaning = excerpt
                .decoded()
                .map(|meaning| Bytes::from(learned.mask(meaning, &[]).into_owned()));
            let [head, tail] = [head, tail].map(|part| without(&bytes, part, &spans));
            *excerpt = excerpt.keeping(head, tail, meaning);
        }
    }
}

/// The numbers of the events whose bytes follow each other in one direction of a session.
fn runs(events: &[Event]) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut open: HashMap<Option<SessionId>, (u8, usize)> = HashMap::new();
    for (number, event) in events.iter().enumerate() {
        let direction = match &event.what {
            What::Client(_) | What::UnreadClient(_) => 0,
            What::Server(_) | What::Unread(_) => 1,
            What::Complaint(_) => 2,
            _ => continue,
        };
        match open.get(&event.session) {
            Some((before, run)) if *before == direction => runs[*run].push(number),
            _ => {
                open.insert(event.session, (direction, runs.len()));
                runs.push(vec![number]);
            }
        }
    }
    runs
}

fn excerpt(what: &mut What) -> Option<&mut Excerpt> {
    match what {
        What::Client(bytes)
        | What::Server(bytes)
        | What::Unread(bytes)
        | What::UnreadClient(bytes)
        | What::Complaint(bytes) => Some(bytes),
        _ => None,
    }
}

/// The bytes in the range `part`, with the given spans masked.
pub(super) fn without(bytes: &[u8], part: &Range<usize>, spans: &[Range<usize>]) -> Bytes {
    let mut shown = Vec::with_capacity(part.len());
    let mut from = part.start;
    let first = spans.partition_point(|span| span.end <= part.start);
    for span in spans[first..].iter().take_while(|span| span.start < part.end) {
        shown.extend_from_slice(&bytes[from..span.start.max(from)]);
        shown.extend_from_slice(SECRET);
        from = span.end.min(part.end);
    }
    shown.extend_from_slice(&bytes[from..part.end]);
    shown.into()
}

pub(super) fn mask_text(what: &mut What, learned: &Learned) {
    match what {
        What::Connecting(text) | What::Step(text) | What::Printed(text) => learned.mask_text(text),
        What::Attempt { address, .. } => mask_boxed(address, learned),
        What::Note { text, .. } => mask_boxed(text, learned),
        What::Snapshot { name, text } => {
            mask_boxed(name, learned);
            mask_boxed(text, learned);
        }
        What::Tls(words) => learned.mask_data(words),
        What::Client(_)
        | What::Server(_)
        | What::Unread(_)
        | What::UnreadClient(_)
        | What::Complaint(_)
        | What::Accepted(_)
        | What::Exited(_)
        | What::TimedOut(_)
        | What::Silent(_)
        | What::Omitted(_)
        | What::Closed(_) => {}
    }
}

fn mask_boxed(text: &mut Box<str>, learned: &Learned) {
    let mut whole = String::from(std::mem::take(text));
    learned.mask_text(&mut whole);
    *text = whole.into();
}

#[cfg(test)]
mod tests {
    use crate::transcript::{Excerpt, Transcript, What};
    use bytes::Bytes;

    #[test]
    fn a_secret_learned_late_is_masked_in_all_sessions_and_across_writes() {
        let transcript = Transcript::new();
        let sessions = [transcript.open(), transcript.open()];
        let bytes = |bytes: &'static [u8]| Excerpt::from(Bytes::from_static(bytes));
        transcript.record_on(sessions[0], What::Server(bytes(b"220 hint: s3cret-pw\r\n")));
        transcript.record_on(sessions[0], What::Client(bytes(b"NOOP s3")));
        transcript.record_on(sessions[1], What::Server(bytes(b"220 s3cret\r\n")));
        transcript.record_on(sessions[0], What::Client(bytes(b"cret-pw\r\n")));
        transcript.note(What::Printed("it is s3cret-pw".into()));
        transcript.learned().learn(b"s3cret-pw");
        insta::assert_snapshot!(transcript, @r"
        s1 S: 220 hint: [SECRET]
        s1 C: NOOP [SECRET]\
        s2 S: 220 [SECRET]
        s1 C: [SECRET]
        *** print: it is [SECRET]
        ");
        assert!(!format!("{:?}", transcript.events()).contains("cret-pw"));
    }

    #[test]
    fn the_ends_of_a_long_run_are_masked() {
        let transcript = Transcript::new();
        let session = transcript.open();
        let long = [&b"s3cret-pw "[..], &vec![b'x'; 100_000], b" s3cret-pw\r\n"].concat();
        transcript.record_on(session, What::Server(Excerpt::from(Bytes::from(long))));
        transcript.learned().learn(b"s3cret-pw");
        let What::Server(shown) = &transcript.events()[0].what else { panic!("not bytes") };
        assert!(
            shown.head().starts_with(b"[SECRET] xx") && shown.tail().ends_with(b" [SECRET]\r\n")
        );
        assert_eq!(shown.omitted(), 100_022 - (20 << 10));
    }
}
