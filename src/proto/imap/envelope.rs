//! The envelope of a message (RFC 3501 section 7.4.2).

use super::value::Value;

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
    /// What stands after it; nothing if a group begins or ends.
    pub host: Option<String>,
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
pub(super) fn string(value: &Value) -> Option<Option<String>> {
    match value {
        Value::Nil => Some(None),
        Value::Text(_) | Value::Literal(_) => Some(value.text()),
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
