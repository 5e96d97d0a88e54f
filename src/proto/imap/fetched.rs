//! Messages in FETCH responses (RFC 3501 section 7.4.2).

use std::collections::BTreeMap;

use super::envelope::{Envelope, string};
use super::pairs::{ambiguous, pairs, singles};
use super::response::{Response, unlike};
use super::section::Section;
use super::set::{is_message, is_modseq};
use super::structure::BodyStructure;
use super::value::{Value, is_identifier};

/// A message, as FETCH responses describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    number: u64,
    attributes: BTreeMap<String, Value>,
    /// How many removals came before it in the answer.
    removals: usize,
    /// A size or a content that came again and was another one.
    changed: Option<Box<str>>,
}

impl Fetched {
    /// Reads a FETCH response about the message with this number.
    pub(super) fn of(response: &Response, number: u64) -> crate::Result<Self> {
        let mut values = response.values()?;
        let attributes = match (values.pop(), values.is_empty()) {
            (Some(Value::List(values)), true) => pairs(values),
            _ => None,
        };
        let Some(attributes) = attributes else {
            return Err(unlike(response, "a list of attributes and values by turns"));
        };
        if let Some((name, form)) = attributes.iter().find_map(wrong_form) {
            return Err(unlike(response, &format!("{name} {form}")));
        }
        let attributes = singles(attributes);
        if let Some(name) = ambiguous(&attributes) {
            return Err(unlike(response, &format!("one value of {name}")));
        }
        Ok(Self {
            number,
            attributes: attributes.into_iter().collect(),
            removals: 0,
            changed: None,
        })
    }

    /// Reads a FETCH response.
    ///
    /// # Errors
    /// Malformed if the response cannot be read.
    pub fn parse(response: &Response) -> crate::Result<Self> {
        let number =
            response.number().ok_or_else(|| unlike(response, "the number of a message"))?;
        Self::of(response, number)
    }

    /// The number of the message in its mailbox.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The attributes of the message, with their names in capitals.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, Value> {
        &self.attributes
    }

    /// The attributes of the message, without a copy.
    #[must_use]
    pub fn into_attributes(self) -> BTreeMap<String, Value> {
        self.attributes
    }

    /// An attribute, by its name in letters of either case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.attributes.get(&name.to_ascii_uppercase())
    }

    /// The unique identifier, if it was asked for.
    #[must_use]
    pub fn uid(&self) -> Option<u64> {
        self.get("UID")?.number()
    }

    /// The flags, if they came.
    #[must_use]
    pub fn flags(&self) -> Option<Vec<String>> {
        self.get("FLAGS").map(Value::texts)
    }

    /// The envelope, if it was asked for.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope> {
        self.get("ENVELOPE").and_then(Envelope::of)
    }

    /// The structure, if BODYSTRUCTURE or BODY was asked for.
    #[must_use]
    pub fn structure(&self) -> Option<BodyStructure> {
        let value = self.get("BODYSTRUCTURE").or_else(|| self.get("BODY"))?;
        BodyStructure::of(value)
    }

    /// The content of an attribute, such as `BODY[]` or `BODY[TEXT]<0>`, as bytes.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name)?.bytes().map(std::borrow::Cow::into_owned)
    }

    /// Returns this message after that many removals in its answer.
    pub(super) fn after(self, removals: usize) -> Self {
        Self { removals, ..self }
    }

    /// How many removals came before it in its answer. Each of them moves the numbers.
    pub(super) fn removals(&self) -> usize {
        self.removals
    }

    /// Describes the size that the message should have, if its content came too and has another
    /// (RFC 3501 section 7.4.2, RFC 3516 section 4.3).
    pub(super) fn wrong_size(&self) -> Option<String> {
        self.attributes.iter().find_map(|(name, size)| {
            let contents = match name.strip_prefix("BINARY.SIZE") {
                Some(section) => [format!("BINARY{section}"), String::new()],
                None if name == "RFC822.SIZE" => ["BODY[]".to_owned(), "RFC822".to_owned()],
                None => return None,
            };
            let size = size.number()?;
            contents.iter().find_map(|content| {
                let came = self.attributes.get(content)?.bytes()?.len();
                (came as u64 != size).then(|| format!("{name} {came}, the size of {content}"))
            })
        })
    }

    /// The name of a size or a content of which two came that differ. Neither changes while the
    /// message exists (RFC 3501 section 2.3.1.1).
    pub(super) fn changed(&self) -> Option<&str> {
        self.changed.as_deref()
    }

    /// Adds the attributes of a later response about this message.
    pub(super) fn update(&mut self, later: Self) {
        let is_other = |(name, value): &(&String, &Value)| {
            // Contents from an octet may have come in two lengths.
            let is_whole = name.as_str() == "RFC822.SIZE" || name.ends_with(']');
            let before = self.attributes.get(*name).and_then(Value::bytes);
            is_whole && before.zip(value.bytes()).is_some_and(|(before, now)| before != now)
        };
        let other = later.attributes.iter().find(is_other).map(|(name, _)| name.as_str().into());
        self.changed = other.or(self.changed.take());
        self.attributes.extend(later.attributes);
    }
}

