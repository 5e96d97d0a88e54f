//! What a server does in place of its normal answer, read from text.

use std::str::FromStr;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::said::{Next, Said};
use crate::error::{Error, Result};
use crate::proto::{Speech, chomp};
use crate::session::{Fault, Named, Set, Then};
use crate::{duration, transcript, visible};

/// The most bytes of a flood.
const MOST: usize = 64 << 20;

/// What the server does when a command comes: steps in order, and a fault that is injected into the
/// answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Conduct {
    pub(super) steps: Vec<Step>,
    pub(super) fault: Option<Box<Fault>>,
    /// The reply code of a reply that is not given byte by byte, with `S:`.
    code: Option<String>,
}

/// One step of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Sends this line; `{tag}` in the line stands for the tag of the command.
    Say(Vec<u8>),
    /// Sends the good answer, which is the answer without a rule.
    Well,
    /// Sends the good answer without a word of a list, and without lines that begin with the word.
    Without(String),
    /// Sends the first bytes of the answer, then closes the connection.
    Cut(usize),
    /// Sends the good answer with one character of the server's SCRAM signature changed.
    Forge,
    /// Sends this many bytes without a line end.
    Flood(usize),
    /// Waits before the answer.
    Wait(Duration),
    /// Does this after the answer.
    Then(Next),
}

impl Conduct {
    /// Reads steps, one per line. A line that is not a step is a reply to send.
    ///
    /// # Errors
    /// Usage for a step whose number or duration cannot be read.
    pub(super) fn read(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut read = Self::default();
        for line in lines {
            read.code = read.code.or_else(|| code(line));
            match fault(line, read.fault.as_deref())? {
                Some(fault) => read.fault = Some(Box::new(fault)),
                None => read.steps.push(step(line)?),
            }
        }
        Ok(read)
    }

    /// Checks that the replies are of this protocol, as far as reply codes tell.
    ///
    /// # Errors
    /// Usage for a reply code in a protocol that has none.
    pub(super) fn check(&self, speech: Speech) -> Result<()> {
        let (facts, Some(code)) = (speech.facts(), &self.code) else { return Ok(()) };
        if facts.has_codes() {
            return Ok(());
        }
        let name = facts.name;
        let error = Error::usage(format!("the answer is {code}, and {name} has no reply codes"));
        let refusal = facts.server.refusal.replace("{}", "no");
        Err(error.hint(format!(
            "write the reply as {name} has it, {refusal:?}; to send these bytes all the same, \"S: {code} no\""
        )))
    }

    /// Whether the server answers well, without any step or fault.
    pub(super) fn is_well(&self) -> bool {
        self.steps.is_empty() && self.fault.is_none()
    }
}

/// The reply code at the start of a line.
fn code(line: &str) -> Option<String> {
    let code = line.split(' ').next().filter(|word| word.len() == 3)?;
    code.bytes().all(|byte| byte.is_ascii_digit()).then(|| code.to_owned())
}

/// The faults so far with the fault of this line added; `None` if the line is not a fault.
fn fault(line: &str, so_far: Option<&Fault>) -> Result<Option<Fault>> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let fault = so_far.cloned().unwrap_or_default();
    match (word, rest) {
        ("drip", "") => return Ok(Some(fault.drip(Duration::ZERO))),
        ("half_close", "") => return Ok(Some(fault.then(Then::HalfClose))),
        // `cut` is a step, and `wait` stands for `after`.
        ("cut" | "after", _) => return Ok(None),
        _ => {}
    }
    let Some(named) = Named::find(word) else { return Ok(None) };
    Ok(Some(match named.set {
        Set::Flag(set) if rest.is_empty() => set(fault, true),
        Set::Flag(_) => return Ok(None),
        _ if rest.is_empty() => return Ok(None),
        Set::Time(set) => set(fault, duration::parse(rest)?),
        Set::Count(set) => set(fault, number(line, "1000")?),
        Set::More(set) => set(fault, number(line, "5")?),
        Set::Rate(set) => set(fault, number(line, "1000")?),
        Set::Line(set) => set(fault, rest.to_owned()),
        Set::Bytes(set) => set(fault, transcript::octets(rest)),
        Set::Chance(set) => {
            let chance: f64 = number(line, "0.1")?;
            if !(0.0..=1.0).contains(&chance) {
                return Err(no_number(line, "0.1"));
            }
            set(fault, chance)
        }
    }))
}

/// Whether a line of a rule is a fault.
#[cfg(all(test, feature = "script"))]
pub(crate) fn is_fault(line: &str) -> bool {
    fault(line, None).is_ok_and(|fault| fault.is_some())
}

/// The number after the first word of a line; `such_as` is an example for the error.
fn number<T: FromStr>(line: &str, such_as: &str) -> Result<T> {
    let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
    rest.parse().map_err(|_| no_number(line, such_as))
}

fn no_number(line: &str, such_as: &str) -> Error {
    let word = line.split(' ').next().unwrap_or_default();
    let error = Error::usage(format!("`{}` has no number", visible::escape(line.as_bytes())));
    error.hint(format!("write {word} {such_as}"))
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
        ("close", "") => Step::Then(Next::Close),
        ("cut", "") => Step::Then(Next::Cut),
        ("reset", "") => Step::Then(Next::Reset),
        ("stall", "") => Step::Then(Next::Stall),
        ("tls", "") => Step::Then(Next::Tls),
        _ => Step::Say(said(line)),
    })
}

