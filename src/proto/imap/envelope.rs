//! The envelope of a message (RFC 3501 section 7.4.2).

use super::value::Value;

/// The envelope of a message: its date, subject, senders and recipients, from its header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// The Date field.
    pub date: Option<String>,
    /// The Subject field.
    pub subject: Option<String>,
    /// The addresses in From.
    pub from: Vec<Address>,
    /// The addresses in Sender.
    pub sender: Vec<Address>,
    /// The addresses in Reply-To.
    pub reply_to: Vec<Address>,
    /// The addresses in To.
    pub to: Vec<Address>,
    /// The addresses in Cc.
    pub cc: Vec<Address>,
    /// The addresses in Bcc.
    pub bcc: Vec<Address>,
    /// The In-Reply-To field: the Message-ID of the message that this one answers.
    pub in_reply_to: Option<String>,
    /// The Message-ID field.
    pub message_id: Option<String>,
}

/// An address in an envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The display name.
    pub name: Option<String>,
    /// The source route (RFC 5322 section 4.4), which is obsolete.
    pub route: Option<String>,
    /// The part before the at sign; at the beginning of a group, the name of the group.
    pub mailbox: Option<String>,
    /// The part after the at sign; `None` at the beginning and the end of a group.
    pub host: Option<String>,
}

impl Envelope {
    /// Reads an envelope; `None` if the value is not one (RFC 3501 section 7.4.2).
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

/// A string or NIL (`nstring` in RFC 3501 section 9); `None` if the value is neither.
#[allow(clippy::option_option, reason = "whether it is one, and whether it is NIL")]
pub(super) fn string(value: &Value) -> Option<Option<String>> {
    match value {
        Value::Nil => Some(None),
        Value::Text(_) | Value::Literal(_) => Some(value.text()),
        _ => None,
    }
}

/// Addresses or NIL; `None` if the value is neither. An empty list is not allowed.
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
