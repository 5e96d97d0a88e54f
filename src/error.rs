//! The error type of the crate: what went wrong in a dialogue, with its parts.

mod kind;
mod questions;
#[cfg(feature = "cli")]
mod short;

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::duration::shown;
use crate::secrets::Learned;
use crate::visible;

pub use kind::Kind;

/// What went wrong, with the parts that a person needs to decide what to do next.
///
/// Query the error by predicates such as [`Error::is_timeout`], or by its [`Error::kind`], whose
/// name a script sees as `e.kind`. [`Debug`](fmt::Debug) shows everything that
/// [`Display`](fmt::Display) shows, and adds the place in the source at which the operation was
/// called, and the last lines of the transcript.
///
/// ```
/// use mailexpect::{ErrorKind, Pattern};
///
/// let error = Pattern::regex("(").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Usage);
/// assert_eq!(error.kind().name(), "usage");
/// ```
#[derive(Clone)]
pub struct Error(Box<Parts>);

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone)]
struct Parts {
    kind: Kind,
    message: String,
    expected: Option<String>,
    got: Option<String>,
    sent: Option<String>,
    waited: Option<Waited>,
    session: Option<String>,
    hint: Option<String>,
    /// Whether the same call may succeed later.
    is_of_moment: bool,
    /// The seed of the random decisions before the error, if there were any.
    seed: Option<u64>,
    /// Where in a Rust source the operation was called, and the end of the transcript then.
    source: Option<(&'static Location<'static>, String)>,
}

/// How long an operation waited, and how long it might have waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waited {
    /// The time from the operation's start to its failure.
    pub elapsed: Duration,
    /// The time that the operation was allowed to take.
    pub allowed: Duration,
}

/// Returns a part of an error in one line, without what could control a terminal. A part may quote
/// a value of any length, and is shortened here so that no report shows megabytes of it.
fn line(part: &str) -> String {
    visible::printable(&visible::shortened(part))
}

