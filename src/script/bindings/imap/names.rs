//! Words for values of IMAP: names of mailboxes, arguments of commands and message numbers.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::Array;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};

use crate::error::Error;
use crate::imap::{Argument, Expunged};
use crate::script::aside::aside_on;
use crate::script::bindings::argument::bytes;
use crate::script::bounds::{look, room};
use crate::script::raise::{Raised, raise};
use crate::visible;

/// The memory that a removed message takes: its number in the list, and the one it had before.
const REMOVED: usize = 64;

fn numbers_before(ctx: &NativeCallContext<'_>, expunged: &Array) -> Result<Array, Raised> {
    room(ctx, expunged.len().saturating_mul(REMOVED))?;
    let wrong = || {
        raise(ctx, Error::usage("gone(...) takes numbers of messages").hint("gone(s.expunge())"))
    };
    let mut gone = Expunged::default();
    let mut before = Array::new();
    for number in expunged {
        look(ctx)?;
        let number = number.as_int().ok().and_then(|number| u32::try_from(number).ok());
        let original = gone.remove(number.filter(|number| *number > 0).ok_or_else(wrong)?);
        before.push(Dynamic::from_int(original.cast_signed()));
    }
    Ok(before)
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The name of a mailbox in modified UTF-7 (RFC 3501 section 5.1.3). Verbs send names
    /// unchanged, so a name that is not ASCII has to be encoded first.
    ///
    /// ```rhai
    /// assert_eq(mutf7("Entwürfe"), "Entw&APw-rfe");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mutf7(ctx: NativeCallContext, name: &str) -> Result<String, Raised> {
        // In the worst case, every second character is encoded, and takes five more bytes.
        let encoded = name.bytes().filter(|byte| !matches!(byte, b' '..=b'%' | b'\''..=b'~'));
        let length = name.len() + encoded.count() * 5;
        aside_on(&ctx, name, length, crate::imap::mutf7)
    }

    /// The name that is encoded in modified UTF-7.
    ///
    /// ```rhai
    /// assert_eq(mutf7_decode("Entw&APw-rfe"), "Entwürfe");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mutf7_decode(ctx: NativeCallContext, name: &str) -> Result<String, Raised> {
        let decoded = aside_on(&ctx, name, name.len() * 2, crate::imap::mutf7_decode)?;
        decoded.ok_or_else(|| {
            let shown = visible::quoted(name);
            raise(&ctx, Error::usage(format!("`{shown}` is not modified UTF-7 (RFC 3501, 5.1.3)")))
        })
    }

    /// An argument of `command` that is sent as a `literal8`, which may hold NUL (RFC 3516).
    ///
    /// ```dialogue imap
    /// S: * OK hi
    /// C: a1 APPEND INBOX ~{2+}
    /// C: hi
    /// S: a1 OK done
    /// ```
    /// ```rhai
    /// let s = connect(param("imap"));
    /// s.expect("* OK");
    /// s.command("APPEND", ["INBOX", literal8("hi")], #{literal: "plus"});
    /// ```
    #[rhai_fn(return_raw)]
    pub fn literal8(ctx: NativeCallContext, octets: Dynamic) -> Result<Argument, Raised> {
        bytes(octets, "a literal").map(Argument::Literal8).map_err(|error| raise(&ctx, error))
    }

    /// The numbers that messages had before any of them was expunged. EXPUNGE reports each number
    /// as it is after the messages before it have been removed.
    ///
    /// ```rhai
    /// assert_eq(gone([2, 2, 1]), [2, 3, 1]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn gone(ctx: NativeCallContext, expunged: Array) -> Result<Array, Raised> {
        numbers_before(&ctx, &expunged)
    }
}
