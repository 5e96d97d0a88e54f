//! The names of attributes that have a section: `BODY[1.HEADER.FIELDS (SUBJECT)]<0>`
//! (`msg-att-static` in RFC 3501 section 9, RFC 3516 section 4.3).

use std::collections::BTreeSet;

/// The name of an attribute with a section, in capitals.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section<'a> {
    /// `BODY`, `BINARY` or `BINARY.SIZE`.
    attribute: &'a str,
    /// The part of the message, such as `1.HEADER.FIELDS`.
    part: &'a str,
    /// The names of header fields, with their parentheses.
    fields: &'a str,
    /// The number of the first octet, if the content is not the whole.
    origin: Option<&'a str>,
}

impl<'a> Section<'a> {
    /// Reads the name of an attribute in a response; `None` if it has no section, or one that is
    /// not of its form.
    pub(super) fn of(name: &'a str) -> Option<Self> {
        let (attribute, rest) = name.split_once('[')?;
        let (section, origin) = rest.rsplit_once(']')?;
        let origin = match origin {
            "" => None,
            _ => Some(origin.strip_prefix('<')?.strip_suffix('>')?),
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (part, fields) = section.find(' ').map_or((section, ""), |at| section.split_at(at));
        let has_fields = part.ends_with("HEADER.FIELDS") || part.ends_with("HEADER.FIELDS.NOT");
        let is_list = |fields: &str| fields.starts_with(" (") && fields.ends_with(')');
        let is_well = ["BODY", "BINARY", "BINARY.SIZE"].contains(&attribute)
            && origin.is_none_or(is_number)
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
            && if has_fields { is_list(fields) } else { fields.is_empty() };
        is_well.then_some(Self { attribute, part, fields, origin })
    }

    /// What the section is of, without the header fields.
    pub(super) fn head(&self) -> Head<&'a str> {
        (self.attribute, self.part, self.origin)
    }

    /// The names of the header fields. The RFC does not say in which order, and in which form of a
    /// string, a server repeats them. `None` for lists with escapes or literals, which are not
    /// compared.
    pub(super) fn names(&self) -> Option<BTreeSet<&'a str>> {
        if self.fields.contains(['{', '\\']) {
            return None;
        }
        let names = self.fields.split([' ', '(', ')']).map(|name| name.trim_matches('"'));
        Some(names.filter(|name| !name.is_empty()).collect())
    }
}

/// The attribute, the part, and the number of the first octet.
pub(super) type Head<T> = (T, T, Option<T>);

/// The section that an item of FETCH asks for: `BODY.PEEK[TEXT]<0.9>` asks for `BODY[TEXT]<0>`.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The name of the attribute, without the number of the first octet.
    name: String,
    origin: Option<String>,
    /// The most octets that are asked for.
    pub(super) most: Option<usize>,
}

impl Asked {
    /// Reads an item that is given in capitals.
    pub(super) fn of(item: &str) -> Self {
        let item = item.replacen(".PEEK", "", 1);
        let Some((name, octets)) = item.rsplit_once('<') else {
            return Self { name: item, origin: None, most: None };
        };
        let (origin, most) = match octets.trim_end_matches('>').split_once('.') {
            Some((origin, most)) => (origin, most.parse().ok()),
            None => (octets, None),
        };
        Self { name: name.to_owned(), origin: Some(origin.to_owned()), most }
    }

    /// The section; `None` if the item has none of its form.
    pub(super) fn section(&self) -> Option<Section<'_>> {
        let section = Section::of(&self.name)?;
        Some(Section { origin: self.origin.as_deref(), ..section })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_its_form() {
        for name in [
            "BODY",
            "BODY[",
            "BODY[ ]",
            "BODY[]Z",
            "BODY[]+",
            "BODY[]<>",
            "BODY[]<0",
            "BODY[]<0.1>",
            "BODY[]<-1>",
            "BODY[TEXT (A)]",
            "BODY[HEADER.FIELDS]",
            "BODY[HEADER.FIELDS (A]",
            "BODYX[]",
        ] {
            assert_eq!(Section::of(name), None, "{name}");
        }
    }
}
