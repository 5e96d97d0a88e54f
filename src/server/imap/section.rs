//! The sections of a message (RFC 3501 section 6.4.5): `HEADER.FIELDS (Subject)`, `1.2.MIME`.

use std::collections::BTreeSet;

use super::arguments::Arguments;
use super::structure::{DEPTH, Part};
use super::{Refusal, bad};
use crate::proto::imap::Value;

/// Which part of a message or body part is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    All,
    Header,
    Text,
    Mime,
    /// These fields, or all except these if `not` is set.
    Fields {
        names: BTreeSet<String>,
        not: bool,
    },
}

/// A section, as a client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    path: Vec<usize>,
    what: What,
}

impl Section {
    /// Reads the text inside the brackets.
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let wrong = || bad("A section of a message is wanted");
        let mut path = Vec::new();
        let mut rest = text;
        loop {
            let (word, behind) = rest.split_once('.').unwrap_or((rest, ""));
            match word.parse::<usize>() {
                Ok(number)
                    if number > 0
                        && path.len() < DEPTH
                        && word.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    path.push(number);
                    rest = behind;
                }
                _ => break,
            }
        }
        let upper = rest.to_ascii_uppercase();
        let what = match &*upper {
            "" => What::All,
            "HEADER" => What::Header,
            "TEXT" => What::Text,
            "MIME" if !path.is_empty() => What::Mime,
            _ => {
                let fields = upper.strip_prefix("HEADER.FIELDS").ok_or_else(wrong)?;
                let (fields, not) =
                    fields.strip_prefix(".NOT").map_or((fields, false), |fields| (fields, true));
                let names = fields.strip_prefix(' ').ok_or_else(wrong)?;
                let mut names = Arguments::read(names.as_bytes()).map_err(bad)?;
                let list = names.list()?;
                names.end()?;
                let names: Option<BTreeSet<_>> = list.iter().map(Value::text).collect();
                let names = names.filter(|names| !names.is_empty()).ok_or_else(wrong)?;
                What::Fields { names, not }
            }
        };
        Ok(Self { path, what })
    }

    /// How many times a message is read at most to find the section: once for each level of parts.
    pub(super) fn levels(&self) -> usize {
        self.path.len() + 1
    }

    /// The bytes of the section; empty if the message has no such part.
    pub(super) fn of<'a>(&self, data: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let Some(part) = Part::of(data).at(&self.path) else { return (&[][..]).into() };
        let is_whole = self.path.is_empty();
        // HEADER and TEXT of a part are those of the message in the part (section 6.4.5).
        let inner = if is_whole { Some(part) } else { part.message() };
        match (&self.what, inner) {
            (What::All, _) if is_whole => data.into(),
            (What::All, _) => part.body.into(),
            (What::Mime, _) => part.header.into(),
            (What::Header, Some(inner)) => inner.header.into(),
            (What::Text, Some(inner)) => inner.body.into(),
            (What::Fields { names, not }, Some(inner)) => chosen(inner.header, names, *not).into(),
            (_, None) => (&[][..]).into(),
        }
    }
}

/// The fields of a header with these names, in capitals, or with all other names if `not` is set, and the blank
/// line.
fn chosen(header: &[u8], names: &BTreeSet<String>, not: bool) -> Vec<u8> {
    let mut chosen = Vec::new();
    let mut is_in = false;
    for line in header.split_inclusive(|byte| *byte == b'\n') {
        let is_blank = matches!(line, [b'\n'] | [b'\r', b'\n']);
        if is_blank {
            break;
        }
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            let name = String::from_utf8_lossy(name.trim_ascii_end()).to_ascii_uppercase();
            is_in = names.contains(&name) != not;
        }
        if is_in {
            chosen.extend_from_slice(line);
        }
    }
    chosen.extend_from_slice(b"\r\n");
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"From: a\r\nSubject: hi\r\n there\r\nContent-Type: multipart/mixed; boundary=\"x\"\r\n\r\npre\r\n--x\r\n\r\none\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--x--\r\n";

    fn section(text: &str) -> String {
        let section = Section::read(text).unwrap();
        String::from_utf8(section.of(MESSAGE).into_owned()).unwrap()
    }

    #[test]
    fn sections_are_those_of_the_message_and_of_its_parts() {
        assert_eq!(section("HEADER.FIELDS (SUBJECT)"), "Subject: hi\r\n there\r\n\r\n");
        assert_eq!(section("HEADER.FIELDS.NOT (\"Subject\" content-type)"), "From: a\r\n\r\n");
        assert_eq!(section("1"), "one");
        assert_eq!(section("1.MIME"), "\r\n");
        assert_eq!(section("2.HEADER"), "Subject: in\r\n\r\n");
        assert_eq!(section("2.TEXT"), "inner");
        assert_eq!(section("2.1"), "inner");
        assert_eq!(section("3"), "");
        assert!(section("TEXT").starts_with("pre\r\n--x"));
        assert_eq!(section("").as_bytes(), MESSAGE);
        let deep = |depth: usize| vec!["1"; depth].join(".");
        for wrong in [
            "MIME",
            "0",
            "BODY",
            "HEADER.FIELDS",
            "HEADER.FIELDS ()",
            "HEADER.FIELDS (A  B)",
            "HEADER.FIELDS (A) B",
            "1.FOO",
            &deep(DEPTH + 1),
        ] {
            assert!(Section::read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(section(&deep(DEPTH)), "");
    }
}
