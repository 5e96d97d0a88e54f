//! The structure of a message (`body` in RFC 3501 section 9).

use std::fmt;
use std::sync::Arc;

use super::envelope::{Envelope, string};
use super::value::Value;

/// A message or one of its parts, as BODY and BODYSTRUCTURE describe it (RFC 3501 section 7.4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyStructure {
    /// The number of the part for `BODY[3.2]`; empty for a message that has parts.
    pub number: String,
    /// The media type in lower case: `text`, `multipart`.
    pub r#type: String,
    /// The subtype in lower case: `plain`, `mixed`.
    pub subtype: String,
    /// The parameters; their names are in lower case: `charset`.
    pub params: Vec<(String, String)>,
    /// The Content-ID field of the part.
    pub id: Option<String>,
    /// The Content-Description field of the part.
    pub description: Option<String>,
    /// The Content-Transfer-Encoding field of the part.
    pub encoding: Option<String>,
    /// The number of octets as encoded; `None` for a multipart.
    pub size: Option<u64>,
    /// The number of lines, for text and for an enclosed message.
    pub lines: Option<u64>,
    /// The Content-MD5 field of the part.
    pub md5: Option<String>,
    /// The Content-Disposition field of the part, with its parameters.
    pub disposition: Option<(String, Vec<(String, String)>)>,
    /// The Content-Language field of the part.
    pub language: Vec<String>,
    /// The Content-Location field of the part.
    pub location: Option<String>,
    /// The envelope of an enclosed message.
    pub envelope: Option<Envelope>,
    /// The parts of a multipart, or of an enclosed message.
    pub parts: Vec<BodyStructure>,
    source: Source,
}

/// The list that describes a part, as it came. All parts share the list of the whole message: if
/// each kept its own, one that is nested a hundred deep would be copied a hundred times.
#[derive(Clone, Default)]
struct Source {
    whole: Arc<Value>,
    /// The places that lead from the whole list to that of the part.
    places: Vec<usize>,
}

impl Source {
    fn inner(&self, place: usize) -> Self {
        let places = self.places.iter().copied().chain([place]).collect();
        Self { whole: Arc::clone(&self.whole), places }
    }

