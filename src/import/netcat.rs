//! The input that was piped into nc: only the lines of the client. The server has to answer each
//! with what its protocol calls success.

use super::success::Success;
use super::words::speech_of;
use super::{Act, Read, Step};
use crate::proto::Speech;

/// Whether a text begins with a command and contains no line of a server.
pub(super) fn looks_like(text: &str) -> bool {
    let lines = || text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let is_reply = |line: &str| {
        Speech::of_greeting(line.as_bytes()).is_some()
            || super::words::is_reply(line)
            || line.starts_with("Trying ")
            || super::shell::shell(line)
                .is_some_and(|command| super::shell::target(command).is_some())
            || line.starts_with("telnet ")
    };
    lines().next().and_then(speech_of).is_some() && !lines().any(is_reply)
}

pub(super) fn read(text: &str) -> Read {
    let mut read = Read::default();
    let speech = text.lines().find_map(speech_of).unwrap_or(Speech::Smtp);
    let scheme = speech.facts().schemes.first().map_or("tcp", |scheme| scheme.name);
    let mut push = |line, act| read.steps.push(Step { line, session: 0, act, remark: None });
    push(1, Act::Connect { scheme, place: None });
    push(1, Act::Statement(Success::greeting(speech)));
    let mut success = Success::default();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        let is_message = success.is_in_message();
        if line.is_empty() && !is_message {
            continue;
        }
        let secret =
            (!is_message).then(|| super::words::secret(line, speech == Speech::Imap)).flatten();
        let answer = success.answer(speech, line);
        let secret = if answer.is_secret { Some(0..line.len()) } else { secret };
        let owes = answer.statements.is_some();
        push(n + 1, Act::Send { line: line.as_bytes().to_vec(), secret, owes });
        if let Some(statements) = answer.statements {
            push(n + 1, Act::Statement(statements));
        }
    }
    read
}
