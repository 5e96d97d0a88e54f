//! Converts the values of IMAP: what scripts give to its verbs, and what they get back.

use rhai::{Array, Dynamic, Map};

use crate::error::{Error, Result};
use crate::imap::{
    Address, Answer, Argument, BodyStructure, Criteria, Envelope, Fetched, Mailbox, Response, Value,
};
use crate::reply::Reply;
use crate::room;
use crate::script::bindings::argument;
use crate::script::raise;
use crate::session::Session;

/// Converts a value into an argument of a command.
pub(super) fn argument(value: Dynamic) -> Result<Argument> {
    let value = match value.try_cast_result::<Argument>() {
        Ok(argument) => return Ok(argument),
        Err(value) => value,
    };
    if let Ok(number) = value.as_int() {
        return Ok(Argument::plain(number.to_string()));
    }
    if value.is_unit() {
        return Ok(Argument::plain("NIL"));
    }
    if value.is_array() {
        return arguments(value.into_array().unwrap_or_default()).map(Argument::List);
    }
    let is_text = value.is_string();
    let bytes = argument::bytes(value, "an argument")?;
    Ok(if is_text { Argument::Text(bytes) } else { Argument::Literal(bytes) })
}

pub(super) fn arguments(values: Array) -> Result<Vec<Argument>> {
    values.into_iter().map(argument).collect()
}

/// The criteria of a search: text that is sent unchanged, or a list of arguments.
pub(super) fn criteria(value: Dynamic) -> Result<Criteria> {
    if value.is_array() {
        return arguments(value.into_array().unwrap_or_default()).map(Criteria::from);
    }
    let text = value.into_immutable_string().map_err(|kind| {
        let kind = raise::kind(kind);
        Error::usage(format!("the criteria of a search cannot be of type {kind}"))
            .hint("criteria are text as it is sent, or a list: [\"SUBJECT\", \"two words\"]")
    })?;
    Ok(Criteria::from(text.as_str()))
}

/// The result of a verb that several protocols have. In IMAP it is the answer with all responses,
/// otherwise the reply.
pub(in crate::script::bindings) fn answer(session: &Session, reply: Reply) -> Result<Dynamic> {
    if session.speaks_imap() {
        // The reply has all responses, but not which of them `require` matched. The session's last
        // answer has both.
        let last = session.last_answer().cloned();
        return last.map_or_else(|| Answer::parse(&reply), Ok).map(Dynamic::from);
    }
    Ok(Dynamic::from(reply))
}

pub(super) fn number(number: u64) -> Dynamic {
    i64::try_from(number).map_or_else(|_| number.to_string().into(), Into::into)
}

pub(super) fn numbers(all: Vec<u64>) -> Result<Array> {
    room::collect(all.into_iter().map(|one| Ok(number(one))))
}

pub(super) fn text(text: Option<String>) -> Dynamic {
    text.map_or(Dynamic::UNIT, Into::into)
}

fn texts(texts: Vec<String>) -> Result<Array> {
    room::collect(texts.into_iter().map(|text| Ok(text.into())))
}

/// Converts a value of IMAP into a value of scripts. Literals, and strings that are not UTF-8,
/// become blobs.
///
/// # Errors
/// Too long, if the script has no room for the value.
pub(super) fn value(value: Value) -> Result<Dynamic> {
    Ok(match value {
        Value::Nil => Dynamic::UNIT,
        Value::Number(n) => number(n),
        Value::List(values) => list(values)?.into(),
        Value::Literal(bytes) => Dynamic::from_blob(bytes),
        Value::Atom(bytes) | Value::Text(bytes) => String::from_utf8(bytes)
            .map_or_else(|bytes| Dynamic::from_blob(bytes.into_bytes()), Into::into),
    })
}

fn list(values: Vec<Value>) -> Result<Array> {
    room::collect(values.into_iter().map(value))
}

pub(super) fn values(pairs: Vec<(String, Value)>) -> Result<Map> {
    room::collect(pairs.into_iter().map(|(name, one)| Ok((name.into(), value(one)?))))
}

fn message(fetched: Fetched) -> Result<Dynamic> {
    let mut message = Map::new();
    message.insert("seq".into(), number(fetched.number()));
    for (name, one) in fetched.into_attributes() {
        let is_content = ["BODY[", "BINARY[", "RFC822"].iter().any(|start| name.starts_with(start))
            && name != "RFC822.SIZE";
        let envelope = if name == "ENVELOPE" { Envelope::of(&one) } else { None };
        let shown = match (one, envelope) {
            (Value::Text(bytes) | Value::Atom(bytes), _) if is_content => Dynamic::from_blob(bytes),
            (_, Some(envelope)) => self::envelope(envelope).into(),
            (one, None) if ["BODY", "BODYSTRUCTURE"].contains(&&*name) => {
                BodyStructure::of(&one).map_or_else(|| value(one), |it| Ok(Dynamic::from(it)))?
            }
            (one, None) => value(one)?,
        };
        message.insert(name.into(), shown);
    }
    Ok(message.into())
}

