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

    /// Whether this is the name under which an item of FETCH comes back, which is given in
    /// capitals; `None` if the item has no section.
    pub(super) fn answers(&self, item: &str) -> Option<bool> {
        let item = item.replacen(".PEEK", "", 1);
        // An item has the number of octets as well: `BODY[]<0.100>`.
        let (name, origin) = match item.rsplit_once('<') {
            Some((name, octets)) => (name, Some(octets.split('.').next().unwrap_or_default())),
            None => (&*item, None),
        };
        let asked = Section::of(name)?;
        let is_it =
            (self.attribute, self.part, self.origin) == (asked.attribute, asked.part, origin);
        Some(is_it && have_same_fields(self.fields, asked.fields))
    }
}

/// Whether two lists have the same header fields. The RFC does not say in which order, and in which
/// form of a string, a server repeats the names. Lists with escapes or literals are not compared.
fn have_same_fields(one: &str, other: &str) -> bool {
    let is_hard = |fields: &str| fields.contains(['{', '\\']);
    let names = |fields: &'_ str| -> BTreeSet<String> {
        let names = fields.split([' ', '(', ')']).map(|name| name.trim_matches('"'));
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    one == other || is_hard(one) || is_hard(other) || names(one) == names(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_answers_the_item_that_asked_for_it() {
        for (item, name, answers) in [
            ("BODY[]", "BODY[]", true),
            ("BODY.PEEK[]", "BODY[]", true),
            ("BODY[]<0.100>", "BODY[]<0>", true),
            ("BODY[]", "BODY[]<0>", false),
            ("BODY[]<0.100>", "BODY[]", false),
            ("BODY[]<10.5>", "BODY[]<0>", false),
            ("BODY[TEXT]", "BODY[HEADER]", false),
            ("BODY[1]", "BODY[1.MIME]", false),
            ("BINARY.PEEK[1.2]", "BINARY[1.2]", true),
            ("BINARY[1]", "BODY[1]", false),
            ("BINARY.SIZE[1]", "BINARY.SIZE[1]", true),
            ("BODY[HEADER.FIELDS (TO)]", "BODY[HEADER.FIELDS (\"TO\")]", true),
            ("BODY[HEADER.FIELDS (TO)]", "BODY[HEADER.FIELDS.NOT (TO)]", false),
            ("BODY[HEADER.FIELDS (TO CC)]", "BODY[HEADER.FIELDS (\"CC\" \"TO\")]", true),
            ("BODY[HEADER.FIELDS (TO CC)]", "BODY[HEADER.FIELDS (TO)]", false),
            ("BODY[HEADER.FIELDS (TO)]<0.9>", "BODY[HEADER.FIELDS (CC)]<0>", false),
            ("BODY[HEADER.FIELDS (TO)]", "BODY[HEADER.FIELDS ({2}\r\nTO)]", true),
        ] {
            let section = Section::of(name).unwrap();
            assert_eq!(section.answers(item), Some(answers), "{item} {name}");
        }
    }

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
