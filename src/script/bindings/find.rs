//! The word `find`, which searches text that a script already has.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Blob, ImmutableString};

use super::argument;
use crate::error::{Error, Result};
use crate::imap::{Answer, Response};
use crate::pattern::Pattern;
use crate::proto::chomp;
use crate::reply::Reply;
use crate::script::aside::aside;
use crate::script::bounds::room;
use crate::script::raise::{self, Raised, raise};

pub(super) const INTRO: &str =
    "Searches text or a reply that a script already has, as an expectation searches a stream.";

/// The bytes to search: text and blobs as they are, replies and answers without their last line
/// end, and the elements of a list with a line feed between them.
fn octets(value: &Dynamic) -> Result<Vec<u8>> {
    let copied = |bytes: &[u8]| argument::may_copy(bytes.len()).map(|()| bytes.to_vec());
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return copied(text.as_bytes());
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return copied(&bytes);
    }
    if let Some(reply) = value.read_lock::<Reply>() {
        return copied(chomp(reply.bytes()));
    }
    if let Some(answer) = value.read_lock::<Answer>() {
        return copied(chomp(answer.text().as_bytes()));
    }
    if let Some(response) = value.read_lock::<Response>() {
        return copied(chomp(response.text().as_bytes()));
    }
    if let Some(list) = value.read_lock::<Array>() {
        let lines = list.iter().map(octets).collect::<Result<Vec<_>>>()?;
        argument::may_copy(lines.iter().map(|line| line.len() + 1).sum())?;
        return Ok(lines.join(&b'\n'));
    }
    let kind = raise::kind(value.type_name());
    Err(Error::usage(format!("nothing can be found in a {kind}"))
        .hint("find looks through text, blobs, replies, answers and lists of these"))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Finds the first match of a pattern in text, a blob, a reply, an answer or a list of lines.
    /// The result is a reply, as from an expectation: `text` is the match, `before` is what stands
    /// before it, and the groups of a regex are available by number and by name. `()` if nothing
    /// matches. (If the second argument is a function and not a pattern, `find` is Rhai's own
    /// function for lists.)
    ///
    /// ```rhai
    /// let r = find("queued as 4F2A1 in 3 ms", re(`as (?P<id>\w+) in (\d+)`));
    /// assert_eq(r["id"], "4F2A1");
    /// assert_eq(r[2], "3");
    /// assert_eq(find("none here", re(`\d`)), ());
    /// assert_eq(find("a, b", any("b", "c")).before.as_string(), "a, ");
    /// assert_eq(find(hex("00ff07"), hex("ff")).before, hex("00"));
    ///
    /// let s = connect();
    /// s.expect(220);
    /// s.send("EHLO client.example");
    /// let size = s.expect(250).find(re(`^250.SIZE (\d+)`));
    /// assert(size == () || parse_int(size[1]) > 0);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn find(
        ctx: NativeCallContext,
        text: Dynamic,
        pattern: Pattern,
    ) -> Result<Dynamic, Raised> {
        let octets = octets(&text).map_err(|error| raise(&ctx, error))?;
        room(&ctx, octets.len())?;
        let found = aside(&ctx, pattern.effort(octets.len()), move || pattern.find(octets))?;
        let found = found.map_err(|error| raise(&ctx, error))?;
        Ok(found.map_or(Dynamic::UNIT, Dynamic::from))
    }

    #[rhai_fn(name = "find", return_raw)]
    pub fn find_other(
        ctx: NativeCallContext,
        text: Dynamic,
        pattern: Dynamic,
    ) -> Result<Dynamic, Raised> {
        let pattern = argument::pattern(pattern).map_err(|error| raise(&ctx, error))?;
        find(ctx, text, pattern)
    }
}
