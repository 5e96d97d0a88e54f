//! The structure of a message, as `fetch` returns it.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::values::{number, text};
use crate::error::{Error, Kind};
use crate::imap::BodyStructure;
use crate::script::lists::{list, texts};
use crate::script::raise::{Raised, raise};
use crate::visible;

pub(in crate::script::bindings) const INTRO: &str = "The value that `fetch` returns for `BODYSTRUCTURE` and `BODY`: a \
message, whose parts are found by their numbers as in `BODY[3.2]` (RFC 3501 section 6.4.5). A property that a part does not \
have is `()`.";

fn params(params: &[(String, String)]) -> Map {
    params.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The part with this number. It is a failure if the message has no such part.
    ///
    /// ```dialogue imap
    /// S: * OK hi
    /// C: a1 FETCH 1 BODYSTRUCTURE
    /// S: * 1 FETCH (BODYSTRUCTURE (("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 12 1 NIL NIL NIL)("IMAGE" "PNG" ("NAME" "a.png") "<1@x>" "a picture" "BASE64" 400 NIL ("ATTACHMENT" ("FILENAME" "a.png")) "en") "MIXED" ("BOUNDARY" "b")))
    /// S: a1 OK done
    /// ```
    /// ```rhai
    /// let s = connect(param("imap"));
    /// s.expect("* OK");
    /// let b = s.fetch(1, "BODYSTRUCTURE")[0].BODYSTRUCTURE;
    /// assert_eq([b.type, b.subtype, b.params.boundary, b.parts.len()], ["multipart", "mixed", "b", 2]);
    /// assert_eq([b["1"].lines, b["1"].params.charset], [1, "utf-8"]);
    /// let image = b["2"];
    /// assert_eq([image.size, image.encoding, image.id, image.description], [400, "BASE64", "<1@x>", "a picture"]);
    /// assert_eq([image.disposition.type, image.disposition.params.filename], ["attachment", "a.png"]);
    /// ```
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn part(
        ctx: NativeCallContext,
        body: &mut BodyStructure,
        part: &str,
    ) -> Result<BodyStructure, Raised> {
        body.part(part).cloned().ok_or_else(|| {
            let part = visible::quoted(part);
            let error = Error::new(Kind::Assert, format!("the message has no part {part}"));
            raise(&ctx, error.with_got(body_to_string(body)))
        })
    }

    /// The number of this part, as in `BODY[3.2]`; empty for a message that has parts.
    #[rhai_fn(get = "number", pure)]
    pub fn number_of(body: &mut BodyStructure) -> String {
        body.number.clone()
    }

    /// The type, in lower case: `"text"`, `"multipart"`.
    #[rhai_fn(get = "type", pure)]
    pub fn type_of_part(body: &mut BodyStructure) -> String {
        body.r#type.clone()
    }

    /// The subtype, in lower case: `"plain"`, `"mixed"`.
    #[rhai_fn(get = "subtype", pure)]
    pub fn subtype(body: &mut BodyStructure) -> String {
        body.subtype.clone()
    }

    /// The parameters as a map, with their names in lower case.
    #[rhai_fn(get = "params", pure)]
    pub fn params_of(body: &mut BodyStructure) -> Map {
        params(&body.params)
    }

    /// The Content-ID of the part.
    #[rhai_fn(get = "id", pure)]
    pub fn id(body: &mut BodyStructure) -> Dynamic {
        text(body.id.clone())
    }

    /// The Content-Description of the part.
    #[rhai_fn(get = "description", pure)]
    pub fn description(body: &mut BodyStructure) -> Dynamic {
        text(body.description.clone())
    }

    /// The Content-Transfer-Encoding of the part.
    #[rhai_fn(get = "encoding", pure)]
    pub fn encoding(body: &mut BodyStructure) -> Dynamic {
        text(body.encoding.clone())
    }

    /// How many octets the part has in its transfer encoding; `()` for a multipart.
    #[rhai_fn(get = "size", pure)]
    pub fn size(body: &mut BodyStructure) -> Dynamic {
        body.size.map_or(Dynamic::UNIT, number)
    }

    /// How many lines a text or an enclosed message has.
    #[rhai_fn(get = "lines", pure)]
    pub fn lines(body: &mut BodyStructure) -> Dynamic {
        body.lines.map_or(Dynamic::UNIT, number)
    }

    /// The Content-MD5 of the part.
    #[rhai_fn(get = "md5", pure)]
    pub fn md5(body: &mut BodyStructure) -> Dynamic {
        text(body.md5.clone())
    }

    /// The Content-Disposition of the part, as a map with `type` and `params`.
    #[rhai_fn(get = "disposition", pure)]
    pub fn disposition(body: &mut BodyStructure) -> Dynamic {
        let Some((kind, given)) = &body.disposition else { return Dynamic::UNIT };
        let mut disposition = Map::new();
        disposition.insert("type".into(), kind.into());
        disposition.insert("params".into(), params(given).into());
        disposition.into()
    }

    /// The languages of the part, as a list.
    #[rhai_fn(get = "language", return_raw, pure)]
    pub fn language(ctx: NativeCallContext, body: &mut BodyStructure) -> Result<Array, Raised> {
        texts(&ctx, &body.language)
    }

    /// The Content-Location of the part.
    #[rhai_fn(get = "location", pure)]
    pub fn location(body: &mut BodyStructure) -> Dynamic {
        text(body.location.clone())
    }

    /// The envelope of an enclosed message, in the same form as `fetch` returns it.
    #[rhai_fn(get = "envelope", pure)]
    pub fn envelope(body: &mut BodyStructure) -> Dynamic {
        body.envelope
            .clone()
            .map_or(Dynamic::UNIT, |envelope| super::super::values::envelope(envelope).into())
    }

    /// The parts of a multipart. For an enclosed message, the list holds the message.
    #[rhai_fn(get = "parts", return_raw, pure)]
    pub fn parts(ctx: NativeCallContext, body: &mut BodyStructure) -> Result<Array, Raised> {
        list(&ctx, body.parts.iter().cloned().map(Dynamic::from))
    }

    /// The whole structure as nested lists, as the server sent it.
    #[rhai_fn(get = "data", return_raw, pure)]
    pub fn data(ctx: NativeCallContext, body: &mut BodyStructure) -> Result<Dynamic, Raised> {
        super::super::values::value(body.value().clone()).map_err(|error| raise(&ctx, error))
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn body_to_string(body: &mut BodyStructure) -> String {
        let parts: Vec<_> = body.parts.iter_mut().map(body_to_string).collect();
        let name = visible::escape(format!("{}/{}", body.r#type, body.subtype).as_bytes());
        let number =
            if body.number.is_empty() { String::new() } else { format!("{} ", body.number) };
        let parts =
            if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        format!("{number}{name}{parts}")
    }
}