    fn value(&self) -> &Value {
        self.places.iter().fold(&self.whole, |value, place| {
            value.list().and_then(|values| values.get(*place)).unwrap_or(&Value::Nil)
        })
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for Source {}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

impl BodyStructure {
    /// Reads the structure of a message; `None` if the value is not one.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let is_multipart = matches!(value.list()?.first()?, Value::List(_));
        let source = Source { whole: Arc::new(value.clone()), places: Vec::new() };
        read(value, if is_multipart { "" } else { "1" }, source)
    }

    /// The whole structure of this part as it came.
    #[must_use]
    pub fn value(&self) -> &Value {
        self.source.value()
    }

    /// The part with this number, such as `3.2`.
    #[must_use]
    pub fn part(&self, number: &str) -> Option<&Self> {
        if self.number == number {
            return Some(self);
        }
        self.parts.iter().find_map(|part| part.part(number))
    }
}

/// The place of the enclosed message in the list of a part.
const ENCLOSED: usize = 8;

fn read(value: &Value, number: &str, source: Source) -> Option<BodyStructure> {
    let values = value.list()?;
    let is_multipart = matches!(values.first()?, Value::List(_));
    let of = if is_multipart { multipart } else { single };
    let mut body = of(values, number, &source)?;
    number.clone_into(&mut body.number);
    body.source = source;
    Some(body)
}

fn multipart(values: &[Value], number: &str, source: &Source) -> Option<BodyStructure> {
    let count = values.iter().take_while(|value| matches!(value, Value::List(_))).count();
    let (parts, rest) = values.split_at(count);
    let numbered = |(place, part)| {
        let dot = if number.is_empty() { "" } else { "." };
        read(part, &format!("{number}{dot}{}", place + 1), source.inner(place))
    };
    let (subtype, rest) = rest.split_first()?;
    let mut body = BodyStructure {
        r#type: "multipart".to_owned(),
        subtype: word(subtype)?,
        parts: parts.iter().enumerate().map(numbered).collect::<Option<_>>()?,
        ..BodyStructure::default()
    };
    if let Some((given, rest)) = rest.split_first() {
        body.params = params(given)?;
        extend(&mut body, rest)?;
    }
    Some(body)
}

fn single(values: &[Value], number: &str, source: &Source) -> Option<BodyStructure> {
    let [kind, subtype, given, id, description, encoding, size, rest @ ..] = values else {
        return None;
    };
    let mut body = BodyStructure {
        r#type: word(kind)?,
        subtype: word(subtype)?,
        params: params(given)?,
        id: string(id)?,
        description: string(description)?,
        encoding: string(encoding)?,
        size: Some(size.number()?),
        ..BodyStructure::default()
    };
    let mut rest = rest;
    let is_message = body.r#type == "message"
        && match body.subtype.as_str() {
            "rfc822" => true,
            // Only IMAP4rev2 describes what it encloses (RFC 9051 section 7.5.2).
            "global" => matches!(rest.first(), Some(Value::List(_))),
            _ => false,
        };
    if is_message {
        let [envelope, enclosed, lines, others @ ..] = rest else { return None };
        body.envelope = Some(Envelope::of(envelope)?);
        let has_parts = matches!(enclosed.list()?.first()?, Value::List(_));
        // The parts of an enclosed multipart continue the number of the part that encloses it.
        let inner = if has_parts { number.to_owned() } else { format!("{number}.1") };
        let mut enclosed = read(enclosed, &inner, source.inner(ENCLOSED))?;
        if has_parts {
            enclosed.number.clear();
        }
        body.parts = vec![enclosed];
        body.lines = Some(lines.number()?);
        rest = others;
    } else if body.r#type == "text" {
        let (lines, others) = rest.split_first()?;
        body.lines = Some(lines.number()?);
        rest = others;
    }
    if let Some((md5, rest)) = rest.split_first() {
        body.md5 = string(md5)?;
        extend(&mut body, rest)?;
    }
    Some(body)
}

/// Reads the fields that only BODYSTRUCTURE has, as many as came.
fn extend(body: &mut BodyStructure, values: &[Value]) -> Option<()> {
    let mut values = values.iter();
    if let Some(disposition) = values.next() {
        body.disposition = match disposition {
            Value::Nil => None,
            Value::List(parts) => {
                let [kind, given] = &**parts else { return None };
                Some((word(kind)?, params(given)?))
            }
            _ => return None,
        };
    }
    if let Some(language) = values.next() {
        body.language = match language {
            Value::Nil => Vec::new(),
            Value::List(_) => language.texts(),
            _ => vec![language.text()?],
        };
    }
    if let Some(location) = values.next() {
        body.location = string(location)?;
    }
    Some(())
}

/// A string in lower case.
fn word(value: &Value) -> Option<String> {
    string(value)?.map(|word| word.to_ascii_lowercase())
}

/// Names and values of parameters in turn, or NIL.
fn params(value: &Value) -> Option<Vec<(String, String)>> {
    if *value == Value::Nil {
        return Some(Vec::new());
    }
    let mut params = Vec::new();
    for pair in value.list()?.chunks(2) {
        let [name, value] = pair else { return None };
        params.push((word(name)?, string(value)?.unwrap_or_default()));
    }
    Some(params)
}

#[cfg(test)]
mod tests {
    use super::super::value::{Grammar, values};
    use super::*;

    fn structure(text: &str) -> Option<BodyStructure> {
        let (values, _) = values(text.as_bytes(), Grammar::Data).unwrap();
        BodyStructure::of(&values[0])
    }

    const TEXT: &str =
        r#"("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 12 1 NIL ("INLINE" NIL) "en" NIL)"#;

