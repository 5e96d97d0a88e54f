//! The notation of a dialogue.

use std::io;

use crate::pattern::Regex;
use crate::transcript;

/// One step of the server.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Sends bytes in one write.
    Say(Vec<u8>),
    /// Sends bytes one by one.
    Drip(Vec<u8>),
    /// Reads these bytes from the client, or any line if `None`.
    Hear(Option<Vec<u8>>),
    /// Reads a line in which the regex is found.
    Match(Found),
    /// Reads a message, up to its final dot.
    Message,
    /// Makes the TLS handshake.
    Tls,
    /// Sends this many bytes: the text again and again.
    Flood(usize, Vec<u8>),
    /// Reads until the client has closed.
    Stall,
    /// Waits until the client has closed its side.
    Eof,
    Close,
    Reset,
}

/// A regex that is searched for in a line.
#[derive(Debug)]
pub(super) struct Found(pub(super) Regex);

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.0.source() == other.0.source()
    }
}

/// The steps of a dialogue. Consecutive lines of the server are one step, and so one write.
///
/// # Errors
/// Invalid input for a line that is not part of the notation.
pub(super) fn parse(dialogue: &str) -> io::Result<Vec<Step>> {
    let mut steps = Vec::new();
    for line in dialogue.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        match (steps.last_mut(), step(line)?) {
            (Some(Step::Say(said)), Step::Say(more)) if said.ends_with(b"\n") => said.extend(more),
            (_, step) => steps.push(step),
        }
    }
    Ok(steps)
}

fn step(line: &str) -> io::Result<Step> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let step = match (word, rest) {
        ("S:", said) => Some(Step::Say(transcript::octets(said))),
        ("C:" | "C", "") => Some(Step::Hear(None)),
        ("C:", wanted) => Some(Step::Hear(Some(transcript::octets(wanted)))),
        ("re:", pattern) => {
            let pattern = Regex::new(pattern);
            return pattern
                .map(|pattern| Step::Match(Found(pattern)))
                .map_err(|error| wrong(&error.to_string()));
        }
        ("message", "") => Some(Step::Message),
        ("tls", "") => Some(Step::Tls),
        ("drip:", said) => Some(Step::Drip(transcript::octets(said))),
        ("flood", rest) => flood(rest),
        ("stall", "") => Some(Step::Stall),
        ("eof", "") => Some(Step::Eof),
        ("close", "") => Some(Step::Close),
        ("reset", "") => Some(Step::Reset),
        _ => None,
    };
    step.ok_or_else(|| {
        wrong(&format!(
            "`{line}` is no line of a dialogue: those are S: text, C: text, C:, re: regex, message, tls, drip: text, flood N, flood N text, stall, eof, close, reset"
        ))
    })
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// Reads the length of a flood and its text; without a text, the flood consists of lines of `x`.
fn flood(rest: &str) -> Option<Step> {
    let (bytes, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let text = match text {
        "" => [[b'x'; 76].as_slice(), b"\r\n"].concat(),
        text => transcript::octets(text),
    };
    let bytes = bytes.parse().ok()?;
    (!text.is_empty()).then_some(Step::Flood(bytes, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_server_that_follow_each_other_are_one_write() {
        let steps = parse("\n  S: 250-a\n  S: 250 b\nC: QUIT\nC:\nS:\nflood 10\nstall").unwrap();
        let say = |bytes: &[u8]| Step::Say(bytes.to_vec());
        let hear = |bytes: &[u8]| Step::Hear(Some(bytes.to_vec()));
        let wanted = [say(b"250-a\r\n250 b\r\n"), hear(b"QUIT\r\n"), Step::Hear(None)];
        assert_eq!(steps[..3], wanted);
        let x = [[b'x'; 76].as_slice(), b"\r\n"].concat();
        assert_eq!(steps[3..], [say(b"\r\n"), Step::Flood(10, x), Step::Stall]);
        assert_eq!(parse("flood 9 a b").unwrap(), [Step::Flood(9, b"a b\r\n".to_vec())]);
        assert_eq!(parse("flood 9 \\x00\\").unwrap(), [Step::Flood(9, b"\0".to_vec())]);
        assert!(parse("flood much").is_err() && parse("flood 9 \\").is_err());
    }
}
