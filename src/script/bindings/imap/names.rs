//! Words for values of IMAP: names of mailboxes, arguments of commands and message numbers.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::Array;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};

use crate::error::{Error, Result};
use crate::imap::Argument;
use crate::script::bindings::argument::bytes;
use crate::script::raise::{Raised, raise};
use crate::visible;

/// The numbers that messages had before any of them was expunged (RFC 3501 section 7.4.1).
fn numbers_before(expunged: &Array) -> Result<Array> {
    let mut gone: Vec<i64> = Vec::new();
    let mut before = Array::new();
    for number in expunged {
        let number = number.as_int().map_err(|_| {
            Error::usage("gone(...) takes numbers of messages").hint("gone(s.expunge())")
        })?;
        // Each message that was expunged earlier and stood before this one has lowered its number
        // by one.
        let mut original = number;
        for earlier in &gone {
            if *earlier <= original {
                original += 1;
            }
        }
        let place = gone.partition_point(|earlier| *earlier < original);
        gone.insert(place, original);
        before.push(original.into());
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
    pub fn mutf7(name: &str) -> String {
        crate::imap::mutf7(name)
    }

    /// The name that is encoded in modified UTF-7.
    ///
    /// ```rhai
    /// assert_eq(mutf7_decode("Entw&APw-rfe"), "Entwürfe");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mutf7_decode(ctx: NativeCallContext, name: &str) -> Result<String, Raised> {
        crate::imap::mutf7_decode(name).ok_or_else(|| {
            let shown = visible::escape(name.as_bytes());
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
        numbers_before(&expunged).map_err(|error| raise(&ctx, error))
    }
}
