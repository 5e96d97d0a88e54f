//! Who may write which golden.

use std::env;
#[cfg(feature = "cli")]
use std::path::Path;

#[cfg(feature = "cli")]
use super::Place;
use crate::error::{Error, Result};

/// How goldens are looked for and kept in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Goldens {
    pub(crate) policy: Policy,
    /// The server that the run is against, if it has goldens of its own.
    pub(crate) target: Option<String>,
    /// Whether a difference is no failure (`INSTA_FORCE_PASS`).
    pub(crate) force_pass: bool,
}

/// What is written where a transcript differs from its golden, or has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Goldens are not looked for.
    Ignore,
    /// Nothing (`--check`, CI, `INSTA_UPDATE=no`).
    Check,
    /// What differs waits in a file beside the golden (`INSTA_UPDATE=auto`).
    #[default]
    Review,
    /// The same, and so does what has no golden (`INSTA_UPDATE=new`).
    New,
    /// What differs is written, and what has no golden waits (`INSTA_UPDATE=unseen`).
    Unseen,
    /// What differs is written (`--update`).
    #[cfg_attr(
        not(any(feature = "cli", test)),
        expect(dead_code, reason = "flags are the program's")
    )]
    Update,
    /// So is what has no golden (`INSTA_UPDATE=always`).
    Always,
    /// The same, into the target's own golden even where there is one for all (`--record`).
    Record,
}

impl Policy {
    /// What the environment asks for, as it does of insta; in CI nothing is written.
    ///
    /// # Errors
    /// Usage for a value of `INSTA_UPDATE` that insta does not know.
    pub(crate) fn of_environment() -> Result<Self> {
        Self::of(env::var("INSTA_UPDATE").ok().as_deref(), is_ci())
    }

    fn of(update: Option<&str>, is_ci: bool) -> Result<Self> {
        let policy = match update {
            None | Some("" | "auto") => Self::Review,
            Some("always" | "1" | "force") => Self::Always,
            Some("new") => Self::New,
            Some("unseen") => Self::Unseen,
            Some("no") => Self::Check,
            Some(other) => {
                let error = Error::usage(format!(
                    "INSTA_UPDATE is `{}`",
                    crate::visible::escape(other.as_bytes())
                ));
                return Err(error.hint("it may be auto, always, new, unseen, no or force"));
            }
        };
        Ok(if is_ci { Self::Check } else { policy })
    }

    /// Whether it has to do with scripts that have no golden.
    pub(super) fn makes_new(self) -> bool {
        self.writes(true) || self.leaves_pending(true)
    }

    pub(super) fn records(self) -> bool {
        self == Self::Record
    }

    /// Whether a golden is written at once: one that is not there yet, or one that says otherwise.
    pub(super) fn writes(self, is_new: bool) -> bool {
        match self {
            Self::Always | Self::Record => true,
            Self::Update | Self::Unseen => !is_new,
            Self::Ignore | Self::Check | Self::Review | Self::New => false,
        }
    }

    /// Whether what was said is left for review.
    pub(super) fn leaves_pending(self, is_new: bool) -> bool {
        match self {
            Self::New => true,
            Self::Review => !is_new,
            Self::Unseen => is_new,
            Self::Ignore | Self::Check | Self::Update | Self::Always | Self::Record => false,
        }
    }

    /// Whether anything may be written at all.
    pub(super) fn writes_pending(self) -> bool {
        !matches!(self, Self::Ignore | Self::Check)
    }
}

impl Goldens {
    /// What the environment asks for.
    ///
    /// # Errors
    /// Those of [`Policy::of_environment`].
    pub(crate) fn of_environment() -> Result<Self> {
        Ok(Self {
            policy: Policy::of_environment()?,
            target: None,
            force_pass: is_set("INSTA_FORCE_PASS"),
        })
    }
}

#[cfg(feature = "cli")]
impl Goldens {
    /// For runs that are held against something else.
    #[must_use]
    pub(crate) fn passed_over() -> Self {
        Self { policy: Policy::Ignore, ..Self::default() }
    }

    /// For many runs of a script at once: nothing is written, and where there is no golden, none is
    /// looked for each time.
    ///
    /// # Errors
    /// Usage for a golden that cannot be read.
    pub(crate) fn of_many(&self, script: &Path) -> Result<Self> {
        let is_there = Place::of(script, self.target.as_deref()).there()?.is_some();
        Ok(Self { policy: if is_there { Policy::Check } else { Policy::Ignore }, ..self.clone() })
    }
}

/// Whether this is continuous integration, as insta tells it.
pub(crate) fn is_ci() -> bool {
    match env::var("CI").ok().as_deref() {
        Some("false" | "0" | "") => false,
        Some(_) => true,
        None => env::var_os("TF_BUILD").is_some(),
    }
}

fn is_set(name: &str) -> bool {
    env::var(name).is_ok_and(|value| value == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_means_what_it_means_to_insta() {
        for (update, policy) in [
            (None, Policy::Review),
            (Some("auto"), Policy::Review),
            (Some("always"), Policy::Always),
            (Some("new"), Policy::New),
            (Some("unseen"), Policy::Unseen),
            (Some("no"), Policy::Check),
        ] {
            assert_eq!(Policy::of(update, false).unwrap(), policy);
            assert_eq!(
                Policy::of(update, true).unwrap(),
                Policy::Check,
                "nothing is ever written in CI"
            );
        }
        let error = Policy::of(Some("maybe"), false).unwrap_err();
        assert_eq!(error.message(), "INSTA_UPDATE is `maybe`");
    }

    #[test]
    fn a_script_without_a_golden_is_left_alone_unless_one_is_asked_for() {
        let asking = [Policy::New, Policy::Unseen, Policy::Always, Policy::Record];
        for policy in [Policy::Ignore, Policy::Check, Policy::Review, Policy::Update]
            .into_iter()
            .chain(asking)
        {
            assert_eq!(policy.makes_new(), asking.contains(&policy), "{policy:?}");
        }
    }
}
