//! Tells commands in a paste from prose and from messages of telnet itself.

use super::words::first_word;
use crate::proto::Speech;

/// SMTP commands that are in no current RFC, but in old dialogues (RFC 821) and those of Exchange.
const OLD: [&str; 4] = ["SEND", "SOML", "SAML", "XEXCH50"];

/// The message of a Japanese Windows telnet when the connection is lost.
pub(super) const CLOSED_JA: &str = "\u{63a5}\u{7d9a}\u{304c}\u{5207}\u{65ad}\u{3055}\u{308c}";

/// Returns the state of the port if a line reports that no connection was made. The state is empty
/// if the line does not give the reason.
pub(super) fn failed(line: &str) -> Option<&'static str> {
    let says = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
    if says(&["connection refused"]) {
        Some("closed")
    } else if says(&["timed out", "timeout"]) {
        Some("filtered")
    } else if says(&["no route to host", "network is unreachable", "host is unreachable"]) {
        Some("unreachable")
    } else if says(&[
        "unable to connect to remote host",
        "could not open connection",
        "\u{63a5}\u{7d9a}\u{306b}\u{5931}\u{6557}",
        "\u{63a5}\u{7d9a}\u{3067}\u{304d}\u{307e}\u{305b}\u{3093}",
    ]) {
        Some("")
    } else {
        None
    }
}

/// Whether a line stands for lines that were left out.
pub(super) fn is_ellipsis(line: &str) -> bool {
    line.starts_with("...")
        || [
            "(\u{7565})",
            "\u{ff08}\u{7565}\u{ff09}",
            "(snip)",
            "[snip]",
            "<snip>",
            "--snip--",
            "[...]",
            "(...)",
            "\u{2026}",
            ":",
            "\u{ff1a}",
        ]
        .contains(&line)
}

/// Whether a line that is not the server's is a command and not prose. `has_reply` says that a
/// reply follows the line, which makes a command likely.
pub(super) fn is_command(speech: Option<Speech>, line: &str, has_reply: bool) -> bool {
    let word = first_word(line);
    let words: Vec<_> = line.split_whitespace().collect();
    let is_plain = line.is_ascii() && !line.starts_with(['*', '#', '-', '=']);
    let is_prose = line.ends_with([':', '.', '!', '?', ',']) && words.len() > 1;
    let is_known = is_verb(speech, &word);
    let has_shape = match speech {
        Some(Speech::Pop3) => is_known && words.len() <= 3,
        Some(Speech::Imap) => {
            let tag = words.first().copied().unwrap_or_default();
            let verb = words.get(1).copied().unwrap_or_default();
            if line.eq_ignore_ascii_case("DONE") || line == "*" {
                return true;
            }
            // An IMAP command is a tag, one blank and a verb.
            let is_tag = is_plain && tag.len() <= 12 && !tag.ends_with(':');
            let is_word = verb.len() > 1 && verb.bytes().all(|byte| byte.is_ascii_alphabetic());
            let is_known = Speech::Imap.facts().has_command(&verb.to_ascii_uppercase());
            return is_tag
                && is_word
                && line.split(' ').nth(1) == Some(verb)
                && (is_known || (has_reply && !is_prose) || (words.len() <= 3 && !is_prose));
        }
        Some(Speech::Sieve) => is_known,
        Some(Speech::Stream) => return is_plain,
        _ => is_known && is_of_smtp(&word, &words),
    };
    // A line of one or two unknown words counts as a command, because people also send commands
    // that the server does not know. A longer line is prose.
    has_shape
        || (is_known && has_reply && !is_prose)
        || (is_plain
            && words.len() <= 2
            && !line.ends_with([':', '.', '!', '?'])
            && speech.is_some())
}

/// Whether a word begins a command of the protocol. If the protocol is not known, a word of SMTP or
/// LMTP counts.
fn is_verb(speech: Option<Speech>, word: &str) -> bool {
    let has = |speech: Speech| speech.facts().has_command(word);
    if let Some(speech) = speech.filter(|speech| !speech.facts().has_messages)
        && speech != Speech::Stream
    {
        return has(speech);
    }
    has(Speech::Smtp) || has(Speech::Lmtp) || OLD.contains(&word)
}

/// Whether the words after an SMTP verb can be its arguments. `Mail servers answer` begins with a
/// verb, but is prose.
fn is_of_smtp(verb: &str, words: &[&str]) -> bool {
    let second = words.get(1).copied().unwrap_or_default().to_ascii_uppercase();
    let is_path = |begins: &str| {
        second.starts_with(begins) || words[0].to_ascii_uppercase().contains(&format!(":{begins}"))
    };
    match verb {
        "MAIL" | "SEND" | "SOML" | "SAML" => is_path("FROM"),
        "RCPT" => is_path("TO"),
        "DATA" | "QUIT" | "RSET" | "STARTTLS" | "TURN" => words.len() <= 2,
        "XCLIENT" | "XFORWARD" => words.iter().skip(1).all(|word| word.contains('=')),
        _ => words.len() <= 3,
    }
}