/// Whether text is a `date-time` of RFC 3501 section 9: `17-Jul-1996 02:44:25 -0700`, with a blank
/// in place of the first digit of a day below 10.
fn is_date_time(text: &[u8]) -> bool {
    const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec";
    let has_form = text.len() == 26
        && text.iter().zip(b"00-aaa-0000 00:00:00 +0000").enumerate().all(|(at, (byte, form))| {
            match form {
                b'0' => byte.is_ascii_digit() || (at == 0 && *byte == b' '),
                b'a' => byte.is_ascii_alphabetic(),
                b'+' => matches!(byte, b'+' | b'-'),
                _ => byte == form,
            }
        });
    let number = |at: usize| {
        let digits = std::str::from_utf8(text.get(at..at + 2)?).ok()?;
        digits.trim_start().parse::<u8>().ok()
    };
    let is_within = |at: usize, least: u8, most: u8| {
        number(at).is_some_and(|number| (least..=most).contains(&number))
    };
    has_form
        && MONTHS.split(' ').any(|month| text[3..6].eq_ignore_ascii_case(month.as_bytes()))
        && is_within(0, 1, 31)
        && is_within(12, 0, 23)
        && is_within(15, 0, 59)
        // 60 is a leap second.
        && is_within(18, 0, 60)
}

/// Whether the value is a `date-time`, which is always in quotes.
fn is_date(value: &Value) -> bool {
    matches!(value, Value::Text(date) if is_date_time(date))
}

/// Whether the value is a list of words and strings.
fn are_labels(value: &Value) -> bool {
    value.list().is_some_and(|labels| labels.iter().all(|label| label.bytes().is_some()))
}

/// The form that an attribute must have, if its value has another one (`msg-att` in RFC 3501
/// section 9).
fn wrong_form((name, value): &(String, Value)) -> Option<(&str, &'static str)> {
    let is_of = |start: &str| name.strip_prefix(start).is_some_and(|end| end.starts_with('['));
    let has_section = ["BODY", "BINARY", "BINARY.SIZE"].iter().any(|start| is_of(start));
    if has_section && Section::of(name).is_none() {
        return Some((name, "and a section in brackets (RFC 3501, 9)"));
    }
    let (holds, form) = match name.as_str() {
        "UID" => (value.number().is_some_and(is_message), "and a number from 1 to 4294967295"),
        "RFC822.SIZE" | "X-GM-MSGID" | "X-GM-THRID" => (value.number().is_some(), "and a number"),
        "FLAGS" => (value.flags().is_some(), "and a list of flags"),
        "INTERNALDATE" => (is_date(value), "and a date-time in quotes (RFC 3501, 9)"),
        "ENVELOPE" => {
            (Envelope::of(value).is_some(), "and a list of its ten parts (RFC 3501, 7.4.2)")
        }
        "MODSEQ" => (
            matches!(value.list(), Some([Value::Number(number)]) if is_modseq(*number)),
            "and a number in parentheses, from 1 to 9223372036854775807 (RFC 7162, 7)",
        ),
        "EMAILID" => (is_identifier(value), "and an identifier in parentheses (RFC 8474, 7)"),
        "THREADID" => (
            *value == Value::Nil || is_identifier(value),
            "and an identifier in parentheses, or NIL (RFC 8474, 7)",
        ),
        "SAVEDATE" => (
            *value == Value::Nil || is_date(value),
            "and a date-time in quotes, or NIL (RFC 8514, 5)",
        ),
        "PREVIEW" => (string(value).is_some(), "and a string or NIL (RFC 8970, 6)"),
        "X-GM-LABELS" => (are_labels(value), "and a list of labels"),
        "BODY" | "BODYSTRUCTURE" => {
            (BodyStructure::of(value).is_some(), "and the structure of a message (RFC 3501, 7.4.2)")
        }
        "RFC822" | "RFC822.HEADER" | "RFC822.TEXT" => (string(value).is_some(), "and a string"),
        _ if is_of("BODY") || is_of("BINARY") => (string(value).is_some(), "and a string"),
        _ if is_of("BINARY.SIZE") => (value.number().is_some(), "and a number"),
        _ => (true, ""),
    };
    (!holds).then_some((name, form))
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::answer;
    use super::*;

    #[test]
    fn a_date_time_has_its_form() {
        for (date, is_well) in [
            ("17-Jul-1996 02:44:25 -0700", true),
            (" 7-jul-2026 23:59:60 +0000", true),
            ("07-JUL-2026 00:00:00 +0530", true),
            ("yesterday", false),
            ("7-Jul-1996 02:44:25 -0700", false),
            ("17-Jul-96 02:44:25 -0700", false),
            ("17-Foo-1996 02:44:25 -0700", false),
            ("00-Jul-1996 02:44:25 -0700", false),
            ("32-Jul-1996 02:44:25 -0700", false),
            ("17-Jul-1996 24:44:25 -0700", false),
            ("17-Jul-1996 02:60:25 -0700", false),
            ("17-Jul-1996 02:44:25 GMT", false),
            ("17-Jul-1996 02:44:25  0700", false),
            ("", false),
        ] {
            assert_eq!(is_date_time(date.as_bytes()), is_well, "{date}");
        }
    }

    #[test]
    fn a_size_is_that_of_the_content() {
        for (attributes, wrong) in [
            ("RFC822.SIZE 3 BODY[] \"abc\"", None),
            ("RFC822.SIZE 9 BODY[TEXT] \"abc\"", None),
            ("RFC822.SIZE 9 BODY[]<0> \"abc\"", None),
            ("RFC822.SIZE 9 BODY[] NIL", None),
            ("RFC822.SIZE 9 BODY[] \"abc\"", Some("RFC822.SIZE 3, the size of BODY[]")),
            ("RFC822.SIZE 9 RFC822 \"abc\"", Some("RFC822.SIZE 3, the size of RFC822")),
            ("BINARY.SIZE[1] 3 BINARY[2] \"ab\" BINARY[1] \"abc\"", None),
            ("BINARY.SIZE[1] 9 BINARY[1] \"abc\"", Some("BINARY.SIZE[1] 3, the size of BINARY[1]")),
        ] {
            let all = answer(&[&format!("* 1 FETCH ({attributes})"), "a1 OK"]).fetched().unwrap();
            assert_eq!(all[0].wrong_size().as_deref(), wrong, "{attributes}");
        }
    }
}
