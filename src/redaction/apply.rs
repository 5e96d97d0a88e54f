//! Applies the rules to events one by one, with the state of the dialogue that each event belongs
//! to.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use bytes::Bytes;

use super::challenge::start_of_base64;
use super::dialogue::{Dialogue, From, Unit};
use super::known::Known;
use super::rule::{Label, Rule};
use super::scope::Part;
use super::tokens::{self, Tokens};
use super::{Change, Strictness, reduce, structure};
use crate::proto::{Speech, chomp};
use crate::target;
use crate::transcript::{About, Event, Excerpt, SessionId, What};

/// The token of the preset `sasl.challenge`, which replaces any challenge.
const CHALLENGE: &str = "SASL_CHALLENGE";

/// All rules, in the order in which they are tried.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) secrets: Vec<Rule>,
    pub(super) known: Vec<Known>,
    pub(super) others: Vec<Rule>,
    /// The names of all tokens that these rules may put in.
    pub(super) names: HashSet<Box<str>>,
    /// The labels for values in client lines that have a token already, by the names of the tokens.
    pub(super) again: HashMap<Box<str>, Label>,
    /// The names of presets and normalisers that are on.
    pub(super) active: BTreeSet<&'static str>,
    /// The label for MIME boundaries; `None` if they are not replaced.
    pub(super) boundary: Option<Label>,
    pub(super) strictness: Strictness,
}

impl Rules {
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.active.contains(name)
    }
}

/// The state of the dialogue that a line belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    pub(super) speech: Speech,
    /// The server's greeting in lower case.
    pub(super) greeting: &'a str,
    pub(super) is_client: bool,
}

impl Default for Around<'_> {
    fn default() -> Self {
        Self { speech: Speech::Stream, greeting: "", is_client: false }
    }
}

