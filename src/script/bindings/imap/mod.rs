//! The verbs of IMAP, and the values that they return.

pub(super) mod answers;
pub(super) mod extensions;
mod messages;
pub(super) mod names;
pub(super) mod structure;

pub(super) use messages::messages;
use rhai::{Array, Dynamic, Map, Module};

use super::argument;
use super::verb::{Manual, verbs};
use crate::error::{Error, Result};
use crate::imap::{
    Address, Answer, Argument, BodyStructure, Criteria, Envelope, Fetched, Mailbox, Response, Value,
};
use crate::reply::Reply;
use crate::script::raise;
use crate::session::Session;

pub(super) const INTRO: &str = "IMAP (RFC 3501, RFC 9051). Each verb makes a tag (`a1`, `a2`, ...), sends its command, and \
takes all responses up to the tagged one, which has to say OK. With `#{expect: \"NO\"}`, the text after the tag has to match \
this pattern instead.\n\nUntagged responses may come in any order. `require: [...]` lists patterns, each of which has to \
match one of them; `forbid: [...]` lists patterns that must not match any. With `only: true`, only responses that are \
required or in `allow: [...]` may come. With `ordered: true`, the required responses have to come in the order of their \
patterns.\n\nA verb fails if the server says OK without the data that the command asks for: SELECT without EXISTS, SEARCH \
without its list, STATUS, CAPABILITY, ENABLE, SORT, THREAD, NAMESPACE, GETQUOTA, GETACL, GETMETADATA, LOGOUT without BYE, \
FETCH without the requested items. `bare: true` accepts such an answer. Responses that a server sends unasked between two \
commands wait for the next answer. `FETCH` of other messages, `STATUS` of other mailboxes and ESEARCH with another tag are in \
an answer's `untagged`, but in no result. `* BYE` ends a verb at once, except `logout`.\n\nStrings are sent as atoms, quoted, \
or as literals, whichever can carry them. Literals are sent after the server asks for them, unless `literal: \"plus\"` (or \
`\"minus\"`, RFC 7888) is set. With `uid: true`, `fetch`, `store`, `search`, `esearch`, `copy`, `move` and `expunge` name \
messages by their unique identifiers.";

pub(super) const MAILBOXES: &str = "Verbs of IMAP about mailboxes. Names are sent unchanged. Names that are not ASCII have to \
be in modified UTF-7, unless another encoding was agreed on with the server (RFC 3501 section 5.1.3).";

pub(super) const MESSAGES: &str = "Verbs of IMAP about messages. Messages are named by a number, a list of numbers, or a set \
as text: `7`, `[1, 2, 5]`, `\"2:4,7\"`, `\"1:*\"`. A verb returns the data that it has read; all responses to its command are \
then in `s.answer`.";

pub(super) const ANSWERS: &str =
    "What verbs of IMAP give back: all that came for a command, and each response on its own.";

/// Converts a value into an argument of a command.
fn argument(value: Dynamic) -> Result<Argument> {
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

fn arguments(values: Array) -> Result<Vec<Argument>> {
    values.into_iter().map(argument).collect()
}

/// The criteria of a search: text that is sent unchanged, or a list of arguments.
fn criteria(value: Dynamic) -> Result<Criteria> {
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
pub(super) fn answer(session: &Session, reply: Reply) -> Result<Dynamic> {
    if session.speaks_imap() {
        // The reply has all responses, but not which of them `require` matched. The session's last
        // answer has both.
        let last = session.last_answer().cloned();
        return last.map_or_else(|| Answer::parse(&reply), Ok).map(Dynamic::from);
    }
    Ok(Dynamic::from(reply))
}

fn number(number: u64) -> Dynamic {
    i64::try_from(number).map_or_else(|_| number.to_string().into(), Into::into)
}

fn numbers(all: Vec<u64>) -> Array {
    all.into_iter().map(number).collect()
}

fn text(text: Option<String>) -> Dynamic {
    text.map_or(Dynamic::UNIT, Into::into)
}

fn texts(texts: Vec<String>) -> Array {
    texts.into_iter().map(Into::into).collect()
}

/// Converts a value of IMAP into a value of scripts. Literals, and strings that are not UTF-8,
/// become blobs.
fn value(value: Value) -> Dynamic {
    match value {
        Value::Nil => Dynamic::UNIT,
        Value::Number(n) => number(n),
        Value::List(values) => values.into_iter().map(self::value).collect::<Array>().into(),
        Value::Literal(bytes) => Dynamic::from_blob(bytes),
        Value::Atom(bytes) | Value::Text(bytes) => String::from_utf8(bytes)
            .map_or_else(|bytes| Dynamic::from_blob(bytes.into_bytes()), Into::into),
    }
}

fn values(pairs: Vec<(String, Value)>) -> Map {
    pairs.into_iter().map(|(name, one)| (name.into(), value(one))).collect()
}

fn message(fetched: Fetched) -> Dynamic {
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
                BodyStructure::of(&one).map_or_else(|| value(one), Dynamic::from)
            }
            (one, None) => value(one),
        };
        message.insert(name.into(), shown);
    }
    message.into()
}

