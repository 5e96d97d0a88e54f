//! Words that read files.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{NativeCallContext, export_module};
use rhai::{Array, Blob, Dynamic, Map};

use super::argument::{boolean, check_known};
use crate::error::Result;
use crate::message::mbox;
use crate::script::lists::list;
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;

pub(super) const INTRO: &str = "A script may read files in its folder, in the current folder, and below them; in folders that \
`--allow-read DIR` names; and files whose paths are values of parameters. A path is relative to the script. A file may have \
up to 16 MiB.";

fn contents(path: &str, options: &Map) -> Result<Blob> {
    let mut crlf = false;
    for (name, value) in options {
        check_known(name, &["crlf"])?;
        crlf = boolean(name, value)?;
    }
    let bytes = Run::current()?.read(path)?;
    Ok(if crlf { with_crlf(&bytes) } else { bytes })
}

/// The bytes with CRLF at each line end, whether it was LF or CRLF.
fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                lines.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                lines.extend_from_slice(b"\r\n");
            }
            None => lines.extend_from_slice(line),
        }
    }
    lines
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Returns the content of a file as a blob, byte for byte. With `#{crlf: true}`, each line end
    /// becomes CRLF, as mail needs it. `.as_string()` converts a blob to text.
    ///
    /// ```rhai
    /// let script = read("example.rhai");
    /// assert(script.as_string().contains("read("));
    /// let mail = read("example.rhai", #{crlf: true});
    /// assert(mail.len() > script.len());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read(ctx: NativeCallContext, path: &str) -> Result<Blob, Raised> {
        contents(path, &Map::new()).map_err(|error| raise(&ctx, error))
    }

    #[rhai_fn(name = "read", return_raw)]
    pub fn read_with(ctx: NativeCallContext, path: &str, options: Map) -> Result<Blob, Raised> {
        contents(path, &options).map_err(|error| raise(&ctx, error))
    }

    /// Returns the messages of an mbox file (RFC 4155) as a list of blobs. The `From ` lines
    /// between the messages are left out, one `>` is removed from each `>From ` line, and each line
    /// ends with CRLF.
    ///
    /// ```rhai,ignore
    /// for mail in mbox("mails.mbox") {
    ///     s.mail("sender@example.com");
    ///     s.rcpt("test-user@example.com");
    ///     s.data(mail);
    /// }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mbox(ctx: NativeCallContext, path: &str) -> Result<Array, Raised> {
        let mails = Run::current().and_then(|run| super::mbox(&run.read(path)?));
        let mails = mails.map_err(|error| raise(&ctx, error))?;
        list(&ctx, mails.into_iter().map(Dynamic::from_blob))
    }
}