/// Does the same with a part that may have several lines.
fn lines(part: impl fmt::Display) -> String {
    visible::printable_lines(&visible::shortened(part))
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", shown::show(self.elapsed), shown::show(self.allowed))
    }
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            message: line(&message.into()),
            expected: None,
            got: None,
            sent: None,
            waited: None,
            session: None,
            hint: None,
            is_of_moment: false,
            seed: None,
            source: None,
        }))
    }

    /// Makes an error for a call that is itself wrong: an unknown scheme, a pattern that does not
    /// compile, a word that makes no sense at its place.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Makes an error about a file or a folder that cannot be read. Whoever gave its name has to
    /// give another one, or to mend the file.
    pub(crate) fn unreadable(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::usage(format!("cannot read {what}: {why}")).of_moment()
    }

    /// Makes an error about a file or a folder that cannot be written. See [`Error::unreadable`].
    pub(crate) fn unwritable(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::usage(format!("cannot write {what}: {why}"))
    }

    /// Notes that the same call may succeed later, although it is wrong now: a file may be written,
    /// or a port become free.
    pub(crate) fn of_moment(mut self) -> Self {
        self.0.is_of_moment = true;
        self
    }

    /// Returns the error with this text as its message.
    #[cfg(feature = "script")]
    pub(crate) fn say(mut self, message: &str) -> Self {
        self.0.message = line(message);
        self
    }

    pub(crate) fn with_expected(mut self, expected: impl fmt::Display) -> Self {
        self.0.expected = Some(lines(expected));
        self
    }

    pub(crate) fn with_got(mut self, got: impl Into<String>) -> Self {
        self.0.got = Some(lines(got.into()));
        self
    }

    pub(crate) fn with_sent(mut self, sent: Option<String>) -> Self {
        self.0.sent = sent.map(lines);
        self
    }

    pub(crate) fn with_waited(mut self, waited: Waited) -> Self {
        self.0.waited = Some(waited);
        self
    }

    pub(crate) fn with_session(mut self, session: impl Into<String>) -> Self {
        self.0.session = Some(line(&session.into()));
        self
    }

    /// Adds the place in a Rust source, unless the error already has one.
    pub(crate) fn with_source_place(
        mut self,
        place: &'static Location<'static>,
        transcript: String,
    ) -> Self {
        self.0.source.get_or_insert((place, transcript));
        self
    }

    /// Adds a hint on what to try next, unless the error already has one.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| lines(hint.into()));
        self
    }

    /// Masks the secrets in the error's parts, and leaves our own words unchanged.
    pub(crate) fn mask(&mut self, secrets: &Learned) {
        let parts = &mut *self.0;
        for data in [&mut parts.sent, &mut parts.session].into_iter().flatten() {
            secrets.mask_text(data);
        }
        if secrets.is_overfull() {
            parts.got.iter_mut().for_each(|got| secrets.mask_text(got));
        }
        let others = [&mut parts.expected, &mut parts.got, &mut parts.hint];
        for part in [&mut parts.message].into_iter().chain(others.into_iter().flatten()) {
            secrets.mask_data(part);
        }
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What happened, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What was expected.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// What came instead, with control characters escaped and secrets masked.
    #[must_use]
    pub fn got(&self) -> Option<&str> {
        self.0.got.as_deref()
    }

    /// The last line that was sent before the failure, or was about to be sent, masked.
    #[must_use]
    pub fn sent(&self) -> Option<&str> {
        self.0.sent.as_deref()
    }

    /// How long the operation waited, and how long it might have waited.
    #[must_use]
    pub fn waited(&self) -> Option<Waited> {
        self.0.waited
    }

    /// The session's name and its peer.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.0.session.as_deref()
    }

    /// Sets the seed of the random decisions before the error.
    #[cfg(feature = "script")]
    pub(crate) fn note_seed(&mut self, seed: Option<u64>) {
        self.0.seed = seed;
    }

    /// The seed of the random decisions before the error; `None` if there were none. A run with the
    /// same seed makes the same decisions.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.0.seed
    }

    /// The next step to try, if one is known.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        f.write_str(&parts.message)?;
        let waited = parts.waited.map(|waited| waited.to_string());
        let seed = parts.seed.map(|seed| seed.to_string());
        let named = [
            ("expected", &parts.expected),
            ("got", &parts.got),
            ("after", &parts.sent),
            ("waited", &waited),
            ("session", &parts.session),
            ("seed", &seed),
            ("hint", &parts.hint),
        ];
        for (name, part) in named {
            if let Some(part) = part {
                write!(f, "\n  {name}: {}", part.replace('\n', "\n    "))?;
            }
        }
        Ok(())
    }
}

/// The text with which a test that returns a [`Result`] fails, and with which `unwrap` panics:
/// everything that [`Display`](fmt::Display) shows, the place in the source, and the last lines of
/// the transcript.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let Some((place, transcript)) = &self.0.source else { return Ok(()) };
        write!(f, "\n  at: {place}\n  the last of the transcript:")?;
        transcript.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl std::error::Error for Error {}

/// Converts errors of std about files, numbers and text, so that `?` works in a test that returns a
/// [`Result`].
macro_rules! of_std {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::new(Kind::Io, error.to_string())
            }
        }
    )*};
}

of_std!(
    std::io::Error,
    std::num::ParseIntError,
    std::net::AddrParseError,
    std::str::Utf8Error,
    std::string::FromUtf8Error
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_can_cross_threads() {
        fn sendable<T: Send + Sync + 'static>() {}
        sendable::<Error>();
    }

    #[test]
    fn errors_of_std_convert() {
        fn test() -> Result<u16> {
            Ok(String::from_utf8(b"25x".to_vec())?.parse()?)
        }
        let error = test().unwrap_err();
        assert_eq!(error.message(), "invalid digit found in string");
    }

    #[test]
    fn display_names_every_part_once() {
        let error = Error::new(Kind::Mismatch, "the reply is another one")
            .with_expected("250")
            .with_got("554 5.7.1 no")
            .with_sent(Some("RCPT TO:<a@b>".into()))
            .with_session("s1, smtp://127.0.0.1:25")
            .hint("first")
            .hint("second");
        insta::assert_snapshot!(error, @r"
        the reply is another one
          expected: 250
          got: 554 5.7.1 no
          after: RCPT TO:<a@b>
          session: s1, smtp://127.0.0.1:25
          hint: first
        ");
        assert_eq!(
            format!("{error:?}"),
            error.to_string(),
            "a test that fails with it is read by a person"
        );
    }
}
