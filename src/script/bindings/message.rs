//! Words that compose, parse and compare messages.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::argument;
use super::message_size::{lines_size, parsed_size};
use crate::error::{Error, Result};
use crate::message::{self, Attachment, Draft, Parsed, delivered, parse, resembles};
use crate::reply::Reply;
use crate::script::aside::aside;
use crate::script::bounds::room;
use crate::script::lists::{list, push, texts as list_of};
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;

pub(super) const INTRO: &str = "Messages (RFC 5322, MIME). Fields that are not given get values that are the same in every \
run, so the same call gives the same message.";

const PARTS: [&str; 11] = [
    "from",
    "to",
    "cc",
    "subject",
    "text",
    "html",
    "attachments",
    "headers",
    "date",
    "message_id",
    "encoding",
];
const ATTACHMENT: [&str; 3] = ["name", "type", "content"];

fn text(name: &str, value: Dynamic) -> Result<String> {
    let text = value.into_immutable_string().map_err(|kind| {
        Error::usage(format!("`{name}` of a message is text, and not of type {kind}"))
    })?;
    argument::may_copy(text.len())?;
    Ok(text.into_owned())
}

/// Reads one text or a list of texts.
fn texts(name: &str, value: Dynamic) -> Result<Vec<String>> {
    match value.try_cast_result::<Array>() {
        Ok(list) => list.into_iter().map(|value| text(name, value)).collect(),
        Err(one) => Ok(vec![text(name, one)?]),
    }
}

fn map(name: &str, value: Dynamic) -> Result<Map> {
    value.try_cast::<Map>().ok_or_else(|| {
        Error::usage(format!("`{name}` of a message is a map")).hint("#{name: \"value\"}")
    })
}

/// The date as given, or the date of the run for `now`.
fn date(text: String) -> String {
    if text == "now" { message::now() } else { text }
}

fn message_id(text: String) -> String {
    if text == "unique" { message::unique_id() } else { text }
}

/// An encoding that leaves text as it is.
fn encoding(name: String) -> Result<String> {
    if ["7bit", "8bit", "binary"].contains(&&*name) {
        return Ok(name);
    }
    let error = Error::usage(format!("text cannot be left as it is in the encoding `{name}`"));
    Err(error
        .hint("encoding: \"8bit\" (or 7bit, or binary); without it, text is encoded as needed"))
}

fn draft(parts: Map) -> Result<Draft> {
    let mut draft = Draft::default();
    for (name, value) in parts {
        argument::check_known(&name, &PARTS)?;
        match name.as_str() {
            "from" => draft.from = text(&name, value)?,
            "to" => draft.to = texts(&name, value)?,
            "cc" => draft.cc = texts(&name, value)?,
            "subject" => draft.subject = text(&name, value)?,
            "text" => draft.text = Some(text(&name, value)?),
            "html" => draft.html = Some(text(&name, value)?),
            "date" => draft.date = Some(date(text(&name, value)?)),
            "message_id" => draft.message_id = Some(message_id(text(&name, value)?)),
            "encoding" => draft.encoding = Some(encoding(text(&name, value)?)?),
            "headers" => {
                let headers = map(&name, value)?.into_iter();
                draft.headers = headers
                    .map(|(name, value)| Ok((name.to_string(), text(&name, value)?)))
                    .collect::<Result<_>>()?;
            }
            _ => draft.attachments = attachments(&name, value)?,
        }
    }
    Ok(draft)
}

fn attachments(name: &str, value: Dynamic) -> Result<Vec<Attachment>> {
    let wrong = || {
        Error::usage("`attachments` of a message is a list")
            .hint("[#{name: \"a.csv\", type: \"text/csv\", content: \"a,b\"}]")
    };
    value
        .into_array()
        .map_err(|_| wrong())?
        .into_iter()
        .map(|one| attachment(map(name, one)?))
        .collect()
}

/// How many bytes the parts of a message have.
fn size(draft: &Draft) -> usize {
    let texts = [&draft.text, &draft.html, &draft.date, &draft.message_id].into_iter().flatten();
    let lists = draft.to.iter().chain(&draft.cc);
    let headers = draft.headers.iter().flat_map(|(name, value)| [name, value]);
    let all = texts.chain(lists).chain(headers).chain([&draft.from, &draft.subject]);
    let attached = draft.attachments.iter().map(|attachment| attachment.content.len());
    all.map(String::len).chain(attached).sum()
}

fn attachment(parts: Map) -> Result<Attachment> {
    let mut attachment = Attachment {
        name: String::new(),
        kind: "application/octet-stream".to_owned(),
        content: Vec::new(),
    };
    for (name, value) in parts {
        argument::check_known(&name, &ATTACHMENT)?;
        match name.as_str() {
            "name" => attachment.name = text(&name, value)?,
            "type" => attachment.kind = text(&name, value)?,
            _ => attachment.content = argument::bytes(value, "an attachment")?,
        }
    }
    Ok(attachment)
}

