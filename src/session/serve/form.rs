//! Whether a command has the form that its protocol requires.

use super::command::Command;
use crate::proto::imap::is_tag;
use crate::proto::{Speech, chomp};

impl Command {
    /// What is wrong with the first line of the command, whatever its verb is: a byte that no line
    /// may have, the tag, a verb that no space ends, or an argument of `ManageSieve` that is no
    /// string (RFC 5321 section 4.1.1, RFC 1939 section 3, RFC 3501 section 9, RFC 5804 section 4).
    pub(super) fn malformed(&self, speech: Speech) -> Option<&'static str> {
        let bytes = self.bytes();
        let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let line = chomp(&bytes[..end]);
        if line.contains(&0) {
            return Some("a command has NUL in it");
        }
        if line.contains(&b'\r') {
            return Some("a command has a bare CR in it");
        }
        let mut rest = line;
        // A response of SASL is one word without a tag.
        if speech.facts().has_tags && line.contains(&b' ') {
            let tag = word(line);
            if !is_tag(tag) {
                return Some("a command begins with no tag: letters and digits, and no +");
            }
            rest = line.get(tag.len() + 1..).unwrap_or_default();
        }
        let verb = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if rest.get(verb).is_some_and(|byte| byte.is_ascii_whitespace() && *byte != b' ') {
            return Some("a verb is followed by no space");
        }
        let is_string =
            |argument: &[u8]| matches!(argument.first(), None | Some(b'"' | b'{' | b'0'..=b'9'));
        let argument = rest[verb..].trim_ascii_start();
        (speech == Speech::Sieve && !is_string(argument))
            .then_some("an argument is no string in quotes, no literal and no number")
    }
}

fn word(line: &[u8]) -> &[u8] {
    &line[..memchr::memchr(b' ', line).unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_command_has_the_form_of_its_protocol() {
        for (speech, line, is_right) in [
            (Speech::Smtp, "MAIL FROM:<a@b>\r\n", true),
            (Speech::Smtp, "\r\n", true),
            (Speech::Smtp, "BDAT\t5\r\n", false),
            (Speech::Smtp, "NOOP a\0b\r\n", false),
            (Speech::Smtp, "NOOP\r\r\n", false),
            (Speech::Pop3, "RETR 1\r\n", true),
            (Speech::Imap, "a1 LOGIN {3}\r\na\rb x\r\n", true),
            (Speech::Imap, "A.1 uid fetch 1 (FLAGS)\r\n", true),
            (Speech::Imap, "a+1 NOOP\r\n", false),
            (Speech::Imap, "AGpv+mUA\r\n", true),
            (Speech::Imap, "* NOOP\r\n", false),
            (Speech::Imap, " NOOP\r\n", false),
            (Speech::Sieve, "AUTHENTICATE \"PLAIN\" {3+}\r\nabc\r\n", true),
            (Speech::Sieve, "HAVESPACE \"x\" 5\r\n", true),
            (Speech::Sieve, "LISTSCRIPTS\r\n", true),
            (Speech::Sieve, "AUTHENTICATE PLAIN\r\n", false),
        ] {
            let command = Command::new(Bytes::from_static(line.as_bytes()), speech);
            assert_eq!(command.malformed(speech).is_none(), is_right, "{line:?}");
        }
    }
}
