//! Decides which goldens may be written.

use std::env;
#[cfg(feature = "cli")]
use std::path::Path;

#[cfg(feature = "cli")]
use super::Files;
use crate::error::{Error, Result};

/// How a run looks for goldens and writes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Goldens {
    pub(crate) policy: Policy,
    /// The target that the run is against, which may have goldens of its own.
    pub(crate) target: Option<String>,
    /// Whether a run passes in spite of a difference (`INSTA_FORCE_PASS`).
    pub(crate) force_pass: bool,
}

/// What is written if a transcript differs from its golden, or has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Goldens are not looked for.
    Ignore,
    /// Nothing is written (`--check`, CI, `INSTA_UPDATE=no`).
    Check,
    /// A differing transcript is written to a pending file beside the golden (`INSTA_UPDATE=auto`).
    #[default]
    Review,
    /// As `Review`, and so is a transcript that has no golden (`INSTA_UPDATE=new`).
    New,
    /// A missing golden is created; a transcript that differs from its golden is written to a
    /// pending file (`INSTA_UPDATE=unseen`).
    Unseen,
    /// A differing golden is overwritten (`--update`).
    #[cfg_attr(
        not(any(feature = "cli", test)),
        expect(dead_code, reason = "flags are the program's")
    )]
    Update,
    /// A differing golden is overwritten, and a missing one is created (`INSTA_UPDATE=always`).
    Always,
    /// As `Always`, but into the target's own golden even if there is a shared one (`--record`).
    Record,
}

impl Policy {
    /// The policy that the environment asks for, in insta's variables. In CI nothing is written.
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

    /// Whether the policy writes anything for scripts that have no golden.
    pub(super) fn makes_new(self) -> bool {
        self.writes(true) || self.leaves_pending(true)
    }

    pub(super) fn records(self) -> bool {
        self == Self::Record
    }

    /// Whether the golden is written at once. `is_new` tells whether there is none yet; otherwise
    /// it differs.
    pub(super) fn writes(self, is_new: bool) -> bool {
        match self {
            Self::Always | Self::Record => true,
            Self::Update => !is_new,
            Self::Unseen => is_new,
            Self::Ignore | Self::Check | Self::Review | Self::New => false,
        }
    }

    /// Whether a transcript is left for review in a pending file.
    pub(super) fn leaves_pending(self, is_new: bool) -> bool {
        match self {
            Self::New => true,
            Self::Review | Self::Unseen => !is_new,
            Self::Ignore | Self::Check | Self::Update | Self::Always | Self::Record => false,
        }
    }

    /// Whether the policy may write anything.
    pub(super) fn writes_pending(self) -> bool {
        !matches!(self, Self::Ignore | Self::Check)
    }
}

impl Goldens {
    /// The settings that the environment asks for.
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
    /// The settings for runs that are compared with something other than goldens.
    #[must_use]
    pub(crate) fn passed_over() -> Self {
        Self { policy: Policy::Ignore, ..Self::default() }
    }

    /// The settings for many runs of a script at once: nothing is written, and if there is no
    /// golden, no run looks for one.
    ///
    /// # Errors
    /// Usage for a golden that cannot be read.
    pub(crate) fn of_many(&self, script: &Path) -> Result<Self> {
        let is_there = Files::of(script, self.target.as_deref()).there()?.is_some();
        Ok(Self { policy: if is_there { Policy::Check } else { Policy::Ignore }, ..self.clone() })
    }
}

/// Whether this process runs in continuous integration, by the same rules as insta's.
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