/// The content of a response. For FETCH it is what `fetch` returns for a message; for a number with
/// a name, the number; for a status, its response code; for any other response, its values.
pub(super) fn data(response: &Response) -> Result<Dynamic> {
    if let Some(code) = response.code() {
        let mut values = list(code.values)?;
        values.insert(0, code.name.into());
        return Ok(values.into());
    }
    match response.name().as_str() {
        "FETCH" => return message(Fetched::parse(response)?),
        "LIST" | "LSUB" => return mailbox(Mailbox::parse(response)?),
        "ESEARCH" => return values(response.search_results()?).map(Into::into),
        "STATUS" => {
            let (name, items) = response.status_items()?;
            return Ok(Dynamic::from_array(vec![name.into(), values(items)?.into()]));
        }
        _ => {}
    }
    let values = response.values()?;
    Ok(match response.number() {
        Some(n) if values.is_empty() => number(n),
        _ => list(values)?.into(),
    })
}

/// Converts the messages that a script names into the text of a set. They are a number, a list of
/// numbers, or the text of a set.
pub(super) fn set(messages: Dynamic) -> Result<String> {
    let wrong = |what: &str| {
        Error::usage(format!("messages cannot be named by {what}"))
            .hint("messages are a number, a list of numbers, or a set as text: 7, [1, 2, 5], \"2:4,7\", \"1:*\"")
    };
    let positive = |value: &Dynamic| {
        let number = value.as_int().ok().and_then(|number| u64::try_from(number).ok());
        number.filter(|number| *number > 0)
    };
    if messages.is_string() {
        return messages.into_immutable_string().map(Into::into).map_err(wrong);
    }
    if messages.is_int() {
        let number =
            positive(&messages).ok_or_else(|| wrong(&crate::visible::shortened(&messages)))?;
        return Ok(number.to_string());
    }
    let kind = messages.type_name();
    let list = messages.into_array().map_err(|_| wrong(&format!("type {}", raise::kind(kind))))?;
    let numbers: Option<Vec<_>> = list.iter().map(positive).collect();
    match numbers {
        Some(numbers) if !numbers.is_empty() => Ok(crate::imap::set(&numbers)),
        Some(_) => Err(wrong("an empty list")),
        None => Err(wrong("a list that has something else than positive integers")),
    }
}

pub(super) fn fetched(all: Vec<Fetched>) -> Result<Array> {
    room::collect(all.into_iter().map(message))
}

pub(super) fn envelope(envelope: Envelope) -> Map {
    let addresses = |all: Vec<Address>| all.into_iter().map(address).collect::<Array>().into();
    let fields: [(&str, Dynamic); 10] = [
        ("date", text(envelope.date)),
        ("subject", text(envelope.subject)),
        ("from", addresses(envelope.from)),
        ("sender", addresses(envelope.sender)),
        ("reply_to", addresses(envelope.reply_to)),
        ("to", addresses(envelope.to)),
        ("cc", addresses(envelope.cc)),
        ("bcc", addresses(envelope.bcc)),
        ("in_reply_to", text(envelope.in_reply_to)),
        ("message_id", text(envelope.message_id)),
    ];
    fields.into_iter().map(|(name, field)| (name.into(), field)).collect()
}

fn address(address: Address) -> Dynamic {
    let parts = [
        ("name", address.name),
        ("route", address.route),
        ("mailbox", address.mailbox),
        ("host", address.host),
    ];
    parts.into_iter().map(|(name, part)| (name.into(), text(part))).collect::<Map>().into()
}

pub(super) fn mailbox(mailbox: Mailbox) -> Result<Dynamic> {
    let has = |flag: &str| mailbox.flags.iter().any(|own| own.eq_ignore_ascii_case(flag));
    let child = match (has("\\HasChildren"), has("\\HasNoChildren")) {
        (true, _) => true.into(),
        (false, true) => false.into(),
        (false, false) => Dynamic::UNIT,
    };
    let parts: [(&str, Dynamic); 5] = [
        ("child", child),
        ("name", mailbox.name.into()),
        ("extended", values(mailbox.extended)?.into()),
        ("delimiter", text(mailbox.delimiter)),
        ("flags", texts(mailbox.flags)?.into()),
    ];
    Ok(parts.into_iter().map(|(name, part)| (name.into(), part)).collect::<Map>().into())
}
