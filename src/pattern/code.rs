//! Reply codes (RFC 5321 section 4.2) and enhanced status codes (RFC 3463).

use std::fmt;

use crate::error::{Error, Result};

/// The character in `digits` that stands for any digit.
const ANY: u8 = b'x';

/// A reply code such as 250, or a class such as 2 or 25, with an optional enhanced status code.
///
/// ```
/// use mailexpect::Code;
///
/// assert_eq!(Code::new(25)?.to_string(), "25x");
/// assert_eq!(Code::parse("5xx")?.with_enhanced("5.7.1")?.to_string(), "5xx 5.7.1");
/// assert!(Code::new(1250).is_err());
/// # Ok::<(), mailexpect::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The three digits of the code, with `x` for any digit.
    digits: [u8; 3],
    enhanced: Option<Enhanced>,
}

impl Code {
    /// A whole code (`250`), or a class (`2` for 2xx, `25` for 25x).
    ///
    /// # Errors
    /// A usage error for numbers other than 1 to 5, 10 to 59 and 100 to 599.
    pub fn new(code: i64) -> Result<Self> {
        let digit = |unit| b'0' + (code.unsigned_abs() / unit % 10) as u8;
        let digits = match code {
            1..=5 => [digit(1), ANY, ANY],
            10..=59 => [digit(10), digit(1), ANY],
            100..=599 => [digit(100), digit(10), digit(1)],
            _ => return Err(no_code(&code.to_string())),
        };
        Ok(Self { digits, enhanced: None })
    }

    /// Parses a code or a class from text: `250`, `25x`, `2xx`.
    ///
    /// # Errors
    /// A usage error for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let known = text.trim_end_matches(['x', 'X']).as_bytes();
        let plausible = known.iter().all(u8::is_ascii_digit)
            && known.first().is_some_and(|first| (b'1'..=b'5').contains(first))
            && if known.len() == text.len() { text.len() <= 3 } else { text.len() == 3 };
        if !plausible {
            return Err(no_code(text));
        }
        let mut digits = [ANY; 3];
        digits[..known.len()].copy_from_slice(known);
        Ok(Self { digits, enhanced: None })
    }

    /// Adds an enhanced status code, such as `5.7.1`, or its beginning (`5.7`, `5.x.x`).
    ///
    /// # Errors
    /// A usage error for text that is not an enhanced status code.
    pub fn with_enhanced(mut self, enhanced: &str) -> Result<Self> {
        self.enhanced = Some(Enhanced::parse_pattern(enhanced)?);
        Ok(self)
    }

    pub(crate) fn has_enhanced(&self) -> bool {
        self.enhanced.is_some()
    }

    /// Whether the reply has this code, and, if an enhanced code is given, whether the reply has
    /// that too.
    pub(crate) fn matches(&self, reply: &[u8]) -> bool {
        let code_fits = reply.len() >= 3
            && reply[..3].iter().all(u8::is_ascii_digit)
            && reply.iter().zip(self.digits).all(|(came, wanted)| wanted == ANY || wanted == *came)
            && reply.get(3).is_none_or(|after| !after.is_ascii_digit());
        code_fits
            && self.enhanced.as_ref().is_none_or(|wanted| {
                Enhanced::of_reply(reply).is_some_and(|came| wanted.covers(&came))
            })
    }

    /// A regex for a whole reply of this code, for streams without framing.
    pub(crate) fn to_regex(&self) -> String {
        let code = self.shown().replace('x', "[0-9]");
        let text = match &self.enhanced {
            Some(enhanced) => format!(" {}(?: [^\\n]*)?", enhanced.to_regex()),
            None => "(?: [^\\n]*)?".to_owned(),
        };
        format!("^(?:{code}-[^\\n]*\\n)*{code}{text}\\r?\\n")
    }

    fn shown(&self) -> &str {
        // The digits are ASCII digits and `x`.
        std::str::from_utf8(&self.digits).unwrap_or_default()
    }
}

fn no_code(text: &str) -> Error {
    Error::usage(format!("`{text}` is not a reply code"))
        .hint("a code is 100 to 599, a class is one or two digits: 2, 25, \"25x\" (RFC 5321, 4.2)")
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())?;
        if let Some(enhanced) = &self.enhanced {
            write!(f, " {enhanced}")?;
        }
        Ok(())
    }
}

/// An enhanced status code, class.subject.detail (RFC 3463 section 2). Parts that are left out
/// match any number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enhanced {
    parts: [Option<u16>; 3],
}

