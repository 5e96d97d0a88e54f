//! What FETCH brings (RFC 3501 section 7.4.2).

use std::collections::BTreeMap;

use super::misread::{pairs, unlike};
use super::response::Response;
use super::value::Value;

/// A message, as FETCH responses tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    number: u64,
    attributes: BTreeMap<String, Value>,
}

/// The envelope of a message: what its header says of whom it is from and for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// The Date field.
    pub date: Option<String>,
    /// The Subject field.
    pub subject: Option<String>,
    /// Whom it is from.
    pub from: Vec<Address>,
    /// Who sent it.
    pub sender: Vec<Address>,
    /// Where replies go.
    pub reply_to: Vec<Address>,
    /// Whom it is for.
    pub to: Vec<Address>,
    /// Who else has it.
    pub cc: Vec<Address>,
    /// Who else has it, unseen by others.
    pub bcc: Vec<Address>,
    /// The Message-ID that it answers.
    pub in_reply_to: Option<String>,
    /// Its own.
    pub message_id: Option<String>,
}

/// An address in an envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The name of a person.
    pub name: Option<String>,
    /// The source route (RFC 5322 section 4.4), which is long out of use.
    pub route: Option<String>,
    /// What stands before the at sign; where a group begins, its name.
    pub mailbox: Option<String>,
    /// What stands behind it; nothing where a group begins or ends.
    pub host: Option<String>,
}

impl Fetched {
    /// What one FETCH response says of the message with this number.
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
        Ok(Self { number, attributes: attributes.into_iter().collect() })
    }

    /// The number of the message in its mailbox.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its attributes, by their names in capitals.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, Value> {
        &self.attributes
    }

    /// The attributes themselves.
    #[must_use]
    pub fn into_attributes(self) -> BTreeMap<String, Value> {
        self.attributes
    }

    /// An attribute, whatever the case of its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.attributes.get(&name.to_ascii_uppercase())
    }

    /// The unique identifier, where it was asked for.
    #[must_use]
    pub fn uid(&self) -> Option<u64> {
        self.get("UID")?.number()
    }

    /// The flags, where they came.
    #[must_use]
    pub fn flags(&self) -> Option<Vec<String>> {
        self.get("FLAGS").map(Value::texts)
    }

    /// The envelope, where it was asked for.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope> {
        self.get("ENVELOPE").and_then(Envelope::of)
    }

    /// What the attribute holds, such as `BODY[]` or `BODY[TEXT]<0>`, as bytes.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name)?.bytes().map(std::borrow::Cow::into_owned)
    }

    /// Whether the attribute that an item asks for is there: `BODY.PEEK[TEXT]<0.9>` asks for
    /// `BODY[TEXT]<0>` (RFC 3501 section 6.4.5).
    pub(crate) fn answers(&self, item: &str) -> bool {
        let item = item.to_ascii_uppercase().replacen(".PEEK", "", 1);
        if !item.contains('[') {
            return self.attributes.contains_key(&item);
        }
        // How a server repeats the names of header fields is not told by the RFC.
        let section = |name: &str| {
            let end = name.find([' ', ']']).unwrap_or(name.len());
            name[..end].to_owned()
        };
        self.attributes.keys().any(|name| section(name) == section(&item))
    }

    /// Takes over what a later response says of the same message.
    pub(super) fn update(&mut self, later: Self) {
        self.attributes.extend(later.attributes);
    }
}

impl Envelope {
    /// Reads an envelope; `None` if it is not one (RFC 3501 section 7.4.2).
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let [date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id] =
            value.list()?
        else {
            return None;
        };
        Some(Self {
            date: string(date)?,
            subject: string(subject)?,
            from: addresses(from)?,
            sender: addresses(sender)?,
            reply_to: addresses(reply_to)?,
            to: addresses(to)?,
            cc: addresses(cc)?,
            bcc: addresses(bcc)?,
            in_reply_to: string(in_reply_to)?,
            message_id: string(message_id)?,
        })
    }
}

/// A string or NIL (`nstring` in RFC 3501 section 9); `None` if it is neither.
#[allow(clippy::option_option, reason = "whether it is one, and whether it is NIL")]
fn string(value: &Value) -> Option<Option<String>> {
    match value {
        Value::Nil => Some(None),
        Value::Text(_) => Some(value.text()),
        _ => None,
    }
}

/// Addresses or NIL; `None` if they are neither. A list of none is not allowed.
fn addresses(value: &Value) -> Option<Vec<Address>> {
    match value {
        Value::Nil => Some(Vec::new()),
        Value::List(all) if !all.is_empty() => all.iter().map(address).collect(),
        _ => None,
    }
}

fn address(value: &Value) -> Option<Address> {
    let [name, route, mailbox, host] = value.list()? else { return None };
    Some(Address {
        name: string(name)?,
        route: string(route)?,
        mailbox: string(mailbox)?,
        host: string(host)?,
    })
}

/// What an attribute has to be, if its value is something else (`msg-att` in RFC 3501 section 9).
fn wrong_form((name, value): &(String, Value)) -> Option<(&str, &'static str)> {
    let has_section =
        |start: &str| name.strip_prefix(start).is_some_and(|end| end.starts_with('['));
    let (holds, form) = match name.as_str() {
        "UID" => (value.number().is_some_and(|uid| uid > 0), "and a number"),
        "RFC822.SIZE" => (value.number().is_some(), "and a number"),
        "FLAGS" => (value.atoms().is_some(), "and a list of flags"),
        "INTERNALDATE" => (matches!(value, Value::Text(_)), "and a string"),
        "ENVELOPE" => {
            (Envelope::of(value).is_some(), "and a list of its ten parts (RFC 3501, 7.4.2)")
        }
        "BODY" | "BODYSTRUCTURE" => (value.list().is_some(), "and a list"),
        "RFC822" | "RFC822.HEADER" | "RFC822.TEXT" => (string(value).is_some(), "and a string"),
        _ if has_section("BODY") || has_section("BINARY") => {
            (string(value).is_some(), "and a string")
        }
        _ if has_section("BINARY.SIZE") => (value.number().is_some(), "and a number"),
        _ => (true, ""),
    };
    (!holds).then_some((name, form))
}
