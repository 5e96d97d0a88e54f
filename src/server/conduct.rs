//! What a server does instead of behaving well, written down as text.

use std::time::Duration;

use super::dialogue::Next;
use crate::error::{Error, Result};
use crate::{duration, transcript, visible};

/// The most octets that a flood may have.
const MOST: usize = 64 << 20;

/// What is done when a command comes: steps in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conduct(pub(super) Vec<Step>);

/// One thing that a server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Says this line; `{tag}` in it is the tag of the command.
    Say(Vec<u8>),
    /// What a server says that behaves well.
    Well,
    /// The same without the words of a list or the lines that begin so.
    Without(String),
    /// Its first octets, and then the connection is closed.
    Cut(usize),
    /// The same with one character of its last line another one: a signature that is not right.
    Forge,
    /// So many octets without a line end.
    Flood(usize),
    /// Waits before anything else.
    Wait(Duration),
    /// Octet by octet.
    Drip,
    /// What comes after it.
    Then(Next),
}

impl Conduct {
    /// Reads steps, a line each. A line that is none of them is what the server says.
    ///
    /// # Errors
    /// Usage for a step whose number or duration cannot be read.
    pub(super) fn read(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(step).collect::<Result<_>>().map(Self)
    }
}

fn step(line: &str) -> Result<Step> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let number = || {
        let number = rest.parse().ok().filter(|number| *number <= MOST);
        number.ok_or_else(|| {
            let line = visible::escape(line.as_bytes());
            Error::usage(format!("`{line}` has no number of octets"))
                .hint(format!("write {word} 1000; at most {MOST}"))
        })
    };
    Ok(match (word, rest) {
        ("S:", said) => Step::Say(transcript::octets(said)),
        ("well", "") => Step::Well,
        ("without", word) if !word.is_empty() => Step::Without(word.to_owned()),
        ("cut", _) if !rest.is_empty() => Step::Cut(number()?),
        ("flood", _) if !rest.is_empty() => Step::Flood(number()?),
        ("wait", _) if !rest.is_empty() => Step::Wait(duration::parse(rest)?),
        ("forge", "") => Step::Forge,
        ("drip", "") => Step::Drip,
        ("close", "") => Step::Then(Next::Close),
        ("cut", "") => Step::Then(Next::Cut),
        ("reset", "") => Step::Then(Next::Reset),
        ("stall", "") => Step::Then(Next::Stall),
        ("tls", "") => Step::Then(Next::Tls),
        _ => Step::Say(said(line)),
    })
}

/// A reply as people write it: of IMAP without its tag.
fn said(line: &str) -> Vec<u8> {
    let is_status = ["OK", "NO", "BAD"].iter().any(|status| {
        line.strip_prefix(status).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    let tag = if is_status { "{tag}" } else { "" };
    transcript::octets(&format!("{tag}{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_lines_and_all_others_are_said() {
        let read =
            Conduct::read("wait 2s\n  550 5.1.1 no\nNO later\nS: \\x00\\\ncut 3\nclose").unwrap();
        let say = |text: &str| Step::Say(text.into());
        assert_eq!(
            read.0,
            [
                Step::Wait(Duration::from_secs(2)),
                say("550 5.1.1 no\r\n"),
                say("{tag}NO later\r\n"),
                say("\0"),
                Step::Cut(3),
                Step::Then(Next::Close),
            ]
        );
        for wrong in ["cut x", "flood 99999999999", "wait long"] {
            assert!(Conduct::read(wrong).unwrap_err().is_usage(), "{wrong}");
        }
    }
}