/// The content of a response. For FETCH it is what `fetch` returns for a message; for a number with
/// a name, the number; for a status, its response code; for any other response, its values.
fn data(response: &Response) -> Result<Dynamic> {
    if let Some(code) = response.code() {
        let name = Dynamic::from(code.name);
        return Ok([name]
            .into_iter()
            .chain(code.values.into_iter().map(value))
            .collect::<Array>()
            .into());
    }
    match response.name().as_str() {
        "FETCH" => return Ok(message(Fetched::parse(response)?)),
        "LIST" | "LSUB" => return Ok(mailbox(Mailbox::parse(response)?)),
        "ESEARCH" => return Ok(values(response.search_results()?).into()),
        "STATUS" => {
            let (name, items) = response.status_items()?;
            return Ok(Dynamic::from_array(vec![name.into(), values(items).into()]));
        }
        _ => {}
    }
    let values = response.values()?;
    Ok(match response.number() {
        Some(n) if values.is_empty() => number(n),
        _ => values.into_iter().map(value).collect::<Array>().into(),
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
        let number = positive(&messages).ok_or_else(|| wrong(&messages.to_string()))?;
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

fn fetched(all: Vec<Fetched>) -> Array {
    all.into_iter().map(message).collect()
}

fn envelope(envelope: Envelope) -> Map {
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

fn mailbox(mailbox: Mailbox) -> Dynamic {
    let has = |flag: &str| mailbox.flags.iter().any(|own| own.eq_ignore_ascii_case(flag));
    let child = match (has("\\HasChildren"), has("\\HasNoChildren")) {
        (true, _) => true.into(),
        (false, true) => false.into(),
        (false, false) => Dynamic::UNIT,
    };
    let parts: [(&str, Dynamic); 5] = [
        ("child", child),
        ("name", mailbox.name.into()),
        ("extended", values(mailbox.extended).into()),
        ("delimiter", text(mailbox.delimiter)),
        ("flags", texts(mailbox.flags).into()),
    ];
    parts.into_iter().map(|(name, part)| (name.into(), part)).collect::<Map>().into()
}

pub(super) fn words(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Sends any command, and takes all responses to it. The text is sent unchanged. Arguments
        /// that may need quotes or a literal are given as a list.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 SELECT INBOX
        /// S: * FLAGS (\Answered \Seen)
        /// S: * 3 EXISTS
        /// S: a1 OK [READ-WRITE] done
        /// C: a2 FROB
        /// S: a2 BAD no such command
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let r = s.command("SELECT INBOX", #{require: ["* FLAGS", re(`^\* \d+ EXISTS`)], forbid: [re("EXPUNGE")]});
        /// assert_eq(r.status, "OK");
        /// assert_eq(r.code, "READ-WRITE");
        /// assert_eq(r.untagged[1].number, 3);
        /// s.command("FROB", #{expect: "BAD"});
        /// ```
        command(session, call, text: &str) -> Answer { session.command(text, &[]).with(call).await }

        /// Sends a command with arguments. Text is sent as an atom, a quoted string or a literal,
        /// whichever can carry the text. A blob is sent as a literal, `()` as NIL, a list in
        /// parentheses, and `atom(...)` and a number as they are.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 APPEND "lab box" (\Seen) {11}
        /// S: + go on
        /// C: Subject: hi
        /// S: a1 OK [APPENDUID 38505 3955] done
        /// C: a2 SEARCH CHARSET UTF-8 BODY {6+}
        /// C: Grüß
        /// S: * SEARCH 1 2
        /// S: a2 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let r = s.command("APPEND", ["lab box", [atom(`\Seen`)], bytes("Subject: hi")]);
        /// assert_eq(r.codes.APPENDUID, [38505, 3955]);
        /// s.command("SEARCH CHARSET UTF-8 BODY", ["Grüß"], #{literal: "plus"});
        /// ```
        command(session, call, text: &str, arguments: Array) -> Answer { session.command(text, &self::arguments(arguments)?).with(call).await }

        /// Enables extensions (RFC 5161).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 ENABLE CONDSTORE
        /// S: * ENABLED CONDSTORE
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.enable("CONDSTORE", #{require: "* ENABLED CONDSTORE"});
        /// ```
        enable(session, call, capabilities: &str) -> Answer { session.enable(capabilities).with(call).await }

        /// Begins an IDLE, in which the server can send news at any time (RFC 2177). `expect` takes
        /// the news, and `done` ends the IDLE. No other verb can be used during an IDLE; end it and
        /// begin another: `s.done(); s.noop(); s.idle();`. To test how a server reacts to a command
        /// during IDLE, send the command by hand. That line takes the place of `s.send("DONE")`,
        /// and the server answers it with the tag of the IDLE.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 IDLE
        /// S: + idling
        /// S: * 4 EXISTS
        /// C: DONE
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.idle();
        /// s.expect(re("EXISTS"), #{timeout: "2m"});
        /// s.done();
        /// ```
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 IDLE
        /// S: + idling
        /// C: a2 NOOP
        /// S: a1 BAD Expected DONE.
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.idle();
        /// s.send("a2 NOOP");
        /// s.expect("a1 BAD Expected DONE");
        /// ```
        idle(session, call) -> Answer { session.idle().with(call).await }

        /// Ends an IDLE (RFC 2177). Responses that came meanwhile, and that no `expect` has taken,
        /// are among the untagged responses.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 IDLE
        /// S: + idling
        /// C: DONE
        /// S: * 1 RECENT
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.idle();
        /// assert_eq(s.done().recent, 1);
        /// ```
        done(session, call) -> Answer { session.done().with(call).await }
    }
    module
}

pub(super) fn mailboxes(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Opens a mailbox (RFC 3501 section 6.3.1).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 SELECT "lab box"
        /// S: * FLAGS (\Answered \Seen)
        /// S: * 3 EXISTS
        /// S: * 0 RECENT
        /// S: * OK [UIDVALIDITY 1795323818] UIDs valid
        /// S: a1 OK [READ-WRITE] done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let lab = s.select("lab box");
        /// assert_eq([lab.exists, lab.recent], [3, 0]);
        /// assert_eq(lab.codes.UIDVALIDITY, 1795323818);
        /// assert("READ-WRITE" in lab.codes);
        /// ```
        select(session, call, mailbox: &str) -> Answer { session.select(mailbox).with(call).await }

        /// Opens a mailbox for reading only (RFC 3501 section 6.3.2).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 EXAMINE nosuch
        /// S: a1 NO Mailbox doesn't exist
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.examine("nosuch", #{expect: "NO"});
        /// ```
        examine(session, call, mailbox: &str) -> Answer { session.examine(mailbox).with(call).await }

        /// Leaves the mailbox without expunging messages (RFC 3691).
        unselect(session, call) -> Answer { session.unselect().with(call).await }

        /// Creates a mailbox (RFC 3501 section 6.3.3).
        create(session, call, mailbox: &str) -> Answer { session.create(mailbox).with(call).await }

        /// Deletes a mailbox (RFC 3501 section 6.3.4).
        delete(session, call, mailbox: &str) -> Answer { session.delete(mailbox).with(call).await }

        /// Renames a mailbox (RFC 3501 section 6.3.5).
        rename(session, call, from: &str, to: &str) -> Answer { session.rename(from, to).with(call).await }

        /// Subscribes to a mailbox (RFC 3501 section 6.3.6).
        subscribe(session, call, mailbox: &str) -> Answer { session.subscribe(mailbox).with(call).await }

        /// Unsubscribes from a mailbox (RFC 3501 section 6.3.7).
        unsubscribe(session, call, mailbox: &str) -> Answer { session.unsubscribe(mailbox).with(call).await }

        /// Lists the mailboxes of IMAP whose names match the pattern (RFC 3501 section 6.3.8). In
        /// the pattern, `*` stands for anything, and `%` for one level. Returns a list of maps with
        /// `name`, `delimiter`, `flags`, `child` (whether the mailbox has children, `()` if the
        /// server does not say) and `extended`, a map of what RFC 5258 adds, such as `CHILDINFO`.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 LIST "" "*"
        /// S: * LIST (\HasNoChildren) "/" INBOX
        /// S: * LIST (\HasNoChildren \Sent) "/" "Sent mail"
        /// S: * LIST () "/" Lists ("CHILDINFO" ("SUBSCRIBED"))
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let all = s.list("", "*");
        /// assert_eq(all.map(|mailbox| mailbox.name), ["INBOX", "Sent mail", "Lists"]);
        /// assert(`\Sent` in all[1].flags);
        /// assert_eq(all[2].extended.CHILDINFO, ["SUBSCRIBED"]);
        /// ```
        list(session, call, reference: &str, pattern: &str) -> Array {
            Ok(session.list(reference, pattern).with(call).await?.into_iter().map(mailbox).collect())
        }

        /// Asks about a mailbox without opening it (RFC 3501 section 6.3.10). Returns a map of the
        /// items.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 STATUS INBOX (MESSAGES UNSEEN)
        /// S: * STATUS INBOX (MESSAGES 3 UNSEEN 2)
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.status("INBOX", "MESSAGES UNSEEN").UNSEEN, 2);
        /// ```
        status(session, call, mailbox: &str, items: &str) -> Map { Ok(values(session.status(mailbox, items).with(call).await?)) }
    }
    module
}
