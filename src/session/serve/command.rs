//! A command that a client sent, and its parts.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::proto::{Speech, chomp};
use crate::quoted;

/// How far to look for the end of the line with the size of a literal, in bytes. The largest number
/// has 20 digits. If all of the rest were searched for each word, a line of many braces would take
/// time that grows with the square of its length.
const LONGEST_SIZE: usize = 64;

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
        self.each_argument().map(Cow::into_owned).collect()
    }

    /// Goes through what [`Command::arguments`] returns. A client may send millions of words.
    pub(crate) fn each_argument(&self) -> impl Iterator<Item = Cow<'_, str>> {
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
        let (path, _) = self.path()?;
        Some(String::from_utf8_lossy(path).into_owned())
    }

    /// The path between angle brackets, and what follows it.
    fn path(&self) -> Option<(&[u8], &[u8])> {
        let argument = self.after_verb();
        let rest = &argument[memchr::memchr(b'<', argument)? + 1..];
        let end = path_end(rest)?;
        Some((&rest[..end], &rest[end + 1..]))
    }

    /// The parameters after the address as they came, `KEYWORD=value` or only the keyword.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, String)> {
        self.each_parameter().map(|(keyword, value)| (keyword, value.into_owned())).collect()
    }

    /// Goes through what [`Command::parameters`] returns. A client may send millions of parameters.
    pub(crate) fn each_parameter(&self) -> impl Iterator<Item = (String, Cow<'_, str>)> {
        let rest = self.path().map_or(&[][..], |(_, rest)| rest);
        let words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.map(|word| {
            let end = memchr::memchr(b'=', word).unwrap_or(word.len());
            let value = word.get(end + 1..).unwrap_or_default();
            let keyword = String::from_utf8_lossy(&word[..end]).to_ascii_uppercase();
            (keyword, String::from_utf8_lossy(value))
        })
    }

    /// The value of a parameter; its keyword may be in letters of either case.
    #[must_use]
    pub fn parameter(&self, keyword: &str) -> Option<String> {
        let mut all = self.each_parameter();
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(keyword));
        found.map(|(_, value)| value.into_owned())
    }

    /// The words of a line of `ManageSieve`.
    pub(super) fn words(line: &[u8]) -> Vec<String> {
        words(line).map(Cow::into_owned).collect()
    }

    /// The part of a command that patterns are matched against: everything after the tag.
    pub(super) fn body(bytes: &[u8], speech: Speech) -> &[u8] {
        untagged(bytes, speech)
    }
}

/// The end of a path after its opening angle bracket. A quoted local part may contain a bracket.
fn path_end(rest: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
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
fn words(mut line: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    std::iter::from_fn(move || {
        line = line.trim_ascii_start();
        let (word, length) = match line {
            [] => return None,
            [b'"', rest @ ..] => quoted::read(rest).map_or_else(
                || atom(line),
                |(text, after)| (text.into(), line.len() - after.len()),
            ),
            [b'{', ..] => literal(line).unwrap_or_else(|| atom(line)),
            _ => atom(line),
        };
        line = &line[length.min(line.len())..];
        Some(match word {
            Cow::Borrowed(word) => String::from_utf8_lossy(word),
            Cow::Owned(word) => String::from_utf8_lossy(&word).into_owned().into(),
        })
    })
}

fn atom(line: &[u8]) -> (Cow<'_, [u8]>, usize) {
    let end = first_word(line).end;
    (line[..end].into(), end)
}

fn literal(line: &[u8]) -> Option<(Cow<'_, [u8]>, usize)> {
    let end = memchr::memchr(b'\n', &line[..line.len().min(LONGEST_SIZE)])? + 1;
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
    fn a_word_is_read_only_once_it_is_asked_for() {
        let line = Bytes::from(format!("MAIL FROM:<a@b> {}\r\n", "{A=b ".repeat(2_000_000)));
        let many = Command::new(line, Speech::Smtp);
        assert_eq!(many.each_argument().nth(1).as_deref(), Some("{A=b"));
        let (keyword, value) = many.each_parameter().next().unwrap();
        assert_eq!((keyword.as_str(), value.as_ref()), ("{A", "b"));
        assert_eq!(many.each_argument().count(), 2_000_001);
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
