//! Recognises the lines of each protocol by their words.

use crate::proto::Speech;

/// The protocols whose commands begin with their name. A command that several have belongs to the
/// first.
const WITHOUT_TAGS: [Speech; 4] = [Speech::Smtp, Speech::Lmtp, Speech::Pop3, Speech::Sieve];
/// Commands that are words of prose, too.
const PROSE: [&str; 3] = ["LANG", "LIST", "TOP"];

/// The protocol of a session whose client begins with this line.
pub(super) fn speech_of(line: &str) -> Option<Speech> {
    let word = first_word(line);
    let second = line.split_whitespace().nth(1).unwrap_or_default().to_ascii_uppercase();
    let begins = |speech: &Speech| speech.facts().has_command(&word);
    let found = WITHOUT_TAGS.into_iter().find(begins).filter(|_| !PROSE.contains(&word.as_str()));
    let is_imap = || Speech::Imap.facts().has_command(&second) && is_tagged(line);
    found.or_else(|| is_imap().then_some(Speech::Imap))
}

/// Whether a line begins like an IMAP command: with a word that looks like a tag, or with a verb in
/// upper case. `You list` has neither, and is prose.
fn is_tagged(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let tag = words.next().unwrap_or_default();
    let verb = words.next().unwrap_or_default();
    let is_tag = tag.len() == 1
        || tag.eq_ignore_ascii_case("tag")
        || tag.bytes().any(|byte| byte.is_ascii_digit());
    is_tag || verb.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The first word of a line, in upper case.
pub(super) fn first_word(line: &str) -> String {
    let end = line.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(line.len());
    line[..end].to_ascii_uppercase()
}

/// Whether a line belongs to an SMTP reply.
pub(super) fn is_smtp_reply(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() >= 3
        && matches!(bytes[0], b'2'..=b'5')
        && bytes[..3].iter().all(u8::is_ascii_digit)
        && matches!(bytes.get(3), None | Some(b' ' | b'-'))
}

/// Whether a line begins like a reply of any protocol with lines.
pub(super) fn is_reply(line: &str) -> bool {
    let is_status = |status: &&str| line.starts_with(status);
    is_smtp_reply(line)
        || Speech::Pop3.facts().statuses.iter().any(|status| is_status(status) && *status != "+")
        || ["* ", "+ "].iter().any(is_status)
}

/// Whether a line is one that only a mail server sends, whatever the state of the session is.
pub(super) fn is_said(line: &str) -> bool {
    is_smtp_reply(line) || Speech::of_greeting(line.as_bytes()).is_some()
}

/// The password in an IMAP LOGIN, except if it is sent as a literal. The user and the password may
/// be quoted strings, which may contain blanks.
fn password<'a>(words: &[&str], line: &'a str) -> Option<&'a str> {
    let [tag, verb, ..] = words else { return None };
    let command = line.trim().strip_prefix(tag)?.trim_start();
    let arguments = command.strip_prefix(verb)?.trim_start();
    let rest = match arguments.strip_prefix('"') {
        None => arguments.split_once(' ')?.1,
        Some(quoted) => {
            let mut is_escaped = false;
            let end = quoted.find(|c: char| {
                let ends = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            })?;
            &quoted[end + 1..]
        }
    };
    unannounced(&rest.trim())
}

/// Returns an argument, or `None` if the argument announces a literal, because the value then
/// follows in the next line.
fn unannounced<'a>(argument: &&'a str) -> Option<&'a str> {
    Some(*argument).filter(|argument| !(argument.starts_with('{') && argument.ends_with('}')))
}

/// Whether a command sends its SASL response as a literal.
pub(super) fn sends_response(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_verb = |word: &str| word.eq_ignore_ascii_case("AUTHENTICATE");
    words.by_ref().take(2).any(is_verb) && line.trim_end().ends_with('}')
}

/// The part of a command that is secret.
pub(super) fn secret(line: &str, is_imap: bool) -> Option<std::ops::Range<usize>> {
    let words: Vec<_> = line.split_whitespace().collect();
    let upper = |n: usize| words.get(n).map(|word: &&str| word.to_ascii_uppercase());
    let (first, second) = (upper(0)?, upper(1).unwrap_or_default());
    let found = match first.as_str() {
        "PASS" => line.get(5..)?.trim(),
        "APOP" => words.get(2)?,
        "AUTH" | "AUTHENTICATE" if !is_imap => unannounced(words.get(2)?)?,
        _ if is_imap && second == "LOGIN" => password(&words, line)?,
        _ if is_imap && second == "AUTHENTICATE" => unannounced(words.get(3)?)?,
        _ => return None,
    };
    // `found` is a slice of `line`, so the difference of the pointers is its offset.
    let start = found.as_ptr() as usize - line.as_ptr() as usize;
    (found != "=" && !found.is_empty()).then_some(start..start + found.len())
}

/// The octets of the literal that a line announces at its end, and the range of the number in the
/// line.
pub(super) fn announced(line: &str) -> Option<(usize, std::ops::Range<usize>)> {
    let open = line.rfind('{')?;
    let inside = line.strip_suffix('}')?.get(open + 1..)?;
    let number = inside.strip_suffix(['+', '-']).unwrap_or(inside);
    Some((number.parse().ok()?, open + 1..open + 1 + number.len()))
}