/// The bytes of a fetched message, for a comparison with the sent one. Text without any CR was
/// written by a script, or is the text of a reply, so its line ends become CRLF, as in text that is
/// sent. Otherwise a bare LF stays, because the server sent it.
fn came(value: Dynamic) -> Result<Vec<u8>> {
    let is_text = value.as_immutable_string_ref().is_ok_and(|text| !text.contains('\r'));
    if is_text { outgoing(value) } else { content(value) }
}

/// The bytes of a message: a reply, text or a blob.
fn content(value: Dynamic) -> Result<Vec<u8>> {
    match value.try_cast_result::<Reply>() {
        Ok(reply) => Ok(reply.bytes().to_vec()),
        Err(value) => argument::bytes(value, "a message"),
    }
}

/// The bytes of a message as it is sent: the line ends of text become CRLF, and the last line gets
/// a line end if it has none.
fn outgoing(value: Dynamic) -> Result<Vec<u8>> {
    let mut bytes = match value.try_cast_result::<Reply>() {
        Ok(reply) => reply.bytes().to_vec(),
        Err(value) => argument::message(value)?.bytes().to_vec(),
    };
    if !bytes.is_empty() && !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    Ok(bytes)
}

/// The result of a check. A check that passes counts as an expectation of the script.
fn checked<T>(ctx: &NativeCallContext<'_>, given: Result<T>) -> Result<T, Raised> {
    let given = given.map_err(|error| raise(ctx, error))?;
    if let Ok(run) = Run::current() {
        run.count_check();
    }
    Ok(given)
}

