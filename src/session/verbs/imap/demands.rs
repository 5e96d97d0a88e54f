//! What a command demands of the untagged responses that come for it.

use super::known::Contradiction;
use crate::assignment::Assignment;
use crate::error::Result;
use crate::pattern::{IntoPattern, Pattern};
use crate::proto::imap::{Answer, Response};
use crate::reply::Reply;

/// The untagged responses that a command must get, may get, and must not get.
///
/// They may come in any order. Unless limited by [`Untagged::only`], all others may come as well,
/// because a server may send any at any time (RFC 3501 section 7).
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
    ordered: bool,
}

impl Untagged {
    /// No demands: any response may come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires a response that matches. Each required pattern needs a response of its own; if
    /// there is a way to assign responses to all patterns, it is found.
    #[must_use]
    pub fn require(mut self, pattern: impl IntoPattern) -> Self {
        self.required.push(pattern.into_pattern());
        self
    }

    /// Allows responses that match, after [`Untagged::only`].
    #[must_use]
    pub fn allow(mut self, pattern: impl IntoPattern) -> Self {
        self.allowed.push(pattern.into_pattern());
        self
    }

    /// Forbids responses that match.
    #[must_use]
    pub fn forbid(mut self, pattern: impl IntoPattern) -> Self {
        self.forbidden.push(pattern.into_pattern());
        self
    }

    /// Forbids responses that are neither required nor allowed.
    #[must_use]
    pub fn only(mut self) -> Self {
        self.only = true;
        self
    }

    /// Requires the responses in the order of their patterns.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    pub(super) fn into_parts(self) -> Result<Demands> {
        let all = |patterns: Vec<Result<Pattern>>| patterns.into_iter().collect::<Result<Vec<_>>>();
        let required = all(self.required)?;
        Ok(Demands {
            met: Assignment::new(required.len()),
            ordered: self.ordered.then_some(0),
            added: Vec::new(),
            came: 0,
            required,
            allowed: all(self.allowed)?,
            forbidden: all(self.forbidden)?,
            only: self.only,
        })
    }
}

/// The tags that verbs of a session have used, and what came for them.
#[derive(Debug, Default)]
pub(in crate::session) struct Tags {
    pub(super) count: u64,
    /// The tag of the IDLE command that [`Session::idle`](crate::Session::idle) began.
    pub(super) idle: Option<String>,
    /// The answer to the last command.
    pub(super) answer: Option<Answer>,
    /// The first contradiction in what came since a verb has begun.
    pub(super) contradiction: Option<Contradiction>,
}

/// The demands of a command, and which of them are met.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    required: Vec<Pattern>,
    /// If the order counts: how many of the patterns have been met.
    ordered: Option<usize>,
    met: Assignment,
    /// For each response that the assignment knows, its place among all responses.
    added: Vec<usize>,
    came: usize,
    allowed: Vec<Pattern>,
    forbidden: Vec<Pattern>,
    only: bool,
}

/// Why a response is not allowed, and what would have been.
pub(super) struct Unwanted {
    pub(super) message: &'static str,
    pub(super) wanted: String,
}

impl Demands {
    /// Checks an untagged response and counts it.
    pub(super) fn came(&mut self, response: &Response) -> Result<(), Unwanted> {
        let fits: Vec<_> = (0..self.required.len())
            .filter(|place| response.is_like(&self.required[*place]))
            .collect();
        let is_required = !fits.is_empty();
        match &mut self.ordered {
            Some(met) if fits.contains(met) => {
                *met += 1;
                self.added.push(self.came);
            }
            None if is_required && self.met.add(fits) => self.added.push(self.came),
            Some(_) | None => {}
        }
        self.came += 1;
        if let Some(pattern) = self.forbidden.iter().find(|pattern| response.is_like(pattern)) {
            let wanted = format!("anything but {pattern}");
            return Err(Unwanted {
                message: "an untagged response came that must not come",
                wanted,
            });
        }
        let is_allowed = || self.allowed.iter().any(|pattern| response.is_like(pattern));
        if self.only && !is_required && !is_allowed() {
            let message = "an untagged response is neither required nor allowed";
            return Err(Unwanted { message, wanted: self.shown() });
        }
        Ok(())
    }

    /// An estimate of the work to check a response of this number of bytes, as
    /// [`Pattern::effort`] has it.
    pub(super) fn effort(&self, bytes: usize) -> usize {
        let patterns = self.required.iter().chain(&self.allowed).chain(&self.forbidden);
        patterns.fold(0, |all, pattern| all.saturating_add(pattern.effort(bytes)))
    }

    /// The responses that met the required patterns, in the order of the patterns. `came` are all
    /// responses.
    pub(super) fn replies(&self, came: &[Response]) -> Vec<Reply> {
        let reply = |(place, pattern): (usize, &Pattern)| {
            let added = match self.ordered {
                Some(_) => place,
                None => self.met.served_by().get(place).copied()??,
            };
            came.get(*self.added.get(added)?)?.matched(pattern)
        };
        self.required.iter().enumerate().filter_map(reply).collect()
    }

    /// The required patterns that no response has met, one on each line; `None` if all are met.
    pub(super) fn missing(&self) -> Option<String> {
        let missing: Vec<_> = match self.ordered {
            Some(met) => (met..self.required.len()).collect(),
            None => self.met.unserved().collect(),
        };
        let order = if self.ordered.is_some() { " (in this order)" } else { "" };
        let shown = missing.iter().map(|place| format!("{}{order}", self.required[*place]));
        (!missing.is_empty()).then(|| shown.collect::<Vec<_>>().join("\n"))
    }

    /// The patterns that may come, as an error shows them after [`Untagged::only`].
    fn shown(&self) -> String {
        let patterns: Vec<_> =
            self.required.iter().chain(&self.allowed).map(ToString::to_string).collect();
        if patterns.is_empty() { "no untagged response".to_owned() } else { patterns.join(" or ") }
    }
}
