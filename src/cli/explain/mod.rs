//! `mailexpect explain`: explains replies of servers.

mod codes;
mod words;

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use clap::Args;

use super::screen::Screen;
use crate::error::{Error, Result};
use crate::outcome::ExitCode;
use crate::proto::Speech;
use crate::visible;

/// The width of the lines of an answer, in columns.
const WIDTH: usize = 78;
/// The column at which the meanings begin.
const INDENT: usize = 11;

const EXAMPLES: &str = "Examples:
  mailexpect explain '454 4.7.1 <b@example.net>: Relay access denied'
  mailexpect explain 5.7.1
  mailexpect explain 334 VXNlcm5hbWU6
  mailexpect explain 'a1 NO [AUTHENTICATIONFAILED] Authentication failed.'";

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Explain {
    /// A reply of a server, or its code alone.
    #[arg(
        value_name = "REPLY",
        required = true,
        allow_hyphen_values = true,
        trailing_var_arg = true
    )]
    reply: Vec<String>,
}

pub(super) fn explain(args: &Explain, screen: &mut Screen) -> Result<ExitCode> {
    let reply = args.reply.join(" ");
    let parts = parts(reply.trim());
    if parts.is_empty() {
        let shown = visible::escape(reply.trim().as_bytes());
        let error = Error::usage(format!("`{shown}` is no reply of a mail server"));
        return Err(error.hint(
            "a reply begins with a code, such as 550 or 5.7.1, with +OK, -ERR, or with a tag and OK, NO or BAD",
        ));
    }
    screen.show(&parts.iter().map(|(term, meaning)| entry(term, meaning)).collect::<String>());
    Ok(ExitCode::Passed)
}

/// Explains each part of a reply, as pairs of a term and its meaning.
fn parts(reply: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = reply;
    let mut speech = None;
    if let Some((code, after)) = basic(rest) {
        found.push((code.to_string(), codes::basic(code)));
        rest = after;
        speech = Some(Speech::Smtp);
    }
    if let Some((code, after)) = enhanced(rest) {
        found.push((code.to_owned(), codes::enhanced(code)));
        rest = after;
        speech = Some(Speech::Smtp);
    }
    if speech.is_none()
        && let Some((status, meaning, spoken)) = words::status(rest)
    {
        found.push((status.to_owned(), meaning.to_owned()));
        speech = Some(spoken);
    }
    if found.is_empty() {
        return found;
    }
    for code in words::codes(rest) {
        if let Some(meaning) = words::meaning(code) {
            found.push((code.to_owned(), meaning.to_owned()));
        }
    }
    if let Some(text) = prompt(reply) {
        found.push(("base64".to_owned(), format!("the server asks: {text}")));
    }
    found.extend(speech.and_then(|speech| advice(speech, reply)));
    found
}

/// Parses a basic code: three digits at the start of an SMTP reply. Also returns the rest.
fn basic(reply: &str) -> Option<(u16, &str)> {
    let (code, rest) = reply.split_at_checked(3)?;
    let ends = rest.is_empty() || rest.starts_with([' ', '-']);
    let code = code.bytes().all(|byte| byte.is_ascii_digit()).then(|| code.parse().ok())??;
    (ends && (200..600).contains(&code)).then(|| (code, rest.trim_start_matches([' ', '-'])))
}

/// Parses an enhanced status code (RFC 3463 section 2). Also returns the rest.
fn enhanced(text: &str) -> Option<(&str, &str)> {
    let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
    let parts: Vec<_> = code.split('.').collect();
    let is_number = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_one =
        parts.len() == 3 && parts.iter().all(is_number) && ["2", "4", "5"].contains(&parts[0]);
    is_one.then_some((code, rest))
}

/// The prompt of a challenge, decoded from its base64.
fn prompt(reply: &str) -> Option<String> {
    let challenge = reply.strip_prefix("334 ").or_else(|| reply.strip_prefix("+ "))?;
    let decoded = BASE64_STANDARD.decode(challenge.trim()).ok()?;
    (!decoded.is_empty()).then(|| visible::escape(&decoded))
}

/// The next step that the table of the protocol advises for this reply.
fn advice(speech: Speech, reply: &str) -> Option<(String, String)> {
    let lower = reply.to_lowercase();
    // The table has the reply without its tag.
    let untagged = match lower.split_once(' ') {
        Some((_, rest)) if speech.facts().has_tags => rest,
        _ => &lower,
    };
    let fits = |code: &str, text: &str| untagged.starts_with(code) && lower.contains(text);
    let advice = speech.facts().advice.iter().find(|advice| fits(advice.code, advice.text))?;
    Some(("next".to_owned(), advice.says.to_owned()))
}

/// Formats a term and its meaning, in lines that fit a terminal.
fn entry(term: &str, meaning: &str) -> String {
    let mut text = String::new();
    let mut line = format!("{:<INDENT$}", visible::escape(term.as_bytes()));
    if !line.ends_with(' ') {
        let _ = writeln!(text, "{line}");
        line = " ".repeat(INDENT);
    }
    for word in meaning.split(' ') {
        if !line.trim().is_empty() && line.chars().count() + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{}", line.trim_end());
            line = " ".repeat(INDENT);
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(text, "{}", line.trim_end());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(reply: &str) -> Vec<String> {
        parts(reply).into_iter().map(|(term, _)| term).collect()
    }

    #[test]
    fn each_part_of_a_reply_is_explained() {
        assert_eq!(terms("454 4.7.1 <x>: Relay access denied"), ["454", "4.7.1", "next"]);
        assert_eq!(terms("550"), ["550"]);
        assert_eq!(terms("250-PIPELINING"), ["250"]);
        assert_eq!(terms("5.1.1"), ["5.1.1"]);
        assert_eq!(terms("334 VXNlcm5hbWU6"), ["334", "base64"]);
        let imap = terms("a1 NO [AUTHENTICATIONFAILED] Authentication failed.");
        assert_eq!(imap[..2], ["NO", "AUTHENTICATIONFAILED"]);
        assert_eq!(terms("-ERR [IN-USE] locked")[..2], ["-ERR", "IN-USE"]);
        for nothing in ["", "hello", "999", "6.1.1", "12", "1.2.3.4"] {
            assert!(terms(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn codes_that_no_registry_has_are_explained_by_their_class() {
        assert!(codes::basic(599).contains("refused for good"));
        assert!(codes::enhanced("4.7.99").contains("security or policy"));
    }

    #[test]
    fn meanings_fit_a_terminal() {
        for code in (200..600).map(codes::basic) {
            assert!(entry("550", &code).lines().all(|line| line.len() <= 80), "{code}");
        }
    }
}
