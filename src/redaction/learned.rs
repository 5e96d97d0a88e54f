//! Masks secrets in a transcript that another program recorded. Secrets are learned from its client
//! lines, as in a run, and masked everywhere, also before the place where they were learned.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;

use crate::proto::{Protocol, Speech};
use crate::secrets::{self, Learned, SECRET, Secrets};
use crate::target;
use crate::transcript::{self, Event, Excerpt, SessionId, What};

/// Masks secrets in events that were not recorded by a run of ours. The first pass learns the
/// secrets, the second masks them. All events are held in memory meanwhile; the reader of the
/// transcript bounds their number.
pub(crate) fn without_secrets(mut events: Vec<Event>) -> Vec<Event> {
    let learned = Learned::default();
    let mut sessions: HashMap<Option<SessionId>, Follower> = HashMap::new();
    for event in &mut events {
        let new = || Follower::new(learned.clone(), None);
        match &mut event.what {
            What::Connecting(url) => {
                if let Some(password) = secrets::password_of_url(url) {
                    learned.learn(url[password].as_bytes());
                }
                let speech = target::speech(url).filter(|speech| *speech != Speech::Stream);
                sessions.insert(event.session, Follower::new(learned.clone(), speech));
            }
            What::Server(said) | What::Unread(said) => {
                sessions.entry(event.session).or_insert_with(new).server(said);
            }
            What::Client(said) | What::UnreadClient(said) => {
                let masked = sessions.entry(event.session).or_insert_with(new).client(said);
                *said = masked;
            }
            _ => {}
        }
    }
    transcript::mask(&mut events, &learned);
    events
}

/// Follows the dialogue of one session.
struct Follower {
    /// `None` until the protocol is known, by a URL, by the first lines of the server, or by the
    /// first command.
    protocol: Option<Box<dyn Protocol>>,
    secrets: Secrets,
}

impl Follower {
    fn new(learned: Learned, speech: Option<Speech>) -> Self {
        Self { protocol: speech.map(dialogue), secrets: Secrets::of(learned) }
    }

    fn server(&mut self, said: &Excerpt) {
        if self.protocol.is_none() {
            self.protocol = Speech::of_greeting(said.head()).map(dialogue);
        }
        let Some(protocol) = &mut self.protocol else { return };
        for part in [said.head(), said.tail()].into_iter().filter(|part| !part.is_empty()) {
            protocol.received(part);
            if let Some(challenge) = protocol.challenge(part) {
                self.secrets.hear(challenge);
            }
        }
    }

    /// Learns secrets from what the client says, and masks those that are known by their position:
    /// they may be too short to be looked for elsewhere.
    fn client(&mut self, said: &Excerpt) -> Excerpt {
        let speech = || Speech::of_command(said.head()).unwrap_or(Speech::Stream);
        let protocol = self.protocol.get_or_insert_with(|| dialogue(speech()));
        let mut follow = |part: &[u8]| {
            let mut shown = Vec::with_capacity(part.len());
            for line in part.split_inclusive(|byte| *byte == b'\n') {
                // A mask in the input teaches nothing; in particular, the word `SECRET` is no
                // secret.
                let given = without_masks(line);
                let mut spans = protocol.sent(&given, &mut self.secrets);
                if matches!(given, Cow::Owned(_)) {
                    spans.clear();
                }
                shown.extend_from_slice(&self.secrets.mask(line, &spans));
            }
            Bytes::from(shown)
        };
        let (head, tail) = (follow(said.head()), follow(said.tail()));
        said.keeping(head, tail, said.decoded().map(Bytes::copy_from_slice))
    }
}

fn dialogue(speech: Speech) -> Box<dyn Protocol> {
    (speech.facts().dialogue)("")
}

fn without_masks(line: &[u8]) -> Cow<'_, [u8]> {
    let mut masks = memchr::memmem::find_iter(line, SECRET).peekable();
    if masks.peek().is_none() {
        return line.into();
    }
    let (mut left, mut start) = (Vec::with_capacity(line.len()), 0);
    for mask in masks {
        left.extend_from_slice(&line[start..mask]);
        start = mask + SECRET.len();
    }
    left.extend_from_slice(&line[start..]);
    left.into()
}
