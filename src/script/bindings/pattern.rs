//! Patterns other than plain text, and conversions between text and bytes.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use data_encoding::HEXLOWER_PERMISSIVE;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Blob, Module};

use super::verb::{Manual, registration, words_of};
use super::{argument, bounded};
use crate::error::{Error, Result};
use crate::pattern::{Code, Pattern};
use crate::script::aside::{aside, aside_on};
use crate::script::bounds::{beginning, fits_as_string};
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;

pub(super) const INTRO: &str = "Text is a literal pattern, and is sent as UTF-8. Text in double quotes has the escapes of \
Rhai (`\\r`, `\\n`, `\\x41` as a character). In text in backticks, a backslash is just a backslash, and `${...}` inserts a \
value. A blob holds bytes that are not text.";

/// The most bytes of a text that an error shows.
const SHOWN: usize = 200;

fn unhex(text: &str) -> Option<Blob> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    HEXLOWER_PERMISSIVE.decode(&digits).ok()
}

fn latin1(text: &str) -> Result<Blob> {
    let wide = |character| {
        Error::usage(format!("`{character}` is not one byte"))
            .hint("bytes(...) takes characters up to \\xff; or use hex(...)")
    };
    text.chars().map(|character| u8::try_from(character).map_err(|_| wide(character))).collect()
}

fn decoded(text: &str) -> Result<String> {
    let not = |what: &str| Error::usage(format!("the text is not {what}"));
    let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| not("base64 (RFC 4648)"))?;
    String::from_utf8(bytes)
        .map_err(|_| not("base64 of UTF-8").hint("base64_bytes(...) gives the bytes"))
}

fn decoded_bytes(text: &str) -> Result<Blob> {
    BASE64_STANDARD
        .decode(text.trim())
        .map_err(|_| Error::usage("the text is not base64 (RFC 4648)"))
}

fn any_of(ctx: &NativeCallContext<'_>, patterns: Array) -> Result<Pattern, Raised> {
    let patterns = if patterns.iter().any(Dynamic::is_fnptr) {
        Err(Error::usage("any(...) takes patterns, and no closure")
            .hint("`some(|x| ...)` asks whether a function holds for one element"))
    } else {
        argument::patterns(patterns)
    };
    patterns.and_then(Pattern::any).map_err(|error| raise(ctx, error))
}

/// Registers `any` once for each number of arguments, because Rhai has no functions with a variable
/// number of arguments.
macro_rules! any_of_each {
    ($module:expr, $manual:expr; $($($pattern:ident)+;)+) => {
        $(
            let params = [$(concat!(stringify!($pattern), ": Dynamic"),)+ "Pattern"];
            bounded::add(
                $module,
                "any",
                registration("any", $manual, &[], &params),
                |ctx: NativeCallContext, $($pattern: Dynamic),+| any_of(&ctx, vec![$($pattern),+]),
            );
        )+
    };
}