/// One pass over all events.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) rules: &'a Rules,
    pub(super) tokens: Tokens,
    dialogues: HashMap<Option<SessionId>, Dialogue>,
    pub(super) changes: Vec<Change>,
    /// Whether the changes are listed.
    lists: bool,
    event: usize,
    /// Whether nobody waits for the result any more.
    pub(super) is_stopped: fn() -> bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(rules: &'a Rules, lists: bool, is_stopped: fn() -> bool) -> Self {
        Self {
            rules,
            tokens: Tokens::default(),
            dialogues: HashMap::new(),
            changes: Vec::new(),
            lists,
            event: 0,
            is_stopped,
        }
    }

    pub(super) fn event(&mut self, number: usize, event: &Event) -> Event {
        self.event = number;
        let session = event.session;
        let what = match &event.what {
            What::Connecting(url) => {
                self.dialogues.insert(session, Dialogue::new(target::speech(url)));
                // The scheme stays, because a later redaction tells the protocol of the session
                // from it.
                What::Connecting(self.text(url, Part::Note, url.find("://").unwrap_or_default()))
            }
            What::Attempt { address, result } => What::Attempt {
                address: self.text(address, Part::Note, 0).into(),
                result: result.clone(),
            },
            What::Accepted(peer) => {
                self.dialogues.insert(session, Dialogue::new(target::speech(peer)));
                // The system chooses a client's port, another one each time.
                let (peer, port) = match peer.rsplit_once(':') {
                    Some((host, port)) if port.parse::<u16>().is_ok() => (host, ":[PORT]"),
                    _ => (peer.as_str(), ""),
                };
                let from = peer.find("://").unwrap_or_default();
                What::Accepted(self.text(peer, Part::Note, from) + port)
            }
            What::Client(bytes) => What::Client(self.wire(session, From::Client, bytes)),
            What::Server(bytes) => What::Server(self.wire(session, From::Server, bytes)),
            What::Unread(bytes) => What::Unread(self.wire(session, From::Server, bytes)),
            What::UnreadClient(bytes) => {
                What::UnreadClient(self.wire(session, From::Client, bytes))
            }
            What::Complaint(bytes) => What::Complaint(self.log(bytes)),
            What::Exited(status) => What::Exited(self.text(status, Part::Note, 0)),
            What::Tls(words) => What::Tls(self.text(words, Part::Tls, 0)),
            What::Step(title) => What::Step(self.text(title, Part::Note, 0)),
            What::Note { about, text } => {
                let part = if *about == About::Log { Part::Log } else { Part::Note };
                What::Note { about: *about, text: self.text(text, part, 0).into() }
            }
            What::Printed(text) => What::Printed(self.text(text, Part::Note, 0)),
            What::Snapshot { name, text } => {
                // A name may be composed of values, like the title of a step.
                let name = self.text(name, Part::Note, 0).into();
                What::Snapshot { name, text: self.value(text).into() }
            }
            What::TimedOut(_) | What::Silent(_) | What::Omitted(_) | What::Closed(_) => {
                event.what.clone()
            }
        };
        Event::new(session, what)
    }

    fn text(&mut self, text: &str, part: Part, fixed: usize) -> String {
        let bytes = self.plain_lines(text.as_bytes(), 0, part, fixed);
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Redacts a value of the script. A number is a value that a script has computed, even if some
    /// ids are numbers; only a port or a time that the run made up is replaced.
    fn value(&mut self, text: &str) -> String {
        if !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return self.text(text, Part::Value, 0);
        }
        let rules = self.rules;
        let is_it =
            |known: &&Known| (known.is_port || known.is_common) && *known.value == *text.as_bytes();
        let Some(known) = rules.known.iter().find(is_it) else { return text.to_owned() };
        let token = tokens::plain(&known.label.token);
        self.changed(0..text.len(), &known.label.rule, text.as_bytes(), token.as_bytes());
        token
    }

    fn log(&mut self, excerpt: &Excerpt) -> Excerpt {
        let head = self.plain_lines(excerpt.head(), 0, Part::Log, 0);
        let tail = self.plain_lines(excerpt.tail(), excerpt.head().len(), Part::Log, 0);
        excerpt.keeping(head.into(), tail.into(), None)
    }

    /// Redacts lines that belong to no dialogue.
    fn plain_lines(&mut self, bytes: &[u8], offset: usize, part: Part, fixed: usize) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(bytes.len());
        let mut start = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let unit = Unit::plain(start..start + line.len(), part, fixed);
            start += line.len();
            redacted.extend(self.unit(bytes, &unit, Around::default(), offset));
        }
        redacted
    }

    fn wire(&mut self, session: Option<SessionId>, from: From, excerpt: &Excerpt) -> Excerpt {
        // The dialogue is taken out of the map and put back, because `self` is needed mutably
        // meanwhile.
        let mut dialogue = self.dialogues.remove(&session).unwrap_or_else(|| Dialogue::new(None));
        let mut head = self.piece(&mut dialogue, from, excerpt.head(), 0);
        let mut tail = Bytes::new();
        if excerpt.omitted() > 0 {
            dialogue.skip(from);
            tail = self.piece(&mut dialogue, from, excerpt.tail(), excerpt.head().len());
        }
        self.dialogues.insert(session, dialogue);
        let said = excerpt.decoded().filter(|_| last_line(&head) == last_line(excerpt.head()));
        let offset = excerpt.head().len() + excerpt.tail().len();
        let meaning = said.map(|said| self.plain_lines(said, offset, Part::Meaning, 0));
        if meaning.as_deref() != said {
            // If the decoded text varies, so does its base64.
            head = self.without_base64(&head);
        }
        let meaning = meaning.map(Bytes::from);
        excerpt.keeping(head, tail, meaning)
    }

    /// The bytes with a token for the base64 at the end of their last line, which may be quoted;
    /// unchanged if a token stands there already.
    fn without_base64(&mut self, bytes: &Bytes) -> Bytes {
        let text = chomp(bytes);
        let quoted = text.strip_suffix(b")").unwrap_or(text);
        let quoted = quoted.strip_suffix(b"\"").unwrap_or(quoted);
        let start = start_of_base64(quoted);
        if start == quoted.len() {
            return bytes.clone();
        }
        let token = self.tokens.numbered(CHALLENGE, &quoted[start..]);
        [&bytes[..start], token.as_bytes(), &bytes[quoted.len()..]].concat().into()
    }

    fn piece(&mut self, dialogue: &mut Dialogue, from: From, bytes: &[u8], offset: usize) -> Bytes {
        let units = dialogue.follow(from, bytes);
        let around = Around {
            speech: dialogue.speech(),
            greeting: dialogue.greeting(),
            is_client: from == From::Client,
        };
        let mut lines: Vec<Vec<u8>> =
            units.iter().map(|unit| self.unit(bytes, unit, around, offset)).collect();
        if self.rules.is_on("ehlo") {
            self.sort_replies(&units, &mut lines, offset, structure::EHLO);
        }
        if self.rules.is_on("capability") {
            self.sort_replies(&units, &mut lines, offset, structure::CAPA);
            if around.speech == Speech::Sieve && from == From::Server {
                self.sort_sieve(&units, &mut lines, offset);
            }
        }
        if from == From::Server {
            lines = reduce::lines(self.rules.strictness, around.speech, lines, &units);
        }
        lines.concat().into()
    }

    /// Sorts the lines of each reply that this normaliser is for.
    fn sort_replies(
        &mut self,
        units: &[Unit],
        lines: &mut [Vec<u8>],
        offset: usize,
        sorting: structure::Sorting,
    ) {
        let mut start = 0;
        while start < units.len() {
            let is_part = |unit: &&Unit| {
                unit.seen.answering == sorting.answering && unit.seen.part == Part::Reply
            };
            let count = units[start..].iter().take_while(is_part).count();
            let last = lines[start..start + count].iter().position(|line| (sorting.is_last)(line));
            let end = last.map_or(start + count, |last| start + last + 1).max(start + 1);
            if let Some(sorted) = (sorting.sort)(&lines[start..end]).filter(|_| count > 0) {
                let span = units[start].span.start + offset..units[end - 1].span.end + offset;
                self.rearranged(sorting.rule, span, &lines[start..end].concat(), &sorted.concat());
                lines[start..end].clone_from_slice(&sorted);
            }
            start = end;
        }
    }

    /// Sorts the capabilities of a ManageSieve server if the lines begin with them.
    fn sort_sieve(&mut self, units: &[Unit], lines: &mut [Vec<u8>], offset: usize) {
        let is_reply = |unit: &&Unit| matches!(unit.seen.part, Part::Greeting | Part::Reply);
        let count = units.iter().take_while(is_reply).count();
        if let Some(sorted) = structure::sort_sieve(&lines[..count]) {
            let span = units[0].span.start + offset..units[count - 1].span.end + offset;
            self.rearranged("capability", span, &lines[..count].concat(), &sorted.concat());
            lines[..count].clone_from_slice(&sorted);
        }
    }

    pub(super) fn rearranged(&mut self, rule: &str, span: Range<usize>, was: &[u8], now: &[u8]) {
        if was != now {
            self.changed(span, rule, was, now);
        }
    }

    /// Notes a change, if the changes are listed.
    pub(super) fn changed(&mut self, span: Range<usize>, rule: &str, was: &[u8], now: &[u8]) {
        if self.lists {
            self.changes.push(Change::new(self.event, span, rule, was, now));
        }
    }
}

/// The last line of some bytes. An excerpt holds the decoded text of that line only; it no longer
/// applies once the line has changed.
fn last_line(bytes: &[u8]) -> &[u8] {
    chomp(bytes).rsplit(|byte| *byte == b'\n').next().unwrap_or_default()
}