impl Enhanced {
    /// Parses the enhanced code at the beginning of a reply's text, if there is one (RFC 2034
    /// section 3).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code = Self::parse_parts(text)?;
        code.parts.iter().all(Option::is_some).then_some(code)
    }

    /// The first enhanced code in the lines of the reply.
    pub(crate) fn of_reply(reply: &[u8]) -> Option<Self> {
        Self::all(reply).next()
    }

    /// The enhanced codes in the lines of the reply.
    fn all(reply: &[u8]) -> impl Iterator<Item = Self> {
        reply.split(|byte| *byte == b'\n').filter_map(|line| {
            let word = line.get(4..)?.split(|byte| b" \r".contains(byte)).next()?;
            Self::parse(std::str::from_utf8(word).ok()?)
        })
    }

    /// Why the enhanced codes of the reply contradict its code, or each other (RFC 2034 section 4,
    /// RFC 3463 section 2); `None` if they do not. A line may have none. Replies such as 354 have
    /// none that could be wrong.
    pub(crate) fn contradiction(reply: &[u8]) -> Option<&'static str> {
        let class = reply.first().filter(|class| b"245".contains(class))?;
        let class = u16::from(class - b'0');
        let first = Self::of_reply(reply)?;
        if Self::all(reply).any(|code| code.parts[0] != Some(class)) {
            return Some("the enhanced status code is of another class than the reply code");
        }
        let differs = Self::all(reply).any(|code| code != first);
        differs.then_some("the lines of the reply have different enhanced status codes")
    }

    fn parse_pattern(text: &str) -> Result<Self> {
        Self::parse_parts(text).ok_or_else(|| {
            Error::usage(format!("`{text}` is not an enhanced status code")).hint(
                "it has the form 2.1.0, or 5.7 for its beginning (RFC 3463); the text of a reply is matched by expect(re(`...`))",
            )
        })
    }

    fn parse_parts(text: &str) -> Option<Self> {
        let mut parts = [None; 3];
        for (place, given) in text.split('.').enumerate() {
            *parts.get_mut(place)? = match given {
                "x" | "X" => None,
                digits
                    // A number has no leading zeros (RFC 3463 section 2).
                    if (1..=3).contains(&digits.len())
                        && (digits.len() == 1 || !digits.starts_with('0'))
                        && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    Some(digits.parse().ok()?)
                }
                _ => return None,
            };
        }
        matches!(parts[0], Some(2 | 4 | 5)).then_some(Self { parts })
    }

    fn covers(&self, other: &Self) -> bool {
        self.parts.iter().zip(&other.parts).all(|(wanted, came)| wanted.is_none() || wanted == came)
    }

    fn to_regex(&self) -> String {
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|part| part.map_or("[0-9]{1,3}".to_owned(), |n| n.to_string()))
            .collect();
        parts.join("\\.")
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> =
            self.parts.iter().map(|part| part.map_or("x".to_owned(), |n| n.to_string())).collect();
        f.write_str(&parts.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_covers_its_codes_and_no_others() {
        for (class, reply, fits) in [
            ("250", "250 ok", true),
            ("250", "250", true),
            ("25", "251 ok", true),
            ("2xx", "220-hello\r\n220 you", true),
            ("2", "354 go", false),
            ("250", "2500 no", false),
            ("25", "25 no", false),
            ("250", "+OK", false),
        ] {
            assert_eq!(
                Code::parse(class).unwrap().matches(reply.as_bytes()),
                fits,
                "{class} {reply}"
            );
        }
    }

    #[test]
    fn an_enhanced_code_is_compared_by_its_parts() {
        for (wanted, reply, fits) in [
            ("5.7.1", "550 5.7.1 no", true),
            ("5.7", "550 5.7.10 no", true),
            ("5.7.1", "550 5.7.10 no", false),
            ("5.x.x", "550-5.1.1 no\r\n550 5.1.1 really", true),
            ("5.7.1", "550 no", false),
            ("5.1.1", "550 5.1.1", true),
            ("5.7.1", "550 5.07.01 no", false),
            ("5.0.0", "550 5.0.0 no", true),
        ] {
            let code = Code::new(550).unwrap().with_enhanced(wanted).unwrap();
            assert_eq!(code.matches(reply.as_bytes()), fits, "{wanted} {reply}");
        }
    }

    #[test]
    fn enhanced_codes_that_contradict_are_found() {
        let (class, lines) = (Some("another class"), Some("different enhanced"));
        for (reply, why) in [
            ("250 2.1.0 Ok", None),
            ("250 Ok", None),
            ("250 2 recipients", None),
            ("550 5.7.1.4 is blocked", None),
            ("354 2.0.0 go on", None),
            ("550-5.1.1 no\r\n550-see http://x\r\n550 5.1.1 such user", None),
            ("250-2.1.5 a\r\n250 2.1.5 b\r\n", None),
            ("250 5.1.0 refused", class),
            ("250 4.2.2 mailbox full", class),
            ("550 2.1.5 ok", class),
            ("450 5.7.1", class),
            ("250-Ok\r\n250 5.1.1 no such user", class),
            ("250-2.1.5 x\r\n250 5.1.1 no such user", class),
            ("550-5.1.1 x\r\n550 5.7.1 y", lines),
        ] {
            let found = Enhanced::contradiction(reply.as_bytes());
            let fits = why.map_or(found.is_none(), |why| found.is_some_and(|it| it.contains(why)));
            assert!(fits, "{reply}: {found:?}");
        }
    }

    #[test]
    fn a_text_that_is_no_code_is_refused_with_the_forms() {
        for text in ["0", "6", "600", "1000", "25xx", "x", "2x", "ok", "-250", ""] {
            assert!(
                Code::parse(text).unwrap_err().next_step().unwrap().contains("100 to 599"),
                "{text}"
            );
        }
        for text in
            ["Ok", "2.1.0 Ok", "1.2.3", "2.", "2.1.0.0", "2.1234", "5.07.1", "5.1.01", "02.1.0"]
        {
            assert!(Code::new(250).unwrap().with_enhanced(text).is_err(), "{text}");
        }
    }
}