/// The words of this module, with `any` of several patterns.
#[allow(clippy::many_single_char_names, reason = "the patterns of `any` have no names")]
pub(super) fn words(manual: Manual) -> Module {
    let mut all = words_of!(words, manual);
    any_of_each! { &mut all, manual;
        a b;
        a b c;
        a b c d;
        a b c d e;
        a b c d e f;
        a b c d e f g;
        a b c d e f g h;
    }
    all
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// A regex on bytes, which may match anywhere in a reply. The syntax is that of the `regex`
    /// crate, without Unicode classes. `.` does not match a line end. `^` and `$` match at the
    /// start and end of each line, `\A` and `\z` at the start and end of the reply, which the regex
    /// sees without its last line end. Write the regex between backticks.
    ///
    /// In a stream, more bytes could make some matches longer. Such a match waits for the next
    /// byte, for the end of the stream, or until the peer has been quiet for the session's `settle`
    /// time. So results do not depend on how the bytes were cut into packets.
    ///
    /// ```rhai
    /// let s = connect();
    /// let greeting = s.expect(re(`^220 (?P<host>\S+) ESMTP`));
    /// assert_eq(greeting["host"], "localhost");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn re(ctx: NativeCallContext, regex: &str) -> Result<Pattern, Raised> {
        let pattern = Run::current().and_then(|run| run.regex(regex));
        pattern.map_err(|error| raise(&ctx, error))
    }

    /// Escapes a text for use inside a regex, so that it matches only itself. Use this for text
    /// that a script knows only when it runs.
    ///
    /// ```rhai
    /// let s = connect();
    /// let host = s.expect(re(`^220 (?P<host>\S+)`))["host"];
    /// s.send("EHLO client.example");
    /// s.expect(re(`^250-${re_escape(host)}\b`));
    /// assert_eq(re_escape("1.2"), `1\.2`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn re_escape(ctx: NativeCallContext, text: &str) -> Result<String, Raised> {
        let escaped = text.chars().filter(|c| regex_syntax::is_meta_character(*c)).count();
        fits_as_string(&ctx, text.len() + escaped)?;
        aside_on(&ctx, text, text.len() + escaped, regex_syntax::escape)
    }

    /// A pattern for a reply code, or for a class of codes such as `"25x"` or `"5xx"`. Use it in
    /// lists of alternatives.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect_any([code("5xx"), code("220")]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn code(ctx: NativeCallContext, code: &str) -> Result<Pattern, Raised> {
        Code::parse(code).map(Into::into).map_err(|error| raise(&ctx, error))
    }

    #[rhai_fn(name = "code", return_raw)]
    pub fn code_number(ctx: NativeCallContext, code: i64) -> Result<Pattern, Raised> {
        Code::new(code).map(Into::into).map_err(|error| raise(&ctx, error))
    }

    /// A pattern for a reply code with an enhanced status code. Use it in lists of alternatives.
    ///
    /// ```rhai
    /// let refused = [code("55x", "5.7.1"), code(503, "5.5.1")];
    /// let s = connect();
    /// s.expect(220);
    /// s.send("RCPT TO:<test-user@yahoo.co.jp>");
    /// s.expect_any(refused);
    /// ```
    #[rhai_fn(name = "code", return_raw)]
    pub fn code_enhanced(
        ctx: NativeCallContext,
        code: &str,
        enhanced: &str,
    ) -> Result<Pattern, Raised> {
        let code = Code::parse(code).and_then(|code| code.with_enhanced(enhanced));
        code.map(Into::into).map_err(|error| raise(&ctx, error))
    }

    #[rhai_fn(name = "code", return_raw)]
    pub fn code_number_enhanced(
        ctx: NativeCallContext,
        code: i64,
        enhanced: &str,
    ) -> Result<Pattern, Raised> {
        let code = Code::new(code).and_then(|code| code.with_enhanced(enhanced));
        code.map(Into::into).map_err(|error| raise(&ctx, error))
    }

    /// Matches one of several patterns: up to eight arguments, or a list. It works wherever a
    /// pattern is taken: in `expect`, `refute` and `require`, in a verb's `expect`, and within a
    /// list for several replies. `reply.index` says which pattern matched, from 0.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(any(220, 554));
    /// s.send("QUIT");
    /// assert_eq(s.expect(any(250, 221, eof())).index, 1);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn any(ctx: NativeCallContext, patterns: Array) -> Result<Pattern, Raised> {
        any_of(&ctx, patterns)
    }

    /// Matches if the server closes the connection, as one of several alternatives. For the close
    /// alone, use `expect_close()`.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("QUIT");
    /// s.expect(any(221, eof()));
    /// ```
    pub fn eof() -> Pattern {
        Pattern::eof()
    }

    /// Converts text to bytes, one byte for each character up to `\xff` (Latin-1).
    ///
    /// ```rhai
    /// assert_eq(bytes("\xe9\x00").len(), 2);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn bytes(ctx: NativeCallContext, text: &str) -> Result<Blob, Raised> {
        aside_on(&ctx, text, text.len(), latin1)?.map_err(|error| raise(&ctx, error))
    }

    /// Converts hexadecimal digits to bytes. Blanks between the digits are ignored.
    ///
    /// ```rhai
    /// assert_eq(hex("0d 0a"), bytes("\r\n"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn hex(ctx: NativeCallContext, digits: &str) -> Result<Blob, Raised> {
        let wrong = || {
            Error::usage(format!("`{}` is not hexadecimal", beginning(digits, SHOWN)))
                .hint("two digits a byte: hex(\"0d 0a\")")
        };
        let bytes = aside_on(&ctx, digits, digits.len() * 2, unhex)?;
        bytes.ok_or_else(|| raise(&ctx, wrong()))
    }

    /// Encodes text or bytes as base64 (RFC 4648), without line breaks.
    ///
    /// ```rhai
    /// assert_eq(base64("hoge@example.com"), "aG9nZUBleGFtcGxlLmNvbQ==");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn base64(ctx: NativeCallContext, data: Dynamic) -> Result<String, Raised> {
        let bytes = argument::bytes(data, "what to encode").map_err(|error| raise(&ctx, error))?;
        fits_as_string(&ctx, bytes.len() / 3 * 4)?;
        aside(&ctx, bytes.len(), move || BASE64_STANDARD.encode(bytes))
    }

    /// Decodes base64 to text.
    ///
    /// ```rhai
    /// assert_eq(base64_decode("VXNlcm5hbWU6"), "Username:");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn base64_decode(ctx: NativeCallContext, text: &str) -> Result<String, Raised> {
        aside_on(&ctx, text, text.len(), decoded)?.map_err(|error| raise(&ctx, error))
    }

    /// Decodes base64 to bytes.
    ///
    /// ```rhai
    /// assert_eq(base64_bytes("AP8="), hex("00ff"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn base64_bytes(ctx: NativeCallContext, text: &str) -> Result<Blob, Raised> {
        aside_on(&ctx, text, text.len(), decoded_bytes)?.map_err(|error| raise(&ctx, error))
    }

    /// Encodes text or bytes as xtext (RFC 3461 section 4), as parameters of SMTP carry them.
    /// `xclient` encodes its values by itself.
    ///
    /// ```rhai
    /// assert_eq(xtext("a=b c+d"), "a+3Db+20c+2Bd");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn xtext(ctx: NativeCallContext, data: Dynamic) -> Result<String, Raised> {
        let bytes = argument::bytes(data, "what to encode").map_err(|error| raise(&ctx, error))?;
        // Each byte takes up to three.
        fits_as_string(&ctx, bytes.len() * 3)?;
        aside(&ctx, bytes.len(), move || crate::proto::smtp::xtext(bytes))
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn pattern_to_string(pattern: &mut Pattern) -> String {
        pattern.to_string()
    }

    #[rhai_fn(name = "to_debug", pure)]
    pub fn pattern_to_debug(pattern: &mut Pattern) -> String {
        pattern.to_string()
    }
}
