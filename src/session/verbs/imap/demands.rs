//! What a command demands of the untagged responses that come for it.

use crate::error::Result;
use crate::pattern::{IntoPattern, Pattern};

/// Which untagged responses have to come for a command, may come, and must not.
///
/// They may come in any order. Unless told otherwise, all others may come as well: a server can
/// send what it likes at any time (RFC 3501 section 7).
///
/// ```
/// use mailexpect::{Session, Untagged, server::Replay};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Replay::start("S: * OK hi\nC: a1 NOOP\nS: * 4 EXISTS\nS: * 1 RECENT\nS: a1 OK done")?;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Session::connect(&server.url("imap")).await?;
/// session.expect("* OK").await?;
/// let untagged = Untagged::new().require("* 4 EXISTS").allow("* 1 RECENT").only();
/// session.command("NOOP", &[]).untagged(untagged).await?;
/// # Ok::<_, mailexpect::Error>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Untagged {
    required: Vec<Result<Pattern>>,
    allowed: Vec<Result<Pattern>>,
    forbidden: Vec<Result<Pattern>>,
    only: bool,
}

impl Untagged {
    /// Anything may come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that matches has to come; each of several by a response of its own.
    #[must_use]
    pub fn require(mut self, pattern: impl IntoPattern) -> Self {
        self.required.push(pattern.into_pattern());
        self
    }

    /// Those that match may come, where `only` is said.
    #[must_use]
    pub fn allow(mut self, pattern: impl IntoPattern) -> Self {
        self.allowed.push(pattern.into_pattern());
        self
    }

    /// None that matches may come.
    #[must_use]
    pub fn forbid(mut self, pattern: impl IntoPattern) -> Self {
        self.forbidden.push(pattern.into_pattern());
        self
    }

    /// What is neither required nor allowed must not come.
    #[must_use]
    pub fn only(mut self) -> Self {
        self.only = true;
        self
    }

    pub(super) fn into_parts(self) -> Result<Demands> {
        let all = |patterns: Vec<Result<Pattern>>| patterns.into_iter().collect::<Result<Vec<_>>>();
        Ok(Demands {
            missing: all(self.required)?,
            allowed: all(self.allowed)?,
            forbidden: all(self.forbidden)?,
            only: self.only,
        })
    }
}

/// The tags that the verbs of a session have had.
#[derive(Debug, Default)]
pub(in crate::session) struct Tags {
    pub(super) count: u64,
    /// The tag of an IDLE that was begun by the verb.
    pub(super) idle: Option<String>,
}

/// Demands, as far as they are not met yet.
#[derive(Clone, Debug)]
pub(super) struct Demands {
    pub(super) missing: Vec<Pattern>,
    allowed: Vec<Pattern>,
    forbidden: Vec<Pattern>,
    only: bool,
}

/// What is wrong with a response that came, and what would have been right.
pub(super) struct Unwanted {
    pub(super) message: &'static str,
    pub(super) wanted: String,
}

impl Demands {
    /// Takes note of an untagged response, without its last line end.
    pub(super) fn came(&mut self, response: &[u8]) -> Result<(), Unwanted> {
        let place = self.missing.iter().position(|pattern| pattern.matches(response).is_some());
        if let Some(place) = place {
            self.allowed.push(self.missing.remove(place));
        }
        if let Some(pattern) =
            self.forbidden.iter().find(|pattern| pattern.matches(response).is_some())
        {
            let wanted = format!("anything but {pattern}");
            return Err(Unwanted {
                message: "an untagged response is one that must not come",
                wanted,
            });
        }
        if self.only && !self.allowed.iter().any(|pattern| pattern.matches(response).is_some()) {
            let message = "an untagged response is neither required nor allowed";
            return Err(Unwanted { message, wanted: self.shown() });
        }
        Ok(())
    }

    /// What may come, where that is not anything.
    fn shown(&self) -> String {
        let patterns: Vec<_> =
            self.missing.iter().chain(&self.allowed).map(ToString::to_string).collect();
        if patterns.is_empty() { "no untagged response".to_owned() } else { patterns.join(" or ") }
    }
}
