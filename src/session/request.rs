//! The requests in the bytes that a client says at once: which of them replies are owed to, and by
//! which line an error names them.

use std::ops::Range;

use bytes::Bytes;

use crate::proto::{self, LINE_HEAD, Protocol, chomp};
use crate::secrets::Secrets;

/// A request, or a part of one, in some bytes.
#[derive(Debug)]
pub(super) struct Request {
    /// The line that names it, without its line end: the first line of a command, the last one of a
    /// message.
    pub(super) line: Range<usize>,
    /// Whether the line has its line end.
    ends_line: bool,
    /// Whether a command had begun before these bytes, and goes on in them.
    goes_on: bool,
    /// Whether a command has begun at the end of these bytes, and is not complete.
    is_begun: bool,
    /// The number of replies that are owed to it.
    pub(super) replies: usize,
    /// Which of the secret spans are in it, by their numbers.
    pub(super) spans: Range<usize>,
}

/// Tells the protocol what the client says, request by request. Returns the requests that replies are
/// owed to or that are in pieces, and the spans that are secret.
pub(super) fn follow(
    protocol: &mut dyn Protocol,
    bytes: &[u8],
    secrets: &mut Secrets,
) -> (Vec<Request>, Vec<Range<usize>>) {
    let (mut requests, mut spans) = (Vec::new(), Vec::new());
    let mut start = 0;
    loop {
        let (named_by, length) = first(protocol, &bytes[start..]);
        let goes_on = protocol.is_within_command();
        let before = protocol.unanswered();
        let first = spans.len();
        let secret = protocol.sent(&bytes[start..start + length], secrets);
        spans.extend(secret.into_iter().map(|span| start + span.start..start + span.end));
        let replies = protocol.unanswered().saturating_sub(before);
        let is_begun = protocol.is_within_command();
        let is_kept = replies > 0 || goes_on || is_begun;
        requests.extend(named_by.filter(|_| is_kept).map(|line| Request {
            ends_line: line.end < length,
            line: start + line.start..start + line.end,
            goes_on,
            is_begun,
            replies,
            spans: first..spans.len(),
        }));
        start += length;
        if start == bytes.len() {
            return (requests, spans);
        }
    }
}

/// Whether these bytes are more than `most` requests. All octets of a literal or of a chunk belong to
/// one request.
pub(super) fn are_more_than(most: usize, protocol: &dyn Protocol, bytes: &[u8]) -> bool {
    let (mut protocol, mut secrets) = (protocol.fork(), Secrets::default());
    let mut start = 0;
    for _ in 0..most {
        if start == bytes.len() {
            return false;
        }
        let (_, length) = first(&mut *protocol, &bytes[start..]);
        protocol.sent(&bytes[start..start + length], &mut secrets);
        start += length;
    }
    start < bytes.len()
}

/// The line that names the first request in these bytes, and the length of what of it is there; no
/// line if they begin with octets that belong to no command.
fn first(protocol: &mut dyn Protocol, bytes: &[u8]) -> (Option<Range<usize>>, usize) {
    let has_literals = protocol.speech().facts().has_literals;
    let (is_message, goes_on) = (protocol.wants_message(), protocol.is_within_command());
    let Some(framing) = protocol.requests() else {
        return (Some(last_line(bytes)), bytes.len());
    };
    if is_message && goes_on {
        // The end of a message is only found from the beginning of a line.
        let length = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        return (Some(first_line(bytes)), length);
    }
    framing.restart();
    let is_octets = framing.at_least() > 0 && !has_literals;
    let length = framing.frame(bytes).unwrap_or_else(|malformed| Some(malformed.line.end));
    let length = length.unwrap_or(bytes.len());
    let line = if is_message { last_line } else { first_line };
    ((!is_octets).then(|| line(&bytes[..length])), length)
}

fn first_line(bytes: &[u8]) -> Range<usize> {
    let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
    0..chomp(&bytes[..end]).len()
}

fn last_line(bytes: &[u8]) -> Range<usize> {
    let end = chomp(bytes).len();
    end - proto::last_line(bytes).len()..end
}

/// The beginning of a command whose rest is still to be said, masked.
#[derive(Debug, Default)]
pub(super) struct Begun {
    line: Bytes,
    /// Whether the line has its line end.
    is_ended: bool,
}

impl Begun {
    /// The line that names a request, given its part in the newest bytes, masked.
    pub(super) fn named(&mut self, request: &Request, part: Bytes) -> Bytes {
        let begun = std::mem::take(self);
        let (line, is_ended) = match request.goes_on {
            true if begun.is_ended => (begun.line, true),
            true if !begun.line.is_empty() => {
                ([begun.line, part].concat().into(), request.ends_line)
            }
            _ => (part, request.ends_line),
        };
        if request.is_begun {
            *self = Self { line: line.slice(..line.len().min(LINE_HEAD)), is_ended };
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Speech;

    /// The lines that name what replies are owed to, after a dialogue that is cut at `|`. A line
    /// that begins with `S: ` is said by the server.
    fn named(speech: Speech, dialogue: &str) -> Vec<String> {
        let mut protocol = (speech.facts().dialogue)(speech.facts().schemes[0].name);
        let mut begun = Begun::default();
        let mut named: Vec<Bytes> = Vec::new();
        for said in dialogue.split('|') {
            if let Some(reply) = said.strip_prefix("S: ") {
                protocol.received(reply.as_bytes());
                continue;
            }
            let (requests, _) = follow(&mut *protocol, said.as_bytes(), &mut Secrets::default());
            for request in requests {
                let part = Bytes::copy_from_slice(&said.as_bytes()[request.line.clone()]);
                let line = begun.named(&request, part);
                named.extend(std::iter::repeat_n(line, request.replies));
            }
        }
        named.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn a_command_is_named_by_its_line_however_it_is_cut() {
        let all = "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nx: y\r\n\r\nMAIL\r\n.\r\nBDAT 3\r\nabcQUIT\r\n";
        let lines = ["EHLO me", "MAIL FROM:<>", "RCPT TO:<a@b>", "DATA", ".", "BDAT 3", "QUIT"];
        assert_eq!(named(Speech::Smtp, &format!("S: 220 hi\r\n|{all}")), lines);
        for cut in 1..all.len() {
            let (before, after) = all.split_at(cut);
            assert_eq!(
                named(Speech::Smtp, &format!("S: 220 hi\r\n|{before}|{after}")),
                lines,
                "{cut}"
            );
        }
    }

    #[test]
    fn a_command_with_literals_is_named_by_its_first_line() {
        let imap = "a LOGIN {3+}\r\nabc {2+}\r\nde\r\nb NOOP\r\n";
        let sieve = "PUTSCRIPT \"x\" {3+}\r\nabc\r\nNOOP\r\n";
        for (speech, all, lines) in [
            (Speech::Imap, imap, ["a LOGIN {3+}", "b NOOP"]),
            (Speech::Sieve, sieve, ["PUTSCRIPT \"x\" {3+}", "NOOP"]),
        ] {
            for cut in 0..all.len() {
                let (before, after) = all.split_at(cut);
                assert_eq!(named(speech, &format!("{before}|{after}")), lines, "{speech} {cut}");
            }
        }
        let waits =
            named(Speech::Imap, "a LOGIN {3}\r\n|S: + go\r\n|abc {2}\r\n|S: + go\r\n|de\r\n");
        assert!(waits.iter().all(|line| line == "a LOGIN {3}"), "{waits:?}");
    }
}