/// A reply as people write it: in IMAP without its tag.
fn said(line: &str) -> Vec<u8> {
    let is_status = ["OK", "NO", "BAD"].iter().any(|status| {
        line.strip_prefix(status).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    let tag = if is_status { "{tag}" } else { "" };
    transcript::octets(&format!("{tag}{line}"))
}

/// The answer of a conduct; `well` makes the good answer.
pub(super) fn conduct(conduct: &Conduct, tag: &str, well: impl FnOnce() -> Said) -> Said {
    let tag = if tag.is_empty() { String::new() } else { format!("{tag} ") };
    let mut well = Some(well);
    let mut said = Said::nothing();
    for step in &conduct.steps {
        match step {
            Step::Say(bytes) => said.bytes.extend(with_tag(bytes, &tag)),
            Step::Wait(time) => said.wait += *time,
            Step::Then(next) => said.next = *next,
            Step::Flood(octets) => said.bytes.resize(said.bytes.len() + octets, b'x'),
            Step::Cut(octets) if !said.bytes.is_empty() => {
                said.bytes.truncate(*octets);
                said.next = Next::Cut;
            }
            Step::Well | Step::Without(_) | Step::Cut(_) | Step::Forge => {
                let Some(well) = well.take() else { continue };
                let good = well();
                said.next = good.next;
                match step {
                    Step::Without(word) => said.bytes.extend(without(&good.bytes, word)),
                    Step::Forge => said.bytes.extend(forged(good.bytes)),
                    Step::Cut(octets) => {
                        // The last byte is missing at least: a cut answer is never complete.
                        let octets = (*octets).min(good.bytes.len().saturating_sub(1));
                        said.bytes.extend(good.bytes.into_iter().take(octets));
                        said.next = Next::Cut;
                    }
                    _ => said.bytes.extend(good.bytes),
                }
            }
        }
    }
    // Without steps, the fault is injected into the good answer.
    if conduct.steps.is_empty()
        && let Some(well) = well.take()
    {
        return well();
    }
    // After a reply of the rule, the server expects the input that would follow the good answer, if
    // the reply tells the client to send that input.
    if said.next == Next::Line
        && let Some(well) = well.take()
    {
        let next = well().next;
        let goes_on = match next {
            Next::Content => Speech::Smtp.facts().asks_for_message(&said.bytes),
            next if is_literal(next) => said.bytes.starts_with(b"+"),
            _ => true,
        };
        said.next = if goes_on { next } else { Next::Line };
    }
    said
}

/// Whether the client sends the bytes of a literal next.
pub(super) fn is_literal(next: Next) -> bool {
    matches!(next, Next::Literal(_) | Next::Skip(_))
}

fn with_tag(bytes: &[u8], tag: &str) -> Vec<u8> {
    match bytes.strip_prefix(b"{tag}") {
        Some(rest) => [tag.as_bytes(), rest].concat(),
        None => bytes.to_vec(),
    }
}

/// A reply without a word, and without the lines that begin with the word.
pub(super) fn without(reply: &[u8], word: &str) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in reply.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(chomp(line)).into_owned();
        let is_it = |found: &str| {
            let found =
                found.trim_matches(|char: char| !char.is_ascii_alphanumeric() && char != '=');
            found.eq_ignore_ascii_case(word)
        };
        let first = |text: &str| is_it(text.split(' ').next().unwrap_or_default());
        if text.get(4..).is_some_and(first) || first(&text) {
            continue;
        }
        let kept: Vec<_> =
            text.split(' ').filter(|found| found.is_empty() || !is_it(found)).collect();
        lines.push(format!("{}\r\n", kept.join(" ")).into_bytes());
    }
    // The last line of an SMTP reply has no hyphen after its code.
    if let Some(last) = lines.last_mut()
        && last.get(..3).is_some_and(|code| code.iter().all(u8::is_ascii_digit))
        && last.get(3) == Some(&b'-')
    {
        last[3] = b' ';
    }
    lines.concat()
}

/// A reply that contains the server's signature, with one character of the signature changed; any
/// other reply unchanged (RFC 5802 section 5.1).
fn forged(reply: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(chomp(&reply)).into_owned();
    let (head, last) = text.rsplit_once(' ').unwrap_or(("", &text));
    let proof = BASE64_STANDARD.decode(last.trim_matches('"')).unwrap_or_default();
    let Some(byte) = proof.get(2).copied().filter(|_| proof.starts_with(b"v=")) else {
        return reply;
    };
    let mut forged = proof;
    forged[2] = if byte == b'A' { b'B' } else { b'A' };
    let quote = if last.starts_with('"') { "\"" } else { "" };
    let encoded = BASE64_STANDARD.encode(forged);
    format!("{head} {quote}{encoded}{quote}\r\n").trim_start().to_owned().into_bytes()
}

/// Whether a conduct refuses the command: the server must then not carry out the command.
pub(super) fn refuses(conduct: &Conduct) -> bool {
    let first = conduct.steps.iter().find_map(|step| match step {
        Step::Say(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    let has_well = conduct.steps.is_empty()
        || conduct
            .steps
            .iter()
            .any(|step| matches!(step, Step::Well | Step::Without(_) | Step::Cut(_) | Step::Forge));
    let yes: [&[u8]; 5] = [b"2", b"3", b"+", b"{tag}OK", b"OK"];
    let is_yes = first.is_some_and(|first| yes.iter().any(|yes| first.starts_with(yes)));
    !has_well && !is_yes
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
            read.steps,
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
