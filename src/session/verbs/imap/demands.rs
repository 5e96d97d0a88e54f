//! What a command demands of the untagged responses that come for it.

use crate::error::Result;
use crate::pattern::{IntoPattern, Pattern};
use crate::proto::imap::{Answer, Response};
use crate::reply::Reply;
use crate::session::assignment::Assignment;

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
    ordered: bool,
}

impl Untagged {
    /// Anything may come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that matches has to come; each of several by a response of its own. Which one serves
    /// which pattern is found if there is a way for all.
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

    /// Those that are required have to come in the order of their patterns.
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

/// The tags that the verbs of a session have had, and the last answer.
#[derive(Debug, Default)]
pub(in crate::session) struct Tags {
    pub(super) count: u64,
    /// The tag of an IDLE that was begun by the verb.
    pub(super) idle: Option<String>,
    /// All that came for the last command.
    pub(super) answer: Option<Answer>,
}

/// Demands, and how far they are met.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    required: Vec<Pattern>,
    /// The patterns are required in their order; so many of them have been met.
    ordered: Option<usize>,
    met: Assignment,
    /// The responses that the assignment knows, and all that came so far.
    added: Vec<usize>,
    came: usize,
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
    /// Takes note of an untagged response.
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
                message: "an untagged response is one that must not come",
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

    /// The responses that are required, in the order of their patterns. `came` are all that came.
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

    /// The patterns that no response has met, one a line; `None` if all are met.
    pub(super) fn missing(&self) -> Option<String> {
        let missing: Vec<_> = match self.ordered {
            Some(met) => (met..self.required.len()).collect(),
            None => self.met.unserved().collect(),
        };
        let order = if self.ordered.is_some() { " (in this order)" } else { "" };
        let shown = missing.iter().map(|place| format!("{}{order}", self.required[*place]));
        (!missing.is_empty()).then(|| shown.collect::<Vec<_>>().join("\n"))
    }

    /// What may come, if that is not anything.
    fn shown(&self) -> String {
        let patterns: Vec<_> =
            self.required.iter().chain(&self.allowed).map(ToString::to_string).collect();
        if patterns.is_empty() { "no untagged response".to_owned() } else { patterns.join(" or ") }
    }
}
