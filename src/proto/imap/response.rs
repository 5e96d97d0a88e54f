//! A single response, parsed.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::code::{Code, wrong_form};
use super::scanner::{NO_RESPONSE, Said, Scanner, Status};
use super::set::{Spare, are_known, is_message, spell_out, spell_out_results};
use super::value::{Grammar, Unreadable, Value, single, values};
use crate::error::{Error, Kind, Result};
use crate::pattern::{Pattern, Verdict};
use crate::proto::chomp;
use crate::reply::Reply;
use crate::visible;

/// How many bytes of a response an error shows.
pub(super) const SHOWN: usize = 200;

/// One response of an IMAP server: untagged, a continuation, or tagged (RFC 3501 section 7).
#[derive(Clone, Debug)]
pub struct Response {
    bytes: Bytes,
    said: Said,
    /// The offset after the tag, and the offset after the status.
    body: usize,
    behind: usize,
}

impl Response {
    /// Parses a whole response.
    ///
    /// # Errors
    /// Malformed if the bytes are not exactly one whole response.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        Self::of_frame(Bytes::from(bytes.into()))
    }

    pub(crate) fn of_frame(bytes: Bytes) -> Result<Self> {
        let (used, said) = Scanner::default().feed(&bytes);
        let said = said
            .unwrap_or(Err(NO_RESPONSE))
            .and_then(|said| if used == bytes.len() { Ok(said) } else { Err(NO_RESPONSE) });
        let said = said.map_err(|why| {
            Error::new(Kind::Malformed, why).with_got(visible::excerpt(&bytes, SHOWN))
        })?;
        let line = chomp(&bytes);
        let after_word = |from: usize| {
            let blank = memchr::memchr(b' ', &line[from..]).map_or(line.len(), |at| from + at);
            let blanks = line[blank..].iter().take_while(|byte| **byte == b' ').count();
            blank + blanks
        };
        let body = after_word(0);
        let behind = if matches!(said, Said::Untagged(_) | Said::Tagged(..)) {
            after_word(body)
        } else {
            body
        };
        let response = Self { bytes, said, body, behind };
        if response.said == Said::Data && !response.has_a_right_number() {
            return Err(unlike(&response, "one number, from 1 to 4294967295"));
        }
        if response.said == Said::Data && !response.has_a_right_set() {
            let wanted = "(EARLIER) or nothing, and a set of UIDs without * (RFC 7162, 3.2.10)";
            return Err(unlike(&response, wanted));
        }
        if let Some(form) = response.plain_code().as_ref().and_then(wrong_form) {
            return Err(unlike(&response, &format!("{form} in the code")));
        }
        Ok(response)
    }

    /// Whether data that begins with a number begins with one that can be the number of a message
    /// (`nz-number` in RFC 3501 section 9), or of messages.
    fn has_a_right_number(&self) -> bool {
        let word = words(self.body()).next().unwrap_or_default();
        if !word.iter().all(u8::is_ascii_digit) {
            return true;
        }
        let (name, is_alone) = (self.name(), words(self.body()).nth(2).is_none());
        self.number().is_some_and(|number| match &*name {
            "EXISTS" | "RECENT" => is_alone && (number == 0 || is_message(number)),
            "EXPUNGE" => is_alone && is_message(number),
            _ => is_message(number),
        })
    }

    /// Whether VANISHED, if this is one, has the set that it must have.
    fn has_a_right_set(&self) -> bool {
        let mut words = words(self.body());
        let is_it = words.next().is_some_and(|name| name.eq_ignore_ascii_case(b"VANISHED"));
        !is_it || are_known(words)
    }

    /// The whole response as it came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole response as text, without the last line end.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(chomp(&self.bytes))
    }

    /// `*`, `+`, or the tag of the command that the response ends.
    #[must_use]
    pub fn tag(&self) -> Cow<'_, str> {
        match &self.said {
            Said::Continuation => "+".into(),
            Said::Data | Said::Untagged(_) => "*".into(),
            Said::Tagged(tag, _) => String::from_utf8_lossy(tag),
        }
    }

    pub(crate) fn is_continuation(&self) -> bool {
        self.said == Said::Continuation
    }

    /// The tag of the command that the response ends; `None` if it ends no command.
    pub(crate) fn ends(&self) -> Option<&[u8]> {
        if let Said::Tagged(tag, _) = &self.said { Some(tag) } else { None }
    }

    /// The status of a tagged or untagged response; `None` for data and continuations.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self.said {
            Said::Untagged(status) | Said::Tagged(_, status) => Some(status),
            Said::Data | Said::Continuation => None,
        }
    }

    /// The bytes after the tag, as they came.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &chomp(&self.bytes)[self.body..]
    }

    /// The bytes that the patterns of verbs are matched against: everything after the tag, or the
    /// whole continuation.
    pub(crate) fn held(&self) -> &[u8] {
        if self.is_continuation() { chomp(&self.bytes) } else { self.body() }
    }

    /// A stand-in for the server's close, for a command that may end with the close.
    pub(crate) fn of_close() -> Self {
        Self { bytes: Bytes::new(), said: Said::Continuation, body: 0, behind: 0 }
    }

    /// Whether the pattern of a verb matches the response.
    pub(crate) fn fits(&self, pattern: &Pattern) -> bool {
        if self.bytes.is_empty() {
            return pattern.eof_index().is_some();
        }
        let length = self.status().map_or(0, |status| status.as_str().len());
        pattern.matches_with(self.held(), &Verdict::first_word(length)).is_some()
    }

    /// Whether the pattern matches the whole response, with its tag.
    pub(crate) fn is_like(&self, pattern: &Pattern) -> bool {
        self.matched(pattern).is_some()
    }

    /// The whole response as a reply, with the pattern's groups; `None` if the pattern does not
    /// match.
    pub(crate) fn matched(&self, pattern: &Pattern) -> Option<Reply> {
        let verdict = Verdict { line: 0, words: words_of_protocol(&self.bytes) };
        let found = pattern.matches_with(chomp(&self.bytes), &verdict)?;
        Some(Reply::whole(self.bytes.clone(), found))
    }

    /// The kind of the response in capitals: `EXISTS`, `FETCH`, `LIST`, or the status; empty for a
    /// continuation.
    #[must_use]
    pub fn name(&self) -> String {
        let word = match self.said {
            Said::Continuation => &[],
            Said::Data if self.digits().is_some() => words(self.body()).nth(1).unwrap_or_default(),
            _ => words(self.body()).next().unwrap_or_default(),
        };
        String::from_utf8_lossy(word).to_ascii_uppercase()
    }

    /// The number at the beginning of data: the number of the message for FETCH and EXPUNGE, the
    /// number of messages for EXISTS.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.digits()?).ok()?.parse().ok()
    }

    /// The first word of data, if it is all digits. They may be more than a number can have.
    fn digits(&self) -> Option<&[u8]> {
        let word = words(self.body()).next().filter(|_| self.said == Said::Data)?;
        word.iter().all(u8::is_ascii_digit).then_some(word)
    }

    /// The values of data, after its number and name; empty for a status.
    ///
    /// # Errors
    /// Malformed if the values cannot be parsed.
    pub fn values(&self) -> Result<Vec<Value>> {
        self.spelt_out(self.plain_values()?, &mut Spare::default())
    }

    /// These values of the response, with sets as lists of numbers.
    pub(super) fn spelt_out(
        &self,
        mut values: Vec<Value>,
        spare: &mut Spare,
    ) -> Result<Vec<Value>> {
        match &*self.name() {
            // The set of VANISHED (RFC 7162 section 3.2.10).
            "VANISHED" => values.last_mut().map_or(Ok(()), |set| spell_out(set, spare)),
            "ESEARCH" => spell_out_results(&mut values, spare),
            _ => Ok(()),
        }
        .map_err(|error| error.with_got(visible::excerpt(&self.bytes, SHOWN)))?;
        Ok(values)
    }

    /// The values of data, with sets as they came.
    pub(super) fn plain_values(&self) -> Result<Vec<Value>> {
        if self.said != Said::Data {
            return Ok(Vec::new());
        }
        let names = 1 + usize::from(self.number().is_some());
        let rest = words(self.body()).take(names).fold(self.body(), |rest, word| {
            rest.trim_ascii_start().get(word.len()..).unwrap_or_default()
        });
        let read = values(rest, Grammar::of(&self.name()));
        read.map(|(values, _)| values).map_err(|unreadable| match unreadable {
            Unreadable::NoRoom(error) => error,
            Unreadable::Malformed(why) => {
                Error::new(Kind::Malformed, format!("{why} in a response"))
                    .with_got(visible::excerpt(&self.bytes, SHOWN))
            }
        })
    }

    /// The response code in brackets after the status.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        Some(self.plain_code()?.spelt_out(&mut Spare::default()))
    }

    /// The response code, with sets as they came.
    pub(super) fn plain_code(&self) -> Option<Code> {
        let (code, values) = self.bracketed()?;
        let name =
            String::from_utf8_lossy(words(code).next().unwrap_or_default()).to_ascii_uppercase();
        let values = values.into_iter().skip(1).map(|value| single(&name, value)).collect();
        Some(Code { text: String::from_utf8_lossy(code).into_owned(), name, values })
    }

    /// The text for people after a status and its code, or after the `+` of a continuation.
    #[must_use]
    pub fn remark(&self) -> Cow<'_, str> {
        if self.said == Said::Data {
            return Cow::Borrowed("");
        }
        let rest = &chomp(&self.bytes)[self.behind..];
        let code = self.bracketed().map_or(0, |(code, _)| code.len() + 2);
        String::from_utf8_lossy(rest[code..].trim_ascii_start())
    }

    fn bracketed(&self) -> Option<(&[u8], Vec<Value>)> {
        self.status()?;
        let rest = chomp(&self.bytes)[self.behind..].strip_prefix(b"[")?;
        match values(rest, Grammar::Code) {
            Ok((values, end)) if rest.get(end) == Some(&b']') => Some((&rest[..end], values)),
            // A code whose values have another grammar still has its text.
            _ => Some((&rest[..memchr::memchr(b']', rest)?], Vec::new())),
        }
    }
}

/// The error for a response that does not have the required form.
pub(super) fn unlike(response: &Response, wanted: &str) -> Error {
    let name = response.name();
    // What follows a name without a space, such as a bare CR, is shown with the response.
    let name = name.split(|c: char| !c.is_ascii_graphic()).next().unwrap_or_default();
    Error::new(Kind::Malformed, format!("the {name} response is malformed"))
        .with_expected(wanted)
        .with_got(visible::excerpt(response.bytes(), SHOWN))
}

/// The place of the words in a response in which letters match in either case: its status, or the
/// number and the name of data (RFC 3501 section 9).
pub(super) fn words_of_protocol(response: &[u8]) -> Range<usize> {
    let word_after = |from: usize| {
        let blanks = response[from..].iter().take_while(|byte| **byte == b' ').count();
        let start = from + blanks;
        let is_end = |byte: &u8| byte.is_ascii_whitespace();
        let length = response[start..].iter().position(is_end);
        start..length.map_or(response.len(), |length| start + length)
    };
    let tag = word_after(0);
    let word = word_after(tag.end);
    if word.is_empty() || !response[word.clone()].iter().all(u8::is_ascii_digit) {
        return word;
    }
    word.start..word_after(word.end).end
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
