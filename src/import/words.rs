//! The words by which lines of each protocol are recognised.

use crate::proto::Speech;

/// The protocol of a client that begins with this line.
pub(super) fn speech_of(line: &str) -> Option<Speech> {
    let word = first_word(line);
    let second = line.split_whitespace().nth(1).unwrap_or_default().to_ascii_uppercase();
    Some(match word.as_str() {
        "LHLO" => Speech::Lmtp,
        "EHLO" | "HELO" | "MAIL" | "RCPT" | "XCLIENT" | "VRFY" | "EXPN" | "DATA" | "QUIT"
        | "NOOP" | "RSET" | "HELP" | "AUTH" | "STARTTLS" => Speech::Smtp,
        "USER" | "CAPA" | "APOP" | "STLS" | "STAT" | "RETR" => Speech::Pop3,
        _ if IMAP.contains(&second.as_str()) => Speech::Imap,
        _ => return None,
    })
}

const IMAP: [&str; 14] = [
    "LOGIN",
    "CAPABILITY",
    "SELECT",
    "EXAMINE",
    "LOGOUT",
    "LIST",
    "FETCH",
    "AUTHENTICATE",
    "STARTTLS",
    "NOOP",
    "UID",
    "STATUS",
    "APPEND",
    "ID",
];

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

/// Whether a multiline block follows the reply to a POP3 command.
pub(super) fn has_block(command: &str) -> bool {
    matches!(command, "LIST" | "UIDL" | "RETR" | "TOP" | "CAPA")
}

/// The password in an IMAP LOGIN, unless a literal follows. User and password may be quoted, and
/// may then contain blanks.
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
    Some(rest.trim()).filter(|rest| !(rest.starts_with('{') && rest.ends_with('}')))
}

/// The part of a command that is secret.
pub(super) fn secret(line: &str, is_imap: bool) -> Option<std::ops::Range<usize>> {
    let words: Vec<_> = line.split_whitespace().collect();
    let upper = |n: usize| words.get(n).map(|word: &&str| word.to_ascii_uppercase());
    let (first, second) = (upper(0)?, upper(1).unwrap_or_default());
    let found = match first.as_str() {
        "PASS" => line.get(5..)?.trim(),
        "APOP" => words.get(2)?,
        "AUTH" | "AUTHENTICATE" if !is_imap => words.get(2)?,
        _ if is_imap && second == "LOGIN" => password(&words, line)?,
        _ if is_imap && second == "AUTHENTICATE" => words.get(3)?,
        _ => return None,
    };
    // `found` is a slice of `line`, so the difference of the pointers is its offset.
    let start = found.as_ptr() as usize - line.as_ptr() as usize;
    (found != "=" && !found.is_empty()).then_some(start..start + found.len())
}
