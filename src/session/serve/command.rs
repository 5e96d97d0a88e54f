//! A command that a client sent, and its parts.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::proto::{Speech, chomp};
use crate::quoted;

/// A command that a client sent: the words of its line, and their meaning in SMTP.
///
/// ```
/// # use mailexpect::{Session, server::Listener, block_on};
/// # block_on(async {
/// let listener = Listener::bind("smtp").await?;
/// let mut client = Session::connect(&listener.url()).await?;
/// let mut server = listener.accept().await?;
/// server.greet("220 localhost ESMTP").await?;
/// client.expect(220).await?;
/// client.send("MAIL FROM:<hoge@example.com> SIZE=10").await?;
/// let command = server.expect_command("MAIL").await?;
/// assert_eq!(command.address().as_deref(), Some("hoge@example.com"));
/// assert_eq!(command.parameter("SIZE").as_deref(), Some("10"));
/// # server.reply("250 ok").await?;
/// # client.expect(250).await?;
/// # Ok::<_, mailexpect::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Command {
    bytes: Bytes,
    speech: Speech,
}

impl Command {
    pub(crate) fn new(bytes: Bytes, speech: Speech) -> Self {
        Self { bytes, speech }
    }

    /// The whole command as it came, with its line end and its literals.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole command without the last line end; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(chomp(&self.bytes))
    }

    /// The tag in IMAP (RFC 3501 section 2.2.1); empty in other protocols.
    #[must_use]
    pub fn tag(&self) -> Cow<'_, str> {
        let tag = if self.speech.facts().has_tags { first_word(chomp(&self.bytes)) } else { 0..0 };
        String::from_utf8_lossy(&self.bytes[tag])
    }

    /// The verb in capital letters: `MAIL`, `RETR`, `UID FETCH`.
    #[must_use]
    pub fn verb(&self) -> String {
        let rest = untagged(chomp(&self.bytes), self.speech);
        let verb =
            |from: &[u8]| String::from_utf8_lossy(&from[first_word(from)]).to_ascii_uppercase();
        let first = verb(rest);
        if self.speech != Speech::Imap || first != "UID" {
            return first;
        }
        let behind = &rest[first_word(rest).end..];
        format!("UID {}", verb(behind.trim_ascii_start()))
    }

    /// Whether the command is this verb and nothing more, except for spaces at its end.
    pub(super) fn is_only(&self, verb: &str) -> bool {
        let command = untagged(chomp(&self.bytes), self.speech);
        let blanks = command.iter().rev().take_while(|byte| **byte == b' ').count();
        command[..command.len() - blanks].eq_ignore_ascii_case(verb.as_bytes())
    }

    /// The text after the verb, without blanks around it.
    #[must_use]
    pub fn argument(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.after_verb().trim_ascii())
    }

    /// The words of [`Command::argument`]. A quoted string is one word, without its quotes; a
    /// literal is one word, without its size.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        words(self.after_verb())
    }

    /// The bytes after the verb. A literal at their end may end with blanks or line ends.
    fn after_verb(&self) -> &[u8] {
        let words = self.verb().split(' ').count();
        let mut behind = untagged(chomp(&self.bytes), self.speech);
        for _ in 0..words {
            behind = behind[first_word(behind).end..].trim_ascii_start();
        }
        behind
    }

    /// The address between angle brackets, as in MAIL and RCPT (RFC 5321 section 4.1.2).
    #[must_use]
    pub fn address(&self) -> Option<String> {
        let argument = self.argument();
        let (_, rest) = argument.split_once('<')?;
        Some(rest[..path_end(rest)?].to_owned())
    }

    /// The parameters after the address as they came, `KEYWORD=value` or only the keyword.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, String)> {
        let argument = self.argument();
        let Some((_, rest)) = argument.split_once('<') else { return Vec::new() };
        let Some(end) = path_end(rest) else { return Vec::new() };
        let pair = |word: &str| {
            let (keyword, value) = word.split_once('=').unwrap_or((word, ""));
            (keyword.to_ascii_uppercase(), value.to_owned())
        };
        rest[end + 1..].split_ascii_whitespace().map(pair).collect()
    }

    /// The value of a parameter; its keyword may be in letters of either case.
    #[must_use]
    pub fn parameter(&self, keyword: &str) -> Option<String> {
        let mut all = self.parameters().into_iter();
        all.find(|(known, _)| known.eq_ignore_ascii_case(keyword)).map(|(_, value)| value)
    }

    /// The words of a line of `ManageSieve`.
    pub(super) fn words(line: &[u8]) -> Vec<String> {
        words(line)
    }

    /// The part of a command that patterns are matched against: everything after the tag.
    pub(super) fn body(bytes: &[u8], speech: Speech) -> &[u8] {
        untagged(bytes, speech)
    }
}

