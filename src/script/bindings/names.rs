//! Values that differ from run to run: unique names, random numbers, the time, and free ports.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::Blob;
use rhai::plugin::{NativeCallContext, export_module};
use time::OffsetDateTime;
use time::format_description::parse_strftime_owned;

use crate::error::{Error, Kind, Result};
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;

pub(super) const INTRO: &str = "Values that differ from run to run on purpose. In a golden transcript, a name made by \
`unique` and a time made by `now` are tokens: `[BOX_1]` and `[NOW]`.";

/// The characters of unique names. Every server accepts them in names, and they stay distinct if a
/// server changes the case of letters.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The length of the random part of a unique name, in characters: 10 characters have 50 random
/// bits.
const UNIQUE: usize = 10;

/// The longest prefix of a unique name and the longest form of a time, in bytes. Each character of a
/// form takes a hundred times its size.
const LONGEST: usize = 1000;

/// Returns random bytes from the operating system.
fn chance(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Kind::Io, format!("the system has no randomness: {error}")))?;
    Ok(bytes)
}

/// Returns random bytes that depend on the seed of the run.
fn drawn(count: usize) -> Result<Vec<u8>> {
    let run = Run::current()?;
    Ok(run.draws.dice(run.scope().strand()).bytes(count))
}

fn unique(prefix: &str) -> Result<String> {
    if prefix.len() > LONGEST {
        let error = Error::usage(format!("the prefix has {} bytes", prefix.len()));
        return Err(error.hint(format!("a prefix has at most {LONGEST} bytes")));
    }
    let chance = chance(UNIQUE)?;
    let letters = chance.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let dash = if prefix.is_empty() { "" } else { "-" };
    let name = format!("{prefix}{dash}{}", letters.collect::<String>());
    let run = Run::current()?;
    run.values.note_known(run.scope().order(), &token(prefix), &name, true);
    Ok(name)
}

/// Returns the token that stands for a unique name in a golden transcript.
fn token(prefix: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let token: String = prefix.chars().map(plain).collect();
    if token.starts_with(|c: char| c.is_ascii_uppercase()) {
        token
    } else {
        format!("UNIQUE{token}")
    }
}

/// Returns a random number from `first` to `last`. All numbers are equally likely, except for a
/// relative error of at most 2^-64 that the remainder of a 128-bit number brings.
fn between(first: i64, last: i64, drawn: impl FnOnce() -> Result<Vec<u8>>) -> Result<i64> {
    if first > last {
        return Err(Error::usage(format!("there is no number from {first} to {last}"))
            .hint("random(1, 6): the least first, then the most"));
    }
    let span = (i128::from(last) - i128::from(first) + 1).cast_unsigned();
    let bytes: [u8; 16] = drawn()?.try_into().unwrap_or_default();
    let offset = (u128::from_be_bytes(bytes) % span).cast_signed();
    i64::try_from(i128::from(first) + offset)
        .map_err(|_| Error::usage("a number that is too large"))
}

fn formatted(format: &str) -> Result<String> {
    let wrong = || {
        Error::usage("the form of the time is wrong")
            .with_got(format)
            .hint("it is that of strftime: now(\"%d-%b-%Y %H:%M:%S\")")
    };
    if format.len() > LONGEST {
        return Err(wrong());
    }
    let items = parse_strftime_owned(format).map_err(|_| wrong())?;
    let text = OffsetDateTime::now_utc().format(&items);
    let text = text.map_err(|_| wrong())?;
    let run = Run::current()?;
    run.values.note_known(run.scope().order(), "NOW", &text, false);
    Ok(text)
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Returns a name that no other run uses: the given text, a dash, and ten letters and digits.
    /// In a golden transcript the name is a token of its own, `[BOX_1]`, in whatever line it
    /// occurs.
    ///
    /// ```rhai
    /// let one = unique("box");
    /// assert(one.starts_with("box-") && one != unique("box"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unique(ctx: NativeCallContext, prefix: &str) -> Result<String, Raised> {
        super::unique(prefix).map_err(|error| raise(&ctx, error))
    }

    /// Returns a random integer between two numbers, both included. It depends on the seed of the
    /// run, which a failure shows and `--seed` sets.
    ///
    /// ```rhai
    /// assert(random(1, 6) in 1..=6);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn random(ctx: NativeCallContext, first: i64, last: i64) -> Result<i64, Raised> {
        between(first, last, || drawn(16)).map_err(|error| raise(&ctx, error))
    }

    /// Returns a blob of random bytes, of the given length. They depend on the seed of the run.
    ///
    /// ```rhai
    /// assert_eq(random_bytes(16).len(), 16);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn random_bytes(ctx: NativeCallContext, count: i64) -> Result<Blob, Raised> {
        let count = super::super::text::count(&ctx, count, 1)?;
        drawn(count).map_err(|error| raise(&ctx, error))
    }

    /// Returns the current time as an integer: seconds since 1970 (UTC).
    ///
    /// ```rhai
    /// assert(now() > 1_700_000_000);
    /// ```
    pub fn now() -> i64 {
        OffsetDateTime::now_utc().unix_timestamp()
    }

    /// Returns the current time (UTC) in a format of strftime. For example, `now("%d-%b-%Y")` is a
    /// date as SEARCH of IMAP takes it. In a golden transcript the time is `[NOW]`. Other text may
    /// equal a time of fewer than 8 characters, or of letters only, such as `30` or `Nov`: such a
    /// time is `[NOW]` only in what the client sends, and in a `snapshot` of the time alone.
    ///
    /// ```rhai
    /// assert_eq(now("%d-%b-%Y").len(), 11);
    /// ```
    #[rhai_fn(name = "now", return_raw)]
    pub fn now_as(ctx: NativeCallContext, format: &str) -> Result<String, Raised> {
        formatted(format).map_err(|error| raise(&ctx, error))
    }

    /// Returns a TCP port of this machine on which nothing listens, for a server that the script
    /// starts. No other script gets the same port while this script runs, neither in this run nor
    /// in another one. In a golden transcript the port is a token of its own.
    ///
    /// ```rhai
    /// let port = free_port();
    /// let e = fails("refused", || connect(`smtp://127.0.0.1:${port}`));
    /// assert(e.got.contains("refused"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn free_port(ctx: NativeCallContext) -> Result<i64, Raised> {
        let port = Run::current().and_then(|run| run.values.free_port(run.scope().order()));
        port.map(i64::from).map_err(|error| raise(&ctx, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_stays_between_its_ends() {
        for (first, last) in [(1, 6), (i64::MIN, i64::MAX), (-3, -3)] {
            let number = between(first, last, || chance(16)).unwrap();
            assert!((first..=last).contains(&number), "{number}");
        }
        assert!(between(2, 1, || chance(16)).is_err());
    }
}