    #[test]
    fn a_message_of_one_part_is_part_1() {
        let body = structure(TEXT).unwrap();
        assert_eq!((&*body.number, &*body.r#type, &*body.subtype), ("1", "text", "plain"));
        assert_eq!(body.params, [("charset".to_owned(), "utf-8".to_owned())]);
        assert_eq!(
            (body.size, body.lines, body.encoding.as_deref()),
            (Some(12), Some(1), Some("7BIT"))
        );
        assert_eq!(body.disposition, Some(("inline".to_owned(), vec![])));
        assert_eq!(body.language, ["en"]);
        assert_eq!(body.part("1").unwrap(), &body);
    }

    #[test]
    fn parts_of_parts_and_of_enclosed_messages_are_found_by_their_numbers() {
        let envelope = r#"(NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL)"#;
        let inner = format!("({TEXT}{TEXT} \"ALTERNATIVE\" NIL NIL NIL)");
        let enclosed = format!(
            "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 300 {envelope} {inner} 20 NIL NIL NIL NIL)"
        );
        let single =
            format!("(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 300 {envelope} {TEXT} 20)");
        let body =
            structure(&format!("({TEXT}{inner}{enclosed}{single} \"MIXED\" (\"BOUNDARY\" \"x\"))"))
                .unwrap();
        assert_eq!((&*body.number, body.parts.len(), body.size), ("", 4, None));
        for (number, shape) in [
            ("1", "text/plain"),
            ("2", "multipart/alternative"),
            ("2.2", "text/plain"),
            ("3", "message/rfc822"),
            ("3.2", "text/plain"),
            ("4.1", "text/plain"),
        ] {
            let part = body.part(number).unwrap_or_else(|| panic!("no part {number}"));
            assert_eq!(format!("{}/{}", part.r#type, part.subtype), shape, "{number}");
        }
        assert_eq!(
            body.part("3").unwrap().envelope.as_ref().unwrap().subject.as_deref(),
            Some("inner")
        );
        for (number, value) in [("1", TEXT), ("2", &inner), ("3.2", TEXT), ("4", &single)] {
            let (values, _) = values(value.as_bytes(), Grammar::Data).unwrap();
            assert_eq!(body.part(number).unwrap().value(), &values[0], "{number}");
        }
        let deepest = body.part("4.1").unwrap();
        let shared = &body.value().list().unwrap()[3].list().unwrap()[ENCLOSED];
        assert!(std::ptr::eq(deepest.value(), shared), "a part copies its list");
        assert_eq!(body.part("5"), None);
        assert_eq!(body.part("4.2"), None);
    }

    #[test]
    fn a_global_message_is_described_with_or_without_what_it_encloses() {
        let basic = structure(r#"("MESSAGE" "GLOBAL" NIL NIL NIL "8BIT" 300 NIL NIL "en")"#);
        let basic = basic.unwrap();
        assert_eq!((basic.parts.len(), basic.size, basic.lines), (0, Some(300), None));
        assert_eq!(basic.language, ["en"]);
        let envelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
        let whole = format!(r#"("MESSAGE" "GLOBAL" NIL NIL NIL "8BIT" 300 {envelope} {TEXT} 20)"#);
        let whole = structure(&whole).unwrap();
        assert_eq!((&*whole.parts[0].subtype, whole.lines), ("plain", Some(20)));
        assert_eq!(
            structure(&format!("(\"MESSAGE\" \"GLOBAL\" NIL NIL NIL \"8BIT\" 300 {TEXT})")),
            None
        );
    }

    #[test]
    fn a_value_that_is_no_structure_is_none() {
        for wrong in [
            "(1)",
            "()",
            "(\"TEXT\" \"PLAIN\")",
            "((\"TEXT\") \"MIXED\")",
            "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" many 1)",
            "(\"A\" \"B\" (\"C\") NIL NIL NIL 1)",
        ] {
            assert_eq!(structure(wrong), None, "{wrong}");
        }
    }
}
