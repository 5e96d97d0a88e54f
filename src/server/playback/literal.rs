//! Finds the end of a literal or a chunk in a recording, in which tokens stand for other texts.

use std::collections::HashSet;

use super::tokens;
use crate::proto::{Speech, chomp, imap};
use crate::transcript::{Event, What};

/// The most bytes of a line that may be a command, or its rest. Each place in a literal is looked
/// at, so a longer line would take long.
const LONGEST: usize = 1000;

/// What tells a command of a recording from the text of a message.
pub(super) enum Commands {
    /// The tags that the server has answered.
    Tags(HashSet<Vec<u8>>),
    /// The words of the protocol.
    Of(Speech),
}

impl Commands {
    pub(super) fn of(speech: Speech, events: &[&Event]) -> Self {
        if !speech.facts().has_tags {
            return Self::Of(speech);
        }
        let said = events.iter().filter_map(|event| match &event.what {
            What::Server(excerpt) => Some([excerpt.head(), excerpt.tail()]),
            _ => None,
        });
        let lines = said.flatten().flat_map(|said| said.split(|byte| *byte == b'\n'));
        let tags = lines.filter_map(|line| {
            let mut words = line.split(|byte| *byte == b' ');
            let tag = words.next()?;
            let status = String::from_utf8_lossy(chomp(words.next()?)).to_ascii_uppercase();
            (tag != b"*" && speech.facts().statuses.contains(&&*status)).then(|| tag.to_vec())
        });
        Self::Tags(tags.collect())
    }

    fn begin(&self, text: &[u8]) -> bool {
        let line = line(text).unwrap_or_default();
        let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        match self {
            Self::Tags(tags) => tags.contains(word),
            Self::Of(speech) => {
                let word = String::from_utf8_lossy(word).to_ascii_uppercase();
                speech.facts().has_command(&word)
            }
        }
    }
}

/// How many bytes at the start of `text` are a literal that was announced with this many octets.
///
/// If tokens are among them, the number is of no use, because a token is not as long as what it
/// stands for. Then the literal ends where the rest of a command may begin; if there is no such
/// place, all of the text counts as the literal.
pub(super) fn length(text: &[u8], octets: usize, commands: &Commands) -> usize {
    length_to(text, Some(octets), |at| ends_command(&text[at..], commands))
}

/// How many bytes at the start of `text` are a chunk of BDAT that was announced with this many
/// octets; `None` if a token stands for the number. If tokens are among them, or the number is not
/// known, the chunk ends before a line that is a command.
pub(super) fn chunk(text: &[u8], octets: Option<usize>, commands: &Commands) -> usize {
    length_to(text, octets, |at| text[..at].ends_with(b"\n") && commands.begin(&text[at..]))
}

fn length_to(text: &[u8], octets: Option<usize>, is_end: impl Fn(usize) -> bool) -> usize {
    let spans = tokens::spans(text);
    if let Some(octets) = octets
        && spans.first().is_none_or(|first| first.start >= octets.min(text.len()))
    {
        return octets.min(text.len());
    }
    let mut is_past_token = octets.is_none();
    let octets = octets.unwrap_or(usize::MAX);
    // `least` counts the octets so far, of which each token stands for at least one.
    let (mut at, mut least, mut spans) = (0, 0, spans.into_iter().peekable());
    while at < text.len() && least <= octets {
        if spans.peek().is_none_or(|span| span.start > at) {
            at += 1;
        } else if let Some(span) = spans.next() {
            at = span.end;
            is_past_token = true;
        }
        least += 1;
        if is_past_token && least <= octets && is_end(at) {
            return at;
        }
    }
    text.len()
}

/// Whether the rest of a command may begin here: its line end, or a blank and another literal.
fn ends_command(rest: &[u8], commands: &Commands) -> bool {
    if let Some(after) = rest.strip_prefix(b"\r\n") {
        return after.is_empty() || commands.begin(after);
    }
    rest.starts_with(b" ") && line(rest).is_some_and(|line| imap::announced(line).is_some())
}

/// The line at the start of a text; `None` if it is too long for one of a command.
fn line(text: &[u8]) -> Option<&[u8]> {
    let near = &text[..text.len().min(LONGEST)];
    let end = memchr::memchr(b'\n', near).or((near.len() == text.len()).then_some(near.len()))?;
    Some(chomp(&near[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_with_a_token_ends_before_the_rest_of_its_command_however_long_it_is() {
        let commands = Commands::Tags(HashSet::from([b"b".to_vec()]));
        let long = " ".repeat(1 << 20);
        for (content, rest) in [
            ("[SECRET]", "\r\nb NOOP\r\n"),
            ("[SECRET]a", " {4+}\r\nabcd"),
            (&*format!("[SECRET]{long}x"), "\r\nb NOOP\r\n"),
            (&*format!("[SECRET]\r\n{long}"), "\r\n"),
        ] {
            let found = length(format!("{content}{rest}").as_bytes(), 4 << 20, &commands);
            assert_eq!(found, content.len(), "{rest}");
        }
        let smtp = Commands::Of(Speech::Smtp);
        for octets in [Some(40), None] {
            assert_eq!(chunk(b"[DATE]\r\nhi\r\nQUIT\r\n", octets, &smtp), 12);
            assert_eq!(chunk(b"[DATE] QUIT\r\nhi", octets, &smtp), 15);
        }
        assert_eq!(chunk(b"QUIT\r\nQUIT\r\n", Some(6), &smtp), 6);
    }
}