/// The end of a path after its opening angle bracket. A quoted local part may contain a bracket.
fn path_end(rest: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in rest.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn untagged(line: &[u8], speech: Speech) -> &[u8] {
    if speech.facts().has_tags { line[first_word(line).end..].trim_ascii_start() } else { line }
}

fn first_word(line: &[u8]) -> Range<usize> {
    0..line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len())
}

/// The words of a line: atoms, quoted strings and literals (RFC 3501 section 4, RFC 5804 section 4).
fn words(mut line: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    loop {
        line = line.trim_ascii_start();
        let (word, length) = match line {
            [] => return words,
            [b'"', rest @ ..] => quoted::read(rest).map_or_else(
                || atom(line),
                |(text, after)| (text.into(), line.len() - after.len()),
            ),
            [b'{', ..] => literal(line).unwrap_or_else(|| atom(line)),
            _ => atom(line),
        };
        words.push(String::from_utf8_lossy(&word).into_owned());
        line = &line[length.min(line.len())..];
    }
}

fn atom(line: &[u8]) -> (Cow<'_, [u8]>, usize) {
    let end = first_word(line).end;
    (line[..end].into(), end)
}

fn literal(line: &[u8]) -> Option<(Cow<'_, [u8]>, usize)> {
    let end = memchr::memchr(b'\n', line)? + 1;
    let size = chomp(&line[..end]).strip_prefix(b"{")?.strip_suffix(b"}")?;
    let size = size.strip_suffix(b"+").unwrap_or(size);
    let size: usize = std::str::from_utf8(size).ok()?.parse().ok()?;
    Some((line.get(end..end.checked_add(size)?)?.into(), end + size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(speech: Speech, line: &'static str) -> Command {
        Command::new(Bytes::from_static(line.as_bytes()), speech)
    }

    #[test]
    fn the_parts_of_an_smtp_command_are_read() {
        let mail = command(
            Speech::Smtp,
            "mail FROM:<\"a>b\\\"\"@c.example> SIZE=10 body=8BITMIME smtputf8\r\n",
        );
        assert_eq!(mail.verb(), "MAIL");
        assert_eq!(mail.address().unwrap(), "\"a>b\\\"\"@c.example");
        assert_eq!(mail.parameter("BODY").unwrap(), "8BITMIME");
        assert_eq!(mail.parameters()[2], ("SMTPUTF8".to_owned(), String::new()));
        let null = command(Speech::Smtp, "MAIL FROM:<>\r\n");
        assert_eq!((null.address().unwrap().as_str(), null.parameters().len()), ("", 0));
        let none = command(Speech::Smtp, "NOOP\r\n");
        assert_eq!((none.argument().as_ref(), none.address()), ("", None));
    }

    #[test]
    fn the_words_of_an_imap_command_are_read() {
        let login = command(Speech::Imap, "a1 LOGIN \"a \\\"b\" {3+}\r\nc d x\r\n");
        assert_eq!((login.tag().as_ref(), login.verb().as_str()), ("a1", "LOGIN"));
        assert_eq!(login.arguments(), ["a \"b", "c d", "x"]);
        let append = Bytes::from_static(b"a3 APPEND INBOX {6}\r\nh\xff \n\r\n\r\n");
        let append = Command::new(append, Speech::Imap);
        assert_eq!(append.arguments(), ["INBOX", "h\u{fffd} \n\r\n"]);
        let fetch = command(Speech::Imap, "a2 uid fetch 1:* (FLAGS)\r\n");
        assert_eq!(
            (fetch.verb().as_str(), fetch.argument().as_ref()),
            ("UID FETCH", "1:* (FLAGS)")
        );
    }

    #[test]
    fn the_parts_of_a_line_that_is_no_command_are_empty() {
        for line in ["\r\n", "", " \r\n", "{99999999999999999999}\r\n", "MAIL FROM:<a\r\n"] {
            for speech in [Speech::Smtp, Speech::Imap] {
                let odd = command(speech, line);
                assert!(odd.parameters().is_empty() && odd.address().is_none(), "{line:?}");
                let _ = odd.arguments();
            }
        }
    }
}