fn optional(text: Option<&str>) -> Dynamic {
    text.map_or(Dynamic::UNIT, Into::into)
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Composes a message, and returns it as text with CRLF at its line ends. All parts may be left
    /// out: `from`, `to` and `cc` (text or lists), `subject`, `text`, `html`, `attachments`,
    /// `headers`, `date`, `message_id`. Text that is not ASCII is encoded (RFC 2047, RFC 2045).
    /// With `encoding: "8bit"` (or `"7bit"`, or `"binary"`), `text` and `html` stay as they are,
    /// however long their lines are.
    ///
    /// Without `date`, the date is the same in every run, and `date: "now"` is the date of the run.
    /// The Message-ID and the boundaries of the parts are derived from the content, and
    /// `message_id: "unique"` is another one in each run.
    ///
    /// ```rhai
    /// let mail = message(#{
    ///     from: "Kim <hoge@example.com>",
    ///     to: ["test-user@example.com"],
    ///     subject: "grüße",
    ///     text: "See below.\n",
    ///     attachments: [#{name: "list.csv", type: "text/csv", content: "a,b\r\n"}],
    ///     headers: #{"X-Test": "one"},
    /// });
    /// let s = connect();
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// s.mail("hoge@example.com");
    /// s.rcpt("test-user@example.com");
    /// s.data(mail);
    /// s.quit();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn message(ctx: NativeCallContext, parts: Map) -> Result<String, Raised> {
        let draft = draft(parts).map_err(|error| raise(&ctx, error))?;
        let size = size(&draft);
        room(&ctx, size.saturating_mul(3))?;
        aside(&ctx, size, move || String::from_utf8_lossy(&draft.compose()).into_owned())
    }

    /// Parses a message: a reply, text or a blob. The result has `from`, `to` and `cc` (lists),
    /// `subject`, `text`, `html` and `message_id` (each `()` if the message has none),
    /// `attachments` (a list of maps with `name`, `type` and `content`, a blob) and `headers` (a
    /// list of maps with `name` and `value`). `m["x-test"]` is the first header of that name, in
    /// any case.
    ///
    /// ```rhai
    /// let m = parse_message("From: Kim <hoge@example.com>\r\nSubject: =?utf-8?Q?gr=C3=BC=C3=9Fe?=\r\n\r\nHi\r\n");
    /// assert_eq(m.from, ["Kim <hoge@example.com>"]);
    /// assert_eq(m["SUBJECT"], "grüße");
    /// assert_eq(m.text, "Hi\r\n");
    /// assert_eq(m["Received"], ());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse_message(ctx: NativeCallContext, message: Dynamic) -> Result<Parsed, Raised> {
        let bytes = content(message).map_err(|error| raise(&ctx, error))?;
        room(&ctx, parsed_size(&bytes))?;
        aside(&ctx, bytes.len(), move || parse(&bytes))?.map_err(|error| raise(&ctx, error))
    }

    /// Fails the script unless the fetched message is the sent one, byte for byte, except for
    /// headers that servers have added in front (RFC 5321 section 4.4). Returns the added headers
    /// as text. The fetched message is a reply, text or a blob. In text without any CR, the line
    /// ends count as CRLF, as in text that is sent.
    ///
    /// ```rhai
    /// let sent = message(#{from: "hoge@example.com", subject: "hello", text: "Hi\n"});
    /// let added = assert_delivered("Received: from a by b\r\n" + sent, sent);
    /// assert(added.starts_with("Received:"));
    /// assert_delivered("A: b\n\nhi\n", "A: b\n\nhi\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_delivered(
        ctx: NativeCallContext,
        fetched: Dynamic,
        sent: Dynamic,
    ) -> Result<String, Raised> {
        let both = came(fetched).and_then(|came| Ok((came, outgoing(sent)?)));
        let (came, sent) = both.map_err(|error| raise(&ctx, error))?;
        room(&ctx, lines_size(&came) + lines_size(&sent))?;
        let added = aside(&ctx, came.len() + sent.len(), move || {
            delivered(&came, &sent).map(|added| String::from_utf8_lossy(added).into_owned())
        })?;
        checked(&ctx, added)
    }

    /// Fails the script unless a message matches a template. The message is a reply, text or a
    /// blob. Each header of the template has to be in the message, in any order; `*` in the value
    /// of a header stands for any characters. Two headers of the template need two headers of the
    /// message. The body has to be the same line by line; a line `*` stands for any number of
    /// lines. The message may have headers that the template does not have.
    ///
    /// ```rhai
    /// let mail = "Received: from a by b id 4711\r\nSubject: hello\r\n\r\nHi\r\n\r\nBye\r\n";
    /// assert_mail(mail, "Subject: hello\nReceived: from * by b id *\n\nHi\n*\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_mail(
        ctx: NativeCallContext,
        fetched: Dynamic,
        template: Dynamic,
    ) -> Result<(), Raised> {
        let both =
            content(fetched).and_then(|came| Ok((came, argument::bytes(template, "a template")?)));
        let (came, template) = both.map_err(|error| raise(&ctx, error))?;
        let size = [&came, &template].map(|bytes| parsed_size(bytes) + lines_size(bytes));
        room(&ctx, size.iter().sum())?;
        let alike = aside(&ctx, came.len() + template.len(), move || resembles(&came, &template))?;
        checked(&ctx, alike)
    }

    #[rhai_fn(get = "from", return_raw, pure)]
    pub fn from(ctx: NativeCallContext, message: &mut Parsed) -> Result<Array, Raised> {
        list_of(&ctx, &message.from)
    }

    #[rhai_fn(get = "to", return_raw, pure)]
    pub fn to(ctx: NativeCallContext, message: &mut Parsed) -> Result<Array, Raised> {
        list_of(&ctx, &message.to)
    }

    #[rhai_fn(get = "cc", return_raw, pure)]
    pub fn cc(ctx: NativeCallContext, message: &mut Parsed) -> Result<Array, Raised> {
        list_of(&ctx, &message.cc)
    }

    #[rhai_fn(get = "subject", pure)]
    pub fn subject(message: &mut Parsed) -> Dynamic {
        optional(message.subject())
    }

    #[rhai_fn(get = "message_id", pure)]
    pub fn message_id(message: &mut Parsed) -> Dynamic {
        optional(message.message_id())
    }

    #[rhai_fn(get = "text", pure)]
    pub fn text_of(message: &mut Parsed) -> Dynamic {
        optional(message.text.as_deref())
    }

    #[rhai_fn(get = "html", pure)]
    pub fn html(message: &mut Parsed) -> Dynamic {
        optional(message.html.as_deref())
    }

    #[rhai_fn(get = "headers", return_raw, pure)]
    pub fn headers(ctx: NativeCallContext, message: &mut Parsed) -> Result<Array, Raised> {
        let header = |(name, value): &(String, String)| {
            Map::from([("name".into(), name.into()), ("value".into(), value.into())])
        };
        list(&ctx, message.headers.iter().map(header).map(Dynamic::from))
    }

    #[rhai_fn(get = "attachments", return_raw, pure)]
    pub fn attachments_of(ctx: NativeCallContext, message: &mut Parsed) -> Result<Array, Raised> {
        let mut all = Array::new();
        for Attachment { name, kind, content } in &message.attachments {
            room(&ctx, content.len())?;
            let parts = Map::from([
                ("name".into(), name.into()),
                ("type".into(), kind.into()),
                ("content".into(), Dynamic::from_blob(content.clone())),
            ]);
            push(&ctx, &mut all, parts)?;
        }
        Ok(all)
    }

    /// The first header of that name, in any case: `m["x-test"]`; `()` if there is none.
    #[rhai_fn(index_get, pure)]
    pub fn header(message: &mut Parsed, name: &str) -> Dynamic {
        optional(message.header(name))
    }

    /// Whether the message has a header of that name: `"X-Test" in m`.
    #[rhai_fn(name = "contains", pure)]
    pub fn has_header(message: &mut Parsed, name: &str) -> bool {
        message.header(name).is_some()
    }
}
