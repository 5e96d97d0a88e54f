//! What FETCH brings (RFC 3501 section 7.4.2).

use std::collections::BTreeMap;

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
    /// What stands before the at sign; where a group begins, its name.
    pub mailbox: Option<String>,
    /// What stands behind it; nothing where a group begins or ends.
    pub host: Option<String>,
}

impl Fetched {
    /// What one FETCH response says; `None` where it is none.
    pub(super) fn of(response: &Response) -> crate::Result<Option<Self>> {
        let Some(number) = response.number().filter(|_| response.name() == "FETCH") else {
            return Ok(None);
        };
        let attributes = match response.values()?.into_iter().next() {
            Some(Value::List(values)) => {
                super::answer::pairs(values.into_iter()).into_iter().collect()
            }
            _ => return Err(super::answer::unlike(response, "a list of attributes")),
        };
        Ok(Some(Self { number, attributes }))
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

    /// Takes over what a later response says of the same message.
    pub(super) fn update(&mut self, later: Self) {
        self.attributes.extend(later.attributes);
    }
}

impl Envelope {
    /// Reads an envelope; `None` where it is not one.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let [date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id] =
            value.list()?
        else {
            return None;
        };
        Some(Self {
            date: date.text(),
            subject: subject.text(),
            from: addresses(from),
            sender: addresses(sender),
            reply_to: addresses(reply_to),
            to: addresses(to),
            cc: addresses(cc),
            bcc: addresses(bcc),
            in_reply_to: in_reply_to.text(),
            message_id: message_id.text(),
        })
    }
}

fn addresses(value: &Value) -> Vec<Address> {
    let address = |value: &Value| {
        let [name, _route, mailbox, host] = value.list()? else { return None };
        Some(Address { name: name.text(), mailbox: mailbox.text(), host: host.text() })
    };
    value.list().unwrap_or_default().iter().filter_map(address).collect()
}
