//! What an expectation returns.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Blob, ImmutableString};

use crate::error::Error;
use crate::reply::Reply;
use crate::script::bounds::room;
use crate::script::lists;
use crate::script::raise::{Raised, raise};
use crate::script::texts::decoded;
use crate::{suggest, visible};

pub(super) const INTRO: &str = "The result of an expectation: a whole reply, a line, or a piece of a stream. The groups of a \
regex are available by number (`r[1]`) and by name (`r[\"id\"]`); a group that took no part in the match is `()`. \
A reply equals no text and no number, so `==` and `!=` between them are errors: compare `r.text` or `r.code`.";

/// The names of the properties of a reply.
fn properties() -> Vec<&'static str> {
    let mut properties = Vec::new();
    words::RHAI_MANIFEST.for_each_fn(false, &mut |word| {
        properties.extend(word.name().strip_prefix("get$"));
    });
    properties
}

fn copied(ctx: &NativeCallContext<'_>, bytes: &[u8]) -> Result<Blob, Raised> {
    room(ctx, bytes.len())?;
    Ok(bytes.to_vec())
}

/// What a group matched; `()` if it took no part in the match.
fn group_of(ctx: &NativeCallContext<'_>, matched: Option<&[u8]>) -> Result<Dynamic, Raised> {
    matched.map_or(Ok(Dynamic::UNIT), |bytes| decoded(ctx, bytes).map(Into::into))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The whole reply as it came, with all its lines, without the last line end. In a stream, the
    /// match. Bytes that are not UTF-8 become U+FFFD; `bytes` has the original bytes.
    ///
    /// ```rhai
    /// let s = connect();
    /// assert(s.expect(220).text.starts_with("220 localhost"));
    /// ```
    #[rhai_fn(get = "text", return_raw, pure)]
    pub fn text_of(ctx: NativeCallContext, reply: &mut Reply) -> Result<ImmutableString, Raised> {
        decoded(&ctx, reply.matched())
    }

    /// The lines of `text`, without their line ends. The list is empty if an empty block came, or
    /// if the reply was not kept.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("EHLO client.example");
    /// assert("250-PIPELINING" in s.expect(250).lines);
    /// ```
    #[rhai_fn(get = "lines", return_raw, pure)]
    pub fn lines(ctx: NativeCallContext, reply: &mut Reply) -> Result<Array, Raised> {
        if reply.bytes().is_empty() {
            return Ok(Array::new());
        }
        match std::str::from_utf8(reply.matched()) {
            Ok(text) => lists::texts(&ctx, crate::reply::lines(text)),
            Err(_) => lists::texts(&ctx, crate::reply::lines(&decoded(&ctx, reply.matched())?)),
        }
    }

    /// The reply code as an integer; `()` if there is none.
    #[rhai_fn(get = "code", pure)]
    pub fn code(reply: &mut Reply) -> Dynamic {
        reply.code().map_or(Dynamic::UNIT, |code| i64::from(code).into())
    }

    /// The enhanced status code as text (`"5.7.1"`); `()` if there is none.
    #[rhai_fn(get = "enhanced", pure)]
    pub fn enhanced(reply: &mut Reply) -> Dynamic {
        reply.enhanced().map_or(Dynamic::UNIT, |enhanced| enhanced.to_string().into())
    }

    /// The response code as text, without its brackets; `()` if there is none. Examples are
    /// `"IN-USE"` of `-ERR [IN-USE] ...` in POP3 (RFC 2449 section 8), and `"QUOTA/MAXSIZE"` of
    /// `NO (QUOTA/MAXSIZE) ...` in ManageSieve (RFC 5804 section 1.3).
    ///
    /// ```dialogue pop3
    /// S: +OK ready
    /// C: USER mrose
    /// S: -ERR [IN-USE] another session has the mailbox
    /// ```
    ///
    /// ```rhai
    /// let s = connect(param("pop3"));
    /// s.expect("+OK");
    /// s.send("USER mrose");
    /// assert_eq(s.expect("-ERR").response_code, "IN-USE");
    /// ```
    #[rhai_fn(get = "response_code", pure)]
    pub fn response_code(reply: &mut Reply) -> Dynamic {
        reply.response_code().map_or(Dynamic::UNIT, |code| code.into_owned().into())
    }

    /// All bytes that the expectation took, as a blob, line ends included.
    #[rhai_fn(get = "bytes", return_raw, pure)]
    pub fn bytes_of(ctx: NativeCallContext, reply: &mut Reply) -> Result<Blob, Raised> {
        copied(&ctx, reply.bytes())
    }

    /// The number of octets that the expectation took, whether or not they were kept. For a
    /// multi-line block, its size without its last line and with doubled dots made single.
    ///
    /// ```rhai
    /// let s = connect();
    /// let greeting = s.expect(220);
    /// assert_eq(greeting.octets, greeting.bytes.len());
    /// ```
    #[rhai_fn(get = "octets", pure)]
    pub fn octets(reply: &mut Reply) -> i64 {
        i64::try_from(reply.octets()).unwrap_or(i64::MAX)
    }

    /// How long the reply took to come, in seconds, from the start of the word that took it. To
    /// require that a reply does not come before a time, give the word `#{after: "800ms"}`.
    ///
    /// ```rhai
    /// let s = connect();
    /// assert(s.expect(220).took < 5.0);
    /// let e = fails("unexpected", || s.noop(#{after: "1m"}));
    /// assert_eq(e.expected, "not before 60 s");
    /// ```
    #[rhai_fn(get = "took", pure)]
    pub fn took(reply: &mut Reply) -> f64 {
        reply.took().as_secs_f64()
    }

    /// The bytes before the match in a stream, as a blob; empty for a whole reply.
    #[rhai_fn(get = "before", return_raw, pure)]
    pub fn before(ctx: NativeCallContext, reply: &mut Reply) -> Result<Blob, Raised> {
        copied(&ctx, reply.before())
    }

    /// The index of the alternative that matched, from 0.
    #[rhai_fn(get = "index", pure)]
    pub fn index(reply: &mut Reply) -> i64 {
        i64::try_from(reply.index()).unwrap_or(i64::MAX)
    }

    /// What a group of the regex matched, by number: `r[1]`. `r[0]` is the whole match.
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn group(ctx: NativeCallContext, reply: &mut Reply, group: i64) -> Result<Dynamic, Raised> {
        if let Some(group) = usize::try_from(group).ok().filter(|group| *group < reply.groups()) {
            group_of(&ctx, reply.get(group))
        } else {
            let groups = reply.groups();
            let error = Error::usage(format!("there is no group {group}"));
            Err(raise(
                &ctx,
                error.hint(format!("the pattern has {groups} groups, with the whole match as 0; only re(...) has any")),
            ))
        }
    }

    /// What a group of the regex matched, by name: `r["id"]` for `(?P<id>...)`.
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn group_named(
        ctx: NativeCallContext,
        reply: &mut Reply,
        name: &str,
    ) -> Result<Dynamic, Raised> {
        if !reply.names().contains(&name) {
            let lacking =
                if properties().contains(&name) { "group" } else { "property and no group" };
            let error =
                Error::usage(format!("a reply has no {lacking} `{}`", visible::quoted(name)));
            let hint = match (suggest::nearest(name, properties()), reply.names()) {
                (Some(near), _) if near == name => {
                    format!(
                        "`{near}` is a property, which is written r.{near}; r[\"...\"] is a group of the regex"
                    )
                }
                (Some(near), names) if names.is_empty() => format!("did you mean `{near}`?"),
                (None, names) if names.is_empty() => {
                    "the pattern has no named groups, which are (?P<name>...) in re(...)".to_owned()
                }
                (_, names) => format!("the pattern's named groups are: {}", names.join(", ")),
            };
            return Err(raise(&ctx, error.hint(hint)));
        }
        group_of(&ctx, reply.name(name))
    }

    #[rhai_fn(name = "to_string", return_raw, pure)]
    pub fn reply_to_string(
        ctx: NativeCallContext,
        reply: &mut Reply,
    ) -> Result<ImmutableString, Raised> {
        decoded(&ctx, reply.matched())
    }

    #[rhai_fn(name = "to_debug", pure)]
    pub fn reply_to_debug(reply: &mut Reply) -> String {
        visible::escape(reply.text().as_bytes())
    }
}
